"""The backups of a service, as its spec and its status tell of them, for people and for scripts to see."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from hardenctl.output.duration import shown
from hardenctl.output.moments import age, moment
from hardened.errors import InvalidSpec

if TYPE_CHECKING:
    from hardened.api.backup import Backup

_SOURCES = ("postgres", "redis", "volume", "command")
#: Seconds beyond the deadline of a run, until its end is known.
BEYOND = 60.0
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


@dataclass(frozen=True)
class BackupReading:
    """One backup. What is not known, or is not there, is ""."""

    name: str
    source: str
    """The kind of it."""
    schedule: str
    """With its time zone, where that is not UTC."""
    snapshot: str
    """The newest good one."""
    bytes: int
    age: str
    """Of that snapshot, in its largest unit."""
    next: str
    """How long until the next run."""
    recovery_point: str
    """What may be lost by the schedule."""
    is_good: bool
    """The snapshot is not older than it may be."""
    is_verified: bool
    """Its last verification has succeeded, and none is overdue; or the spec asks for none."""
    verified: str
    """How long ago that was, and how it ended."""
    state: str
    raw: Mapping[str, Any] = field(default_factory=dict)
    """For scripts."""

    def data(self) -> dict[str, Any]:
        """Everything, for scripts."""
        return dict(self.raw)


def backups_of(live: Mapping[str, Any]) -> "tuple[Backup, ...]":
    """What the spec says; nothing where it cannot be read."""
    from hardened.api.parse import parse_spec

    try:
        return tuple(parse_spec(live.get("spec")).backups or ())
    except InvalidSpec:
        return ()


def longest_wait(live: Mapping[str, Any], backup: str) -> float:
    """Seconds until the end of a restore of this backup is known; a minute where the spec cannot be read."""
    from hardened.api.backup import FIND_DEADLINE

    found = next((each.restore_deadline + FIND_DEADLINE for each in backups_of(live) if each.name == backup), timedelta())
    return found.total_seconds() + BEYOND


def readings(live: Mapping[str, Any], now: datetime) -> list[BackupReading]:
    """In the order of the spec. now: timezone-aware."""
    known = {each.name: each for each in backups_of(live)}
    told = {str(each.get("name")): each for each in (live.get("status") or {}).get("backups") or () if isinstance(each, Mapping)}
    wanted = (live.get("spec") or {}).get("backups") or ()
    return [_reading(each, known.get(str(each.get("name"))), told.get(str(each.get("name")), {}), now) for each in wanted]


def _reading(spec: Mapping[str, Any], known: "Backup | None", told: Mapping[str, Any], now: datetime) -> BackupReading:
    success, failure = told.get("lastSuccess") or {}, told.get("lastFailure") or {}
    at, next_at, zone = moment(success, "at"), moment(told, "nextAt"), spec.get("timeZone") or (known and known.time_zone) or ""
    source = next((name for name in _SOURCES if name in (spec.get("source") or {})), "")
    is_good = at is not None and (known is None or now < at + known.most_age)
    verification = told.get("lastVerification") or {}
    verified_at, most = moment(verification, "at"), known.most_unverified if known else None
    is_late = verified_at is not None and most is not None and now >= verified_at + most
    is_verified = verification.get("result", "Succeeded") == "Succeeded" and not is_late
    schedule = f"{spec.get('schedule', '')} {zone}" if zone not in ("", "Etc/UTC", "UTC") else str(spec.get("schedule", ""))
    return BackupReading(
        name=str(spec.get("name")),
        source=source,
        schedule=schedule,
        snapshot=str(success.get("snapshot") or ""),
        bytes=_whole(success.get("bytes")),
        age=age(at, now) if at else "",
        next=_ahead(next_at, now),
        recovery_point=shown(known.recovery_point.total_seconds()) if known else "",
        is_good=is_good,
        is_verified=is_verified,
        verified=f"{age(verified_at, now)} {verification.get('result')}" if verified_at else "none yet" if spec.get("verify") else "",
        state=_state(told, at, is_good=is_good, is_verified=is_verified),
        raw={
            "name": str(spec.get("name")),
            "source": source,
            "schedule": spec.get("schedule"),
            "timeZone": zone,
            "suspended": told.get("suspended") is True,
            "lastSuccess": dict(success) or None,
            "lastFailure": dict(failure) or None,
            "running": dict(told.get("running") or {}) or None,
            "nextAt": told.get("nextAt"),
            "ageSeconds": int((now - at).total_seconds()) if at else None,
            "maxAgeSeconds": _seconds(known.most_age if known else None),
            "recoveryPointSeconds": _seconds(known.recovery_point if known else None),
            "lastVerification": dict(verification) or None,
            "verificationAgeSeconds": int((now - verified_at).total_seconds()) if verified_at else None,
            "maxVerificationAgeSeconds": _seconds(known.most_unverified if known else None),
            "good": is_good,
            "verified": is_verified,
        },
    )


def _state(told: Mapping[str, Any], at: datetime | None, *, is_good: bool, is_verified: bool) -> str:
    running, failure = told.get("running") or {}, told.get("lastFailure") or {}
    failed_at = moment(failure, "at")
    words = ["ok" if is_good else "overdue" if at else "no snapshot"]
    if running:
        words.append(f"running: {running['message']}" if running.get("message") else "running")
    if told.get("suspended") is True:
        words.append("suspended")
    if failed_at and (at is None or failed_at > at):
        words.append(f"last run failed: {failure.get('reason')}: {failure.get('message')}")
    verification = told.get("lastVerification") or {}
    if verification.get("result") == "Failed":
        words.append(f"verification failed: {verification.get('reason')}: {verification.get('message')}")
    elif not is_verified:
        words.append("verification overdue")
    return "; ".join(words)


def _ahead(at: datetime | None, now: datetime) -> str:
    """Time until then, in its largest unit. Examples: 20 h ahead -> "20h"; past -> "now"."""
    if at is None:
        return ""
    return age(now, at) if at > now else "now"


def bytes_text(size: int) -> str:
    """Bytes, for people. Examples: 860 -> "860B"; 4096 -> "4.0KiB"."""
    number, unit = float(size), 0
    while number >= 1024 and unit < len(_UNITS) - 1:
        number, unit = number / 1024, unit + 1
    return f"{number:.1f}{_UNITS[unit]}" if unit else f"{size}B"


def _seconds(span: timedelta | None) -> int | None:
    return int(span.total_seconds()) if span is not None else None


def _whole(value: Any) -> int:
    return value if type(value) is int and value >= 0 else 0
