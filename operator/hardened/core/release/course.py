"""How a service gets from one revision to another: what its stacks and Services should be like now, by its release strategy."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from hardened.api.parse import HardenedService
from hardened.api.strategy import Strategy
from hardened.core.actions import admission
from hardened.core.actions.log import LogEntry, entries_of
from hardened.core.checks.pods import CheckPod, grace_of, removal_verifiers, verifiers
from hardened.core.checks.proof import look_at, proven, removal
from hardened.core.checks.queries import due, next_due, sampled
from hardened.core.checks.reports import CheckResults, heard, said_of_removal, watched
from hardened.core.desired.children import DesiredStack, Route
from hardened.core.desired.service import is_previewed
from hardened.core.model.finding import Diagnosis
from hardened.core.model.kit import Kit
from hardened.core.model.manifest import Manifest
from hardened.core.model.measurement import Query
from hardened.core.model.proof import Proof
from hardened.core.model.release import (
    BEFORE_CUTOVER,
    COLORS,
    LEAST_KEEP,
    UNPROVEN,
    DesiredState,
    Input,
    Migration,
    Rejection,
    ReleasePolicy,
    ReleaseState,
    Step,
    Target,
    Transition,
    Verdict,
    other,
)
from hardened.core.model.written import proof_of
from hardened.core.needs import preflight
from hardened.core.needs import unmade_checks
from hardened.core.needs.dependencies import dependency_pods, unavailable, waits_for
from hardened.core.needs.lacks import lacks_of
from hardened.core.needs.room import cause_of
from hardened.core.needs.room import needs_pods as needs_word_of_pods
from hardened.core.observe.disruptions import are_taken_away
from hardened.core.observe.facts import Facts
from hardened.core.release import in_place
from hardened.core.release.by_hand import asleep, woken
from hardened.core.release.in_place import InPlace
from hardened.core.release.in_place_view import in_place_view_of, needs_pods
from hardened.core.release.machine import demand, step
from hardened.core.release.marking import are_refused, forgiven_by, is_stored, marked_by, unmarked
from hardened.core.release.migration_pods import migration_of, migration_pods
from hardened.core.release.migration_pods import needs_pods as needs_emptiness
from hardened.core.release.moves import back, left_of
from hardened.core.release.placing import given_up, placed
from hardened.core.release.requests import is_proven, judged, with_requests
from hardened.core.release.stacks import lead_to, stacks_of, switch_epoch
from hardened.core.release.view import has_ready_endpoints, terms_of, view_of

#: Where nothing says how many replicas are wanted.
DEFAULT_REPLICAS = 2


@dataclass(frozen=True)
class Decision:
    """What should be, and what has to be written first.

    stacks, switch, preview: see desired_children; serving: where clients' traffic goes; focus: the colour whose pods are waited for;
    replicas: what is wanted of the stack that serves; record: the release at work;
    has_moved: status does not say so yet, and nothing else may be written before it does; marked: revisions whose marks are to be
    written before all; verifiers: the pods that are to check; proof: what is known of lost requests; actions: what is remembered of them;
    rejection: why the revision that the spec asks for is not released; is_back: traffic has left what was not wanted any more, and what the
    spec asks for serves; needs_pods: nothing can be said before the pods are listed; asks: nor before these are asked; surroundings: nor
    before these ConfigMaps are read, and the quotas listed, None for not needed; tries: nor before it was tried whether these pods can be
    made; waits_for:
    what is not there that the revision depends on, and waits for; room: what room its pods wait for; config: what it cannot begin without,
    and somebody has to make; look_at: when to look again.
    """

    stacks: tuple[DesiredStack, ...]
    switch: Route
    serving: Target | None
    focus: str
    replicas: int
    preview: Route | None = None
    record: ReleaseState | None = None
    has_moved: bool = False
    marked: tuple[DesiredStack, ...] = ()
    verifiers: tuple[CheckPod, ...] = ()
    proof: Proof | None = None
    actions: tuple[LogEntry, ...] = ()
    rejection: Rejection | None = None
    is_back: bool = False
    needs_pods: bool = False
    asks: tuple[Query, ...] = ()
    surroundings: frozenset[str] | None = None
    tries: tuple[Manifest, ...] = ()
    waits_for: str = ""
    room: Diagnosis | None = None
    config: Diagnosis | None = None
    look_at: datetime | None = None


def course_of(facts: Facts, kit: Kit, now: datetime) -> Decision:
    """By the strategy of the release that is at work; of the spec, where none is."""
    record = facts.record
    if record and record.remaining is not None and not (record.paused_at or facts.svc.spec.suspend or facts.svc.is_stand_in):
        record = given_up(woken(record, terms_of(facts.svc.spec), now), facts.stable is None)
    course = _course(facts, None if record and _makes_way(facts, record, now) else record, kit, now)
    return _proven(facts, record, course, kit, now)


def _proven(facts: Facts, record: ReleaseState | None, course: Decision, kit: Kit, now: datetime) -> Decision:
    """The course with the probe of a removal, and with what the probes have counted. Nothing else depends on it."""
    before = proof_of(facts.before)
    probe = removal_verifiers(facts, removal(record, before, now), kit)
    grace = grace_of(facts, other(record.place.color)) if record else timedelta()
    times = [moment for moment in (course.look_at, look_at(record, before, now)) if moment]
    return replace(
        course,
        proof=proven(before, record, course.record, said_of_removal(facts, probe), grace, now),
        verifiers=(*course.verifiers, *probe),
        look_at=min(times, default=None),
    )


def _makes_way(facts: Facts, record: ReleaseState, now: datetime) -> bool:
    """Whether a blue-green release is over since the spec asks for another revision, and for another strategy."""
    if record.strategy != "BlueGreen" or facts.svc.spec.effective_strategy == "BlueGreen":
        return False
    if record.is_rollback or record.paused_at or record.migration or facts.svc.spec.suspend or facts.svc.is_stand_in:
        return False  # a migration is to be undone first
    if record.step is Step.KEEP:
        is_kept = record.cutover_at is not None and now < record.cutover_at + LEAST_KEEP
        return facts.wanted.name != record.place.revision and not is_kept
    return record.step in BEFORE_CUTOVER and facts.wanted.name != record.place.revision


def _viewed(facts: Facts, record: ReleaseState | None, said: CheckResults) -> Input:
    view = _view(facts, record, said)
    if not facts.svc.is_stand_in:
        return view
    if record and not record.is_rollback:
        view = replace(view, wanted=record.place.revision, key=record.key)  # nobody has taken it back
    return replace(view, is_held=True, is_blind="verify" in facts.svc.lacks)


def _view(facts: Facts, record: ReleaseState | None, said: CheckResults) -> Input:
    if (record.strategy if record else facts.svc.spec.effective_strategy) == "BlueGreen":
        return view_of(facts, said, DEFAULT_REPLICAS)
    view = in_place_view_of(facts, record, said, DEFAULT_REPLICAS)
    if facts.svc.spec.suspend and record and not record.is_rollback:
        return replace(view, wanted=record.place.revision, key=record.key)  # nothing new takes over
    return view


def is_suspended(svc: HardenedService, record: ReleaseState | None) -> bool:
    """Whether nothing is changed any more. What has come to its cutover by then comes to its end first."""
    return svc.spec.suspend and (record is None or record.step not in UNPROVEN)


def _is_taken_away(facts: Facts, record: ReleaseState | None) -> bool:
    """Whether the record's place has lost its pods by no fault of its own."""
    if record is None or record.step not in (Step.CUTOVER, Step.VERIFY_AFTER):
        return False
    if not facts.observed.sees_pods:
        return True  # nobody can say that it has failed by itself
    return are_taken_away(facts.pods_at(record.place), record.cutover_at or record.entered_at or record.started_at)


