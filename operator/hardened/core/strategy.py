"""How a service gets from one revision to another: what its stacks and Services should be like now, by its release strategy."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from hardened.api import names
from hardened.api.parse import HardenedService
from hardened.api.strategy import Strategy
from hardened.core import actions, in_place, preflight, release
from hardened.core.action_answers import concerns
from hardened.core.action_entry import Entry, entries_of
from hardened.core.actions import Stakes, Target
from hardened.core.checking import Heard, Verifier, grace_of, heard, removal_verifiers, said_of_removal, verifiers, watched
from hardened.core.children import Lead, Stack
from hardened.core.dependencies import dependency_pods, waits_for
from hardened.core.desired.metadata import action_owner, stack_selector
from hardened.core.desired.service import selector
from hardened.core.diagnosis import Finding
from hardened.core.facts import Facts
from hardened.core.in_place import InPlace
from hardened.core.in_place_view import epoch_of, in_place_view_of, needs_pods
from hardened.core.marks import marks_of
from hardened.core.measuring import Query, due, next_due, sampled
from hardened.core.migrating import mark_of, migration_of, migration_pods
from hardened.core.migrating import needs_pods as needs_emptiness
from hardened.core.proof import Proof, look_at, proven, removal
from hardened.core.release import (
    BEFORE_CUTOVER,
    COLORS,
    LEAST_KEEP,
    UNPROVEN,
    Demand,
    Migration,
    Next,
    Place,
    Record,
    Rejection,
    Step,
    Terms,
    View,
    demand,
    held,
    other,
    resumed,
    step,
)
from hardened.core.release_record import proof_of, record_of
from hardened.core.release_view import key_of, serves_nobody, terms_of, view_of
from hardened.core.revision import Revision, revision_of, stored
from hardened.core.room import lack_of_room
from hardened.core.room import needs_pods as needs_word_of_pods

#: Where nothing says how many replicas are wanted.
DEFAULT_REPLICAS = 2


@dataclass(frozen=True)
class Course:
    """What should be, and what has to be written first.

    stacks, switch, preview: see desired_children; serving: where clients' traffic goes; focus: the colour whose pods are waited for;
    replicas: what is wanted of the stack that serves; record: the release at work;
    has_moved: status does not say so yet, and nothing else may be written before it does; marked: revisions whose marks are to be
    written before all; verifiers: the pods that are to check; proof: what is known of lost requests; actions: what is remembered of them;
    rejection: why the revision that the spec asks for is not released; needs_pods: nothing can be said before the pods are listed; asks:
    nor before these are asked; surroundings: nor before these ConfigMaps are read, and the quotas listed, None for not needed; waits_for:
    what is not there that the revision depends on, and waits for; room: what room its pods wait for; config: what it cannot begin without,
    and somebody has to make; look_at: when to look again.
    """

    stacks: tuple[Stack, ...]
    switch: Lead
    serving: Place | None
    focus: str
    replicas: int
    preview: Lead | None = None
    record: Record | None = None
    has_moved: bool = False
    marked: tuple[Stack, ...] = ()
    verifiers: tuple[Verifier, ...] = ()
    proof: Proof | None = None
    actions: tuple[Entry, ...] = ()
    rejection: Rejection | None = None
    needs_pods: bool = False
    asks: tuple[Query, ...] = ()
    surroundings: frozenset[str] | None = None
    waits_for: str = ""
    room: Finding | None = None
    config: Finding | None = None
    look_at: datetime | None = None


def course_of(facts: Facts, verifier_image: str, now: datetime) -> Course:
    """By the strategy of the release that is at work; of the spec, where none is."""
    record = record_of(facts.before)
    if record and record.remaining is not None and not (record.paused_at or facts.svc.spec.suspend):
        record = resumed(record, now)
    course = _course(facts, None if record and _makes_way(facts, record, now) else record, verifier_image, now)
    return _proven(facts, record, course, verifier_image, now)


def _proven(facts: Facts, record: Record | None, course: Course, image: str, now: datetime) -> Course:
    """The course with the probe of a removal, and with what the probes have counted. Nothing else depends on it."""
    before = proof_of(facts.before)
    probe = removal_verifiers(facts, removal(record, before, now), image)
    grace = grace_of(facts, other(record.place.color)) if record else timedelta()
    times = [moment for moment in (course.look_at, look_at(record, before, now)) if moment]
    return replace(
        course,
        proof=proven(before, record, course.record, said_of_removal(facts, probe), grace, now),
        verifiers=(*course.verifiers, *probe),
        look_at=min(times, default=None),
    )


def _makes_way(facts: Facts, record: Record, now: datetime) -> bool:
    """Whether a blue-green release is over since the spec asks for another revision, and for another strategy."""
    if record.strategy != "BlueGreen" or facts.svc.spec.effective_strategy == "BlueGreen":
        return False
    if record.is_rollback or record.paused_at or record.migration or facts.svc.spec.suspend:
        return False  # a migration is to be undone first
    if record.step is Step.KEEP:
        is_kept = record.cutover_at is not None and now < record.cutover_at + LEAST_KEEP
        return facts.wanted.name != record.place.revision and not is_kept
    return record.step in BEFORE_CUTOVER and facts.wanted.name != record.place.revision


def _viewed(facts: Facts, record: Record | None, said: Heard) -> View:
    if (record.strategy if record else facts.svc.spec.effective_strategy) == "BlueGreen":
        return view_of(facts, said, DEFAULT_REPLICAS)
    view = in_place_view_of(facts, record, said, DEFAULT_REPLICAS)
    if facts.svc.spec.suspend and record and not record.is_rollback:
        return replace(view, wanted=record.place.revision, key=record.key)  # nothing new takes over
    return view


def is_suspended(svc: HardenedService, record: Record | None) -> bool:
    """Whether nothing is changed any more. What has come to its cutover by then comes to its end first."""
    return svc.spec.suspend and (record is None or record.step not in UNPROVEN)


def _step(record: Record | None, view: View, terms: Terms, now: datetime) -> Next:
    return in_place.step(record, view, terms, now) if isinstance(view, InPlace) else step(record, view, terms, now)


def _demand(record: Record | None, view: View, terms: Terms) -> Demand:
    return in_place.demand(record, view) if isinstance(view, InPlace) else demand(record, view, terms)


def _course(facts: Facts, record: Record | None, image: str, now: datetime) -> Course:
    terms = terms_of(facts.svc.spec)
    strategy = record.strategy if record else facts.svc.spec.effective_strategy
    pods = verifiers(facts, record, terms, image, now)
    asks = due(facts.svc, record, now) if facts.observed.samples is None else ()
    known = sampled(facts.svc, record, facts.observed.samples, now) if record and facts.observed.samples else record
    said = heard(facts, known, pods, bool(image))
    once, asked = migration_pods(facts, record), dependency_pods(facts, record, image)
    hooks = replace(migration_of(facts, record, now), waits_for=waits_for(facts, asked, image))
    view = _viewed(facts, known, said)
    short, crowded = preflight.shortfall(facts, view, terms), lack_of_room(facts, record)
    view = replace(view, hooks=replace(hooks, is_held=short != preflight.NOTHING, has_no_room=crowded is not None))
    before, look_at = entries_of(facts.before), None
    ruling = _judged(facts, known, view, terms, now)
    found, view = ruling.record, _asked(view, ruling, known)
    forgiven = _forgiven(facts, actions.pending_retry(before))
    marked, failed = forgiven, ""
    needs_pods = facts.observed.pods is None and _depends_on_pods(facts, record, view, now)
    surroundings = None
    # Gates that are open already are passed at one go: one record instead of three.
    for _ in () if needs_pods or forgiven else Step:
        if is_suspended(facts.svc, found):
            break
        following = _step(found, view, terms, now)
        if preflight.is_due(found, following.record):
            if facts.observed.surroundings is None:
                surroundings = preflight.config_maps(facts)
                break
            view = replace(view, hooks=replace(view.hooks, has_no_room=False))  # that was said of another release's pods
        look_at = following.look_at
        marked = _marked(facts, found, following) if found else ()
        if marked:
            break
        is_same, found, failed = following.record == found, following.record, following.failed
        if is_same or failed:
            break
        if found is None and strategy != facts.svc.spec.effective_strategy:
            break  # what follows is seen with other eyes
        if found and found.step is Step.VERIFY_AFTER:
            break  # what was said until now was not said of its traffic
        if found and ((found.step is Step.MIGRATE and found.migration is None) or found.migration is Migration.NOT_UNDONE):
            break  # nor of its migration; and what was not undone is told before anything else begins
    if found and record and found.started_at == record.started_at:
        found = replace(found, outcomes=said.outcomes)
        if found.step is Step.VERIFY_AFTER is not record.step:
            found = watched(facts, found, pods)
    if found and is_suspended(facts.svc, found):
        found = held(found, now)
    entries = actions.settled(ruling.entries, found, view, facts.rejected_keys(), failed, now)
    if ruling.is_news:
        marked = ()  # what was decided is written down first
    missing = hooks.waits_for if found and _waits(found) else ""
    is_held = found is not None and found.step is Step.PREFLIGHT and not found.paused_at and view.hooks.is_held
    is_crowded = found is not None and record is not None and found.step is record.step and found.deadline is None
    times = [look_at, next_due(facts.svc, found), now + preflight.WAIT if is_held else None]
    wanted = _demand(record, view, terms)
    serving = _serving(facts, view, wanted)
    is_waited_for = found is not None and found.step not in (Step.KEEP, Step.SWITCH_BACK)
    return Course(
        stacks=tuple(each for color in COLORS for each in _colored(facts, record, color, wanted.stacks.get(color))),
        switch=_lead(facts, wanted.leads_to, view.stable, strategy),
        # Where nothing is previewed any more it leads to nobody, and goes with the next promotion.
        preview=_lead(facts, wanted.previews, view.stable) if strategy == "BlueGreen" or (facts.preview and record) else None,
        serving=serving,
        focus=found.place.color if found and is_waited_for else serving.color if serving else COLORS[0],
        replicas=view.replicas,
        record=found,
        has_moved=found != record_of(facts.before) or entries != before,
        marked=marked,
        verifiers=(*pods, *once, *asked),
        actions=entries,
        rejection=_pin(facts, view),
        needs_pods=needs_pods,
        asks=asks,
        surroundings=surroundings,
        waits_for=missing,
        room=short.room if is_held else crowded if is_crowded else None,
        config=short.config if is_held else None,
        look_at=min((moment for moment in times if moment), default=None),
    )


def _pin(facts: Facts, view: View) -> Rejection | None:
    """Why what the spec asks for is not released. What is stable by now is never pending, also where it once failed the same checks."""
    if view.stable and view.wanted == view.stable.revision:
        return None
    return next((r for r in facts.rejections() if r.key == view.key and r.key in view.rejected), None)


def _serving(facts: Facts, view: View, wanted: Demand) -> Place | None:
    """Where clients' traffic goes; what works, where it has no clients."""
    led = wanted.leads_to
    if not isinstance(view, InPlace):
        return view.traffic.leads_to
    rollout = facts.rollout(led.color) if led else None
    if led is None or rollout is None or (view.has_clients and facts.switch):
        return view.traffic.leads_to
    return Place(led.color, rollout.revision)


