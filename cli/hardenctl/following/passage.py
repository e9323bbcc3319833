"""The steps that a release has been seen to go through, with their times: a status tells of the present one alone."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from hardenctl.output.moments import moment
from hardenctl.release.steps import row_of
from hardenctl.release.verdict import Live, status

#: Stands for the steps before the first one that was seen.
EARLIER = "earlier steps"


@dataclass(frozen=True)
class Passage:
    """One step of a release."""

    release: tuple[str, str]
    """The release that it is of: its revision, and when it began, as the operator wrote that."""
    step: str
    """Its name, or EARLIER."""
    began: datetime
    """On the operator's clock."""
    ended: datetime | None = None
    """None for the present one."""
    has_failed: bool = False
    """What followed was the way back."""

    def span(self, now: datetime) -> float:
        """Seconds from its beginning to its end, or until now; at least 0, whatever the clocks say."""
        return max(0.0, ((self.ended or now) - self.began).total_seconds())


def grown(known: Sequence[Passage], live: Live, now: datetime) -> tuple[Passage, ...]:
    """The steps with what this state adds to them. Those of another release are dropped once a new one has begun."""
    found = status(live).get("release")
    found = found if isinstance(found, dict) and found.get("step") and found.get("revision") else {}
    if not found:
        return _ended(known, now, has_failed=_is_pinned(live, known))
    step, release = str(found["step"]), (str(found["revision"]), str(found.get("startedAt")))
    if not known or known[-1].release != release:
        return _begun(release, step, found, now)
    if known[-1].step == step:
        return tuple(known)
    entered = moment(found, "enteredAt") or now
    has_failed = row_of(step).is_going_back and not row_of(known[-1].step).is_going_back
    return (*_ended(known, entered, has_failed=has_failed), Passage(release, step, entered))


def _begun(release: tuple[str, str], step: str, found: dict[str, Any], now: datetime) -> tuple[Passage, ...]:
    started = moment(found, "startedAt") or now
    entered = moment(found, "enteredAt") or started
    earlier = (Passage(release, EARLIER, started, entered),) if entered > started else ()
    return (*earlier, Passage(release, step, entered))


def _ended(known: Sequence[Passage], at: datetime, *, has_failed: bool) -> tuple[Passage, ...]:
    if not known or known[-1].ended:
        return tuple(known)
    last = known[-1]
    return (*known[:-1], replace(last, ended=max(at, last.began), has_failed=has_failed))


def _is_pinned(live: Live, known: Sequence[Passage]) -> bool:
    """The release has ended by a rejection, and not in a step of the way back, which did what it was to do."""
    pin = status(live).get("pin")
    is_of_it = isinstance(pin, dict) and bool(known) and pin.get("revision") == known[-1].release[0]
    return is_of_it and not row_of(known[-1].step).is_going_back
