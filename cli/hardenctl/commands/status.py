"""`status`: how one service is."""

import time
from dataclasses import asdict
from typing import Annotated

import typer

from hardenctl.cluster.session import Session
from hardenctl.output import duration, moments
from hardenctl.output.duration import Deadline
from hardenctl.output.outcome import Exit, ResultWord, usage
from hardenctl.release import next_step, report
from hardenctl.release.lookup import find
from hardenctl.release.scaling import scaling_of
from hardenctl.release.stacks import stacks_of
from hardenctl.release.verdict import ServiceVerdict, verdict_of
from hardenctl.release.waiting import Waited, wait
from hardened.core.model.manifest import Manifest

OUTPUTS = ("json", "yaml", "wide", "name")
EXAMPLES = (
    "status shop                            # its current status",
    "status shop -w                         # follow the release to its end",
    "status shop --for=healthy --timeout 5m # wait, for scripts",
    "status shop --for=paused               # wait until it awaits promotion",
    "status shop -o json                    # with a `result`",
)
MORE = (
    "Shows a release as a tree: revisions, their colours with ready pods, the step with the time left, and checks; of a service with "
    "`autoscale` its size and bounds, what its pods use of what they should, and why it does not scale. "
    "Exits 0 when the service is healthy or progressing, 1 when it is degraded, suspended, failed or does not exist, 3 when "
    "its new version was rejected or rolled back and the previous one serves. "
    "With -w or --for: 0 once it is as wanted, 1 or 3 once it cannot be any more, 124 when --timeout has passed. "
    "`result` is one of healthy, available, pending, progressing, paused, suspended, degraded, rejected, rolledback, failed, deleted, "
    "timeout."
)

_GOALS = {
    "healthy": (ResultWord.HEALTHY,),
    "available": (ResultWord.AVAILABLE,),
    "paused": (ResultWord.PAUSED,),
    "rolledback": (ResultWord.REJECTED, ResultWord.ROLLED_BACK),
}
#: In words, where the goal itself is none: who paused a release by hand does not wait to promote it.
_WANTED = {"paused": "awaiting promotion", "rolledback": "rejected or rolled back"}
_FOR_SECONDS = 600.0


def run(
    session: Session,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The service.")],
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Follow the release to its end, one line per change.")] = False,
    goal: Annotated[str, typer.Option("--for", metavar="healthy|available|paused|rolledback", help="The state to wait for.")] = "",
    timeout: Annotated[
        str, typer.Option("--timeout", metavar="TIME", help="How long to wait (default: 10m with --for, no limit with -w).")
    ] = "",
) -> Exit:
    """Shows, and waits where that was asked for."""
    if goal and goal not in _GOALS:
        raise usage(f"--for={goal} is not known", f"it takes {', '.join(_GOALS)}")
    if timeout and not (watch or goal):
        raise usage("--timeout needs -w or --for")
    began = time.monotonic()
    span = duration.seconds(timeout, "--timeout") if timeout else None
    live = find(session, name)
    if not (watch or goal):
        verdict = verdict_of(live)
        _show(session, live, verdict)
        return verdict.code
    deadline = Deadline.after(_FOR_SECONDS if span is None and goal else span)
    waited = wait(session, live, _GOALS.get(goal, ()), deadline, began)
    _show(session, dict(waited.live), waited.verdict)
    _say_how_it_ended(session, waited, time.monotonic() - began, goal)
    return waited.code


def _show(session: Session, live: Manifest, verdict: ServiceVerdict) -> None:
    console = session.console
    match console.output:
        case "json" | "yaml":
            stacks = [asdict(stack) for stack in stacks_of(session, live)]
            scaling = scaling_of(session, live)
            shown = {"stacks": stacks, "autoscale": scaling.data() if scaling else None}
            console.data(report.summary(live, verdict, session.cluster_flags) | shown)
        case "name":
            console.print(report.full_name(live))
        case form:
            around = report.Around(stacks_of(session, live), scaling_of(session, live))
            console.print(report.text(console, live, verdict, around, moments.now(), is_wide=form == "wide"))
            if verdict.result is not ResultWord.TIMED_OUT:
                console.advise(next_step.after(verdict, live, session.cluster_flags))


def _say_how_it_ended(session: Session, waited: Waited, span: float, goal: str) -> None:
    verdict, wanted = waited.verdict, _WANTED.get(goal, goal)
    if verdict.result is ResultWord.TIMED_OUT:
        last = verdict_of(waited.live)
        what = f"not {wanted}" if goal else f"still {last.result}"
        session.console.complain(f"{what} after {duration.shown(span)}: {last.message}")
        session.console.advise(next_step.after(last, waited.live, session.cluster_flags))
    elif goal and waited.code != Exit.OK:
        session.console.complain(f"not {wanted}, and never will be: it is {verdict.result}")
