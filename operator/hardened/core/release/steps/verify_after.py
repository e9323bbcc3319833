"""VerifyAfter: the new revision is watched under live traffic."""

from dataclasses import replace

from hardened.api.steps import Step
from hardened.core.model.input import Input
from hardened.core.model.reasons import Reason
from hardened.core.model.state import ReleaseState
from hardened.core.model.target import DesiredState
from hardened.core.model.transition import Advance, Failed, Transition
from hardened.core.release import sizes
from hardened.core.release.entering import enter as enter_step
from hardened.core.release.moves import kept, none_ready, rejected_before
from hardened.core.release.window import judged

STEP = Step.VERIFY_AFTER


def applies(seen: Input) -> bool:
    return seen.policy.is_watched_after(has_way_back=seen.has_way_back)


def enter(state: ReleaseState, seen: Input) -> ReleaseState:
    return replace(enter_step(state, STEP, seen), window_ends_at=seen.now + seen.policy.window)


def advance(state: ReleaseState, seen: Input) -> Advance:
    return _over(state, seen) or judged(state, seen, Transition(kept(state, seen), promotes=state.target.revision))


def goes_by_pods(_: ReleaseState, seen: Input) -> bool:
    return seen.rollback is None


def desired(state: ReleaseState, seen: Input) -> DesiredState:
    """A selector that is not what it should be is always led back to stable."""
    is_led = seen.traffic.active_target == state.target and not seen.traffic.is_strange
    return sizes.led_to(state, seen, state.target if is_led else seen.stable)


def _over(state: ReleaseState, seen: Input) -> Advance | None:
    """What ends the window early. None where it goes on."""
    traffic = seen.traffic
    if seen.stable == state.target:
        return Transition(kept(state, seen))  # marked, and the process ended before it wrote this
    if state.key in seen.rejected:
        return rejected_before(state)
    if seen.wanted == seen.stable_revision or seen.replicas == 0:
        return Failed(state, None)  # of no pods nothing is ever known
    if traffic.is_strange or traffic.active_target != state.target:
        return Failed(state, Reason.SELECTOR_CHANGED, "somebody else changed the selector of the active Service")
    if traffic.ready == 0 and traffic.is_told:
        reason = None if seen.is_taken_away else Reason.NO_PODS_AVAILABLE
        return Failed(state, reason, none_ready(seen, "no pod of the new revision is ready"))
    return None
