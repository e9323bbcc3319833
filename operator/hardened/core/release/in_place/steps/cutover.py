"""Cutover in place: the new revision's pods take the place of those that serve."""

from dataclasses import replace

from hardened.api.steps import Step
from hardened.core.model.input import Input
from hardened.core.model.reasons import Reason
from hardened.core.model.state import ReleaseState
from hardened.core.model.timing import has_passed
from hardened.core.model.transition import Advance, Failed, Passed, Stay, Transition
from hardened.core.release.in_place import pods, sizes
from hardened.core.release.in_place.pods import gone_at, here, is_down, is_up, least_of
from hardened.core.release.moves import late, none_ready
from hardened.core.release.pods import look_at, renewed

STEP = Step.CUTOVER
desired = sizes.desired
goes_by_pods = pods.goes_by_pods


def applies(_: Input) -> bool:
    return True


def enter(state: ReleaseState, seen: Input) -> ReleaseState:
    return replace(state, step=STEP, deadline=seen.now + seen.policy.progress_deadline, replicas=seen.replicas)


def advance(state: ReleaseState, seen: Input) -> Advance:
    if is_up(state.target, least_of(state, seen), seen):
        return _done(state, seen)
    is_lost = seen.traffic.active_target == state.target and is_down(state.target, seen) and not seen.is_taken_away
    if seen.stable and here(seen).has_clients and is_lost:  # there is something to go back to
        message = none_ready(seen, "no pod of the new revision was ready after the cutover")
        return Failed(state, Reason.NO_PODS_AVAILABLE, message)
    if further := renewed(state, seen):
        return Stay(further)
    if has_passed(state.deadline, seen.now):
        return _late(state, seen, f"the cutover made no progress{seen.policy.for_so_long}")
    return Stay(state, gone_at(look_at(state, seen), seen))


def _done(state: ReleaseState, seen: Input) -> Advance:
    if state.is_rollback:
        return Transition(state, promotes=state.target.revision, rejects=state.left)
    # With RollingUpdate clients are led to the first revision with VerifyAfter, and not before.
    if state.strategy == "Recreate" and not seen.policy.is_watched_after(has_way_back=seen.has_way_back):
        return Transition(state, promotes=state.target.revision)
    return Passed(state)


def _late(state: ReleaseState, seen: Input, text: str) -> Failed:
    if not here(seen).is_clear:
        left = "the pods of the previous revision are not all gone"
        return Failed(state, Reason.PROGRESS_DEADLINE_EXCEEDED, f"{text}: {left}")
    return late(state, seen, text, "not all of its pods were available")
