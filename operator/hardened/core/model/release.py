"""What a release is: its steps, what is remembered of it, what it depends on, and what follows from that."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

from hardened.api.strategy import Strategy
from hardened.core.model.finding import Diagnosis
from hardened.core.model.reasons import Reason

#: What a promoted stack is kept for at least, once traffic has left it: proxies and ingress controllers follow at their own pace.
LEAST_KEEP = timedelta(seconds=30)
#: The same for a stack that was rejected.
LEAST_KEEP_REJECTED = timedelta(seconds=5)
#: How long a rollback waits for as many pods as serve. Then half of what is wanted takes over.
PATIENCE_BACK = timedelta(seconds=15)
#: How long a release holds its place without getting any further: a deadline of a day is not to be a day of everybody else's.
PATIENCE_OF_PLACE = timedelta(minutes=2)


class Step(StrEnum):
    """Where a release is."""

    PREFLIGHT = "Preflight"
    QUEUED = "Queued"
    MIGRATE = "Migrate"
    PREVIEW = "Preview"
    VERIFY_BEFORE = "VerifyBefore"
    APPROVAL = "Approval"
    SCALE_UP = "ScaleUp"
    CUTOVER = "Cutover"
    VERIFY_AFTER = "VerifyAfter"
    SWITCH_BACK = "SwitchBack"
    UNDO = "Undo"
    KEEP = "Keep"


#: The steps in which the switch Service leads to stable, and in which a newer spec simply takes over.
BEFORE_CUTOVER = frozenset({Step.PREFLIGHT, Step.QUEUED, Step.MIGRATE, Step.PREVIEW, Step.VERIFY_BEFORE, Step.APPROVAL, Step.SCALE_UP})
#: The steps that hold one of the operator's places for releases at work, see ReleaseState.is_working.
WORKING = frozenset({Step.MIGRATE, Step.PREVIEW, Step.VERIFY_BEFORE, Step.SCALE_UP, Step.CUTOVER, Step.VERIFY_AFTER, Step.SWITCH_BACK})
#: The steps in which traffic is led to a revision that has not passed its gate: they come to their end also where the service is suspended.
UNPROVEN = frozenset({Step.CUTOVER, Step.VERIFY_AFTER, Step.SWITCH_BACK})
#: The steps in which no pod of the new revision is wanted.
WITHOUT_PODS = frozenset({Step.PREFLIGHT, Step.QUEUED, Step.MIGRATE, Step.UNDO})
#: The steps in which the world is looked at from time to time: a restart that is over quickly leaves no event of its own, nor does the
#: end of a pod of the application.
POLLED_STEPS = frozenset({Step.MIGRATE, Step.CUTOVER, Step.VERIFY_AFTER, Step.SWITCH_BACK, Step.UNDO})
#: The steps that must get further within the progress deadline.
TIMED = frozenset({Step.PREVIEW, Step.VERIFY_BEFORE, Step.SCALE_UP, Step.CUTOVER})


@dataclass(frozen=True)
class Target:
    """A revision in a colour: what a selector leads to."""

    color: str
    revision: str


@dataclass(frozen=True)
class CheckOutcome:
    """What came of one check, or of the zero-loss probe.

    requests, failed: how many it made; asked_at: when it was asked last, where it is asked again and again.
    """

    name: str
    has_passed: bool
    message: str = ""
    requests: int = 0
    failed: int = 0
    asked_at: datetime | None = None


@dataclass(frozen=True)
class Rejection:
    """That a revision failed. key: see ReleaseState; after_cutover: it had served by then, and was taken back."""

    revision: str
    key: str
    reason: Reason
    message: str
    after_cutover: bool = False


class Migration(StrEnum):
    """How far the migration of a release has come. Before its pod is made there is none."""

    MADE = "Made"  # its pod was made, and is never made again
    DONE = "Done"
    UNDOING = "Undoing"  # the pod that undoes it was made, and is never made again
    NOT_UNDONE = "NotUndone"


@dataclass(frozen=True)
class ReleaseState:
    """status.release. Times are moments in UTC.

    key: what a rejection is remembered by, a hash of the revision's fields and of the checks on it; replicas: the size to reach before
    the cutover, as it was wanted when ScaleUp began; entered_at: when the step was entered, later by the time that it was paused, None
    where that is not known; deadline: when the step must have got further (Approval: is promoted by itself);
    available: the most of its pods that were available in this step when its deadline was renewed last;
    recalled_at: in Cutover, since when traffic is not to be led on after all; confirmed_at: in SwitchBack, when traffic had left;
    is_rejected: in SwitchBack, that the revision failed, and was not just unwanted; is_probed_anew: the zero-loss probe that began before
    the cutover ended before it, too; outcomes: of its checks, as far as they have ended; remaining: what was left of the deadline when the
    release was paused, or the service suspended; has_yielded: that it holds no place any more, since it waits for other services,
    which may be waiting for one, or has not come any further for long. Up to the cutover it goes on once it has one again.

    is_rollback: the place is gone back to, without checks: by hand, whatever the spec asks for (its key is ""), or since the spec asks for
    what is kept (its key is that of the spec). By hand: left: the revision that traffic leaves for it, to be marked once it has;
    is_approved: somebody promoted the revision; paused_at: nothing moves since then.

    migration: how far it has come, None before it begins; undo_problem: why it was not undone; strategy: the spec's when the release began;
    of others than BlueGreen `in_place` says what happens.
    """

    place: Target
    key: str
    step: Step
    started_at: datetime
    deadline: datetime | None = None
    replicas: int | None = None
    available: int = 0
    cutover_at: datetime | None = None
    window_ends_at: datetime | None = None
    keep_until: datetime | None = None
    recalled_at: datetime | None = None
    confirmed_at: datetime | None = None
    is_rejected: bool = False
    is_probed_anew: bool = False
    outcomes: tuple[CheckOutcome, ...] = ()
    is_rollback: bool = False
    left: Rejection | None = None
    is_approved: bool = False
    paused_at: datetime | None = None
    remaining: timedelta | None = None
    has_yielded: bool = False
    migration: Migration | None = None
    undo_problem: str = ""
    strategy: Strategy = "BlueGreen"
    entered_at: datetime | None = None

    @property
    def is_by_hand(self) -> bool:
        """Whether somebody asked for it to be gone back to, whatever the spec asks for."""
        return self.is_rollback and not self.key

    @property
    def is_working(self) -> bool:
        """Whether it holds one of the operator's places."""
        return self.step in WORKING and not self.has_yielded

    @property
    def epoch(self) -> str:
        """What it marks the objects with that decide where traffic goes: no other release of the service has the same."""
        return self.started_at.isoformat(timespec="milliseconds")

    @property
    def recall(self) -> str:
        """The mark of the switch Service once clients are to be led back, or not to be led on after all; "" before.

        It changes the object's resourceVersion also where it leads to stable anyway: whoever still means to lead clients on is told so.
        """
        if self.step is Step.SWITCH_BACK:
            return f"{self.epoch} back"
        return f"{self.epoch} recalled {self.recalled_at.isoformat(timespec='milliseconds')}" if self.recalled_at else ""


