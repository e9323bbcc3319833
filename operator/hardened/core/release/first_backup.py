"""The backup that is taken before a release changes anything: its Job, what came of it, and what is remembered of it.

The Job is named by the release and by the attempt, and made once the state says that it is to be: it is made once, wherever a process is
killed. One that was made and is gone has failed.
"""

from collections.abc import Mapping
from datetime import datetime

from hardened.api.steps import Step
from hardened.core.actions.backups import BACKUP, obstacle
from hardened.core.actions.log import entries_of
from hardened.core.model.conditions import timestamp
from hardened.core.model.finding import Diagnosis
from hardened.core.model.input import BackupProgress
from hardened.core.model.kit import BackupKit
from hardened.core.model.manifest import Manifest
from hardened.core.model.reasons import Reason
from hardened.core.model.release_policy import POD_START
from hardened.core.model.run import Active, Failure, Run, Snapshot
from hardened.core.model.state import ReleaseState
from hardened.core.observe.facts import Facts
from hardened.core.release.steps.backup import is_due
from hardened.core.runs.backups import HandRun, hand_job_key, revision_tag


def backup_progress(facts: Facts, state: ReleaseState | None, kit: BackupKit) -> BackupProgress:
    """What is known of it. state: of the release at work."""
    asked = facts.svc.spec.release.backup_first
    backup = next((each for each in facts.svc.spec.backups or () if each.name == asked), None)
    if backup is None:
        return BackupProgress()
    found = BackupProgress(backup.name, backup.deadline + POD_START)
    if state is None or state.step is not Step.BACKUP or state.backup is None or state.backup.name != backup.name:
        return found
    ours = hand_job_key(facts, _run_of(state))
    run = next((run for run in facts.runs if run.is_by_hand and run.job == ours.name), None)
    if run:
        return _with_run(found, run)
    if state.backup.job:
        return BackupProgress(found.name, found.within, failure=f"{ours} was deleted before its end was seen")
    refusal = facts.observed.refused.get(ours)
    why = Diagnosis(Reason.BACKUP_FAILED, f"{ours} cannot be created: {refusal.message}") if refusal else None
    return BackupProgress(found.name, found.within, _hindrance(facts, backup.name, kit), why)


def due_runs(before: ReleaseState | None, after: ReleaseState | None, seen: BackupProgress, now: datetime) -> tuple[HandRun, ...]:
    """The Job that is to be made now. before: the state as it is written; after: as this look leaves it, which must be the same."""
    if before is None or after is None or (before.started_at, before.backup) != (after.started_at, after.backup):
        return ()
    is_free = seen.hindrance is None and not seen.job
    return (_run_of(before),) if is_free and is_due(before, now) and is_due(after, now) else ()


def trouble(state: ReleaseState | None, seen: BackupProgress, now: datetime) -> Diagnosis | None:
    """Why the release waits for its backup longer than that takes, as it is to be told. state: after its move."""
    if state is None or state.step is not Step.BACKUP or state.backup is None or state.backup.name != seen.name:
        return None
    backup, held_up = state.backup, seen.refusal or seen.hindrance
    if backup.failures and not (backup.job or backup.snapshot):
        times = "" if backup.failures == 1 else f" {backup.failures} times"
        is_next = backup.again_at is not None and backup.again_at > now
        then = f"it is tried again at {timestamp(backup.again_at)}" if is_next and backup.again_at else "it is tried again"
        text = f"backup {backup.name} has failed{times}: {backup.message}; {then}"
        return Diagnosis(Reason.BACKUP_FAILED, text if is_next or not held_up else f"{text}: {held_up.message}")
    return held_up


def taken(state: ReleaseState | None) -> Mapping[str, Manifest]:
    """What status.history is to remember: by revision, the snapshot of the data as it was before that one is replaced."""
    backup = state.backup if state else None
    if backup is None or not backup.snapshot or backup.taken_at is None:
        return {}
    return {backup.revision: {"name": backup.name, "snapshot": backup.snapshot, "at": timestamp(backup.taken_at)}}


def _run_of(state: ReleaseState) -> HandRun:
    backup = state.backup
    assert backup, "it is asked of a release that has come to its backup"
    cause = f"{state.target.revision} {state.started_at.isoformat()} {backup.failures}"
    return HandRun(backup.name, cause, (revision_tag(backup.revision),))


def _with_run(found: BackupProgress, run: Run) -> BackupProgress:
    match run.outcome:
        case Snapshot(id=snapshot, at=at):
            return BackupProgress(found.name, found.within, job=run.uid, snapshot=snapshot, taken_at=at)
        case Failure(reason=reason, message=message):
            return BackupProgress(found.name, found.within, job=run.uid, failure=f"{reason}: {message}")
        case Active(message=message) if message:
            why = Diagnosis(Reason.BACKUP_FAILED, f"backup {found.name} waits, as Job {run.job}: {message}")
            return BackupProgress(found.name, found.within, why, job=run.uid)
        case _:
            return BackupProgress(found.name, found.within, job=run.uid)


def _hindrance(facts: Facts, name: str, kit: BackupKit) -> Diagnosis | None:
    """Why no Job is to be made now: two of one backup are never at work at once. A verification is none."""
    entries = [entry for entry in entries_of(facts.before) if entry.backup == name and entry.action == BACKUP]
    why = obstacle(facts, kit, entries, BACKUP, name)
    if not why:
        return None
    return Diagnosis(Reason.ROLLING_OUT if kit.image else Reason.BACKUP_IMAGE_MISSING, why)