def _depends_on_pods(facts: Facts, record: Record | None, view: View, now: datetime) -> bool:
    """Whether it counts where traffic has followed, and how pods do. Not before traffic is led there: the flip waits for no list."""
    if isinstance(view, InPlace):
        return needs_pods(facts, record, view)
    if record is None:
        return False
    match record.step:
        case Step.CUTOVER:
            return view.traffic.leads_to == record.place
        case Step.SWITCH_BACK:
            return view.traffic.leads_to == view.stable
        case Step.VERIFY_AFTER:
            return view.rollback is None
        case _:
            return needs_emptiness(record) or needs_word_of_pods(facts, record, now)


def _waits(record: Record) -> bool:
    """Whether the release waits for what it depends on, and for nothing else."""
    is_late = record.step is Step.SCALE_UP and record.deadline is None and not record.is_rollback
    return record.paused_at is None and (record.step is Step.PREFLIGHT or is_late)


def _colored(facts: Facts, record: Record | None, color: str, wanted: release.Stack | None) -> list[Stack]:
    epoch = epoch_of(record) or _epoch(record, color)
    if wanted is None:
        return _idle(facts, color, epoch)
    revision = facts.revision(wanted.revision, color)
    return [_stack(facts, color, revision, wanted.wanted, epoch)] if revision else []


