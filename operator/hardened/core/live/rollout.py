"""Reads a Deployment: how far its pods are."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hardened.api import names


@dataclass(frozen=True)
class Rollout:
    """A Deployment in numbers of pods.

    revision: the one that its template carries; wanted: spec.replicas; total, updated, available: as its controller
    counted them; is_current: that controller has seen the last change; progressed_at: when it last got further.
    """

    revision: str
    wanted: int
    total: int
    updated: int
    available: int
    is_current: bool
    progressed_at: datetime | None

    @property
    def is_settled(self) -> bool:
        """No pod of another template is left."""
        return self.is_current and self.updated == self.total

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
