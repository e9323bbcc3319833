"""VerifyAfter in place: nothing else runs any more, and the new revision is watched under live traffic."""

from dataclasses import replace
from datetime import timedelta

from hardened.api.steps import Step
from hardened.core.model.input import Input
from hardened.core.model.reasons import Reason
from hardened.core.model.state import ReleaseState
from hardened.core.model.transition import Advance, Failed, Stay, Transition
from hardened.core.release.in_place import pods, sizes
from hardened.core.release.in_place.pods import here, is_down
from hardened.core.release.moves import none_ready
from hardened.core.release.window import judged

STEP = Step.VERIFY_AFTER
desired = sizes.desired
goes_by_pods = pods.goes_by_pods


def applies(_: Input) -> bool:
    return True


def enter(state: ReleaseState, seen: Input) -> ReleaseState:
    window = seen.policy.window if seen.policy.is_watched_after(has_way_back=seen.has_way_back) else timedelta()
    return replace(state, step=STEP, deadline=None, available=0, cutover_at=seen.now, window_ends_at=seen.now + window)


def advance(state: ReleaseState, seen: Input) -> Advance:
    if is_down(state.target, seen):
        if seen.is_taken_away:
            return Stay(_up_again(state, seen))
        return Failed(state, Reason.NO_PODS_AVAILABLE, none_ready(seen, "no pod of the new revision is ready"))
    has_come = here(seen).has_followed or seen.policy.is_watched_after(has_way_back=seen.has_way_back)
    return judged(state, seen, Transition(state, promotes=state.target.revision) if has_come else None)


def _up_again(state: ReleaseState, seen: Input) -> ReleaseState:
    """The state of a release whose pods were taken away in its window: going back would not bring them back any sooner.

    They are waited for, and the window begins anew with them: what its checks found meanwhile says nothing of the revision. cutover_at
    stays, and tells that they were up before.
    """
    deadline = seen.now + seen.policy.progress_deadline
    return replace(state, step=Step.CUTOVER, deadline=deadline, available=0, window_ends_at=None)
