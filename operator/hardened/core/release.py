"""The release state machine: what is to happen next with a new revision of a service, and what everything should be like meanwhile.

    Preflight     what the revision depends on, or what its pods need, is not there: it is waited for
    Queued        as many releases are at work as may be: it waits for one of them to end
    Migrate       its migration runs, once, before its first pod
    Preview       the idle colour runs the new revision, beside the one that serves
    VerifyBefore  checks against it
    Approval      a person promotes it
    ScaleUp       it grows to the size of what serves
    Cutover       the switch Service is led to it, and every endpoint has followed
    VerifyAfter   it is watched under live traffic
    Keep          promoted; the previous colour stays up, to be gone back to at once
    SwitchBack    it failed after the cutover: the switch Service is led back, and every endpoint has followed
    Undo          the release is over, and its migration is not: its end is waited for, and it is undone

`step` is what moves: it takes the record of an earlier look (status.release) and what is seen now, and gives the record to write. `demand`
says what the two colours and the switch Service should be like under a record. A process that is killed between the two, or between any two
writes, finds the record where it was and goes on; no time and no gate is kept in memory.

A record is written before what it demands: the flip follows the record `Cutover`. A promotion or a rejection is marked on the revision
before the record that follows from it, so that a lost status can be made again.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

from hardened.api.strategy import Strategy
from hardened.core.reasons import Reason

#: What a promoted stack is kept for at least, once traffic has left it: proxies and ingress controllers follow at their own pace.
LEAST_KEEP = timedelta(seconds=30)
#: The same for a stack that was rejected.
LEAST_KEEP_REJECTED = timedelta(seconds=5)


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
#: The steps that hold one of the operator's places for releases at work.
WORKING = frozenset({Step.MIGRATE, Step.PREVIEW, Step.VERIFY_BEFORE, Step.SCALE_UP, Step.CUTOVER, Step.VERIFY_AFTER, Step.SWITCH_BACK})
#: The steps in which traffic is led to a revision that has not passed its gate: they come to their end also where the service is suspended.
UNPROVEN = frozenset({Step.CUTOVER, Step.VERIFY_AFTER, Step.SWITCH_BACK})
#: The steps in which no pod of the new revision is wanted.
WITHOUT_PODS = frozenset({Step.PREFLIGHT, Step.QUEUED, Step.MIGRATE, Step.UNDO})
#: The steps in which the world is looked at from time to time: a restart that is over quickly leaves no event of its own, nor does the
#: end of a pod of the application.
POLLED_STEPS = frozenset({Step.MIGRATE, Step.CUTOVER, Step.VERIFY_AFTER, Step.SWITCH_BACK, Step.UNDO})
#: Why a rollback ends where nothing is to serve.
_NO_REPLICAS = "0 replicas are wanted"
#: The steps that must get further within the progress deadline.
_TIMED = frozenset({Step.PREVIEW, Step.VERIFY_BEFORE, Step.SCALE_UP, Step.CUTOVER})


@dataclass(frozen=True)
class Place:
    """A revision in a colour: what a selector leads to."""

    color: str
    revision: str


@dataclass(frozen=True)
class Outcome:
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
    """That a revision failed. key: see Record; after_cutover: it had served by then, and was taken back."""

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
class Record:
    """status.release. Times are moments in UTC.

    key: what a rejection is remembered by, a hash of the revision's fields and of the checks on it; replicas: the size to reach before
    the cutover, as it was wanted when ScaleUp began; deadline: when the step must have got further (Approval: is promoted by itself);
    confirmed_at: in SwitchBack, when traffic had left; is_rejected: in SwitchBack, that the revision failed, and was not just unwanted;
    is_probed_anew: the zero-loss probe that began before the cutover ended before it, too; outcomes: of its checks, as far as they have
    ended; remaining: what was left of the deadline when the release was paused, or the service suspended.

    By hand: is_rollback: the place is gone back to, without checks, whatever the spec asks for (its key is ""); left: the revision that
    traffic leaves for it, to be marked once it has; is_approved: somebody promoted the revision; paused_at: nothing moves since then.

    migration: how far it has come, None before it begins; undo_problem: why it was not undone; strategy: the spec's when the release began;
    of others than BlueGreen `in_place` says what happens.
    """

    place: Place
    key: str
    step: Step
    started_at: datetime
    deadline: datetime | None = None
    replicas: int | None = None
    cutover_at: datetime | None = None
    window_ends_at: datetime | None = None
    keep_until: datetime | None = None
    confirmed_at: datetime | None = None
    is_rejected: bool = False
    is_probed_anew: bool = False
    outcomes: tuple[Outcome, ...] = ()
    is_rollback: bool = False
    left: Rejection | None = None
    is_approved: bool = False
    paused_at: datetime | None = None
    remaining: timedelta | None = None
    migration: Migration | None = None
    undo_problem: str = ""
    strategy: Strategy = "BlueGreen"


@dataclass(frozen=True)
class Terms:
    """What the spec says about releases. preview_replicas: the size while checks run; auto_promote_after: None for never; migrates_within:
    None where there is no migration."""

    preview_replicas: int = 1
    is_manual: bool = False
    auto_promote_after: timedelta | None = None
    progress_deadline: timedelta = timedelta(minutes=10)
    keep_previous: timedelta = timedelta(minutes=5)
    window: timedelta = timedelta(seconds=10)
    has_checks_before: bool = False
    migrates_within: timedelta | None = None


@dataclass(frozen=True)
class Stack:
    """One colour as it is. revision: of its template; available: its pods of that revision; is_settled: no other pod is left in it."""

    revision: str
    wanted: int = 0
    available: int = 0
    is_settled: bool = True


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
    endpoints, unless somebody took its labels.
    """

    leads_to: Place | None = None
    is_strange: bool = False
    ready: int = 0
    has_followed: bool = False
    is_told: bool = True


