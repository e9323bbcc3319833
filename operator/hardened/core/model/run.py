"""What is known of one run, and what is remembered of the runs of a backup."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Snapshot:
    """A run that succeeded: what it stored."""

    id: str
    """64 hex digits."""
    at: datetime
    """When its dump began: nothing that was written later is in it for sure."""
    bytes: int
    """Of the dump."""
    seconds: int
    """How long it took, from then to the end of the pod, rounded up."""
    message: str = ""
    """What went wrong beside it, such as forgetting old ones; "" for nothing."""


@dataclass(frozen=True)
class Failure:
    """A run that failed."""

    at: datetime
    """When it ended."""
    reason: str
    """One of those of the reference."""
    message: str


@dataclass(frozen=True)
class Verification:
    """A verification that has ended: a snapshot was restored and looked at, or could not be."""

    job: str
    """The name of its Job."""
    at: datetime
    """When it ended."""
    seconds: int
    """How long it took, rounded up; 0 where nobody knows."""
    snapshot: str = ""
    """64 hex digits; "" for none that was found."""
    reason: str = ""
    """One of those of the reference; "" where it succeeded."""
    message: str = ""
    """What was found."""

    @property
    def has_failed(self) -> bool:
        """Whether the snapshot is not known to be restorable."""
        return self.reason != ""


@dataclass(frozen=True)
class Restoration:
    """A restore that has ended, or the look-up of what is to be restored."""

    at: datetime
    """When it ended."""
    seconds: int
    """How long it took, rounded up; 0 where nobody knows."""
    snapshot: str = ""
    """64 hex digits; "" for none that was found."""
    made_at: datetime | None = None
    """When that was made."""
    before: str = ""
    """The snapshot of what was there; "" where nothing was, or nothing is replaced."""
    reason: str = ""
    """One of those of the reference; "" where it succeeded."""
    message: str = ""
    """What was restored, or why it was not."""
    is_unchanged: bool = False
    """It is known for sure that it has changed nothing."""

    @property
    def has_failed(self) -> bool:
        """Whether nobody knows what the data is like."""
        return self.reason != ""


@dataclass(frozen=True)
class Active:
    """A run that has not ended."""

    job: str
    """Its name."""
    since: datetime
    message: str = ""
    """What it waits for; "" for nothing that is known."""


#: What came of a run so far.
Outcome = Snapshot | Failure | Verification | Restoration | Active


@dataclass(frozen=True)
class Run:
    """One Job, and what came of it so far."""

    backup: str
    """The name of the backup."""
    job: str
    """The name of the Job."""
    uid: str
    """Of the Job."""
    is_by_hand: bool
    """It was made by this operator, and not by the backup's CronJob."""
    outcome: Outcome
    """A Verification or an Active of one that verifies, a Restoration or an Active of one that restores, and none of them of a backup."""
    work: str = ""
    """What it does with the backup, by names.RUN_LABEL; "" where it makes one."""
    has_pod: bool = True
    """Its pod is there."""
    is_closed: bool = False
    """Its Job is suspended: it has no pod before somebody says so."""
    has_begun: bool = True
    """A container of it has begun, as far as is known."""
    is_running: bool = True
    """A container of it is at work, as far as is known."""

    @property
    def makes(self) -> bool:
        """It makes the backup."""
        return self.work == ""

    @property
    def lacks_pod(self) -> bool:
        """Whether it is at work, and has no pod yet."""
        return isinstance(self.outcome, Active) and not self.has_pod and not self.is_closed


@dataclass(frozen=True)
class Record:
    """What is remembered of a backup."""

    name: str
    success: Snapshot | None = None
    """The newest one."""
    failure: Failure | None = None
    """The last one."""
    active: Active | None = None
    """The run that is at work; of several, the last one."""
    next_at: datetime | None = None
    """When the schedule makes the next one; None while it is suspended."""
    is_suspended: bool = False
    """When it was looked at last, the schedule was suspended."""
    resumed_at: datetime | None = None
    """When it went on, or became another one; None once no run is left that was missed before and could be made up for."""
    verification: Verification | None = None
    """The last one; None where the spec asks for none."""
    schedules: tuple[str, ...] = ()
    """What it ran by when it was looked at last, see Backup.schedules; none before."""

    @property
    def has_failed_last(self) -> bool:
        """Whether the last run that ended has failed."""
        return self.failure is not None and (self.success is None or self.failure.at > self.success.at)
