"""status.release: how a release's record is written down, and read again.

Status is not to be trusted: whoever may write it can write anything. What cannot be read counts as no record: stable serves, and the
release begins anew.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from hardened.core.manifest import Manifest, without_none
from hardened.core.release import COLORS, Place, Record, Step

_TIMES = {
    "startedAt": "started_at",
    "deadline": "deadline",
    "cutoverAt": "cutover_at",
    "windowEndsAt": "window_ends_at",
    "keepUntil": "keep_until",
    "confirmedAt": "confirmed_at",
}


def written(record: Record) -> Manifest:
    """The record as status.release. Times carry microseconds: a window of a second is not to become none."""
    times = {name: _stamp(getattr(record, field)) for name, field in _TIMES.items()}
    return without_none(
        revision=record.place.revision,
        color=record.place.color,
        key=record.key,
        step=str(record.step),
        replicas=record.replicas,
        rejected=True if record.is_rejected else None,
        **times,
    )


def record_of(status: Mapping[str, Any]) -> Record | None:
    """The record that a status holds, or None where it holds none that can be used."""
    found = status.get("release")
    if not isinstance(found, Mapping):
        return None
    try:
        times = {field: _moment(found.get(name)) for name, field in _TIMES.items()}
        started_at = times.pop("started_at")
        replicas = found.get("replicas")
        revision, color, key = found["revision"], found["color"], found["key"]
        is_sound = color in COLORS and isinstance(revision, str) and isinstance(key, str) and (replicas is None or type(replicas) is int)
        if started_at is None or not is_sound:
            return None
        return Record(
            Place(color, revision),
            key,
            Step(found["step"]),
            started_at,
            replicas=replicas,
            is_rejected=found.get("rejected") is True,
            **times,
        )
    except (KeyError, ValueError, TypeError):
        return None


def _stamp(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ") if moment else None


def _moment(text: Any) -> datetime | None:
    """A moment with its time zone. Raises ValueError where there is none in it."""
    if text is None:
        return None
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time without a time zone")
    return moment
