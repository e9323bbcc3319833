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
    """status.proof."""

    target: Target
    """Of the release."""
    started_at: datetime
    """Of the release."""
    cutover: Counts | None = None
    """None for no data."""
    removal: Counts | None = None
    """None for no data."""
    removed_by: datetime | None = None
    """When the previous stack's last pod is gone; None once the probe of the removal has ended, or before the removal begins."""
