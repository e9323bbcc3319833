"""Moments as the cluster writes them, and how far they are from now."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from hardenctl.output.duration import shown

_DAY = 24 * 3600.0


def now() -> datetime:
    """This machine's clock, in UTC. A clock that is wrong makes remaining times wrong, and nothing else."""
    return datetime.now(UTC)


def moment(found: Mapping[str, Any], name: str) -> datetime | None:
    """The moment under this name, None where there is none that can be read."""
    try:
        read = datetime.fromisoformat(str(found.get(name) or ""))
    except ValueError:
        return None
    return read if read.tzinfo else None


def remaining(until: datetime | None, now: datetime) -> str:
    """Time left, in words; "" without an end. Examples: 65 s ahead -> "1m5s"; in the past -> "0s"."""
    return shown(max(0.0, (until - now).total_seconds())) if until else ""


def age(since: datetime | None, now: datetime) -> str:
    """Time passed in its largest unit, as kubectl shows it. Examples: 42 s -> "42s"; 200 s -> "3m"; 3 days -> "3d"; unknown -> "?"."""
    if since is None:
        return "?"
    span = max(0.0, (now - since).total_seconds())
    if span >= _DAY:
        return f"{int(span // _DAY)}d"
    return shown(span // 3600 * 3600 if span >= 3600 else span // 60 * 60 if span >= 60 else span)
