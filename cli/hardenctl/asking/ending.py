"""How a verb of releases ended, told to people and to scripts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hardenctl.asking.arguments import ActionArguments
from hardenctl.cluster.session import Session
from hardenctl.output.console import Mark
from hardenctl.output.formats import printable
from hardenctl.output.outcome import Exit, ResultWord
from hardenctl.release import report
from hardened.core.model.manifest import Manifest

_ENDS = {ResultWord.REFUSED: "was refused", ResultWord.TIMED_OUT: "has not ended in time"}


@dataclass(frozen=True)
class Ended:
    """How it ended."""

    result: ResultWord
    """The word for scripts."""
    code: Exit
    """Of the process."""
    revision: str
    """The one that was meant, "" for none."""
    message: str
    """Why, in one sentence."""
    action: str = ""
    """The name of the request, "" where none was needed."""
    next_step: str = ""
    """The command to type next."""
    hint: str = ""
    """What to do about it, "" where there is nothing to do."""
    more: Mapping[str, Any] = field(default_factory=dict)
    """Data that only some verbs have."""
    lines: Sequence[str] = ()
    """Lines for people that only some verbs have."""


def tell(session: Session, live: Manifest, wanted: ActionArguments, ended: Ended) -> None:
    """One line and what to do next, or the data that -o asks for. live: the service as it was found."""
    console = session.console
    if console.output in ("json", "yaml"):
        meta = live["metadata"]
        console.data(
            {
                "result": str(ended.result),
                "namespace": meta["namespace"],
                "name": meta["name"],
                "verb": wanted.verb,
                "revision": ended.revision,
                "action": ended.action,
                "message": ended.message,
                "hint": ended.hint,
                **ended.more,
                "next": ended.next_step,
            }
        )
    if ended.code != Exit.OK:
        end = _ENDS.get(ended.result, "has failed")
        console.complain(f"{called(live)}: {wanted.verb} {end}: {ended.message}", ended.hint)
        console.advise(ended.next_step)
        return
    match console.output:
        case "name":
            console.print(report.action_name(ended.action) if ended.action else report.full_name(live))
        case "":
            mark = Mark.BUSY if ended.result is ResultWord.REQUESTED else Mark.GOOD
            said = ended.message or f"{wanted.verb} is done"
            console.print(f"{console.mark(mark)} {called(live)}: {printable(said)}")
            for line in ended.lines:
                console.print(printable(f"  {line}"))
            if not console.is_quiet:
                console.print(f"Next: {ended.next_step}")


def called(live: Manifest) -> str:
    """The service in words: namespace/name."""
    return f"{live['metadata']['namespace']}/{live['metadata']['name']}"
