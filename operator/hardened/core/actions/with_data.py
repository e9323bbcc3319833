"""A rollback with data: which data belongs to a revision, why it cannot be brought back with it, and what is told of it."""

from dataclasses import dataclass

from hardened.api.backup import Backup
from hardened.core.actions.log import LogEntry
from hardened.core.revisions.history import RevisionBackup
from hardened.core.runs.judgement import SHORT_ID


@dataclass(frozen=True)
class DataOf:
    """The data that belongs to a revision. lacks: why it cannot be brought back with it; all else is then ""."""

    backup: str = ""
    snapshot: str = ""
    """Its id."""
    at: str = ""
    """When its dump began."""
    lacks: str = ""


def data_of(revision: str, found: RevisionBackup | None, backup: Backup | None, obstacle: str) -> DataOf:
    """found: as status.history names it; backup: of that name, as the spec has it; obstacle: why it cannot be restored now."""
    if found is None:
        text = f"no snapshot belongs to revision {revision}: release.backupFirst takes one before a revision is replaced"
        return DataOf(lacks=f"{text}; roll back without withData, or restore a snapshot of another time")
    if obstacle:
        return DataOf(lacks=obstacle)
    if backup is not None and backup.stops != "Self":
        # Who is not stopped is the revision that is to be left.
        text = f"backup {found.name} has stops: {backup.stops}, so that the revision to be left would run on the restored data"
        then = f"roll back without withData, and then restore snapshot {found.snapshot[:SHORT_ID]} of it"
        return DataOf(lacks=f"{text}: {then}; or set stops: Self, where the data is restored without the pods of this service")
    return DataOf(found.name, found.snapshot, found.at)


def serves_again(entry: LogEntry) -> str:
    """What is told of the data, once the target serves; "" for a rollback without."""
    return f" on the data of {entry.recovery_point or 'its snapshot'}{_before(entry)}" if entry.takes_data else ""


def starts_no_more(entry: LogEntry) -> str:
    """What is told of the data, where the target did not come to serve; "" for a rollback without."""
    return f"; the data is that of {entry.recovery_point or 'its snapshot'}{_before(entry)}" if entry.takes_data else ""


def _before(entry: LogEntry) -> str:
    return f", and what was there before is snapshot {entry.before[:SHORT_ID]}" if entry.before else ""
