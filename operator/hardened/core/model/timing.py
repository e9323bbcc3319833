"""How the time of a release runs: it is paused, stands still, and goes on with what it had left."""

from dataclasses import replace
from datetime import datetime, timedelta

from hardened.core.model.state import ReleaseState


def paused(state: ReleaseState, now: datetime) -> ReleaseState:
    """The state of a release that nothing happens in until it is resumed."""
    return replace(held(state, now), paused_at=now)


def held(state: ReleaseState, now: datetime) -> ReleaseState:
    """The state of a release whose time stands still, as that of a suspended service does."""
    return replace(state, remaining=max(state.deadline - now, timedelta()), deadline=None) if state.deadline else state


def resumed(state: ReleaseState, now: datetime) -> ReleaseState:
    """The state of a release that goes on, with the time that it had left."""
    entered_at = state.entered_at + (now - state.paused_at) if state.entered_at and state.paused_at else state.entered_at
    deadline = now + state.remaining if state.remaining is not None else None
    return replace(state, paused_at=None, remaining=None, deadline=deadline, entered_at=entered_at)


def has_passed(deadline: datetime | None, now: datetime) -> bool:
    """Whether there is a deadline, and it is over."""
    return deadline is not None and now >= deadline
