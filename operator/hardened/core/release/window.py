"""The window of VerifyAfter: what follows from what is said of a revision under live traffic."""

from dataclasses import replace

from hardened.core.model.input import Input, Verdict
from hardened.core.model.reasons import Reason
from hardened.core.model.state import ReleaseState
from hardened.core.model.transition import Advance, Stay, Transition
from hardened.core.release.moves import failed_check


def judged(state: ReleaseState, seen: Input, promotion: Transition | None) -> Advance:
    """A failure ends it at once, all else at the end of the window.

    promotion: what follows where all is well then; None where that is not enough yet.
    """
    verdict, said = seen.after
    if verdict is Verdict.FAILED:
        return failed_check(state, seen, said)
    if unwatched := _unwatched(state, seen):
        return unwatched
    ends = state.window_ends_at or seen.now
    if seen.now < ends:
        return Stay(state, ends)
    if seen.is_blind:
        return Stay(state)
    if verdict is Verdict.PASSED and promotion:
        return promotion
    gives_up_at = ends + seen.policy.progress_deadline
    if seen.now >= gives_up_at:
        return failed_check(state, seen, said or "the checks gave no result for the new revision", Reason.NO_DATA)
    return Stay(state, gives_up_at)


def _unwatched(state: ReleaseState, seen: Input) -> Stay | None:
    """Where nobody can say how the revision does by the end of its window: it begins anew once somebody can."""
    if state.window_ends_at is not None and (seen.now < state.window_ends_at or not seen.needs.is_unwatched):
        return None
    if seen.needs.is_unwatched:
        return Stay(replace(state, window_ends_at=None) if seen.needs.is_blind else state)
    return Stay(replace(state, window_ends_at=seen.now + seen.policy.window))