@dataclass(frozen=True)
class ReleasePolicy:
    """What the spec says about releases. preview_replicas: the size while checks run; auto_promote_after: None for never; migrates_within:
    None where there is no migration; has_verify: something is said of what a new revision is to pass."""

    preview_replicas: int = 1
    is_manual: bool = False
    auto_promote_after: timedelta | None = None
    progress_deadline: timedelta = timedelta(minutes=10)
    keep_previous: timedelta = timedelta(minutes=5)
    window: timedelta = timedelta(seconds=10)
    has_checks_before: bool = False
    migrates_within: timedelta | None = None
    has_verify: bool = True

    def is_watched_after(self, stable: Target | None) -> bool:
        """Whether a revision has a window to pass in VerifyAfter. The first one has nothing to be led back to: only what is asked for."""
        return self.has_verify or stable is not None


@dataclass(frozen=True)
class Stack:
    """One colour as it is. revision: of its template; available: its pods of that revision; is_settled: no other pod is left in it.

    As its controller counted last, also where it has not seen the last change: counted: available pods of whatever revision; come: those of
    this revision, at least; pods: how many there are, or are to be, before another template may be written; 0 for none, and where nobody
    knows what they run.
    """

    revision: str
    wanted: int = 0
    available: int = 0
    is_settled: bool = True
    counted: int = 0
    come: int = 0
    pods: int = 0

    @property
    def ready(self) -> int:
        """How many pods take requests, where traffic leads to this revision."""
        return max(self.available, self.counted)


class Verdict(StrEnum):
    """What checks have said so far."""

    PASSED = "Passed"
    FAILED = "Failed"
    UNKNOWN = "Unknown"


@dataclass(frozen=True)
class Traffic:
    """The switch Service as it is. leads_to: None where its selector matches nobody, as before the first promotion.

    is_strange: its selector is none that this operator writes; ready: ready endpoints of the place that it leads to;
    has_followed: no endpoint is left of any other revision; is_told: there is an EndpointSlice of it, as there always is, also one without
    endpoints, unless somebody took its labels; epoch: the last ReleaseState.recall that it was marked with, None where no Service is there.
    """

    leads_to: Target | None = None
    is_strange: bool = False
    ready: int = 0
    has_followed: bool = False
    is_told: bool = True
    epoch: str | None = None