@dataclass(frozen=True)
class Rollback:
    """A rollback that somebody asked for. to: a revision that was promoted; left: what is to be marked as rejected for it."""

    to: str
    left: Rejection


@dataclass(frozen=True)
class Hooks:
    """What a release waits for, and what it runs once.

    waits_for: what the revision depends on and is not there, in words, "" for nothing; is_held: what its first pod needs is not there;
    has_no_room: its pods wait for the cluster, and for nothing of their own; is_busy: a migration runs that no record tells of.

    Of the record's release: is_marked: its revision tells how its migration is undone, as must be before it begins; is_made, is_undo_made:
    the pods are there; migrated, undone: what came of them, with a sentence; undo_within: how long it may take to undo it, None where
    nothing does; undoes_late: after the cutover, too.
    """

    waits_for: str = ""
    is_held: bool = False
    has_no_room: bool = False
    is_busy: bool = False
    is_marked: bool = False
    is_made: bool = False
    migrated: tuple[Verdict, str] = (Verdict.UNKNOWN, "")
    undo_within: timedelta | None = None
    undoes_late: bool = False
    is_undo_made: bool = False
    undone: tuple[Verdict, str] = (Verdict.UNKNOWN, "")


#: Of a release that has none.
NO_HOOKS = Hooks()


@dataclass(frozen=True)
class View:
    """All that a step depends on.

    wanted: the revision that the spec asks for; key: see Record; replicas: spec.replicas; stable: the last promoted place, if any; stacks:
    by colour; rejected: the keys of revisions that were rejected; before, after: what the checks of VerifyBefore, and everything that is
    looked at in VerifyAfter, say of the record's revision, with a sentence; has_place: fewer other releases are at work than may be.
    rollback, abort: asked for by hand, and not done yet; of an abort of the record's revision, who and why. hooks: see there.
    """

    wanted: str
    key: str
    replicas: int
    stable: Place | None
    stacks: Mapping[str, Stack]
    traffic: Traffic
    rejected: frozenset[str] = frozenset()
    before: tuple[Verdict, str] = (Verdict.UNKNOWN, "")
    after: tuple[Verdict, str] = (Verdict.UNKNOWN, "")
    has_place: bool = True
    rollback: Rollback | None = None
    abort: str | None = None
    hooks: Hooks = NO_HOOKS


@dataclass(frozen=True)
class Next:
    """What follows. record: None where no release is at work; promotes (a revision), rejects, migrates: to be marked before the record is
    written, the last of them how the record's migration is undone.

    look_at: when to look again if nothing happens before; failed: why the rollback by hand that was at work has ended without success.
    """

    record: Record | None
    promotes: str = ""
    rejects: Rejection | None = None
    look_at: datetime | None = None
    failed: str = ""
    migrates: bool = False


