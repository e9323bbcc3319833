"""The hold of a service: who is stopped, and since when, while a restore, or a rollback with data, replaces its data."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from hardenctl.output.duration import shown
from hardenctl.output.moments import moment
from hardenctl.release.verdict import Live, status

#: Of a snapshot's id, as people see it.
SHORT = 8
_FAILED, _NOT_STARTED = "Failed", "NotStarted"


@dataclass(frozen=True)
class HoldReading:
    """One hold. What is not known, or is not there, is ""."""

    action: str
    """The name of the action that asked for it."""
    backup: str
    snapshot: str
    phase: str
    """Stopping, Restoring, Starting, Failed, NotStarted, or what a newer operator writes."""
    message: str
    """What it waits for, or why it failed."""
    since: datetime | None
    """When it began."""
    revision: str = ""
    """Of a rollback with data: the target."""
    service: str = ""
    """The service whose data is restored, where that is another one, which this one depends on."""

    @property
    def has_failed(self) -> bool:
        """It goes no further by itself: it is repeated, or given up."""
        return self.phase in (_FAILED, _NOT_STARTED)

    @property
    def has_data(self) -> bool:
        """The data is back, and its target alone may run on it."""
        return self.phase in ("Starting", _NOT_STARTED)

    @property
    def called(self) -> str:
        """Examples: "the restore of snapshot 1f2e3d4c of backup nightly", "the rollback to revision 0123456789ab with its data"."""
        return f"the rollback to revision {self.revision} with its data" if self.revision else f"the restore of {self.what}"

    @property
    def what(self) -> str:
        """Example: "snapshot 1f2e3d4c of backup nightly"."""
        return f"snapshot {self.snapshot[:SHORT]} of backup {self.backup}" if self.snapshot else ""

    def text(self, now: datetime) -> str:
        """Example: "Stopping, snapshot 1f2e3d4c of backup nightly, for 12s: 1 pod is left"."""
        span = f"for {shown(max(0.0, (now - self.since).total_seconds()))}" if self.since else ""
        head = ", ".join(filter(None, (self.phase, self.revision and f"revision {self.revision}", self.what, span)))
        return f"{head}: {self.message}" if self.message else head


def hold_of(live: Live) -> HoldReading | None:
    """The hold, None where there is none."""
    found = status(live).get("hold")
    if not isinstance(found, Mapping) or not found.get("phase"):
        return None
    action, backup, snapshot, phase, message, revision = (
        " ".join(str(found.get(name) or "").split()) for name in ("action", "backup", "snapshot", "phase", "message", "revision")
    )
    return HoldReading(action, backup, snapshot, phase, message, moment(found, "since"), revision, str(found.get("service") or ""))


def sought(live: Live) -> str:
    """The backup whose snapshot is looked up, before anybody is stopped for it; "" for none."""
    entries = [each for each in status(live).get("actions") or () if isinstance(each, Mapping)]
    begun = (each for each in entries if each.get("phase") == "Running" and each.get("action") in ("Restore", "Rollback"))
    found = next((each for each in begun if not (each.get("into") or each.get("recoveryPoint") or each.get("job"))), {})
    return str(found.get("backup") or "")
