"""A hold: the pods that use some data are stopped while a restore replaces it. status.hold, typed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from hardened.core.model.conditions import timestamp
from hardened.core.model.manifest import Manifest, without_none

#: The bound of the schema.
_MESSAGE_LIMIT = 1024


class HoldPhase(StrEnum):
    """How far it has come."""

    STOPPING = "Stopping"
    """The pods are to end, and all others that mount the data."""
    RESTORING = "Restoring"
    """None of them is left, and the Job may be made; of a service that depends on the one that is restored, its end is waited for."""
    FAILED = "Failed"
    """The restore has failed: nobody knows what the data is like, so that the pods stay stopped until somebody decides."""
    STARTING = "Starting"
    """Of a rollback with data: the data is back, and the pods of the target may start, and no others."""
    NOT_STARTED = "NotStarted"
    """The same, and the target did not come to serve: all pods stay stopped until somebody decides."""


@dataclass(frozen=True)
class Hold:
    """Why a service has no pods. Times are moments in UTC."""

    action: str
    """The name of the Restore, or of the Rollback with data."""
    uid: str
    """Of that action."""
    backup: str
    snapshot: str
    """As the action names it: the id, or the beginning of it."""
    stops: str
    """See Backup.stops."""
    phase: HoldPhase
    since: datetime
    replicas: int
    """How many pods were wanted when it began: a Deployment without pods does not tell."""
    message: str = ""
    """What it waits for, or why it has failed."""
    service: str = ""
    """The service that it depends on, and whose data is restored; "" for its own."""
    revision: str = ""
    """Of a rollback with data: the target, the only one that may run on the restored data; "" for a Restore."""
    may_have_changed: bool = False
    """The data may be other than it was: by this restore, or by one before it that has failed."""

    @property
    def stops_self(self) -> bool:
        """Whether the pods of the service itself are stopped."""
        return self.stops == "Self" or self.service != ""

    @property
    def has_failed(self) -> bool:
        """Whether somebody has to decide what follows."""
        return self.phase in (HoldPhase.FAILED, HoldPhase.NOT_STARTED)

    @property
    def has_data(self) -> bool:
        """Whether the data is back, so that the revision that was left must not run any more."""
        return self.phase in (HoldPhase.STARTING, HoldPhase.NOT_STARTED)

    def lets_run(self, revision: str) -> bool:
        """Whether pods of this revision of the service itself may run."""
        return not self.stops_self or (self.phase is HoldPhase.STARTING and revision == self.revision)


def hold_written(hold: Hold) -> Manifest:
    """As status.hold."""
    return without_none(
        service=hold.service or None,
        action=hold.action,
        uid=hold.uid,
        backup=hold.backup,
        snapshot=hold.snapshot,
        stops=hold.stops,
        phase=str(hold.phase),
        since=timestamp(hold.since),
        replicas=hold.replicas,
        message=hold.message[:_MESSAGE_LIMIT] or None,
        revision=hold.revision or None,
        mayHaveChanged=hold.may_have_changed or None,
    )


def hold_of(status: Mapping[str, Any]) -> Hold | None:
    """What a status says; None for none. One that cannot be read is none."""
    match status.get("hold"):
        case {
            "action": str(action),
            "uid": str(uid),
            "backup": str(backup),
            "snapshot": str(snapshot),
            "stops": str(stops),
            "phase": str(phase),
            "since": str(since),
            "replicas": int(replicas),
            **rest,
        } if phase in set(HoldPhase):
            try:
                moment = datetime.fromisoformat(since)
            except ValueError:
                return None
            said, service, revision = (str(rest.get(name, "")) for name in ("message", "service", "revision"))
            changed = rest.get("mayHaveChanged") is True
            return Hold(action, uid, backup, snapshot, stops, HoldPhase(phase), moment, replicas, said, service, revision, changed)
        case _:
            return None