def _idle(facts: Facts, color: str, epoch: str) -> list[Stack]:
    """A colour that nobody needs: its Deployment stays, without pods, for a warm start."""
    rollout = facts.rollout(color)
    revision = facts.revision(rollout.revision, color) if rollout else None
    return [_stack(facts, color, revision, 0, epoch)] if revision else []


def _stack(facts: Facts, color: str, revision: Revision, replicas: int, epoch: str = "") -> Stack:
    number = facts.kept.number_for(revision.name)
    return Stack(color, revision, number, replicas, facts.marks(revision.name), epoch or facts.epoch(color))


def _epoch(record: Record | None, color: str) -> str:
    """What says on a Deployment that this release leads traffic to it; "" where it does not."""
    if record is None or record.strategy != "BlueGreen":
        return ""
    started = record.started_at.isoformat(timespec="milliseconds")
    if record.step is Step.CUTOVER and color == record.place.color:
        return started
    return f"{started} back" if record.step is Step.SWITCH_BACK and color != record.place.color else ""


def _lead(facts: Facts, place: Place | None, stable: Place | None, strategy: Strategy = "BlueGreen") -> Lead:
    """To a place; to nobody with the ports of what serves, or of what will. As long as one of them has ports, a Service is there."""
    known = [facts.revision(each.revision, each.color) for each in (place, stable) if each]
    ports = next((revision for revision in known if revision and revision.fields.get("ports")), facts.wanted)
    if place == stable and serves_nobody(facts, stable) and ports.fields.get("ports"):
        return Lead(ports, selector(facts.svc, None))
    return Lead(ports, stack_selector(facts.svc, place.color) if place and strategy == "RollingUpdate" else selector(facts.svc, place))


