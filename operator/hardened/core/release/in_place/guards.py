"""What comes before all that a step in place says of itself. Each guard answers None where it has nothing to say."""

from hardened.api.steps import Step
from hardened.core.model.input import Input
from hardened.core.model.reasons import Reason
from hardened.core.model.state import ReleaseState
from hardened.core.model.transition import Advance, Begin, Failed, Transition
from hardened.core.release.guards import left_for_another
from hardened.core.release.in_place.moves import WAITING, begin, failed, free_target, leaving, over
from hardened.core.release.in_place.steps import cutover
from hardened.core.release.moves import NO_REPLICAS, to_undo


def promoted(state: ReleaseState | None, seen: Input) -> Advance | None:
    """Marked as promoted, and the process ended before it wrote this."""
    is_stable = state is not None and state.step is not Step.SWITCH_BACK and seen.stable == state.target
    return Transition(None) if is_stable else None


def aborted(state: ReleaseState | None, seen: Input) -> Advance | None:
    """As after a failed check. None where nobody asked for it, or where it comes too late."""
    if state is None or seen.abort is None or state.step is Step.SWITCH_BACK or state.key in seen.rejected:
        return None
    return Transition(None) if state.is_rollback else failed(Failed(state, Reason.ABORTED, seen.abort), seen)


def rolled_back(state: ReleaseState | None, seen: Input) -> Advance | None:
    """The first move of a rollback, in which no gate is passed but the target's own pods. None where it is under way, or has to wait."""
    asked, stable = seen.rollback, seen.stable
    if asked is None or stable is None or (state is not None and (state.is_rollback or state.step is Step.SWITCH_BACK)):
        return None
    if abandons := left_for_another(state, seen):
        return abandons
    if state is not None and state.step is Step.MIGRATE and (left := to_undo(state, seen)):
        return Transition(left)
    if state is not None and not state.is_before_cutover:
        # Stable first, for an older one as well: what is left must be marked by then.
        is_marked = asked.left.key in seen.rejected
        return Transition(leaving(state, seen, is_rejected=True)) if is_marked else Transition(state, rejects=asked.left)
    is_stuck = seen.strategy == "RollingUpdate" and seen.traffic.is_strange
    if asked.to == stable.revision or seen.strategy == "BlueGreen" or is_stuck:
        return None
    target = free_target(seen, asked.to)
    back = ReleaseState(target, "", Step.CUTOVER, seen.now, is_rollback=True, left=asked.left, strategy=seen.strategy)
    return Transition(cutover.enter(back, seen))


def superseded(state: ReleaseState | None, seen: Input) -> Advance | None:
    """What ends a release from its cutover on: nothing is to serve, it was rejected before, or a newer spec takes over."""
    if state is None or state.step in (*WAITING, Step.MIGRATE):
        return None
    is_leaving = state.step is Step.SWITCH_BACK
    if seen.replicas == 0:
        return Transition(over(state, seen), failed=NO_REPLICAS if state.is_rollback else "")
    if state.key in seen.rejected and not is_leaving:
        return Transition(leaving(state, seen, is_rejected=True))  # marked, and the process ended before it wrote this
    if seen.wanted == state.target.revision or state.is_rollback:
        return None
    newer = Transition(None) if over(state, seen) else begin(state, seen)
    if isinstance(newer, Begin) or newer.state:
        return newer
    return None if is_leaving else Transition(leaving(state, seen), leaves=True)
