"""All that a step goes by: the world as one release sees it at one moment.

status.release ─── ReleaseState ──────────┐
                                          ▼
objects ─── observe.Facts ─── Input ── advance(state, input) ── Transition
                                │ policy, now
                                ├ stacks, traffic      what runs, and where clients are led
                                ├ before, after        what its checks say
                                ├ needs                what it waits for, and what it lacks
                                ├ backup, migration    how its backup and its migration do
                                └ rollback, abort      what somebody asked for
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from hardened.api.strategy import Strategy
from hardened.core.model.finding import Diagnosis
from hardened.core.model.release_policy import ReleasePolicy
from hardened.core.model.state import Rejection
from hardened.core.model.target import COLORS, NO_STACK, Stack, Target, Traffic


class Verdict(StrEnum):
    """What checks have said so far."""

    PASSED = "Passed"
    FAILED = "Failed"
    UNKNOWN = "Unknown"


#: A verdict, and a sentence about it.
Judgement = tuple[Verdict, str]
#: Of what nobody has been asked about.
NOT_ASKED: Judgement = (Verdict.UNKNOWN, "")


@dataclass(frozen=True)
class RollbackRequest:
    """A rollback that somebody asked for."""

    to: str
    """A revision that was promoted."""
    left: Rejection
    """What is to be marked as rejected for it."""


@dataclass(frozen=True)
class Needs:
    """What a release waits for, and what it lacks."""

    waits_for: str = ""
    """What the revision depends on and is not there, in words; "" for nothing."""
    waits_for_services: bool = False
    """Other services are among it."""
    is_held: bool = False
    """What its first pod needs is not there."""
    has_no_room: bool = False
    """Its pods wait for the cluster, and for nothing of their own."""
    is_blind: bool = False
    """Pods of its checks do, so that nobody can say how it does."""
    is_unwatched: bool = False
    """One of them is not there, or not at work, whether or not it can be."""
    cause: Diagnosis | None = None
    """Why its pods are not available."""
    asks_for_pods: bool = False
    """Something follows from it now if its pods wait for room, and nobody has listed them."""


@dataclass(frozen=True)
class BackupProgress:
    """How the backup does that a release waits for before it changes anything."""

    name: str = ""
    """The one that the spec asks for; "" for none."""
    within: timedelta = timedelta()
    """How long its Job may take, with the time that its pod has to start."""
    hindrance: Diagnosis | None = None
    """Why no Job is to be made for it now, or what the one that is there waits for."""
    refusal: Diagnosis | None = None
    """Why its Job could not be made in this pass."""
    job: str = ""
    """The uid of the Job of this attempt; "" where there is none."""
    snapshot: str = ""
    """What it has stored; "" before it has succeeded."""
    taken_at: datetime | None = None
    """When the dump of that began."""
    failure: str = ""
    """Why it failed; "" where it has not."""


@dataclass(frozen=True)
class MigrationRun:
    """How the migration of a release does, and what undoes it."""

    is_busy: bool = False
    """A migration runs that no state tells of."""
    is_marked: bool = False
    """Its revision tells how it is undone, as must be before it begins."""
    is_made: bool = False
    """Its pod is there."""
    is_running: bool = False
    """Its pod is at work, for as long as its own deadline lets it."""
    is_interrupted: bool = False
    """It did not end by itself, or is gone."""
    migrated: Judgement = NOT_ASKED
    """What came of it."""
    undo_within: timedelta | None = None
    """How long it may take to undo it; None where nothing does."""
    undoes_late: bool = False
    """It is undone after the cutover, too."""
    is_undo_made: bool = False
    """The pod that undoes it is there."""
    undone: Judgement = NOT_ASKED
    """What came of that."""


@dataclass(frozen=True)
class InPlace:
    """What is seen of a service whose revisions replace each other.

    Of Recreate: of what is to run, see `release.in_place.running_target`.
    """

    color: str = COLORS[0]
    """The colour in use."""
    is_clear: bool = True
    """Nobody lets another target run any more, of those who decided to before. Recreate: no pod of another target is left either, so that
    its own may come."""
    has_clients: bool = False
    """Recreate: it has ports."""
    is_free: bool = True
    """Recreate: its Deployment has no pods of another revision, so that its template may be written."""
    is_lost: bool = False
    """RollingUpdate: what was stored of stable was deleted, and nothing tells what it was: the Deployment stays as it is."""
    has_followed: bool = True
    """RollingUpdate: every endpoint of clients is a pod of what the Deployment runs, and one of them is ready, or there are no clients."""


@dataclass(frozen=True)
class Input:
    """All that a step goes by, beside the state of the release."""

    wanted: str
    """The revision that the spec asks for."""
    key: str
    """See ReleaseState."""
    replicas: int
    """How many pods are wanted."""
    stable: Target | None
    """The last promoted target, if any."""
    stacks: Mapping[str, Stack]
    """By colour."""
    traffic: Traffic
    policy: ReleasePolicy
    now: datetime
    """Timezone-aware."""
    strategy: Strategy = "BlueGreen"
    """Of a release that begins now."""
    strategy_at_work: Strategy = "BlueGreen"
    """Of the release at work; of the one that would begin, where there is none."""
    in_place: InPlace | None = None
    """Where the release at work, or the one that would begin, replaces pods in place."""
    rejected: frozenset[str] = frozenset()
    """The keys of revisions that were rejected."""
    before: Judgement = NOT_ASKED
    """What the checks of VerifyBefore say of the state's revision."""
    after: Judgement = NOT_ASKED
    """What everything says that is looked at in VerifyAfter."""
    has_slot: bool = True
    """Fewer other releases are at work than may be."""
    is_adopted: bool = False
    """Clients were served by somebody else's pods before the first release, and can be led back to them."""
    is_kept_out: bool = False
    """The Service of the service's name is somebody else's, and may not be taken over."""
    counts: bool = True
    """Status can hold how many pods came up, which an older CRD has no field for."""
    rollback: RollbackRequest | None = None
    """Asked for by hand, and not done yet."""
    abort: str | None = None
    """Asked for by hand, and not done yet: who aborts the state's revision, and why."""
    needs: Needs = field(default_factory=Needs)
    backup: BackupProgress = field(default_factory=BackupProgress)
    migration: MigrationRun = field(default_factory=MigrationRun)
    is_proven: bool = False
    """What the spec asks for was promoted before, was not rejected since, and no migration came between."""
    is_taken_away: bool = False
    """What the state's target has lost of its pods was taken from it, by no fault of its own."""
    is_held: bool = False
    """Nothing new begins, nor comes to its cutover: the spec cannot be used as it stands, and an older one stands in for it; or a restore
    keeps the service without pods."""
    is_blind: bool = False
    """Nor is it known what has to be passed: nothing is promoted."""

    @property
    def stable_revision(self) -> str:
        """The revision that is stable; "" before the first promotion."""
        return self.stable.revision if self.stable else ""

    @property
    def has_way_back(self) -> bool:
        """Whether clients can be led back from a revision that fails."""
        return self.stable is not None or self.is_adopted

    def stack(self, target: Target) -> Stack:
        """The colour of a target, as it is."""
        return self.stacks.get(target.color, NO_STACK)
