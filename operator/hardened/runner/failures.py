"""What can go wrong, by the words that the operator knows."""

from enum import StrEnum

from hardened.errors import HardenedError


class Reason(StrEnum):
    """Why a run failed. The report of a run that did not fail has ""."""

    BAD_TASK = "BadTask"
    REPOSITORY_UNREACHABLE = "RepositoryUnreachable"
    WRONG_PASSWORD = "WrongPassword"
    REPOSITORY_MISSING = "RepositoryMissing"
    REPOSITORY_FULL = "RepositoryFull"
    REPOSITORY_LOCKED = "RepositoryLocked"
    REPOSITORY_FAILED = "RepositoryFailed"
    SCRATCH_FULL = "ScratchFull"
    DUMP_FAILED = "DumpFailed"
    DUMP_EMPTY = "DumpEmpty"
    DUMP_TOO_SMALL = "DumpTooSmall"
    SERVER_IS_NEWER = "ServerIsNewer"
    UNREADABLE_FILES = "UnreadableFiles"
    INTERRUPTED = "Interrupted"
    SNAPSHOT_UNKNOWN = "SnapshotUnknown"
    SNAPSHOT_PENDING = "SnapshotPending"
    SNAPSHOT_DAMAGED = "SnapshotDamaged"
    ASSERTION_FAILED = "AssertionFailed"
    RESTORE_FAILED = "RestoreFailed"


class Failed(HardenedError):
    """The run, or one step of it, ends here. message: for people, without secrets where it comes from a program that `Programs` ran."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason = reason
        self.message = message