@dataclass(frozen=True)
class Demand:
    """What should be: the revision and the size of each colour (a colour that is not in it is to have no pods), and where traffic goes."""

    stacks: Mapping[str, Stack] = field(default_factory=lambda: MappingProxyType({}))
    leads_to: Place | None = None
    previews: Place | None = None


COLORS = ("blue", "green")


def other(color: str) -> str:
    """The other colour."""
    return COLORS[1 - COLORS.index(color)]


def step(record: Record | None, view: View, terms: Terms, now: datetime) -> Next:
    """At most one move. The same record where nothing moves: then `demand` is what is to be done."""
    begun = begun_migration(record, view, now, lambda: step(None, view, terms, now))
    if begun:
        return begun
    asked = _aborted(record, view) or _rolled_back(record, view, terms, now)
    if asked:
        return asked
    if record is None or record.step is Step.KEEP:
        return _begin(record, view, terms, now)
    if record.step in BEFORE_CUTOVER:
        return _before_cutover(record, view, terms, now)
    match record.step:
        case Step.CUTOVER:
            return _cutover(record, view, terms, now)
        case Step.VERIFY_AFTER:
            return _verify_after(record, view, terms, now)
        case _:
            return _switch_back(record, view, now)


def demand(record: Record | None, view: View, terms: Terms) -> Demand:
    """What the record asks for. The stack that serves always follows spec.replicas; the other one too, from ScaleUp to the end of Keep."""
    stacks = {view.stable.color: Stack(view.stable.revision, view.replicas)} if view.stable else {}
    if record is None or record.step in WITHOUT_PODS:
        return Demand(stacks, view.stable)
    if record.step is Step.KEEP:
        previous = other(record.place.color)
        if previous in view.stacks and view.stable == record.place:
            stacks[previous] = Stack(view.stacks[previous].revision, view.replicas)
        return Demand(stacks, view.stable)
    is_small = record.step in BEFORE_CUTOVER and record.step is not Step.SCALE_UP
    beside = Stack(record.place.revision, preview_size(view, terms) if is_small else view.replicas)
    if record.paused_at:
        beside = view.stacks.get(record.place.color, Stack(""))  # as it is, and not as the step asks for
    if beside.revision:
        stacks[record.place.color] = beside
    return Demand(stacks, _destination(record, view), record.place if record.step in BEFORE_CUTOVER else None)


def _destination(record: Record, view: View) -> Place | None:
    """Where traffic should go. A selector that is not what it should be is always led back to stable, never on."""
    if record.step is Step.CUTOVER:
        return record.place if view.traffic.leads_to in (view.stable, record.place) and not view.traffic.is_strange else view.stable
    if record.step is Step.VERIFY_AFTER and view.traffic.leads_to == record.place and not view.traffic.is_strange:
        return record.place
    return view.stable


def preview_size(view: View, terms: Terms) -> int:
    """While checks run; the live size at once where nothing is looked at before the cutover: one wait for pods, not two."""
    return min(terms.preview_replicas, view.replicas) if terms.has_checks_before or terms.is_manual else view.replicas


# ---- the steps


def _begin(record: Record | None, view: View, terms: Terms, now: datetime) -> Next:
    """No release is at work, or one is done but for the previous colour, which may be taken once it was kept for its least time."""
    led = view.traffic.leads_to
    if record is None and led is not None and _runs_beside_stable(led, view):
        # A status was lost in the middle of a release. Nobody knows which gates were passed: back, as slowly as from any other stack.
        return Next(Record(led, "", Step.SWITCH_BACK, now))
    is_wanted = view.wanted != (view.stable.revision if view.stable else "") and view.key not in view.rejected and view.replicas > 0
    is_wanted = is_wanted and not view.hooks.is_busy
    may_begin = record is None or record.cutover_at is None or now >= record.cutover_at + LEAST_KEEP
    if is_wanted and may_begin:
        color = other(view.stable.color) if view.stable else COLORS[0]
        first = Step.PREFLIGHT if view.hooks.waits_for or view.hooks.is_held else _after_preflight(view, terms)
        return Next(_enter(Record(Place(color, view.wanted), view.key, first, now), first, terms, now))
    if record is None:
        return Next(None)
    if record.keep_until is not None and now >= record.keep_until:
        return Next(None)
    look_at = record.cutover_at + LEAST_KEEP if is_wanted and record.cutover_at else record.keep_until
    return Next(record, look_at=look_at)


