"""What the verbs of releases share: read the service, say what is at stake, ask for it, wait, and say what came of it."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, assert_never

import typer

from hardenctl import duration, report
from hardenctl.cluster import Manifest
from hardenctl.duration import Deadline
from hardenctl.identity import user_name
from hardenctl.lookup import find
from hardenctl.outcome import Exit, Result, Stop, usage
from hardenctl.output import Mark, printable
from hardenctl.program import PROG
from hardenctl.release_state import image_of, serving_of
from hardenctl.request import Outcome, Request, follow, make
from hardenctl.resources import service
from hardenctl.session import Session
from hardenctl.stakes import STAKES, Already, Ask, Nothing
from hardenctl.verdict import status
from hardened.errors import ApiFailure

OUTPUTS = ("json", "yaml", "name")
#: The most characters of a reason: it ends in logs, Events and tables.
LONGEST_REASON = 512
_WAIT_SECONDS = 600.0

Name = Annotated[str, typer.Argument(metavar="NAME", help="The service.")]
Revision = Annotated[
    str,
    typer.Option("--revision", metavar="R", help="The revision that is meant; any other one is refused. The one at stake when left out."),
]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; stands in status, and in the cause of what is rejected by it.")]
Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Whether to wait for what comes of it.")]
Timeout = Annotated[str, typer.Option("--timeout", metavar="TIME", help="Bound on waiting: 10m when left out.")]

MORE = (
    "Makes a HardenedServiceAction, which the operator answers; Git and the spec are not touched. Ctrl-C ends the waiting only. "
    "Exits 0 when it is done, or was so already; 1 when it has failed, 4 when it was refused, 124 when --timeout is over. "
    "`result` is one of ok, unchanged, requested (with --no-wait), failed, refused, timeout."
)


@dataclass(frozen=True)
class Wish:
    """What is asked for at the prompt.

    revision: "" where the one at stake is meant; span: seconds to wait, None for not at all; likely: what the operator should choose;
    across_migration: of a rollback, see the API.
    """

    action: str
    name: str
    revision: str = ""
    reason: str = ""
    span: float | None = None
    likely: str = ""
    across_migration: bool = False

    @property
    def verb(self) -> str:
        """Its name at the prompt."""
        return self.action.lower()


def wish(action: str, name: str, revision: str, reason: str, wait: bool, timeout: str) -> Wish:
    """From the flags of a verb. Raises Stop (usage) for what the API would not take."""
    if revision and not re.fullmatch(r"[0-9a-f]{12}", revision):
        raise usage(f"--revision {revision!r} is not a revision", f"it has 12 hex digits, as {PROG} history {name} shows them")
    if len(reason) > LONGEST_REASON or any(ord(c) < 32 or ord(c) == 127 for c in reason):
        raise usage(f"--reason has to be one line of at most {LONGEST_REASON} characters")
    if timeout and not wait:
        raise usage("--timeout and --no-wait exclude each other")
    span = duration.seconds(timeout, "--timeout") if timeout else _WAIT_SECONDS
    return Wish(action, name, revision, reason, span if wait else None)


@dataclass(frozen=True)
class Ended:
    """How it ended. more: lines, and data, that only some verbs have; action: the name of the request, "" where none was needed."""

    result: Result
    code: Exit
    revision: str
    message: str
    action: str = ""
    next_step: str = ""
    hint: str = ""
    more: Mapping[str, Any] = field(default_factory=dict)
    lines: Sequence[str] = ()


#: What a verb adds to a success: lines for people, data for scripts. It is given the service as it is afterwards.
Addition = Callable[[Manifest], tuple[Sequence[str], Mapping[str, Any]]]


def perform(session: Session, live: Manifest, wanted: Wish, add: Addition = lambda _: ((), {})) -> Exit:
    """Asks, unless it is so already, and tells. live: the service as it was found. Raises Stop for what cannot be asked."""
    stakes = STAKES[wanted.action](live, wanted.revision)
    match stakes:
        case Already():
            ended = Ended(Result.UNCHANGED, Exit.OK, stakes.revision, stakes.message, next_step=_command(session, wanted, stakes.then))
        case Nothing():
            step = _command(session, wanted, stakes.instead)
            raise Stop(stakes.message, result=Result.REFUSED, code=Exit.REFUSED, next_step=step)
        case Ask():
            likely = f"; that should be {wanted.likely}" if wanted.likely else ""
            session.console.progress(printable(f"{wanted.verb} of {_called(live)}: {stakes.what}{likely}"))
            if stakes.warning:
                session.console.warn(stakes.warning)
            ended = _asked(session, live, wanted, stakes, add)
        case _ as other:
            assert_never(other)
    _tell(session, live, wanted, ended)
    return ended.code


def service_of(session: Session, name: str) -> Manifest:
    """The service. Raises Stop where there is none of this name."""
    return find(session, name)


def _asked(session: Session, live: Manifest, wanted: Wish, ask: Ask, add: Addition) -> Ended:
    meta = live["metadata"]
    by = user_name(session)
    uid, across = str(meta.get("uid", "")), wanted.across_migration
    request = Request(meta["namespace"], wanted.name, uid, wanted.action, ask.revision, wanted.reason, by, across)
    made = make(session, request)
    name = str(made["metadata"]["name"])
    session.console.progress(f"    0s  asked for, as {name} by {printable(by)}")
    if wanted.span is None:
        lines, more = add(live)
        message = f"{wanted.verb} was asked for"
        # The status may be older than what was asked for: it is the request that says when it is done.
        done = "--for=jsonpath='{.status.phase}'=Succeeded"
        step = f"kubectl wait {report.action_name(name)} -n {meta['namespace']} {done}{session.cluster_flags}"
        return Ended(Result.REQUESTED, Exit.OK, ask.revision, message, name, step, more=more, lines=lines)
    return _after(session, wanted, ask, follow(session, made, request, Deadline.after(wanted.span)), add)


def _after(session: Session, wanted: Wish, ask: Ask, outcome: Outcome, add: Addition) -> Ended:
    match outcome.phase:
        case "Succeeded":
            after = _now(session, wanted)
            lines, more = add(after) if after else ((), {})
            is_degraded = after is not None and (after.get("status") or {}).get("phase") == "Degraded"
            step = _command(session, wanted, "status {name}" if is_degraded else _THEN[wanted.action])
            shown = [*_state(after), *lines] if after else []
            more = {"outcome": dict(outcome.result), **more}
            return Ended(Result.OK, Exit.OK, ask.revision, outcome.message, outcome.name, step, more=more, lines=shown)
        case "Refused":
            # Somebody else may have asked for the same in between.
            after = _now(session, wanted)
            found = STAKES[wanted.action](after, ask.revision) if after else ask
            if isinstance(found, Already):
                step = _command(session, wanted, found.then)
                return Ended(Result.UNCHANGED, Exit.OK, found.revision, found.message, outcome.name, step)
            step = _command(session, wanted, _ELSE.get(wanted.action, "status {name}"))
            return Ended(Result.REFUSED, Exit.REFUSED, ask.revision, outcome.message, outcome.name, step)
        case "Failed":
            return Ended(
                Result.FAILED, Exit.FAILED, ask.revision, outcome.message, outcome.name, _command(session, wanted, "status {name}")
            )
    text = outcome.message or outcome.phase
    step, hint = _command(session, wanted, "status {name} -w"), "only the waiting ended"
    if not outcome.phase:
        text = "the operator has not looked at it"
        step = f"{PROG} check -n {session.namespace}{session.cluster_flags}"
        hint = "does the operator run? What it has not begun within 5 minutes, it refuses"
    return Ended(Result.TIMED_OUT, Exit.TIMED_OUT, ask.revision, text, outcome.name, step, hint)


#: The next verb once it is done, and once it was refused.
_THEN = {
    "Rollback": "deploy {name} --image IMAGE",
    "Promote": "status {name} -w",
    "Abort": "deploy {name} --image IMAGE",
    "Retry": "status {name} -w",
    "Pause": "resume {name}",
    "Resume": "status {name} -w",
}
_ELSE = {"Rollback": "history {name}", "Retry": "history {name}"}


def _command(session: Session, wanted: Wish, template: str) -> str:
    verb, _, rest = template.partition(" {name}")
    return f"{PROG} {verb} {wanted.name} -n {session.namespace}{rest}{session.cluster_flags}"


def _now(session: Session, wanted: Wish) -> Manifest | None:
    try:
        return session.cluster.get(service(session.namespace, wanted.name))
    except ApiFailure as error:
        session.console.trace(f"the service cannot be read again: {error}")
        return None


def _state(live: Manifest) -> list[str]:
    serving, phase = serving_of(live), str(status(live).get("phase") or "Pending")
    if not serving:
        return [f"{phase}; nothing serves"]
    return [f"{phase}; revision {serving} ({image_of(live, serving)}) serves"]


def _called(live: Manifest) -> str:
    return f"{live['metadata']['namespace']}/{live['metadata']['name']}"


def _tell(session: Session, live: Manifest, wanted: Wish, ended: Ended) -> None:
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
        console.complain(f"{_called(live)}: {wanted.verb} {end}: {ended.message}", ended.hint)
        console.advise(ended.next_step)
        return
    match console.output:
        case "name":
            console.print(report.action_name(ended.action) if ended.action else report.full_name(live))
        case "":
            mark = Mark.BUSY if ended.result is Result.REQUESTED else Mark.GOOD
            said = ended.message or f"{wanted.verb} is done"
            console.print(f"{console.mark(mark)} {_called(live)}: {printable(said)}")
            for line in ended.lines:
                console.print(printable(f"  {line}"))
            if not console.is_quiet:
                console.print(f"Next: {ended.next_step}")


_ENDS = {Result.REFUSED: "was refused", Result.TIMED_OUT: "has not ended in time"}
