"""ScaleUp: the new revision grows to the size of what serves."""

from dataclasses import replace

from hardened.api.steps import Step
from hardened.core.model.input import Input
from hardened.core.model.state import ReleaseState
from hardened.core.model.transition import Advance, Passed, Stay
from hardened.core.release import sizes
from hardened.core.release.entering import enter as enter_step
from hardened.core.release.moves import unwatched
from hardened.core.release.pods import are_there, asked_for_room, needed
from hardened.core.release.waiting import waiting

STEP = Step.SCALE_UP
goes_by_pods = asked_for_room
desired = sizes.at_full_size


def applies(_: Input) -> bool:
    return True


def enter(state: ReleaseState, seen: Input) -> ReleaseState:
    return replace(enter_step(state, STEP, seen), replicas=seen.replicas)


def advance(state: ReleaseState, seen: Input) -> Advance:
    if seen.needs.waits_for and not state.is_rollback:
        # As long as it takes: it is not the revision's fault.
        return Stay(replace(state, deadline=None, has_released_slot=state.has_released_slot or seen.needs.waits_for_services))
    if not are_there(state, seen, needed(state, seen)):
        return waiting(state, seen)
    if seen.is_kept_out and not state.is_rollback:
        return Stay(replace(state, deadline=None))  # as long as somebody's Service is in the way
    is_held = seen.needs.is_unwatched and not state.is_rollback
    return Stay(unwatched(state, seen)) if is_held else Passed(state)
