"""What comes before all that a step says of itself, in every step: what was begun, recalled, or asked for by hand, and what is over.

Each guard answers None where it has nothing to say. The first that says something is what follows.
"""

from dataclasses import replace

from hardened.api.steps import Step
from hardened.core.model.input import Input
from hardened.core.model.reasons import Reason
from hardened.core.model.release_policy import LEAST_KEEP
from hardened.core.model.state import Migration, Rejection, ReleaseState
from hardened.core.model.transition import Advance, Anew, Stay, Transition
from hardened.core.release.beginning import idle_target
from hardened.core.release.moves import NO_REPLICAS, abandoned, leave, to_undo
from hardened.core.release.pods import are_there, needed, runs_beside_stable
from hardened.core.release.steps import cutover, scale_up, undo


def migrating(state: ReleaseState | None, seen: Input) -> Advance | None:
    """What was begun by hand or by a newer spec would find half a migration: that it was made is written down, and it is undone, first."""
    if state and state.step is Step.MIGRATE and state.migration is None and seen.migration.is_made:
        # A node has from now on to take it: until now it may have been refused.
        within = seen.policy.migrates_within
        deadline = seen.now + within if state.deadline and within else state.deadline
        return Stay(replace(state, migration=Migration.MADE, deadline=deadline))
    return undo.advance(state, seen) if state and state.step is Step.UNDO else None


def lost_status(state: ReleaseState | None, seen: Input) -> Advance | None:
    """A status was lost in the middle of a release. Nobody knows which gates were passed: back, as slowly as from any other stack."""
    led = seen.traffic.active_target
    if state is not None or led is None or not runs_beside_stable(led, seen):
        return None
    return Transition(ReleaseState(led, "", Step.SWITCH_BACK, seen.now))


def aborted(state: ReleaseState | None, seen: Input) -> Advance | None:
    """As after a failed check. None where nobody asked for it, or where it comes too late."""
    if state is None or seen.abort is None or state.step in (Step.SWITCH_BACK, Step.KEEP) or seen.stable == state.target:
        return None
    if state.key in seen.rejected:
        return None
    is_before = state.is_before_cutover
    rejection = Rejection(state.target.revision, state.key, Reason.ABORTED, seen.abort, after_cutover=not is_before)
    if is_before and state.is_rollback and not state.is_by_hand:
        return Transition(state, rejects=rejection)  # the spec asks for it, and it would begin anew
    return abandoned(state, seen, Reason.ABORTED, seen.abort) if is_before else leave(state, rejection)


def rolled_back(state: ReleaseState | None, seen: Input) -> Advance | None:
    """The first move of a rollback, in which no gate is passed but the target's own pods. None where it is under way, or has to wait."""
    asked, stable = seen.rollback, seen.stable
    if asked is None or stable is None or (state and state.is_by_hand and state.step is not Step.KEEP):
        return None
    if state and not state.is_before_cutover and state.step is not Step.KEEP:
        return leave(state, asked.left) if state.step is not Step.SWITCH_BACK and stable != state.target else None
    # Also for stable itself: what was in its cutover when that was asked for may have been recalled since.
    if abandons := left_for_another(state, seen):
        return abandons
    led = seen.traffic.active_target
    if asked.to == stable.revision or (state is None and led is not None and runs_beside_stable(led, seen)):
        return None
    if state and state.is_before_cutover and (left := to_undo(state, seen)):
        return Transition(left)
    return _rollback_begun(state, seen, asked.to, asked.left)


def _rollback_begun(state: ReleaseState | None, seen: Input, revision: str, left: Rejection) -> Advance:
    target = idle_target(seen, revision)
    goal = ReleaseState(target, "", Step.SCALE_UP, seen.now, replicas=seen.replicas, is_rollback=True, left=left)
    if are_there(goal, seen, needed(goal, seen)):
        return Transition(cutover.enter(goal, seen))
    if state and state.step is Step.KEEP and state.keep_until and state.cutover_at:
        free_at = min(state.keep_until, state.cutover_at + LEAST_KEEP)
        if seen.now < free_at and seen.stack(target).revision != revision:
            return Stay(state, free_at)
    return Transition(scale_up.enter(goal, seen))


def left_for_another(state: ReleaseState | None, seen: Input) -> Transition | None:
    """Before its cutover a release is abandoned for a rollback: rejected, since it would begin anew behind it. None once it is."""
    asked = seen.rollback
    if asked is None or state is None or not state.is_before_cutover or state.key in seen.rejected:
        return None
    if state.target.revision == asked.to:
        return None
    return Transition(state, rejects=Rejection(state.target.revision, state.key, Reason.ABORTED, asked.left.message))


def recalled(state: ReleaseState | None, seen: Input) -> Advance | None:
    """Nothing else before the active Service is marked: a leader that was paused right before the flip may wake up at any time.

    Then it comes to its cutover anew, as soon as it has its pods: that nobody led it on in time is not its fault. It is given up where the
    Service cannot be written within the deadline.
    """
    if state is None or state.recalled_at is None:
        return None
    if seen.traffic.active_target == state.target and seen.stable != state.target:
        return Stay(replace(state, recalled_at=None))  # it did wake up: the cutover has begun
    if seen.traffic.fencing_token in (None, state.recall_token):
        return Transition(scale_up.enter(replace(state, recalled_at=None), seen))
    if state.key in seen.rejected:
        return Transition(to_undo(state, seen))  # marked, and the process ended before it wrote this
    gives_up_at = state.recalled_at + seen.policy.progress_deadline
    if seen.now >= gives_up_at:
        return abandoned(state, seen, Reason.PROGRESS_DEADLINE_EXCEEDED, f"the cutover did not begin{seen.policy.for_so_long}")
    return Stay(state, gives_up_at)


def superseded(state: ReleaseState | None, seen: Input) -> Advance | None:
    """What ends a release before its cutover, or holds it, whatever the step. None where it goes on."""
    if state is None or not state.is_before_cutover:
        return None
    left = to_undo(state, seen)
    if state.key in seen.rejected:
        return Transition(left)  # marked, and the process ended before it wrote this
    if seen.is_held and not state.is_rollback:
        return Stay(state)
    if state.paused_at and state.step is not Step.MIGRATE:
        return Transition(left if seen.stable and seen.wanted == seen.stable.revision else state)
    if seen.key != state.key and not state.is_by_hand:
        # Back to stable, or a newer spec, or other checks: this one is over, and not rejected. What was to be gone back to is kept.
        return Transition(left) if left or state.is_rollback else Anew()
    if seen.replicas == 0:
        return Transition(left, failed=NO_REPLICAS if state.is_rollback else "")
    return None