def _marked(facts: Facts, record: Record, following: Next) -> tuple[Stack, ...]:
    """The revisions that a move marks, the rejected one first: what was promoted last is stable."""
    rejects = _rejection(facts, record.place, following.rejects) if following.rejects else ()
    migrates = _migration(facts, record) if following.migrates else ()
    return (*rejects, *migrates, *(_promotion(facts, record.place) if following.promotes else ()))


def _migration(facts: Facts, record: Record) -> tuple[Stack, ...]:
    revision = facts.revision(record.place.revision, record.place.color)
    if revision is None or not revision.fields:
        return ()
    stack = _stack(facts, record.place.color, revision, 0)
    return (replace(stack, marks=replace(stack.marks, migrated=mark_of(facts, record))),)


def _promotion(facts: Facts, place: Place) -> tuple[Stack, ...]:
    revision = facts.revision(place.revision, place.color)
    if revision is None or not revision.fields:
        return ()
    stack = _stack(facts, place.color, revision, 0)
    return (replace(stack, marks=stack.marks.promoted(1 + (facts.stable.promotion if facts.stable else 0))),)


def _rejection(facts: Facts, place: Place, rejection: Rejection) -> tuple[Stack, ...]:
    color = place.color if rejection.revision == place.revision else other(place.color)
    revision = facts.revision(rejection.revision, color)
    if revision is None or not revision.fields:
        return ()
    stack = _stack(facts, color, revision, 0)
    return (replace(stack, marks=stack.marks.rejected(rejection)),)


def _forgiven(facts: Facts, key: str) -> tuple[Stack, ...]:
    """What is marked as rejected under a key that somebody wants to be tried again."""
    names = [r.revision for r in facts.rejections() if r.key == key and facts.kept.named(r.revision)]
    found = [revision for name in names if (revision := facts.revision(name, COLORS[0]))]
    stacks = [_stack(facts, COLORS[0], revision, 0) for revision in found]
    return tuple(replace(stack, marks=stack.marks.forgiven(key)) for stack in stacks)


# ---- by hand


def _judged(facts: Facts, record: Record | None, view: View, terms: Terms, now: datetime) -> actions.Ruling:
    owner, entries = action_owner(facts.svc), entries_of(facts.before)
    mine = [live for live in facts.observed.actions if concerns(live, owner)]
    present = {live["metadata"]["name"] for live in mine}
    return actions.judged(actions.unseen(mine, entries), entries, _stakes(facts, record, view, terms), now, present)


def _asked(view: View, ruling: actions.Ruling, record: Record | None) -> View:
    """The view with what is asked for by hand, and not done yet."""
    key = actions.pending_retry(ruling.entries)
    return replace(
        view,
        rollback=actions.pending_rollback(ruling.entries),
        abort=actions.pending_abort(ruling.entries, record),
        rejected=view.rejected - {key},
    )


def _stakes(facts: Facts, record: Record | None, view: View, terms: Terms) -> Stakes:
    def key(revision: str) -> str:
        return key_of(revision, facts.svc.spec)

    def targets() -> list[Target]:
        kept = [(stored(live), marks_of(live, revision_of(live))) for live in facts.kept.revisions]
        # To a worker, which has no ports, no Service could be switched.
        is_possible = facts.svc.spec.effective_strategy != "BlueGreen"
        found = [Target(r.name, m.promotion) for r, m in kept if r and m.promotion and (is_possible or r.fields.get("ports"))]
        return sorted((t for t in found if key(t.revision) not in view.rejected), key=lambda t: -t.promotion)

    def crosses(revision: str) -> str:
        kept = [(revision_of(live), marks_of(live, revision_of(live))) for live in facts.kept.revisions]
        promoted = next((marks.promotion for name, marks in kept if name == revision), 0)
        later = [name for name, marks in kept if marks.migrated and marks.promotion > promoted]
        serves = record is not None and record.step in (Step.CUTOVER, Step.VERIFY_AFTER) and record.migration is Migration.DONE
        is_undone = view.hooks.undoes_late and view.hooks.undo_within is not None
        return record.place.revision if record and serves and not is_undone else next(iter(later), "")

    schema = facts.observed.crd_schema
    is_deaf = schema.isdecimal() and int(schema) < int(names.SCHEMA_REVISION)
    return Stakes(record, view, terms, targets, key, _obstacle(facts), is_deaf, crosses)


def _obstacle(facts: Facts) -> str:
    return "spec.suspend is true: nothing is changed until it is false" if facts.svc.spec.suspend else ""
