"""Why something is not as it should be, with what to do about it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from hardened.core.model.reasons import Reason


@dataclass(frozen=True)
class Diagnosis:
    """A cause, with what to do about it."""

    reason: Reason
    message: str
    is_final: bool = False
    """Retrying cannot help; somebody has to change something."""
    believed_after: timedelta = timedelta()
    """How long the pods must have stood still before it is a cause, and not just how pods start."""
    since: datetime | None = None
    """When the pod that shows it was made, None where that says nothing."""
