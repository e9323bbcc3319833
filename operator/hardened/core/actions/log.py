"""status.actions: what is remembered of actions, how it is written down, and read again."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from hardened.core.model.conditions import timestamp
from hardened.core.model.manifest import Manifest, without_none
from hardened.core.observe.rollout import instant

#: How many actions are remembered: a name that is among them does not run again.
LIMIT = 32
#: The bounds of a message and of who asked for what reason, as the schema has them.
MESSAGE_LIMIT = 1024
BY_LIMIT = 512

PHASES = ("Running", "Succeeded", "Failed", "Refused")
FINAL = PHASES[1:]
_TEXTS = ("name", "uid", "action", "phase", "message")
#: As attributes, and as fields of status.
_OPTIONAL = {
    **{name: name for name in ("revision", "key", "left", "by", "backup", "job", "snapshot", "into", "before")},
    "recovery_point": "recoveryPoint",
    "restored_at": "restoredAt",
}


@dataclass(frozen=True)
class LogEntry:
    """One action. Times are moments in UTC."""

    name: str
    uid: str
    action: str
    phase: str
    message: str
    started_at: datetime
    revision: str = ""
    """The one that is meant; of a rollback where to."""
    key: str = ""
    """What is rejected, see ReleaseState: of a rollback the revision that traffic leaves, of an abort or a retry the one that is meant.

    Of an abort of a restore: the uid of that.
    """
    left: str = ""
    """Of a rollback: the revision that traffic leaves."""
    by: str = ""
    """Who asked, and why."""
    finished_at: datetime | None = None
    backup: str = ""
    """Of a backup, its verification, or its restore: its name. Of a rollback with data: the one that is restored."""
    job: str = ""
    """Of a backup, its verification, or its restore: the uid of its Job, once that was seen."""
    snapshot: str = ""
    """Of a backup that has succeeded, or of a verification that has ended: the id of the snapshot. Of a restore: the same
    once that was found, and as it was asked for before.

    Of a rollback with data: what was stored before the target was replaced.
    """
    into: str = ""
    """Of a restore: the new database beside the one that serves; "" where that is replaced."""
    recovery_point: str = ""
    """Of a restore, and of a rollback with data: when its snapshot was made, in RFC 3339, once that was found."""
    restored_at: str = ""
    """Of a rollback with data: when the data was back, in RFC 3339."""
    before: str = ""
    """Of a restore that has ended: the id of the snapshot of what was there."""

    @property
    def takes_data(self) -> bool:
        """Whether it is a rollback with data."""
        return self.action == "Rollback" and self.backup != ""

    @property
    def has_data(self) -> bool:
        """Of a rollback with data: whether the data is back."""
        return self.restored_at != ""

    def ended(self, phase: str, message: str, now: datetime) -> "LogEntry":
        """The same action, over."""
        return replace(self, phase=phase, message=message[:MESSAGE_LIMIT], finished_at=now)


def entries_of(status: Mapping[str, Any]) -> tuple[LogEntry, ...]:
    """What a status remembers. An entry that cannot be read is none."""
    found = status.get("actions")
    return tuple(entry for each in found if (entry := _entry(each))) if isinstance(found, list) else ()


def entries_written(entries: Iterable[LogEntry]) -> list[Manifest]:
    """As status.actions, oldest first."""
    return [
        without_none(
            **{name: getattr(e, name) for name in _TEXTS},
            **{field: getattr(e, name)[:BY_LIMIT] or None for name, field in _OPTIONAL.items()},
            startedAt=timestamp(e.started_at),
            finishedAt=timestamp(e.finished_at) if e.finished_at else None,
        )
        for e in entries
    ]


def bounded(entries: Iterable[LogEntry], present: Collection[str], unanswered: Collection[str]) -> tuple[LogEntry, ...]:
    """At most LIMIT of them. Those go first that are over and whose action is gone, then those that are over, the oldest before others.

    present, unanswered: the names of all actions that are there, and of those that were not told yet what became of them. Those stay: they
    would be judged anew.
    """
    kept = list(entries)
    over = [entry for entry in kept if entry.phase in FINAL and entry.name not in unanswered]
    for entry in [e for e in over if e.name not in present] + [e for e in over if e.name in present]:
        if len(kept) > LIMIT:
            kept.remove(entry)
    return tuple(kept)


def has_room(entries: Iterable[LogEntry], unanswered: Collection[str]) -> bool:
    """Whether one more can be remembered."""
    return sum(entry.phase not in FINAL or entry.name in unanswered for entry in entries) < LIMIT


def _entry(found: Any) -> LogEntry | None:
    if not isinstance(found, Mapping):
        return None
    texts = {name: found.get(name) for name in _TEXTS} | {name: found.get(field, "") for name, field in _OPTIONAL.items()}
    if not all(isinstance(text, str) for text in texts.values()) or texts["phase"] not in PHASES:
        return None
    try:
        started_at, finished_at = instant(found.get("startedAt")), instant(found.get("finishedAt"))
    except (ValueError, TypeError):
        return None
    return (
        LogEntry(**{name: str(text) for name, text in texts.items()}, started_at=started_at, finished_at=finished_at)
        if started_at
        else None
    )