@dataclass(frozen=True)
class RollbackRequest:
    """A rollback that somebody asked for. to: a revision that was promoted; left: what is to be marked as rejected for it."""

    to: str
    left: Rejection


@dataclass(frozen=True)
class Hooks:
    """What a release waits for, and what it runs once.

    waits_for: what the revision depends on and is not there, in words, "" for nothing; waits_for_services: other services are among it;
    is_held: what its first pod needs is not there; has_no_room: its pods wait for the cluster, and for nothing of their own; is_blind: pods
    of its checks do, so that nobody can say how it does; is_unwatched: one of them is not there, or not at work, whether or not it
    can be; cause: why its pods are not available; is_busy: a migration runs that no record tells of.

    Of the record's release: is_marked: its revision tells how its migration is undone, as must be before it begins; is_made, is_undo_made:
    the pods are there; is_running: the first of them is at work, for as long as its own deadline lets it; is_interrupted: it did not end by
    itself, or is gone; migrated, undone: what came of them, with a sentence; undo_within: how long it may take to undo it, None where
    nothing does; undoes_late: after the cutover, too.
    """

    waits_for: str = ""
    waits_for_services: bool = False
    is_held: bool = False
    has_no_room: bool = False
    is_blind: bool = False
    is_unwatched: bool = False
    cause: Diagnosis | None = None
    is_busy: bool = False
    is_marked: bool = False
    is_made: bool = False
    is_running: bool = False
    is_interrupted: bool = False
    migrated: tuple[Verdict, str] = (Verdict.UNKNOWN, "")
    undo_within: timedelta | None = None
    undoes_late: bool = False
    is_undo_made: bool = False
    undone: tuple[Verdict, str] = (Verdict.UNKNOWN, "")


#: Of a release that has none.
NO_HOOKS = Hooks()


@dataclass(frozen=True)
class Input:
    """All that a step depends on.

    wanted: the revision that the spec asks for; key: see ReleaseState; replicas: spec.replicas; stable: the last promoted place, if any;
    stacks: by colour; rejected: the keys of revisions that were rejected; before, after: what the checks of VerifyBefore, and everything that is
    looked at in VerifyAfter, say of the record's revision, with a sentence; has_place: fewer other releases are at work than may be;
    counts: status can hold how many pods came up, which an older CRD has no field for.
    rollback, abort: asked for by hand, and not done yet; of an abort of the record's revision, who and why. hooks: see there.

    is_proven: what the spec asks for was promoted before, was not rejected since, and no migration came between; is_taken_away: what the
    record's place has lost of its pods was taken from it, by no fault of its own.

    is_held: the spec cannot be used as it stands, and an older one stands in for it: nothing new begins, nor comes to its cutover;
    is_blind: nor is it known what has to be passed, so that nothing is promoted.
    """

    wanted: str
    key: str
    replicas: int
    stable: Target | None
    stacks: Mapping[str, Stack]
    traffic: Traffic
    rejected: frozenset[str] = frozenset()
    before: tuple[Verdict, str] = (Verdict.UNKNOWN, "")
    after: tuple[Verdict, str] = (Verdict.UNKNOWN, "")
    has_place: bool = True
    counts: bool = True
    rollback: RollbackRequest | None = None
    abort: str | None = None
    hooks: Hooks = NO_HOOKS
    is_proven: bool = False
    is_taken_away: bool = False
    is_held: bool = False
    is_blind: bool = False


@dataclass(frozen=True)
class Transition:
    """What follows. record: None where no release is at work; promotes (a revision), rejects, migrates, leaves: to be marked before the
    record is written; migrates: how the record's migration is undone; leaves: that its revision is given up, without being rejected, so
    that whoever still means to promote it is told that it has changed.

    look_at: when to look again if nothing happens before; failed: why the rollback by hand that was at work has ended without success.
    """

    record: ReleaseState | None
    promotes: str = ""
    rejects: Rejection | None = None
    look_at: datetime | None = None
    failed: str = ""
    migrates: bool = False
    leaves: bool = False


@dataclass(frozen=True)
class DesiredState:
    """What should be: the revision and the size of each colour (a colour that is not in it is to have no pods), and where traffic goes."""

    stacks: Mapping[str, Stack] = field(default_factory=lambda: MappingProxyType({}))
    leads_to: Target | None = None
    previews: Target | None = None


COLORS = ("blue", "green")


def other(color: str) -> str:
    """The other colour."""
    return COLORS[1 - COLORS.index(color)]
