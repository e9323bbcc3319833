"""Makes a verb out of a function: common flags, output formats, and one way to end."""

import inspect
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from typing import Annotated, Any, Protocol, get_type_hints

import typer
import typer.main

from hardenctl.cluster.session import Flags, Session
from hardenctl.output.console import Console
from hardenctl.output.duration import Deadline, seconds
from hardenctl.output.outcome import CommandEnd, Exit, ResultWord, usage
from hardenctl.output.program import PROG
from hardenctl.plain_values import PlainCommand
from hardenctl.release.naming import service_name
from hardened.errors import ApiFailure, HardenedError

#: A verb's work. Its first parameter is the Session; the others become its own arguments and options.
Work = Callable[..., Exit]

_STRUCTURED = ("json", "yaml")


class Verb(Protocol):
    """A module of `hardenctl.commands`. OUTPUTS: what -o takes; EXAMPLES: come first in its help; MORE: what follows them.

    LEAST_ERROR, where a module has it: the least exit code of an error, because 1 is a result of the verb.
    """

    OUTPUTS: tuple[str, ...]
    EXAMPLES: tuple[str, ...]
    MORE: str
    run: Work


def command(name: str, verb: Verb, summary: str) -> Any:
    """The command of a verb, ready to be invoked. name: with its group before it. Example: "backup list"."""
    shown = "\n".join(f"  {PROG} {example}" for example in verb.EXAMPLES)
    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False, context_settings=_SETTINGS)
    more = f"{verb.MORE.rstrip()} The schema of -o json is {schema_file(name)}." if "json" in verb.OUTPUTS else verb.MORE
    app.command(name.split()[-1], cls=PlainCommand, help=f"{summary}\n\n\b\nExamples:\n{shown}\n\n{more}")(_callback(name, verb))
    return typer.main.get_command(app)


def schema_file(name: str) -> str:
    """Where the repository has the schema of what -o json prints. Example: "backup list" -> "docs/schemas/backup_list.json"."""
    return f"docs/schemas/{name.replace(' ', '_')}.json"


_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 120}


def _callback(name: str, verb: Verb) -> Callable[..., None]:
    work, outputs = verb.run, verb.OUTPUTS
    own = list(inspect.signature(work).parameters.values())[1:]
    hints = get_type_hints(work, include_extras=True)
    kind = inspect.Parameter.KEYWORD_ONLY
    output = Annotated[str, typer.Option("--output", "-o", metavar="|".join(outputs), help="Output format (default: text).")]
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
        raise typer.Exit(_ended(name, verb, Session(flags, console), given))

    command.__signature__ = inspect.Signature(signature)  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in signature}
    return command


def _ended(name: str, verb: Verb, session: Session, given: dict[str, Any]) -> int:
    console, least = session.console, getattr(verb, "LEAST_ERROR", 0)
    try:
        if console.output not in ("", *verb.OUTPUTS):
            raise usage(f"-o {console.output} is not an output of {name}", f"it takes {', '.join(verb.OUTPUTS)}")
        return verb.run(_bounded(session, given), **_named(given))
    except CommandEnd as stop:
        return max(least, _told(console, stop))
    except HardenedError as error:
        from hardenctl.cluster.failures import explained

        # Only a call to the cluster fails in words about a namespace; without one there may be no kubeconfig to ask for it.
        namespace = session.namespace if isinstance(error, ApiFailure) else ""
        verb_tried = "patch" if name in ("deploy", "diff") else "get"
        return max(least, _told(console, explained(error, verb_tried, namespace, session.cluster_flags)))
    except KeyboardInterrupt:
        return _told(console, CommandEnd("interrupted", result=ResultWord.INTERRUPTED, code=Exit.INTERRUPTED))
    except BrokenPipeError:
        # Whoever read our output has enough. The interpreter would complain about the same pipe once more when it closes it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.BROKEN_PIPE
    except Exception as error:  # noqa: BLE001 - a script that reads JSON gets JSON, whatever happens
        from hardenctl.unexpected import told, where

        console.trace(where(error))
        return max(least, _told(console, told(error, is_verbose=console.is_verbose)))


def _bounded(session: Session, given: Mapping[str, Any]) -> Session:
    """--timeout is for the whole of a verb: from its first call to the cluster on, whatever the cluster does."""
    timeout = given.get("timeout")
    return session.until(Deadline.after(seconds(timeout, "--timeout"))) if timeout else session


def _named(given: Mapping[str, Any]) -> dict[str, Any]:
    """NAME, or NAMEs, as the service alone. Raises CommandEnd (usage) for an empty one."""
    found = dict(given)
    if found.get("name") is not None:
        found["name"] = service_name(found["name"])
    if found.get("services"):
        found["services"] = list(dict.fromkeys(map(service_name, found["services"])))
    return found


def _told(console: Console, stop: CommandEnd) -> int:
    if console.output in _STRUCTURED:
        console.data({"result": str(stop.result), "message": stop.message, "hint": stop.hint, "next": stop.next_step})
    console.complain(stop.message, stop.hint)
    console.advise(stop.next_step)
    return stop.code
