"""status.backups: how it is written down, and read again. What cannot be read is not remembered."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from hardened.core.model.conditions import timestamp
from hardened.core.model.manifest import Manifest, without_none
from hardened.core.model.run import Active, Failure, Record, Snapshot, Verification
from hardened.core.observe.rollout import instant

#: The bounds of the schema.
_LINE_LIMIT = 512


def written(records: Iterable[Record]) -> list[Manifest]:
    """As status.backups."""
    return [
        without_none(
            name=each.name,
            lastSuccess=_snapshot_written(each.success) if each.success else None,
            lastFailure=_failure_written(each.failure) if each.failure else None,
            running=_active_written(each.active) if each.active else None,
            nextAt=timestamp(each.next_at) if each.next_at else None,
            schedules=list(each.schedules) or None,
            suspended=True if each.is_suspended else None,
            resumedAt=timestamp(each.resumed_at) if each.resumed_at else None,
            lastVerification=_verification_written(each.verification) if each.verification else None,
        )
        for each in records
    ]


def records_of(status: Mapping[str, Any]) -> dict[str, Record]:
    """What a status remembers, by the names of backups."""
    found = status.get("backups")
    records = (_record(entry) for entry in (found if isinstance(found, list) else ()))
    return {each.name: each for each in records if each}


def _snapshot_written(found: Snapshot) -> Manifest:
    said = found.message[:_LINE_LIMIT] or None
    return without_none(snapshot=found.id, at=timestamp(found.at), bytes=found.bytes, seconds=found.seconds, message=said)


def _failure_written(found: Failure) -> Manifest:
    return {"at": timestamp(found.at), "reason": found.reason, "message": found.message[:_LINE_LIMIT]}


def _verification_written(found: Verification) -> Manifest:
    return without_none(
        job=found.job,
        at=timestamp(found.at),
        result="Failed" if found.has_failed else "Succeeded",
        snapshot=found.snapshot or None,
        reason=found.reason or None,
        message=found.message[:_LINE_LIMIT] or None,
        seconds=found.seconds,
    )


def _active_written(found: Active) -> Manifest:
    return without_none(job=found.job, since=timestamp(found.since), message=found.message[:_LINE_LIMIT] or None)


def _record(entry: Any) -> Record | None:
    match entry:
        case {"name": str(name), **rest}:
            return Record(
                name,
                _snapshot(rest.get("lastSuccess")),
                _failure(rest.get("lastFailure")),
                _active(rest.get("running")),
                _moment(rest.get("nextAt")),
                rest.get("suspended") is True,
                _moment(rest.get("resumedAt")),
                _verification(rest.get("lastVerification")),
                tuple(str(each) for each in schedules) if isinstance(schedules := rest.get("schedules"), list) else (),
            )
        case _:
            return None


def _snapshot(found: Any) -> Snapshot | None:
    match found:
        case {"snapshot": str(snapshot), "at": at, "bytes": int(size), "seconds": int(seconds), **rest} if moment := _moment(at):
            return Snapshot(snapshot, moment, size, seconds, str(rest.get("message", "")))
        case _:
            return None


def _failure(found: Any) -> Failure | None:
    match found:
        case {"at": at, "reason": str(reason), "message": str(message)} if moment := _moment(at):
            return Failure(moment, reason, message)
        case _:
            return None


def _verification(found: Any) -> Verification | None:
    match found:
        case {"job": str(job), "at": at, "seconds": int(seconds), **rest} if moment := _moment(at):
            snapshot, reason, message = (str(rest.get(name, "")) for name in ("snapshot", "reason", "message"))
            return Verification(job, moment, seconds, snapshot, reason, message)
        case _:
            return None


def _active(found: Any) -> Active | None:
    match found:
        case {"job": str(job), "since": since, **rest} if moment := _moment(since):
            return Active(job, moment, str(rest.get("message", "")))
        case _:
            return None


def _moment(text: Any) -> datetime | None:
    if not isinstance(text, str):
        return None
    try:
        found = instant(text)
    except ValueError:
        return None
    return found if found and found.tzinfo else None
