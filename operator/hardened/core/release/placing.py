"""Who holds one of the operator's places: a release that does not get any further gives its own up, and goes on once there is one again."""

from dataclasses import replace
from datetime import datetime

from hardened.core.model.release import (
    BEFORE_CUTOVER,
    PATIENCE_OF_PLACE,
    TIMED,
    WORKING,
    Input,
    ReleasePolicy,
    ReleaseState,
    Step,
    Transition,
)

#: The steps that are come to with a place alone, of a release that has given its own up.
_PLACED = (BEFORE_CUTOVER | {Step.CUTOVER}) & WORKING


def placed(record: ReleaseState | None, found: Transition, view: Input, terms: ReleasePolicy, now: datetime) -> Transition:
    """What follows for the place of a release, beside what follows for itself. found: the latter.

    Nothing for a first one, which has none: nothing serves before it. One that goes back waits for nobody.
    """
    following = found.record
    if record is None or following is None or view.stable is None or record.started_at != following.started_at:
        return found
    if following.step is not record.step:
        is_held = record.has_yielded and following.step in _PLACED and not (view.has_place or record.is_rollback)
        if is_held:
            # That it waits is not its fault.
            return Transition(record if record.step is Step.MIGRATE else replace(record, deadline=None))
        return replace(found, record=replace(following, has_yielded=False))
    if following.has_yielded or following.step not in WORKING:
        return found
    gives_up_at = _came_at(following, terms, now) + PATIENCE_OF_PLACE
    if now >= gives_up_at:
        return replace(found, record=replace(following, has_yielded=True))
    return replace(found, look_at=min(found.look_at or gives_up_at, gives_up_at))


def _came_at(record: ReleaseState, terms: ReleasePolicy, now: datetime) -> datetime:
    """When it came further last, by a step or by a pod: with each the deadline is set anew. By the step alone, where that says nothing."""
    came_at = record.deadline - terms.progress_deadline if record.deadline and record.step in TIMED else None
    return came_at if came_at and came_at <= now else record.entered_at or record.started_at


def given_up(record: ReleaseState, is_first: bool) -> ReleaseState:
    """The record of a release that stood still, and held no place meanwhile. is_first: of the service; see `placed`."""
    return record if is_first or record.step not in _PLACED else replace(record, has_yielded=True)