def _runs_beside_stable(place: Place, view: View) -> bool:
    stack = view.stacks.get(place.color)
    is_beside = view.stable is None or view.stable.color != place.color
    return is_beside and stack is not None and stack.revision == place.revision and stack.wanted > 0


def _before_cutover(record: Record, view: View, terms: Terms, now: datetime) -> Next:
    if record.key in view.rejected:
        return Next(left_of(record, view))  # marked, and the process ended before it wrote this
    if record.paused_at and record.step is not Step.MIGRATE:
        return Next(left_of(record, view) if view.stable and view.wanted == view.stable.revision else record)
    if view.key != record.key and not record.is_rollback:
        # Back to stable, or a newer spec, or other checks: this one is over, and not rejected.
        left = left_of(record, view)
        return Next(left) if left else _begin(None, view, terms, now)
    if view.replicas == 0:
        return Next(left_of(record, view), failed=_NO_REPLICAS if record.is_rollback else "")
    stack = view.stacks.get(record.place.color, Stack(""))
    is_there = stack.revision == record.place.revision and stack.is_settled
    match record.step:
        case Step.PREFLIGHT if not (view.hooks.waits_for or view.hooks.is_held):
            return Next(_enter(record, _after_preflight(view, terms), terms, now, view))
        case Step.QUEUED if view.has_place:
            return Next(_enter(record, _after_queued(terms), terms, now, view))
        case Step.MIGRATE:
            return migrate(record, view, now, lambda: _enter(record, Step.PREVIEW, terms, now, view))
        case Step.PREVIEW if is_there and stack.available >= preview_size(view, terms):
            return Next(_enter(record, _after_preview(terms), terms, now, view))
        case Step.VERIFY_BEFORE if view.before[0] is Verdict.PASSED:
            return Next(_enter(record, Step.APPROVAL if terms.is_manual else Step.SCALE_UP, terms, now, view))
        case Step.VERIFY_BEFORE if view.before[0] is Verdict.FAILED:
            return abandoned(record, view, Reason.CHECK_FAILED, view.before[1])
        case Step.APPROVAL if view.has_place and (record.is_approved or not terms.is_manual or _has_passed(record.deadline, now)):
            return Next(_enter(record, Step.SCALE_UP, terms, now, view))
        case Step.SCALE_UP if view.hooks.waits_for and not record.is_rollback:
            return Next(replace(record, deadline=None))  # as long as it takes: it is not the revision's fault
        case Step.SCALE_UP if is_there and stack.available >= _least(record, view):
            return Next(_enter(record, Step.CUTOVER, terms, now, view))
        case Step.PREVIEW | Step.SCALE_UP if view.hooks.has_no_room and not record.is_rollback:
            return Next(replace(record, deadline=None))  # the same
        case Step.PREVIEW | Step.SCALE_UP if record.deadline is None:
            return Next(replace(record, deadline=now + terms.progress_deadline))
    if record.step in _TIMED and record.deadline is not None and now >= record.deadline:
        said = f": {view.before[1]}" if record.step is Step.VERIFY_BEFORE and view.before[1] else ""
        return abandoned(record, view, Reason.PROGRESS_DEADLINE_EXCEEDED, f"{record.step} did not end within its deadline{said}")
    return Next(record, look_at=record.deadline)


