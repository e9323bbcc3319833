"""Keep: the revision is promoted. The previous colour stays up, to be gone back to at once."""

from hardened.api.steps import Step
from hardened.core.model.input import Input
from hardened.core.model.release_policy import LEAST_KEEP
from hardened.core.model.state import ReleaseState
from hardened.core.model.target import Target, other
from hardened.core.model.transition import Advance, Begin, Stay, Transition
from hardened.core.release import sizes
from hardened.core.release.beginning import fresh, wants_release
from hardened.core.release.pods import are_there, asked_for_room, needed
from hardened.core.release.steps import cutover, scale_up

STEP = Step.KEEP
goes_by_pods = asked_for_room
desired = sizes.with_previous


def advance(state: ReleaseState, seen: Input) -> Advance:
    """A newer spec may take the previous colour once it was kept for its least time."""
    is_wanted = wants_release(seen)
    if is_wanted and (reverts := _reverted(state, seen)):
        return reverts
    free_at = state.cutover_at + LEAST_KEEP if state.cutover_at else seen.now
    if is_wanted and seen.now >= free_at:
        return Begin(fresh(seen))
    is_gone = other(state.target.color) not in seen.stacks  # somebody deleted what was kept
    if is_gone or (state.keep_until is not None and seen.now >= state.keep_until):
        return Transition(None)
    return Stay(state, free_at if is_wanted else state.keep_until)


def _reverted(state: ReleaseState, seen: Input) -> Transition | None:
    """The first move where the spec asks for what is kept: as by hand it is gone back to without checks, and nothing is rejected for it.

    None where something else is kept, where it has to pass its checks anew, and where it could not be gone back to just now.
    """
    target = Target(other(state.target.color), seen.wanted)
    stack = seen.stack(target)
    is_kept = seen.stable == state.target and stack.revision == seen.wanted and stack.wanted > 0
    if not is_kept or not seen.is_proven or state.key == seen.key:
        return None
    goal = ReleaseState(target, seen.key, Step.SCALE_UP, seen.now, replicas=seen.replicas, is_rollback=True)
    return Transition((cutover if are_there(goal, seen, needed(goal, seen)) else scale_up).enter(goal, seen))