def _stands_still(svc: HardenedService, record: ReleaseState) -> bool:
    """Whether the time of a release does not count."""
    is_held = svc.is_stand_in and record.step in BEFORE_CUTOVER and not record.is_rollback
    return is_held or is_suspended(svc, record)


def _step(record: ReleaseState | None, view: Input, terms: ReleasePolicy, now: datetime) -> Transition:
    found = in_place.step(record, view, terms, now) if isinstance(view, InPlace) else step(record, view, terms, now)
    return placed(record, found, view, terms, now)


def _is_led_back_unwritten(facts: Facts, record: ReleaseState | None, found: ReleaseState | None) -> bool:
    """Whether traffic goes back before that is written down, since status is not taken: what is seen says the same at the next look."""
    is_back = record is not None and found is not None and record.step in UNPROVEN and found.step is Step.SWITCH_BACK
    return is_back and not facts.observed.keeps_status


def _demand(record: ReleaseState | None, view: Input, terms: ReleasePolicy) -> DesiredState:
    return in_place.demand(record, view) if isinstance(view, InPlace) else demand(record, view, terms)


def _course(facts: Facts, record: ReleaseState | None, kit: Kit, now: datetime) -> Decision:
    terms = terms_of(facts.svc.spec)
    strategy = record.strategy if record else facts.svc.spec.effective_strategy
    pods = verifiers(facts, record, terms, kit, now)
    asks = due(facts.svc, record, now) if facts.observed.samples is None else ()
    known = sampled(facts.svc, record, facts.observed.samples, now) if record and facts.observed.samples else record
    said = heard(facts, known, pods, bool(kit.image))
    once, asked = migration_pods(facts, record), dependency_pods(facts, record, kit)
    hooks = migration_of(facts, record, now)
    hooks = replace(hooks, waits_for=waits_for(facts, asked, kit), waits_for_services=bool(unavailable(facts)))
    view = _viewed(facts, known, said)
    lacks = lacks_of(facts, record, pods, view, terms, kit, now)
    view = replace(view, hooks=lacks.in_hooks(hooks, cause_of(facts, record)))
    before = entries_of(facts.before)
    ruling = judged(facts, known, view, terms, now)
    view = with_requests(view, ruling, known)
    view = replace(view, is_proven=is_proven(facts, record, view), is_taken_away=_is_taken_away(facts, record))
    is_unseen = not facts.observed.sees_pods
    view = replace(view, is_blind=view.is_blind or is_unseen)
    needs_pods = facts.observed.pods is None and facts.observed.sees_pods and _depends_on_pods(facts, record, view, now)
    forgiven = forgiven_by(facts, admission.pending_retry(before))
    forgiven = () if are_refused(facts, forgiven) else forgiven
    # In place nothing tells one version's pods from another's but the pods.
    waits = needs_pods or forgiven or (is_unseen and isinstance(view, InPlace))
    moved = Moved(ruling.record, forgiven) if waits else _moved(facts, ruling.record, strategy, view, terms, kit, now)
    found = moved.record
    if found and record and found.started_at == record.started_at:
        begins_anew = found.step is Step.CUTOVER and record.step is Step.VERIFY_AFTER
        found = replace(found, outcomes=() if begins_anew else said.outcomes)
        if found.step is Step.VERIFY_AFTER is not record.step:
            found = watched(facts, found, pods)
    if found and _stands_still(facts.svc, found):
        found = asleep(found, now)
    entries = admission.settled(ruling.entries, found, view, facts.rejected_keys(), moved.failed, now)
    missing = hooks.waits_for if found and _waits(found) else ""
    is_held = found is not None and found.step is Step.PREFLIGHT and not found.paused_at and view.hooks.is_held
    is_polled = lacks.are_told_by_nobody(found, is_held=is_held)
    times = [moved.look_at, next_due(facts.svc, found, facts.observed.unanswered), now + preflight.WAIT if is_polled else None]
    told = found if _is_led_back_unwritten(facts, record, found) else record
    wanted = _demand(told, view, terms)
    serving = _serving(facts, view, wanted)
    is_waited_for = found is not None and found.step not in (Step.KEEP, Step.SWITCH_BACK)
    return Decision(
        stacks=tuple(each for color in COLORS for each in stacks_of(facts, told, color, wanted.stacks.get(color), view)),
        switch=replace(lead_to(facts, wanted.leads_to, view.stable, strategy), epoch=switch_epoch(facts, told)),
        preview=lead_to(facts, wanted.previews, view.stable) if _has_preview(facts, record, strategy) else None,
        serving=serving,
        focus=found.place.color if found and is_waited_for else serving.color if serving else COLORS[0],
        replicas=view.replicas,
        record=found,
        has_moved=_is_further(found, facts.record) or entries != before,
        marked=() if ruling.is_news else moved.marked,  # what was decided is written down first
        verifiers=(*pods, *once, *asked),
        actions=entries,
        rejection=_pin(facts, view),
        is_back=_is_back(found, view),
        needs_pods=needs_pods,
        asks=asks,
        surroundings=moved.surroundings,
        tries=moved.tries,
        waits_for=missing,
        room=lacks.room(record, found, is_held=is_held),
        config=lacks.short.config if is_held else None,
        look_at=min((moment for moment in times if moment), default=None),
    )


