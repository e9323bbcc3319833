"""Reads a Deployment: how far its pods are."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hardened.api import names


@dataclass(frozen=True)
class Rollout:
    """A Deployment in numbers of pods."""

    revision: str
    """The one that its template carries."""
    wanted: int
    """spec.replicas."""
    total: int
    """As its controller counted them."""
    updated: int
    """Of the last template, as its controller counted them."""
    available: int
    """As its controller counted them."""
    is_current: bool
    """That controller has seen the last change."""
    progressed_at: datetime | None
    """When it last got further."""

    @property
    def is_settled(self) -> bool:
        """No pod of another template is left."""
        return self.is_current and self.updated == self.total

    @property
    def come(self) -> int:
        """How many pods of the last template are available, at least. 0 before its controller has seen it.

        Those that are counted may be of the template before. But where old pods are replaced one by one, no more new ones wait to become
        available than there are pods beyond those wanted. Examples of (total, updated, available) with 6 wanted: (8, 2, 6) -> 0;
        (8, 2, 8) -> 2; (8, 4, 2) -> 2, the old ones being dead; (6, 6, 5) -> 5.
        """
        if not self.is_current:
            return 0
        old, spare = max(0, self.total - self.updated), max(0, self.total - self.wanted)
        least = max(self.available - old, self.updated - spare) if old else self.available
        return max(0, min(least, self.available, self.updated))

    @property
    def is_complete(self) -> bool:
        """All wanted pods are of this revision and available, and no other pod is left."""
        return self.is_current and self.updated == self.wanted == self.total and self.available >= self.wanted


def rollout_of(live: Mapping[str, Any]) -> Rollout:
    """The numbers of a live Deployment."""
    spec, status = live["spec"], live.get("status") or {}
    return Rollout(
        revision=((spec["template"].get("metadata") or {}).get("labels") or {}).get(names.REVISION_LABEL, ""),
        wanted=int(spec.get("replicas", 1)),
        total=int(status.get("replicas", 0)),
        updated=int(status.get("updatedReplicas", 0)),
        available=int(status.get("availableReplicas", 0)),
        is_current=int(status.get("observedGeneration", 0)) >= int(live["metadata"].get("generation", 1)),
        progressed_at=_progressed_at(live),
    )


def _progressed_at(live: Mapping[str, Any]) -> datetime | None:
    conditions = (live.get("status") or {}).get("conditions") or ()
    text = next((c.get("lastUpdateTime") for c in conditions if c.get("type") == "Progressing"), None)
    return instant(text or live["metadata"].get("creationTimestamp"))


def instant(text: str | None) -> datetime | None:
    """A Kubernetes time stamp as a moment, or None if there is none. Example: "2026-01-02T03:04:05Z"."""
    return datetime.fromisoformat(text) if text else None
