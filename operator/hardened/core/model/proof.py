"""What the zero-loss probes of a release have counted."""

from dataclasses import dataclass
from datetime import datetime

from hardened.core.model.target import Target


@dataclass(frozen=True)
class Counts:
    """What a probe has counted: requests, and those of them that failed."""

    requests: int
    failed: int


@dataclass(frozen=True)
class Proof:
    """status.proof. target, started_at: of the release, as in its record; cutover, removal: None for no data.

    removed_by: when the previous stack's last pod is gone; None once the probe of the removal has ended, or before the removal begins.
    """

    target: Target
    started_at: datetime
    cutover: Counts | None = None
    removal: Counts | None = None
    removed_by: datetime | None = None
