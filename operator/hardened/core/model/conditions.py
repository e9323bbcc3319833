"""Conditions as kstatus reads them, merged so that nothing moves which did not change."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from hardened.core.model.manifest import Manifest
from hardened.core.model.reasons import Reason

#: Kubernetes' own bound on a condition's message.
MESSAGE_LIMIT = 32768


@dataclass(frozen=True)
class Condition:
    """One condition that is wanted."""

    type: Literal["Ready", "Available", "Progressing", "Reconciling", "Stalled", "Hardened", "Drifted", "BackedUp"]
    is_true: bool
    reason: Reason
    message: str


def merge(before: Iterable[Mapping[str, Any]], wanted: Iterable[Condition], generation: int, now: datetime) -> list[Manifest]:
    """The conditions to write. lastTransitionTime moves only with the status. now: timezone-aware."""
    known = {c.get("type"): c for c in before if isinstance(c, Mapping)}
    merged = []
    for condition in wanted:
        status = "True" if condition.is_true else "False"
        old = known.get(condition.type, {})
        since = old.get("lastTransitionTime") if old.get("status") == status else None
        merged.append(
            {
                "type": condition.type,
                "status": status,
                "observedGeneration": generation,
                "lastTransitionTime": since or timestamp(now),
                "reason": str(condition.reason),
                "message": condition.message[:MESSAGE_LIMIT],
            }
        )
    return merged


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC with whole seconds, as Kubernetes writes it. Example: 2026-01-02T03:04:05Z."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