def _cutover(record: Record, view: View, terms: Terms, now: datetime) -> Next:
    if record.is_rollback and view.stable == record.place:
        return Next(_kept(replace(record, cutover_at=now), view, terms, now))  # marked, and the process ended before it wrote this
    if record.key in view.rejected:
        return _rejected_before(record)
    if view.traffic.is_strange or view.traffic.leads_to not in (view.stable, record.place):
        return _back(record, Reason.SELECTOR_CHANGED, "somebody else changed the selector of the switch Service in the cutover")
    if view.wanted == (view.stable.revision if view.stable else "") and not record.is_rollback:
        return _back(record)
    if view.replicas == 0:
        return _back(record, message=_NO_REPLICAS)
    is_late = record.deadline is not None and now >= record.deadline
    stack = view.stacks.get(record.place.color, Stack(""))
    if view.traffic.leads_to != record.place:
        if is_late:
            return abandoned(record, view, Reason.PROGRESS_DEADLINE_EXCEEDED, "the cutover did not begin within its deadline")
        if stack.revision != record.place.revision or stack.available < _least(record, view):
            return Next(_enter(record, Step.SCALE_UP, terms, now, view))
        return Next(record, look_at=record.deadline)
    if view.traffic.has_followed and view.traffic.ready >= _least(record, view):
        if record.is_rollback:
            return Next(_kept(replace(record, cutover_at=now), view, terms, now), promotes=record.place.revision, rejects=record.left)
        return Next(replace(_enter(record, Step.VERIFY_AFTER, terms, now), cutover_at=now, window_ends_at=now + terms.window))
    if is_late:
        return _back(record, Reason.PROGRESS_DEADLINE_EXCEEDED, "the endpoints did not follow the cutover within its deadline")
    # No endpoint alone says little: they may not have followed yet.
    if view.traffic.ready == 0 and stack.is_settled and stack.available == 0:
        return _back(record, Reason.NO_PODS_AVAILABLE, "no pod of the new revision was ready after the cutover")
    return Next(record, look_at=record.deadline)


def _verify_after(record: Record, view: View, terms: Terms, now: datetime) -> Next:
    if view.stable == record.place:
        return Next(_kept(record, view, terms, now))  # marked, and the process ended before it wrote this
    if record.key in view.rejected:
        return _rejected_before(record)
    if view.traffic.is_strange or view.traffic.leads_to != record.place:
        return _back(record, Reason.SELECTOR_CHANGED, "somebody else changed the selector of the switch Service")
    if view.wanted == (view.stable.revision if view.stable else "") or view.replicas == 0:
        return _back(record)  # of no pods nothing is ever known
    if view.traffic.ready == 0 and view.traffic.is_told:
        return _back(record, Reason.NO_PODS_AVAILABLE, "no pod of the new revision is ready")
    verdict, said = view.after
    if verdict is Verdict.FAILED:
        return _back(record, Reason.CHECK_FAILED, said)
    ends = record.window_ends_at or now
    if now < ends:
        return Next(record, look_at=ends)
    if verdict is Verdict.PASSED:
        return Next(_kept(record, view, terms, now), promotes=record.place.revision)
    if now >= ends + terms.progress_deadline:
        return _back(record, Reason.NO_DATA, said or "nobody could say how the new revision does")
    return Next(record, look_at=ends + terms.progress_deadline)


def _switch_back(record: Record, view: View, now: datetime) -> Next:
    is_back = view.traffic.leads_to == view.stable and not view.traffic.is_strange and view.traffic.has_followed
    if record.confirmed_at is None:
        unmarked = record.left if record.left and record.left.key not in view.rejected else None
        return Next(replace(record, confirmed_at=now), rejects=unmarked) if is_back else Next(record)
    if not is_back:
        return Next(replace(record, confirmed_at=None))
    ends = record.confirmed_at + (LEAST_KEEP_REJECTED if record.is_rejected else LEAST_KEEP)
    return Next(left_of(record, view) if view.hooks.undoes_late else None) if now >= ends else Next(record, look_at=ends)


# ---- migrations


def begun_migration(record: Record | None, view: View, now: datetime, anew: Callable[[], Next]) -> Next | None:
    """What comes before all else: what was begun by hand or by a newer spec would find half a migration. anew: what begins without a
    record."""
    if record and record.step is Step.MIGRATE and record.migration is None and view.hooks.is_made:
        return Next(replace(record, migration=Migration.MADE))
    return _undo(record, view, now, anew) if record and record.step is Step.UNDO else None


def migrate(record: Record, view: View, now: datetime, entered: Callable[[], Record]) -> Next:
    """A pod that was made is never made again. So what it is to be known by is written down before it is, and that it was right after.

    entered: the record in the step that follows.
    """
    verdict, said = view.hooks.migrated
    if record.migration is None:
        return Next(record, migrates=not view.hooks.is_marked and not record.paused_at)
    if verdict is Verdict.PASSED and record.migration is Migration.MADE:
        return Next(replace(record, migration=Migration.DONE))
    if record.migration is Migration.DONE:
        return Next(record if record.paused_at else entered())
    if verdict is Verdict.FAILED or _has_passed(record.deadline, now):
        return abandoned(replace(record, migration=None), view, Reason.MIGRATION_FAILED, f"the migration failed: {said}")
    return Next(record, look_at=record.deadline)


