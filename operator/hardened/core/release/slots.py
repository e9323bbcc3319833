"""Who holds one of the operator's slots: a release that does not get any further gives its own up, and goes on once there is one again."""

from dataclasses import replace
from datetime import datetime, timedelta

from hardened.api.steps import Step
from hardened.core.model.input import Input
from hardened.core.model.state import ReleaseState
from hardened.core.model.transition import Transition

#: How long a release holds its slot without getting any further: a deadline of a day is not to be a day of everybody else's.
SLOT_PATIENCE = timedelta(minutes=2)


def slotted(state: ReleaseState | None, found: Transition, seen: Input) -> Transition:
    """What follows for the slot of a release, beside what follows for itself. found: the latter.

    Nothing for a first one, which has none: nothing serves before it. One that goes back waits for nobody.
    """
    following = found.state
    if state is None or following is None or seen.stable is None or state.started_at != following.started_at:
        return found
    if following.step is not state.step:
        is_held = state.has_released_slot and _needs_slot(following.step) and not (seen.has_slot or state.is_rollback)
        if is_held:
            # That it waits is not its fault.
            return Transition(state if state.step is Step.MIGRATE else replace(state, deadline=None))
        return replace(found, state=replace(following, has_released_slot=False))
    if not following.holds_slot:
        return found
    gives_up_at = _came_at(following, seen) + SLOT_PATIENCE
    if seen.now >= gives_up_at:
        return replace(found, state=replace(following, has_released_slot=True))
    return replace(found, look_at=min(found.look_at or gives_up_at, gives_up_at))


def _needs_slot(step: Step) -> bool:
    """Whether a release that has given its slot up comes to this step with another one alone."""
    return step.row.holds_slot and (step.row.before_cutover or step is Step.CUTOVER)


def _came_at(state: ReleaseState, seen: Input) -> datetime:
    """When it came further last, by a step or by a pod: with each the deadline is set anew. By the step alone, where that says nothing."""
    came_at = state.deadline - seen.policy.progress_deadline if state.deadline and state.step.row.is_timed else None
    return came_at if came_at and came_at <= seen.now else state.entered_at or state.started_at


def given_up(state: ReleaseState, is_first: bool) -> ReleaseState:
    """The state of a release that stood still, and held no slot meanwhile. is_first: of the service; see `slotted`."""
    return state if is_first or not _needs_slot(state.step) else replace(state, has_released_slot=True)
