"""VerifyAfter: the new revision is watched under live traffic."""

from dataclasses import replace

from hardened.api.steps import Step
from hardened.core.model.input import Input, Verdict
from hardened.core.model.reasons import Reason
from hardened.core.model.state import ReleaseState
from hardened.core.model.target import DesiredState
from hardened.core.model.transition import Advance, Failed, Stay, Transition
from hardened.core.release import sizes
from hardened.core.release.entering import enter as enter_step
from hardened.core.release.moves import kept, none_ready, rejected_before, unwatched_window

STEP = Step.VERIFY_AFTER


def applies(seen: Input) -> bool:
    return seen.policy.is_watched_after(seen.stable)


def enter(state: ReleaseState, seen: Input) -> ReleaseState:
    return replace(enter_step(state, STEP, seen), window_ends_at=seen.now + seen.policy.window)


def advance(state: ReleaseState, seen: Input) -> Advance:
    return _over(state, seen) or judged(state, seen)


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


def judged(state: ReleaseState, seen: Input) -> Advance:
    """What follows from what is said of the revision: a failure at once, all else at the end of the window."""
    verdict, said = seen.after
    if verdict is Verdict.FAILED:
        return Failed(state, Reason.CHECK_FAILED, said)
    if unwatched := unwatched_window(state, seen):
        return unwatched
    ends = state.window_ends_at or seen.now
    if seen.now < ends:
        return Stay(state, ends)
    if seen.is_blind:
        return Stay(state)
    if verdict is Verdict.PASSED:
        return Transition(kept(state, seen), promotes=state.target.revision)
    gives_up_at = ends + seen.policy.progress_deadline
    if seen.now >= gives_up_at:
        return Failed(state, Reason.NO_DATA, said or "the checks gave no result for the new revision")
    return Stay(state, gives_up_at)
