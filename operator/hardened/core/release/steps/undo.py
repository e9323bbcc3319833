"""Undo: the release is over, and its migration is not. Its end is waited for, and it is undone."""

from dataclasses import replace

from hardened.api.steps import Step
from hardened.core.model.input import Input, Judgement, Verdict
from hardened.core.model.state import Migration, ReleaseState
from hardened.core.model.timing import has_passed
from hardened.core.model.transition import Advance, Anew, Stay, Transition
from hardened.core.release import sizes
from hardened.core.release.migrations import half_done

STEP = Step.UNDO
desired = sizes.stable_alone


def advance(state: ReleaseState, seen: Input) -> Advance:
    match state.migration:
        case Migration.MADE:
            return _made(state, seen, seen.migration.migrated)
        case Migration.DONE:
            return _done(state, seen)
        case Migration.UNDOING:
            return _undoing(state, seen, seen.migration.undone)
        case Migration.NOT_UNDONE if seen.migration.undone[0] is Verdict.PASSED:
            return Transition(None)  # later than it was waited for
        case Migration.NOT_UNDONE:
            return Anew(otherwise=Transition(state))  # said until something else begins
        case None:
            return Transition(None)


def goes_by_pods(state: ReleaseState, seen: Input) -> bool:
    """Until no pod of the revision is left: what it wrote until its end may need the new schema."""
    return state.migration is Migration.DONE or seen.needs.asks_for_pods


def _made(state: ReleaseState, seen: Input, migrated: Judgement) -> Advance:
    if migrated[0] is Verdict.PASSED:
        return Stay(replace(state, migration=Migration.DONE, deadline=None))
    is_running = seen.migration.is_running
    if half_done(seen):
        return Stay(state if is_running else replace(state, migration=Migration.DONE, deadline=None))
    if migrated[0] is Verdict.FAILED or (has_passed(state.deadline, seen.now) and not is_running):
        return Transition(None)  # it did not come to its end, and nothing says how far it came
    return _waiting(state, seen)


def _done(state: ReleaseState, seen: Input) -> Advance:
    within = seen.migration.undo_within
    if within is None:
        return Transition(None)
    if seen.migration.is_undo_made:
        return Stay(replace(state, migration=Migration.UNDOING, deadline=seen.now + within))
    return _waiting(state, seen)


def _undoing(state: ReleaseState, seen: Input, undone: Judgement) -> Advance:
    if undone[0] is Verdict.PASSED:
        return Transition(None)
    if undone[0] is Verdict.FAILED or has_passed(state.deadline, seen.now):
        return Stay(replace(state, migration=Migration.NOT_UNDONE, undo_problem=undone[1], deadline=None))
    return _waiting(state, seen)


def _waiting(state: ReleaseState, seen: Input) -> Stay:
    return Stay(state, None if has_passed(state.deadline, seen.now) else state.deadline)