@dataclass(frozen=True)
class Moved:
    """How far a release gets in one look. marked, surroundings, tries: see Decision; failed, look_at: see Transition."""

    record: ReleaseState | None
    marked: tuple[DesiredStack, ...] = ()
    failed: str = ""
    look_at: datetime | None = None
    surroundings: frozenset[str] | None = None
    tries: tuple[Manifest, ...] = ()


def _moved(
    facts: Facts, record: ReleaseState | None, strategy: Strategy, view: Input, terms: ReleasePolicy, kit: Kit, now: datetime
) -> Moved:
    """Gates that are open already are passed at one go: one record instead of three."""
    moved = Moved(record)
    for _ in Step:
        if is_suspended(facts.svc, moved.record):
            break
        following = _step(moved.record, view, terms, now)
        if preflight.is_due(moved.record, following.record):
            if facts.observed.surroundings is None:
                return replace(moved, surroundings=preflight.config_maps(facts))
            # That was said of another release: by its checks, and of its pods.
            hooks = replace(view.hooks, has_no_room=False, is_blind=False, is_unwatched=False)
            view = replace(view, before=(Verdict.UNKNOWN, ""), hooks=hooks)
            if moved.record and preflight.is_new(moved.record, following.record):
                # And of what it depended on.
                view = replace(view, hooks=replace(view.hooks, waits_for=waits_for(facts, [], kit)))
                following = _step(moved.record, view, terms, now)
        following = replace(following, record=_entered(moved.record, following.record, now))
        if facts.observed.tried is None and (tries := unmade_checks.to_try(facts, moved.record, following.record, terms, kit, now)):
            return replace(moved, tries=tries)
        if following.promotes and moved.record and not is_stored(facts, moved.record.place):
            following = back(moved.record, message="what is stored of it was deleted")  # nothing could remember that it was promoted
        marked = marked_by(facts, moved.record, following) if moved.record else ()
        if marked and not are_refused(facts, marked):
            return replace(moved, marked=marked, look_at=following.look_at)
        if marked and moved.record:
            following = unmarked(moved.record, following)
        is_same = following.record == moved.record
        moved = Moved(following.record, failed=following.failed, look_at=following.look_at)
        if is_same or moved.failed or _needs_another_look(facts, moved.record, strategy):
            break
        if _is_unwatched(facts, moved.record, terms, kit, now):
            break
    return moved


