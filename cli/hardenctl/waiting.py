"""Waits for a service, and tells of each change on the way."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hardenctl.duration import Deadline, shown
from hardenctl.failures import explained
from hardenctl.follow import Follower, WaitTimedOut
from hardenctl.outcome import Exit, Result, Stop
from hardenctl.output import printable
from hardenctl.session import Session
from hardenctl.verdict import Verdict, is_available, verdict_of
from hardened.errors import Refused

#: A progress line is cut after this many characters.
_LINE = 240


@dataclass(frozen=True)
class Waited:
    """How a wait ended. live: the last state that was seen."""

    verdict: Verdict
    live: Mapping[str, Any]
    code: Exit


def wait(session: Session, first: dict[str, Any], goal: str, deadline: Deadline, began: float, prefix: str = "") -> Waited:
    """Until the service is as `goal` says (`healthy`, `available`, or `final` for any end), or cannot become so, or time is up.

    A Degraded service may recover and is waited for. Interrupting it raises Stop: the release goes on.
    """
    meta = first["metadata"]
    follower = Follower(session.cluster, meta["namespace"], meta["name"], deadline, session.console.trace)
    tell = _teller(session, began, prefix)
    live: Mapping[str, Any] = first
    try:
        for state in follower.states(first):
            if state is None:
                gone = Verdict(Result.DELETED, "it was deleted meanwhile")
                tell(gone)
                return Waited(gone, live, Exit.FAILED)
            live = state
            verdict = verdict_of(live)
            tell(verdict)
            ended = _ended(verdict, live, goal)
            if ended:
                return ended
    except WaitTimedOut:
        pass
    except Refused as error:
        # Whatever the verb has done before, it is reading that is not allowed.
        raise explained(error, "get", meta["namespace"]) from error
    except KeyboardInterrupt:
        if session.console.err.isatty():
            session.console.progress("")  # the terminal shows ^C: go on below it
        raise Stop(
            "stopped waiting; the release goes on",
            result=Result.INTERRUPTED,
            code=Exit.INTERRUPTED,
            next_step=_again(session, meta),
        ) from None
    last = verdict_of(live)
    return Waited(Verdict(Result.TIMED_OUT, last.message, last.reason), live, Exit.TIMED_OUT)


def _ended(verdict: Verdict, live: Mapping[str, Any], goal: str) -> Waited | None:
    if goal == "available" and is_available(live):
        return Waited(Verdict(Result.AVAILABLE, verdict.message, verdict.reason), live, Exit.OK)
    return Waited(verdict, live, verdict.code) if verdict.is_final else None


def _teller(session: Session, began: float, prefix: str) -> Callable[[Verdict], None]:
    # A cause that comes in two wordings by turns (a pull that fails, a pull that is backed off) is told once in each.
    last, said = ("", ""), set[str]()

    def tell(verdict: Verdict) -> None:
        nonlocal last
        if (verdict.result, verdict.reason) != last:
            last = (verdict.result, verdict.reason)
            said.clear()
        now = f"{verdict.result}: {verdict.message}" if verdict.message else str(verdict.result)
        if now not in said:
            said.add(now)
            session.console.progress(printable(f"{shown(time.monotonic() - began):>6}  {prefix}{_short(now)}"))

    return tell


def _short(text: str) -> str:
    # The whole message is in the last line, and in `status`.
    return text if len(text) <= _LINE else text[: _LINE - 1] + "…"


def _again(session: Session, meta: Mapping[str, Any]) -> str:
    from hardenctl.program import PROG

    return f"{PROG} status {meta['name']} -n {meta['namespace']} -w{session.context_flag}"
