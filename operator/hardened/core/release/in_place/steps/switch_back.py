"""SwitchBack in place: the revision failed, or is not wanted any more. Stable comes back by the same path."""

from dataclasses import replace

from hardened.api.steps import Step
from hardened.core.model.input import Input
from hardened.core.model.state import Migration, ReleaseState
from hardened.core.model.transition import Advance, Stay, Transition
from hardened.core.release.in_place import pods, sizes
from hardened.core.release.in_place.moves import over
from hardened.core.release.in_place.pods import gone_at, here, is_up

STEP = Step.SWITCH_BACK
desired = sizes.desired
goes_by_pods = pods.goes_by_pods


def advance(state: ReleaseState, seen: Input) -> Advance:
    is_back = seen.stable is None or here(seen).is_lost or is_up(seen.stable, seen.replicas, seen)
    if not is_back or seen.traffic.fencing_token not in (None, state.recall_token):
        return Stay(state, gone_at(state.deadline, seen))
    if state.left and state.left.key not in seen.rejected:
        return Transition(state, rejects=state.left)  # as long as it is not marked it would be released again
    left = over(state, seen)
    if left and here(seen).is_lost:
        # Its pods stay, and while one is there nothing is undone.
        problem = "the stored revision of the previous version was deleted, so this version's pods keep running"
        left = replace(left, migration=Migration.NOT_UNDONE, undo_problem=problem, deadline=None)
    return Transition(left)
