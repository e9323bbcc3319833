"""The state of a release: status.release, typed. It is all that is remembered between two looks; no time and no gate is kept in memory."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from hardened.api.steps import Step
from hardened.api.strategy import Strategy
from hardened.core.model.reasons import Reason
from hardened.core.model.target import Target


@dataclass(frozen=True)
class CheckOutcome:
    """What came of one check, or of the zero-loss probe."""

    name: str
    has_passed: bool
    message: str = ""
    requests: int = 0
    """How many requests it made."""
    failed: int = 0
    """How many of them failed."""
    asked_at: datetime | None = None
    """When it was asked last, where it is asked again and again."""


@dataclass(frozen=True)
class Rejection:
    """That a revision failed."""

    revision: str
    key: str
    """See ReleaseState."""
    reason: Reason
    message: str
    after_cutover: bool = False
    """It had served by then, and was taken back."""


class Migration(StrEnum):
    """How far the migration of a release has come. Before its pod is made there is none."""

    MADE = "Made"
    """Its pod was made, and is never made again."""
    DONE = "Done"
    UNDOING = "Undoing"
    """The pod that undoes it was made, and is never made again."""
    NOT_UNDONE = "NotUndone"


@dataclass(frozen=True)
class ReleaseBackup:
    """The backup of a release, which is made before it changes anything."""

    name: str
    """One of the spec's."""
    revision: str
    """The one that is to be replaced."""
    job: str = ""
    """The uid of the Job that was made for it, and is not made again; "" before, and between two attempts."""
    failures: int = 0
    """How many attempts have failed."""
    message: str = ""
    """Why the last one did."""
    again_at: datetime | None = None
    """When the next one is made."""
    snapshot: str = ""
    """What was stored; "" before."""
    taken_at: datetime | None = None
    """When the dump of that began."""


@dataclass(frozen=True)
class ReleaseState:
    """status.release. Times are moments in UTC."""

    target: Target
    """The revision that is released, in its colour."""
    key: str
    """What a rejection is remembered by, a hash of the revision's fields and of the checks on it. "" for a rollback by hand."""
    step: Step
    started_at: datetime
    deadline: datetime | None = None
    """When the step must have got further. In Approval: when the revision is promoted by itself."""
    replicas: int | None = None
    """The size to reach before the cutover, as it was wanted when ScaleUp began."""
    available: int = 0
    """The most of its pods that were available in this step when its deadline was renewed last."""
    cutover_at: datetime | None = None
    """When all endpoints had followed."""
    window_ends_at: datetime | None = None
    """When the window of VerifyAfter ends."""
    keep_until: datetime | None = None
    """How long the previous colour is kept."""
    recalled_at: datetime | None = None
    """In Cutover: since when traffic is not to be led on after all."""
    confirmed_at: datetime | None = None
    """In SwitchBack: when traffic had left."""
    is_rejected: bool = False
    """In SwitchBack: the revision failed, and was not just unwanted."""
    is_probed_anew: bool = False
    """The zero-loss probe that began before the cutover ended before it, too."""
    outcomes: tuple[CheckOutcome, ...] = ()
    """Of its checks, as far as they have ended."""
    is_rollback: bool = False
    """The target is gone back to, without checks: by hand, or since the spec asks for what is kept (then it has the spec's key)."""
    left: Rejection | None = None
    """Of a rollback by hand: the revision that traffic leaves, to be marked as rejected once it has."""
    is_approved: bool = False
    """Somebody promoted the revision."""
    paused_at: datetime | None = None
    """Nothing moves since then."""
    remaining: timedelta | None = None
    """What was left of the deadline when the release was paused, or the service suspended."""
    has_released_slot: bool = False
    """It holds no slot any more: it waits for other services, which may be waiting for one, or has not got any further for long. Up to the
    cutover it goes on once it has one again."""
    backup: ReleaseBackup | None = None
    """How its backup does, None before it comes to that."""
    migration: Migration | None = None
    """How far its migration has come, None before it begins."""
    undo_problem: str = ""
    """Why its migration was not undone."""
    strategy: Strategy = "BlueGreen"
    """The spec's when the release began."""
    entered_at: datetime | None = None
    """When the step was entered, later by the time that it was paused. None where that is not known, as under an older CRD."""

    @property
    def is_by_hand(self) -> bool:
        """Whether somebody asked for it to be gone back to, whatever the spec asks for."""
        return self.is_rollback and not self.key

    @property
    def is_before_cutover(self) -> bool:
        """Whether traffic has not been led to it yet."""
        return self.step.row.before_cutover

    @property
    def holds_slot(self) -> bool:
        """Whether it is one of the releases at work, of which the operator bears so many at a time."""
        return self.step.row.holds_slot and not self.has_released_slot

    @property
    def fencing_token(self) -> str:
        """What it marks the objects with that decide where traffic goes: no other release of the service has the same."""
        return self.started_at.isoformat(timespec="milliseconds")

    @property
    def recall_token(self) -> str:
        """The mark of the active Service once clients are to be led back, or not to be led on after all; "" before.

        It changes the object's resourceVersion also where it leads to stable anyway: whoever still means to lead clients on is told so.
        """
        if self.step is Step.SWITCH_BACK:
            return f"{self.fencing_token} back"
        return f"{self.fencing_token} recalled {self.recalled_at.isoformat(timespec='milliseconds')}" if self.recalled_at else ""
