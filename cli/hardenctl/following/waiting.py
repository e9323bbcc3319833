"""Waits for services, and tells of each change on the way."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol

from hardenctl.cluster.failures import explained
from hardenctl.cluster.follower import Follower, WaitTimedOut
from hardenctl.cluster.session import Session
from hardenctl.following.lines import Lines
from hardenctl.output import moments
from hardenctl.output.duration import Deadline
from hardenctl.output.outcome import CommandEnd, Exit, ResultWord, unanswered
from hardenctl.output.program import PROG
from hardenctl.release.side_by_side import side_by_side
from hardenctl.release.verdict import ServiceVerdict, is_available, verdict_of, waits_for_approval
from hardened.core.model.manifest import Manifest
from hardened.errors import Refused, TryAgain


@dataclass(frozen=True)
class Waited:
    """How a wait ended."""

    verdict: ServiceVerdict
    """How the service is then."""
    live: Mapping[str, Any]
    """The last state that was seen."""
    code: Exit
    """Of the process."""


class Audience(Protocol):
    """Who is told while services are followed: a live view, or lines. Leaving it ends the telling, whatever comes next."""

    def __enter__(self) -> "Audience": ...
    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /) -> None: ...
    def tell(self, at: int, verdict: ServiceVerdict, live: Mapping[str, Any]) -> None: ...
    def notice(self, at: int) -> Callable[[str], None]: ...


def wait(session: Session, first: Sequence[Manifest], goals: Collection[ResultWord], deadline: Deadline, began: float) -> list[Waited]:
    """Until each service is as one of the goals says, or cannot become so, or time is up. No goals: until any end. In the order of `first`.

    They are followed side by side. A Degraded service may recover and is waited for. Interrupting it raises CommandEnd: the releases go on.
    """
    try:
        with _audience(session, first, began) as audience:
            return side_by_side([_follow(session, live, goals, deadline, audience, at) for at, live in enumerate(first)])
    except KeyboardInterrupt:
        text = f"stopped waiting; the release{'s continue' if len(first) > 1 else ' continues'}"
        raise CommandEnd(
            text, result=ResultWord.INTERRUPTED, code=Exit.INTERRUPTED, next_step=_again(session, first[0]["metadata"])
        ) from None


def prefixes(first: Sequence[Manifest]) -> list[str]:
    """What each line begins with, so that it is known whose it is."""
    meta = [live["metadata"] for live in first]
    if len(first) == 1:
        return [""]
    is_one = len({each["namespace"] for each in meta}) == 1
    return [f"{each['name']}: " if is_one else f"{each['namespace']}/{each['name']}: " for each in meta]


def _audience(session: Session, first: Sequence[Manifest], began: float) -> Audience:
    if session.console.can_redraw:
        from hardenctl.following.view import live_view  # loads rich

        return live_view(session, first)
    return Lines(session.console, began, prefixes(first), session.cluster_flags)


def _follow(
    session: Session, first: Manifest, goals: Collection[ResultWord], deadline: Deadline, audience: Audience, at: int
) -> Callable[[], Waited]:
    meta = first["metadata"]

    def follow() -> Waited:
        try:
            return _followed(session, first, goals, deadline, audience, at)
        except Refused as error:
            # Whatever the verb has done before, it is reading that is not allowed.
            raise explained(error, "get", meta["namespace"], session.cluster_flags) from error
        except (TryAgain, CommandEnd) as error:
            # The follower has tried again by itself.
            stop = explained(error, "get", meta["namespace"], session.cluster_flags)
            text = f"{meta['namespace']}/{meta['name']} can no longer be followed, and continues: {stop.message}"
            raise unanswered(text, stop.hint, _again(session, meta)) from error

    return follow


def _followed(session: Session, first: Manifest, goals: Collection[ResultWord], deadline: Deadline, audience: Audience, at: int) -> Waited:
    meta = first["metadata"]
    follower = Follower(session.cluster, meta["namespace"], meta["name"], deadline, session.console.trace, audience.notice(at))
    live: Mapping[str, Any] = first
    try:
        for state in follower.states(first):
            if state is None:
                gone = ServiceVerdict(ResultWord.DELETED, "it was deleted meanwhile")
                audience.tell(at, gone, live)
                return Waited(gone, live, Exit.FAILED)
            live = state
            verdict = verdict_of(live, moments.now())
            audience.tell(at, verdict, live)
            ended = _ended(verdict, live, goals)
            if ended:
                return ended
    except WaitTimedOut:
        pass
    last = verdict_of(live)
    return Waited(ServiceVerdict(ResultWord.TIMED_OUT, last.message, last.reason), live, Exit.TIMED_OUT)


#: Where these alone are waited for, a healthy service has not begun to be taken back.
_TAKEN_BACK = frozenset({ResultWord.REJECTED, ResultWord.ROLLED_BACK})


def _ended(verdict: ServiceVerdict, live: Mapping[str, Any], goals: Collection[ResultWord]) -> Waited | None:
    if ResultWord.AVAILABLE in goals and is_available(live):
        return Waited(ServiceVerdict(ResultWord.AVAILABLE, verdict.message, verdict.reason), live, Exit.OK)
    # What is held by a person waits to be resumed, and may be another version than the one that is to be promoted.
    if verdict.result in goals and (verdict.result is not ResultWord.PAUSED or waits_for_approval(live)):
        return Waited(verdict, live, Exit.OK)
    if not verdict.is_final or (verdict.result is ResultWord.HEALTHY and goals and _TAKEN_BACK.issuperset(goals)):
        return None
    return Waited(verdict, live, Exit.FAILED if goals and verdict.code == Exit.OK else verdict.code)


def _again(session: Session, meta: Mapping[str, Any]) -> str:
    return f"{PROG} status {meta['name']} -n {meta['namespace']} -w{session.cluster_flags}"
