"""Backup: a backup of what serves is taken, anew, before anything changes: `release.backupFirst`.

One that fails is the fault of the surroundings, such as a repository that is full, and never of the revision. So it rejects nobody: like
Preflight the release waits, says why, and tries again, a minute later at first and half an hour at most. Nothing has changed by then, so
it may be aborted, superseded and paused at any time; a Job that is at work comes to its end all the same.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from hardened.api.steps import Step
from hardened.core.model.input import Input
from hardened.core.model.state import ReleaseBackup, ReleaseState
from hardened.core.model.timing import has_passed
from hardened.core.model.transition import Advance, Passed, Stay
from hardened.core.release import sizes
from hardened.core.release.entering import enter as enter_step
from hardened.core.release.pods import asked_for_room

STEP = Step.BACKUP
goes_by_pods = asked_for_room
desired = sizes.stable_alone

#: After which time it is tried again: twice as long after each failure.
LEAST_WAIT: Final = timedelta(minutes=1)
MOST_WAIT: Final = timedelta(minutes=30)
_MOST_DOUBLED: Final = 5


def applies(seen: Input) -> bool:
    """The first release replaces nothing."""
    return bool(seen.backup.name) and seen.stable is not None


def enter(state: ReleaseState, seen: Input) -> ReleaseState:
    return replace(enter_step(state, STEP, seen), backup=_of_spec(state, seen))


def advance(state: ReleaseState, seen: Input) -> Advance:
    """What it is to be known by is written down before its Job is made, and what came of it before anything else begins."""
    if not applies(seen):
        return Passed(replace(state, backup=None, deadline=None))
    backup = _of_spec(state, seen)
    if backup != state.backup:
        return Stay(replace(state, backup=backup, deadline=None))
    if backup.snapshot:
        return Passed(state)
    if seen.backup.failure:
        failures = backup.failures + 1
        again_at = seen.now + min(LEAST_WAIT * 2 ** min(failures - 1, _MOST_DOUBLED), MOST_WAIT)
        over = ReleaseBackup(backup.name, backup.revision, failures=failures, message=seen.backup.failure, again_at=again_at)
        return Stay(replace(state, backup=over, deadline=None))
    return Stay(state, next((at for at in (state.deadline, backup.again_at) if at and at > seen.now), None))


def noted(state: ReleaseState | None, seen: Input) -> Advance | None:
    """That its Job was made is written down at once, and so is what it has stored: whatever becomes of the release."""
    if state is None or state.step is not STEP or state.backup is None:
        return None
    backup, found = state.backup, seen.backup
    if found.job and found.job != backup.job:
        timed = {"remaining": found.within} if state.paused_at else {"deadline": seen.now + found.within}
        return Stay(replace(state, backup=replace(backup, job=found.job, again_at=None), **timed))
    if found.snapshot and not backup.snapshot:
        taken = replace(backup, snapshot=found.snapshot, taken_at=found.taken_at)
        return Stay(replace(state, backup=taken, deadline=None, remaining=None))
    return None


def is_due(state: ReleaseState, now: datetime) -> bool:
    """Whether a Job is to be made for it."""
    backup = state.backup
    if state.step is not STEP or backup is None or state.paused_at or backup.job or backup.snapshot:
        return False
    return backup.again_at is None or has_passed(backup.again_at, now)


def _of_spec(state: ReleaseState, seen: Input) -> ReleaseBackup:
    """The state's backup; a new one where the spec asks for another."""
    known = state.backup
    return known if known and known.name == seen.backup.name else ReleaseBackup(seen.backup.name, seen.stable_revision)
