"""The migration of a release: it runs once, before the first pod, and what it did is undone where the release fails."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from hardened.core.model.reasons import Reason
from hardened.core.model.release import Input, Migration, ReleasePolicy, ReleaseState, Step, Transition, Verdict
from hardened.core.model.timing import has_passed
from hardened.core.release.moves import abandoned


def begun_migration(
    record: ReleaseState | None, view: Input, terms: ReleasePolicy, now: datetime, anew: Callable[[], Transition]
) -> Transition | None:
    """What comes before all else: what was begun by hand or by a newer spec would find half a migration. anew: what begins without a
    record."""
    if record and record.step is Step.MIGRATE and record.migration is None and view.hooks.is_made:
        # A node has from now on to take it: until now it may have been refused.
        renewed = now + terms.migrates_within if record.deadline and terms.migrates_within else record.deadline
        return Transition(replace(record, migration=Migration.MADE, deadline=renewed))
    return undo(record, view, now, anew) if record and record.step is Step.UNDO else None


def migrate(record: ReleaseState, view: Input, now: datetime, entered: Callable[[], ReleaseState]) -> Transition:
    """A pod that was made is never made again. So what it is to be known by is written down before it is, and that it was right after.

    entered: the record in the step that follows.
    """
    verdict, said = view.hooks.migrated
    if record.migration is None:
        return Transition(record, migrates=not view.hooks.is_marked and not record.paused_at)
    if verdict is Verdict.PASSED and record.migration is Migration.MADE:
        return Transition(replace(record, migration=Migration.DONE))
    if record.migration is Migration.DONE:
        return Transition(record if record.paused_at else entered())
    if verdict is Verdict.FAILED or has_passed(record.deadline, now):
        # What a node took late may come to its end all the same: then it is undone.
        over = record if view.hooks.is_running else replace(record, migration=_half_done(view))
        return abandoned(over, view, Reason.MIGRATION_FAILED, f"the migration failed: {said}; {_left_to_do(view)}")
    return Transition(record, look_at=record.deadline)


def _half_done(view: Input) -> Migration | None:
    """How far a migration has come that did not end well. One that was interrupted may have done anything: it is undone as if it were done.
    One that gave up by itself is not: what undoes it is written for one that is complete."""
    return Migration.DONE if view.hooks.is_interrupted and view.hooks.migrated[0] is Verdict.FAILED else None


def _left_to_do(view: Input) -> str:
    """What becomes of the data. Nothing undoes a migration that gave up by itself."""
    has_undo = view.hooks.undo_within is not None
    if _half_done(view):
        return "its undo is run after it" if has_undo else "nothing undoes it: put the data right by hand first"
    if view.hooks.is_running:
        return "it may yet end, and is undone if it ends well" if has_undo else "it may yet end, and nothing undoes it"
    undo = "its undo does not run" if has_undo else "nothing undoes it"
    return f"nobody knows how far it came, and {undo}: put the data right by hand first"


def undo(record: ReleaseState, view: Input, now: datetime, anew: Callable[[], Transition]) -> Transition:
    """What follows in Undo. anew: what begins without a record, once nothing more can be done."""
    hooks, late = view.hooks, has_passed(record.deadline, now)
    match record.migration:
        case Migration.MADE if hooks.migrated[0] is Verdict.PASSED:
            return Transition(replace(record, migration=Migration.DONE, deadline=None))
        case Migration.MADE if _half_done(view):
            return Transition(record if hooks.is_running else replace(record, migration=Migration.DONE, deadline=None))
        case Migration.MADE if hooks.migrated[0] is Verdict.FAILED or (late and not hooks.is_running):
            return Transition(None)  # it did not come to its end, and nothing says how far it came
        case Migration.DONE if hooks.undo_within is None:
            return Transition(None)
        case Migration.DONE if hooks.undo_within is not None and hooks.is_undo_made:
            return Transition(replace(record, migration=Migration.UNDOING, deadline=now + hooks.undo_within))
        case Migration.UNDOING if hooks.undone[0] is Verdict.PASSED:
            return Transition(None)
        case Migration.UNDOING if hooks.undone[0] is Verdict.FAILED or late:
            return Transition(replace(record, migration=Migration.NOT_UNDONE, undo_problem=hooks.undone[1], deadline=None))
        case Migration.NOT_UNDONE if hooks.undone[0] is Verdict.PASSED:
            return Transition(None)  # later than it was waited for
        case Migration.NOT_UNDONE:
            following = anew()
            return following if following.record else Transition(record)  # said until something else begins
        case None:
            return Transition(None)
    return Transition(record, look_at=None if late else record.deadline)
