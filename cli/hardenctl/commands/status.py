"""`status`: how one service is."""

import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer

from hardenctl.cluster.session import Session
from hardenctl.following.waiting import Waited, prefixes, wait
from hardenctl.output import duration, moments
from hardenctl.output.outcome import Exit, ResultWord, usage, worst
from hardenctl.output.program import PROG
from hardenctl.release import listing, next_step, report
from hardenctl.release.listing import AllOption, ServicesArgument
from hardenctl.release.lookup import find
from hardenctl.release.scaling import scaling_of
from hardenctl.release.span import release_span
from hardenctl.release.stacks import stacks_of
from hardenctl.release.verdict import ServiceVerdict, verdict_of
from hardened.core.model.manifest import Manifest

OUTPUTS = ("json", "yaml", "wide", "name")
EXAMPLES = (
    "status shop                            # its current status",
    "status                                 # every service of the namespace; -A: of all namespaces",
    "status shop -w                         # follow the release to its end",
    "status shop api -w                     # several, side by side",
    "status shop --for=healthy --timeout 5m # wait, for scripts",
    "status shop --for=paused               # wait until it awaits promotion",
    "status shop -o json                    # with a `result`",
)
MORE = (
    "Shows a release as a tree: revisions, their colours with ready pods, the step with the time left, and checks; of a service with "
    "`autoscale` its size and bounds, what its pods use of what they should, and why it does not scale. "
    "Exits 0 when the service is healthy or progressing, 1 when it is degraded, suspended, failed or does not exist, 3 when "
    "its new version was rejected or rolled back and the previous one serves. "
    "With -w or --for: 0 once it is as wanted, 1 or 3 once it cannot be any more, 124 when --timeout has passed, 5 when the cluster does "
    "not answer any more. Of several services the worst decides. "
    "`result` is one of healthy, available, pending, progressing, paused, suspended, degraded, rejected, rolledback, failed, deleted, "
    "timeout, unanswered; with several services, `services` has one for each."
)

_GOALS = {
    "healthy": (ResultWord.HEALTHY,),
    "available": (ResultWord.AVAILABLE,),
    "paused": (ResultWord.PAUSED,),
    "rolledback": (ResultWord.REJECTED, ResultWord.ROLLED_BACK),
}
#: In words, where the goal itself is none: who paused a release by hand does not wait to promote it.
_WANTED = {"paused": "awaiting promotion", "rolledback": "rejected or rolled back"}


def run(
    session: Session,
    services: ServicesArgument = None,
    all_namespaces: AllOption = False,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Follow the release to its end.")] = False,
    goal: Annotated[str, typer.Option("--for", metavar="healthy|available|paused|rolledback", help="The state to wait for.")] = "",
    timeout: Annotated[
        str,
        typer.Option("--timeout", metavar="TIME", help="How long all may take (default: with --for as a release, with -w without limit)."),
    ] = "",
) -> Exit:
    """Shows, and waits where that was asked for."""
    if goal and goal not in _GOALS:
        raise usage(f"--for={goal} is not known", f"it takes {', '.join(_GOALS)}")
    if timeout and not (watch or goal):
        raise usage("--timeout needs -w or --for")
    if not services:
        if watch or goal:
            raise usage("-w and --for need the NAME of a service", f"{PROG} status NAME -w")
        return listing.show(session, is_everywhere=all_namespaces)
    if all_namespaces:
        raise usage("-A and NAME exclude each other", "name its namespace with -n")
    began = time.monotonic()
    lives = [find(session, name) for name in services]
    if not (watch or goal):
        shown = [(live, verdict_of(live, moments.now())) for live in lives]
        _show(session, shown)
        return worst(verdict.code for _, verdict in shown)
    deadline = session.wait(max(map(release_span, lives)) if goal else None)
    waited = wait(session, lives, _GOALS.get(goal, ()), deadline, began)
    _show(session, [(dict(each.live), each.verdict) for each in waited], is_drawn=session.console.can_redraw)
    for each, prefix in zip(waited, prefixes(lives), strict=True):
        _say_how_it_ended(session, each, time.monotonic() - began, goal, prefix)
    return worst(each.code for each in waited)


def _show(session: Session, shown: Sequence[tuple[Manifest, ServiceVerdict]], *, is_drawn: bool = False) -> None:
    """is_drawn: the last frame of a live view is on the terminal."""
    if session.console.output in ("json", "yaml"):
        found = [_data(session, live, verdict) for live, verdict in shown]
        decides = worst(verdict.code for _, verdict in shown)
        result = next(str(verdict.result) for _, verdict in shown if verdict.code == decides)
        session.console.data(found[0] if len(found) == 1 else {"result": result, "services": found})
        return
    for at, (live, verdict) in enumerate(shown):
        if at and session.console.output != "name":
            session.console.print("")
        _show_text(session, live, verdict, is_drawn=is_drawn)


def _data(session: Session, live: Manifest, verdict: ServiceVerdict) -> dict[str, Any]:
    stacks = [asdict(stack) for stack in stacks_of(session, live)]
    scaling = scaling_of(session, live)
    return report.summary(live, verdict, session.cluster_flags) | {"stacks": stacks, "autoscale": scaling.data() if scaling else None}


def _show_text(session: Session, live: Manifest, verdict: ServiceVerdict, *, is_drawn: bool) -> None:
    console = session.console
    match console.output:
        case "name":
            console.print(report.full_name(live))
        case form:
            around = report.Around(stacks_of(session, live), scaling_of(session, live))
            has_tree = not (is_drawn and console.out.isatty())
            console.print(report.text(console, live, verdict, around, moments.now(), is_wide=form == "wide", has_tree=has_tree))
            if verdict.result is not ResultWord.TIMED_OUT:
                console.advise(next_step.after(verdict, live, session.cluster_flags))


def _say_how_it_ended(session: Session, waited: Waited, span: float, goal: str, prefix: str) -> None:
    verdict, wanted = waited.verdict, _WANTED.get(goal, goal)
    if verdict.result is ResultWord.TIMED_OUT:
        last = verdict_of(waited.live)
        what = f"not {wanted}" if goal else f"still {last.result}"
        session.console.complain(f"{prefix}{what} after {duration.shown(span)}: {last.message}")
        session.console.advise(next_step.after(last, waited.live, session.cluster_flags))
    elif goal and waited.code != Exit.OK:
        session.console.complain(f"{prefix}not {wanted}, and never will be: it is {verdict.result}")
