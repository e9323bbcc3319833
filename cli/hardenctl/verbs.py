"""Makes a verb out of a function: common flags, output formats, and one way to end."""

import inspect
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import MISSING, fields
from typing import Annotated, Any, get_type_hints

import typer

from hardenctl.outcome import Exit, Result, Stop, usage
from hardenctl.output import Console
from hardenctl.program import PROG
from hardenctl.session import Flags, Session
from hardened.errors import ApiFailure

#: A verb's work. Its first parameter is the Session; the others become its own arguments and options.
Work = Callable[..., Exit]

_STRUCTURED = ("json", "yaml")


def register(app: typer.Typer, name: str, work: Work, *, outputs: Sequence[str], summary: str, examples: Sequence[str], more: str) -> None:
    """Adds a verb. outputs: what -o takes; examples: come first in its help."""
    shown = "\n".join(f"  {PROG} {example}" for example in examples)
    text = f"{summary}\n\n\b\nExamples:\n{shown}\n\n{more}"
    app.command(name, help=text, short_help=summary)(_command(name, work, outputs))


def _command(name: str, work: Work, outputs: Sequence[str]) -> Callable[..., None]:
    own = list(inspect.signature(work).parameters.values())[1:]
    hints = get_type_hints(work, include_extras=True)
    kind = inspect.Parameter.KEYWORD_ONLY
    output = Annotated[str, typer.Option("--output", "-o", metavar="|".join(outputs), help="Output format; text when left out.")]
    signature = [
        *(p.replace(kind=kind, annotation=hints[p.name]) for p in own),
        inspect.Parameter("output", kind, default="", annotation=output),
        *(
            inspect.Parameter(f.name, kind, default=f.default, annotation=get_type_hints(Flags, include_extras=True)[f.name])
            for f in fields(Flags)
            if f.default is not MISSING
        ),
    ]

    def command(**given: Any) -> None:
        output = given.pop("output")
        flags = Flags(**{f.name: given.pop(f.name) for f in fields(Flags)})
        console = Console.standard(output, is_quiet=flags.quiet, is_verbose=flags.verbose, no_color=flags.no_color)
        raise typer.Exit(_ended(name, work, outputs, Session(flags, console), given))

    command.__signature__ = inspect.Signature(signature)  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in signature}
    return command


def _ended(name: str, work: Work, outputs: Sequence[str], session: Session, given: dict[str, Any]) -> int:
    console = session.console
    try:
        if console.output not in ("", *outputs):
            raise usage(f"-o {console.output} is not known to {name}", f"it takes {', '.join(outputs)}")
        return work(session, **given)
    except Stop as stop:
        return _told(console, stop)
    except ApiFailure as error:
        from hardenctl.failures import explained

        return _told(console, explained(error, "patch" if name == "deploy" else "get", session.namespace))
    except KeyboardInterrupt:
        return _told(console, Stop("interrupted", result=Result.INTERRUPTED, code=Exit.INTERRUPTED))
    except BrokenPipeError:
        # Whoever read our output has enough. The interpreter would complain about the same pipe once more when it closes it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.BROKEN_PIPE


def _told(console: Console, stop: Stop) -> int:
    if console.output in _STRUCTURED:
        console.data({"result": str(stop.result), "message": stop.message, "hint": stop.hint, "next": stop.next_step})
    console.complain(stop.message, stop.hint)
    console.advise(stop.next_step)
    return stop.code