def _entered(before: ReleaseState | None, after: ReleaseState | None, now: datetime) -> ReleaseState | None:
    """The record after a move, with the moment in which its step was entered."""
    is_same = before is not None and after is not None and (before.step, before.started_at) == (after.step, after.started_at)
    return after if after is None or is_same else replace(after, entered_at=now)


def _is_further(record: ReleaseState | None, before: ReleaseState | None) -> bool:
    """Whether anything of this look follows from it. Nothing does from a place that was given up: others may have it, later."""
    if record is None or before is None:
        return record is not before
    return replace(record, has_yielded=before.has_yielded) != before


def _is_unwatched(facts: Facts, record: ReleaseState | None, terms: ReleasePolicy, kit: Kit, now: datetime) -> bool:
    """Whether traffic is about to be led on, and who is to watch that is not there: that comes first."""
    if record is None or record.step is not Step.SCALE_UP:
        return False
    probe = verifiers(facts, record, terms, kit, now)
    return unmade_checks.lacks(facts, record, probe) or unmade_checks.hindrance(facts, record, probe, terms, now) is not None


def _needs_another_look(facts: Facts, record: ReleaseState | None, strategy: Strategy) -> bool:
    """Whether what was seen says nothing of the step that was come to."""
    if record is None:
        return strategy != facts.svc.spec.effective_strategy  # what follows is seen with other eyes
    if record.step in (Step.VERIFY_AFTER, Step.SWITCH_BACK):
        return True  # what was said until now was not said of its traffic
    # Nor of its migration; and what was not undone is told before anything else begins.
    return (record.step is Step.MIGRATE and record.migration is None) or record.migration is Migration.NOT_UNDONE


