"""SwitchBack: the revision failed after the cutover, or is not wanted any more. Traffic is led back, and every endpoint has followed."""

from dataclasses import replace

from hardened.api.steps import Step
from hardened.core.model.input import Input
from hardened.core.model.release_policy import LEAST_KEEP, LEAST_KEEP_REJECTED
from hardened.core.model.state import ReleaseState
from hardened.core.model.target import DesiredState
from hardened.core.model.transition import Advance, Stay, Transition
from hardened.core.release import sizes
from hardened.core.release.moves import to_undo

STEP = Step.SWITCH_BACK


def advance(state: ReleaseState, seen: Input) -> Advance:
    traffic = seen.traffic
    is_led = traffic.active_target == seen.stable and not traffic.is_strange and traffic.fencing_token in (None, state.recall_token)
    is_back = is_led and traffic.has_followed
    if is_back and state.is_rollback:
        return Transition(None)  # what was to be gone back to is kept
    unmarked = state.left if state.left and state.left.key not in seen.rejected else None
    if state.confirmed_at is None:
        # Right after the flip: a leader that was paused before it promoted the revision may wake up at any time.
        return Transition(replace(state, confirmed_at=seen.now) if is_back else state, rejects=unmarked if is_led else None)
    if not is_back:
        return Stay(replace(state, confirmed_at=None))
    ends = state.confirmed_at + (LEAST_KEEP_REJECTED if state.is_rejected else LEAST_KEEP)
    if seen.now < ends:
        return Stay(state, ends)
    if unmarked:
        return Transition(state, rejects=unmarked)  # as long as it is not marked it would be released again
    return Transition(to_undo(state, seen) if seen.migration.undoes_late else None)


def goes_by_pods(_: ReleaseState, seen: Input) -> bool:
    return seen.traffic.active_target == seen.stable


def desired(state: ReleaseState, seen: Input) -> DesiredState:
    return sizes.led_to(state, seen, seen.stable)