def left_of(record: Record, view: View) -> Record | None:
    """What is left of a release that is over: its migration runs, or is to be undone."""
    match record.migration:
        case Migration.MADE:
            return replace(record, step=Step.UNDO, paused_at=None, remaining=None)
        case Migration.DONE if view.hooks.undo_within is not None:
            return replace(record, step=Step.UNDO, deadline=None, paused_at=None, remaining=None)
        case _:
            return None


def _undo(record: Record, view: View, now: datetime, anew: Callable[[], Next]) -> Next:
    hooks, late = view.hooks, _has_passed(record.deadline, now)
    match record.migration:
        case Migration.MADE if hooks.migrated[0] is Verdict.PASSED:
            return Next(replace(record, migration=Migration.DONE, deadline=None))
        case Migration.MADE if hooks.migrated[0] is Verdict.FAILED or late:
            return Next(None)  # it did not come to its end, and nothing says how far it came
        case Migration.DONE if hooks.undo_within is None:
            return Next(None)
        case Migration.DONE if hooks.undo_within is not None and hooks.is_undo_made:
            return Next(replace(record, migration=Migration.UNDOING, deadline=now + hooks.undo_within))
        case Migration.UNDOING if hooks.undone[0] is Verdict.PASSED:
            return Next(None)
        case Migration.UNDOING if hooks.undone[0] is Verdict.FAILED or late:
            return Next(replace(record, migration=Migration.NOT_UNDONE, undo_problem=hooks.undone[1], deadline=None))
        case Migration.NOT_UNDONE:
            following = anew()
            return following if following.record else Next(record)  # said until something else begins
        case None:
            return Next(None)
    return Next(record, look_at=record.deadline)


# ---- by hand


def paused(record: Record, now: datetime) -> Record:
    """The record of a release that nothing happens in until it is resumed."""
    return replace(held(record, now), paused_at=now)


def held(record: Record, now: datetime) -> Record:
    """The record of a release whose time stands still, as that of a suspended service does."""
    return replace(record, remaining=max(record.deadline - now, timedelta()), deadline=None) if record.deadline else record


def resumed(record: Record, now: datetime) -> Record:
    """The record of a release that goes on, with the time that it had left."""
    return replace(record, paused_at=None, remaining=None, deadline=now + record.remaining if record.remaining is not None else None)


def _aborted(record: Record | None, view: View) -> Next | None:
    """As after a failed check. None where nobody asked for it, or where it comes too late."""
    if record is None or view.abort is None or record.step in (Step.SWITCH_BACK, Step.KEEP) or view.stable == record.place:
        return None
    rejection = Rejection(record.place.revision, record.key, Reason.ABORTED, view.abort, after_cutover=record.step not in BEFORE_CUTOVER)
    if record.key in view.rejected:
        return None
    if record.step in BEFORE_CUTOVER:
        return abandoned(record, view, Reason.ABORTED, view.abort)
    return _leave(record, rejection)


def _rolled_back(record: Record | None, view: View, terms: Terms, now: datetime) -> Next | None:
    """The first move of a rollback, in which no gate is passed but the target's own pods. None where it is under way, or has to wait."""
    asked, stable = view.rollback, view.stable
    if asked is None or stable is None or (record and record.is_rollback and record.step is not Step.KEEP):
        return None
    if record and record.step not in BEFORE_CUTOVER | {Step.KEEP}:
        return _leave(record, asked.left) if record.step is not Step.SWITCH_BACK and stable != record.place else None
    led = view.traffic.leads_to
    if asked.to == stable.revision or (record is None and led is not None and _runs_beside_stable(led, view)):
        return None
    if abandons := left_for_another(record, view):
        return abandons
    if record and record.step in BEFORE_CUTOVER and (left := left_of(record, view)):
        return Next(left)
    target = Record(Place(other(stable.color), asked.to), "", Step.SCALE_UP, now, replicas=view.replicas, is_rollback=True, left=asked.left)
    stack = view.stacks.get(target.place.color, Stack(""))
    if stack.revision == asked.to and stack.is_settled and stack.available >= _least(target, view):
        return Next(_enter(target, Step.CUTOVER, terms, now))
    if record and record.step is Step.KEEP and record.keep_until and record.cutover_at:
        free_at = min(record.keep_until, record.cutover_at + LEAST_KEEP)
        if now < free_at and stack.revision != asked.to:
            return Next(record, look_at=free_at)
    return Next(_enter(target, Step.SCALE_UP, terms, now, view))


