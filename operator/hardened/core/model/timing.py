"""How the time of a release runs: it is paused, stands still, and goes on with what it had left."""

from dataclasses import replace
from datetime import datetime, timedelta

from hardened.core.model.release import ReleaseState


def paused(record: ReleaseState, now: datetime) -> ReleaseState:
    """The record of a release that nothing happens in until it is resumed."""
    return replace(held(record, now), paused_at=now)


def held(record: ReleaseState, now: datetime) -> ReleaseState:
    """The record of a release whose time stands still, as that of a suspended service does."""
    return replace(record, remaining=max(record.deadline - now, timedelta()), deadline=None) if record.deadline else record


def resumed(record: ReleaseState, now: datetime) -> ReleaseState:
    """The record of a release that goes on, with the time that it had left."""
    entered_at = record.entered_at + (now - record.paused_at) if record.entered_at and record.paused_at else record.entered_at
    deadline = now + record.remaining if record.remaining is not None else None
    return replace(record, paused_at=None, remaining=None, deadline=deadline, entered_at=entered_at)


def has_passed(deadline: datetime | None, now: datetime) -> bool:
    """Whether there is a deadline, and it is over."""
    return deadline is not None and now >= deadline
