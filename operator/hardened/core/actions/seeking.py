"""What a restore is about is looked up in the repository before anybody is stopped for it: by a Job of its own, which changes nothing.

What it has found is written down: the whole id, so that nothing else can be meant later, and the moment that the snapshot was made. Until
then the application serves, no release begins, and what fails ends the restore and nothing else. The Job may be made again: nothing but
its answer counts.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Final

from hardened.core.actions.at_work import said_of
from hardened.core.actions.log import LogEntry
from hardened.core.model.conditions import timestamp
from hardened.core.model.run import Active, Restoration, Run
from hardened.core.runs.judgement import SHORT_ID

RESTORE: Final = "Restore"

#: What mends what stops one, by the reasons of the runner. Of all others, its message says it.
_REMEDIES: Final = {
    "SnapshotUnknown": "hardenctl backup list shows the newest one, restic snapshots all of them",
    "SnapshotPending": "restore one that is whole",
    "RepositoryMissing": "see RESTIC_REPOSITORY in the Secret, or the claim, of the backup's repository",
    "RepositoryUnreachable": "see RESTIC_REPOSITORY in the Secret of the backup's repository, and whether its pods may reach it",
    "WrongPassword": "see RESTIC_PASSWORD in the Secret of the backup's repository",
}


def is_restore(entry: LogEntry) -> bool:
    """Whether an entry is a restore that is under way; of a rollback with data as long as the data is not back."""
    return entry.phase == "Running" and (entry.action == RESTORE or (entry.takes_data and not entry.has_data))


def is_found(entry: LogEntry) -> bool:
    """Whether the snapshot of a restore is known to be in the repository."""
    return entry.recovery_point != "" or entry.job != ""


def seeking(entries: Iterable[LogEntry]) -> LogEntry | None:
    """The restore under way that is to replace what is there, and whose snapshot is looked up."""
    return next((entry for entry in entries if is_restore(entry) and not entry.into and not is_found(entry)), None)


def under_way(entry: LogEntry) -> str:
    """That one is looked up, in words."""
    return f"the restore of backup {entry.backup}, requested as {entry.name}, is under way: wait for its end, or abort it"


def sought(entry: LogEntry, run: Run | None, obstacle: str, now: datetime) -> LogEntry:
    """The entry with what is known of its snapshot. run: the one that looks it up; obstacle: why there will be none, "" for nothing."""
    which = f"snapshot {entry.snapshot[:SHORT_ID]}"
    if obstacle:
        return entry.ended("Failed", f"{obstacle}; nothing was stopped", now)
    if run is None:
        return entry
    match run.outcome:
        case Restoration(snapshot=snapshot, at=at, made_at=made_at, reason="") if snapshot:
            point = timestamp(made_at or at)
            said = f"snapshot {snapshot[:SHORT_ID]} of {point} was found"
            return replace(entry, snapshot=snapshot, recovery_point=point, message=said)
        case Restoration(reason=reason, message=message):
            said, remedy = f"{reason}: {message}" if reason else "its Job names none", _REMEDIES.get(reason)
            beside = f"; {remedy}" if remedy else ""
            return entry.ended("Failed", f"{which} was not found: {said}; nothing was stopped{beside}", now)
        case Active() as active:
            return replace(entry, message=said_of(entry, run, active, f"looks for {which}"))
        case _:
            return entry