def left_for_another(record: Record | None, view: View) -> Next | None:
    """Before its cutover a release is abandoned for a rollback: rejected, since it would begin anew behind it. None once it is."""
    asked = view.rollback
    if asked is None or record is None or record.step not in BEFORE_CUTOVER or record.key in view.rejected:
        return None
    if record.place.revision == asked.to:
        return None
    return Next(record, rejects=Rejection(record.place.revision, record.key, Reason.ABORTED, asked.left.message))


def _leave(record: Record, left: Rejection) -> Next:
    """To SwitchBack by hand: traffic goes first, and the revision is marked as rejected once it has gone."""
    return Next(replace(record, step=Step.SWITCH_BACK, deadline=None, is_rejected=True, left=left))


# ---- between them


def _enter(record: Record, entered: Step, terms: Terms, now: datetime, view: View | None = None) -> Record:
    """The record at the beginning of a step, with its deadline."""
    deadline = now + terms.progress_deadline if entered in _TIMED else None
    if entered is Step.APPROVAL and terms.auto_promote_after is not None:
        deadline = now + terms.auto_promote_after
    if entered is Step.MIGRATE and terms.migrates_within is not None:
        deadline = now + terms.migrates_within
    replicas = view.replicas if view is not None and entered is Step.SCALE_UP else record.replicas
    return replace(record, step=entered, deadline=deadline, replicas=replicas)


def _has_passed(deadline: datetime | None, now: datetime) -> bool:
    return deadline is not None and now >= deadline


def _after_preflight(view: View, terms: Terms) -> Step:
    """The first release does not wait for a place: nothing serves before it."""
    return _after_queued(terms) if view.has_place or view.stable is None else Step.QUEUED


def _after_queued(terms: Terms) -> Step:
    return Step.MIGRATE if terms.migrates_within is not None else Step.PREVIEW


def _after_preview(terms: Terms) -> Step:
    if terms.has_checks_before:
        return Step.VERIFY_BEFORE
    return Step.APPROVAL if terms.is_manual else Step.SCALE_UP


def _kept(record: Record, view: View, terms: Terms, now: datetime) -> Record | None:
    """The record in Keep, or None where there is no previous stack to keep."""
    previous = view.stacks.get(other(record.place.color))
    if previous is None or previous.wanted == 0:
        return None
    is_left = record.left is not None and record.left.revision == previous.revision
    keep = LEAST_KEEP_REJECTED if is_left else max(terms.keep_previous, LEAST_KEEP)
    return replace(record, step=Step.KEEP, deadline=None, keep_until=now + keep)


def _least(record: Record, view: View) -> int:
    """How many pods must be available to take over: no more than were wanted at first, however much is scaled meanwhile."""
    return max(1, min(view.replicas, view.replicas if record.replicas is None else record.replicas))


def abandoned(record: Record, view: View, reason: Reason, message: str) -> Next:
    """Rejected while stable serves: nothing has to be switched back. A revision that was to be gone back to is not: it served once."""
    if record.is_rollback:
        return Next(None, failed=message)
    return Next(left_of(record, view), rejects=Rejection(record.place.revision, record.key, reason, message))


def _rejected_before(record: Record) -> Next:
    """To SwitchBack with a revision that is marked as rejected: the process ended before it wrote this."""
    return Next(replace(record, step=Step.SWITCH_BACK, deadline=None, is_rejected=True))


def _back(record: Record, reason: Reason | None = None, message: str = "") -> Next:
    """To SwitchBack. reason: why the revision is rejected; None where only the spec has gone back to stable."""
    if record.is_rollback:
        return Next(replace(record, step=Step.SWITCH_BACK, deadline=None, left=None), failed=message)
    rejects = Rejection(record.place.revision, record.key, reason, message, after_cutover=True) if reason else None
    return Next(replace(record, step=Step.SWITCH_BACK, deadline=None, is_rejected=reason is not None), rejects=rejects)