def _has_preview(facts: Facts, record: ReleaseState | None, strategy: Strategy) -> bool:
    """It is made once somebody is to look at it, and stays. In place it leads to nobody, and goes with the next promotion."""
    if strategy == "BlueGreen":
        return is_previewed(facts.svc.spec) or facts.preview is not None
    return facts.preview is not None and record is not None


def _pin(facts: Facts, view: Input) -> Rejection | None:
    """Why what the spec asks for is not released. What is stable by now is never pending, also where it once failed the same checks."""
    if view.stable and view.wanted == view.stable.revision:
        return None
    return next((r for r in facts.rejections() if r.key == view.key and r.key in view.rejected), None)


def _is_back(record: ReleaseState | None, view: Input) -> bool:
    """Whether what the spec asks for serves in SwitchBack already: all that is left to do is to take pods down.

    Not where a migration is to be undone, nor where the revision was rejected.
    """
    if record is None or record.step is not Step.SWITCH_BACK or record.is_rejected or record.confirmed_at is None:
        return False
    is_wanted = view.stable is not None and view.wanted == view.stable.revision
    return is_wanted and not (view.hooks.undoes_late and left_of(record, view))


def _serving(facts: Facts, view: Input, wanted: DesiredState) -> Target | None:
    """Where clients' traffic goes; what works, where it has no clients."""
    led = wanted.leads_to
    if not isinstance(view, InPlace):
        return view.traffic.leads_to
    rollout = facts.rollout(led.color) if led else None
    if led is None or rollout is None or (view.has_clients and facts.switch):
        return view.traffic.leads_to
    return Target(led.color, rollout.revision)


def _depends_on_pods(facts: Facts, record: ReleaseState | None, view: Input, now: datetime) -> bool:
    """Whether it counts where traffic has followed, and how pods do. Not before traffic is led there: the flip waits for no list."""
    if isinstance(view, InPlace):
        return needs_pods(facts, record, view, now)
    if record is None:
        return False
    match record.step:
        case Step.CUTOVER:
            return view.traffic.leads_to == record.place and (has_ready_endpoints(facts) or _is_about_to_fail(record, view, now))
        case Step.SWITCH_BACK:
            return view.traffic.leads_to == view.stable
        case Step.VERIFY_AFTER:
            return view.rollback is None
        case _:
            return needs_emptiness(record) or needs_word_of_pods(facts, record, now)


def _is_about_to_fail(record: ReleaseState, view: Input, now: datetime) -> bool:
    """Whether the cutover fails for want of pods, whose own word says why, and whether they were only taken away."""
    stack = view.stacks.get(record.place.color)
    is_down = stack is not None and stack.is_settled and stack.available == 0
    return is_down or (record.deadline is not None and now >= record.deadline)


def _waits(record: ReleaseState) -> bool:
    """Whether the release waits for what it depends on, and for nothing else."""
    is_late = record.step is Step.SCALE_UP and record.deadline is None and not record.is_rollback
    return record.paused_at is None and (record.step is Step.PREFLIGHT or is_late)
