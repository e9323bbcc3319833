"""How a service gets from one revision to another: what its stacks and Services should be like now, by its release strategy."""

from dataclasses import dataclass, replace
from datetime import datetime

from hardened.api import names
from hardened.core import release
from hardened.core.checking import Verifier, heard, verifiers, watched
from hardened.core.children import Lead, Stack
from hardened.core.desired.metadata import stack_selector
from hardened.core.desired.service import selector
from hardened.core.facts import Facts
from hardened.core.measuring import Query, due, next_due, sampled
from hardened.core.release import COLORS, WATCHED_STEPS, Place, Record, Rejection, Step, demand, other, step
from hardened.core.release_record import record_of
from hardened.core.release_view import terms_of, view_of
from hardened.core.revision import Revision

#: Where nothing says how many replicas are wanted.
DEFAULT_REPLICAS = 2


@dataclass(frozen=True)
class Course:
    """What should be, and what has to be written first.

    stacks, switch, preview: see desired_children; serving: where clients' traffic goes; focus: the colour whose pods are waited for;
    replicas: what is wanted of the stack that serves; is_gated: nothing serves before it was released; record: the release at work;
    has_moved: status does not say so yet, and nothing else may be written before it does; marked: a revision whose marks are to be
    written before all; verifiers: the pods that are to check; rejection: why the revision that the spec asks for is not released;
    needs_pods: nothing can be said before the pods are listed; asks: nor before these are asked; look_at: when to look again.
    """

    stacks: tuple[Stack, ...]
    switch: Lead
    serving: Place | None
    focus: str
    replicas: int
    is_gated: bool = False
    preview: Lead | None = None
    record: Record | None = None
    has_moved: bool = False
    marked: Stack | None = None
    verifiers: tuple[Verifier, ...] = ()
    rejection: Rejection | None = None
    needs_pods: bool = False
    asks: tuple[Query, ...] = ()
    look_at: datetime | None = None


def course_of(facts: Facts, verifier_image: str, now: datetime) -> Course:
    """By the strategy of the spec; a blue-green release that is at work comes to its end first."""
    record = record_of(facts.before)
    if record or facts.svc.spec.effective_strategy == "BlueGreen":
        return _blue_green(facts, record, verifier_image, now)
    return _in_place(facts)


def _in_place(facts: Facts) -> Course:
    """One Deployment replaces its own pods."""
    svc, wanted = facts.svc, facts.wanted
    color = _color_in_use(facts)
    replicas = facts.replicas(color, DEFAULT_REPLICAS)
    revision = facts.revision(wanted.name, color) or wanted
    rollout = facts.rollout(color)
    is_done = rollout is not None and rollout.revision == wanted.name and rollout.wanted == replicas > 0 and rollout.is_complete
    is_promoted = facts.stable is not None and facts.stable.place.revision == wanted.name
    return Course(
        stacks=(_stack(facts, color, revision, replicas), *_idle(facts, other(color))),
        switch=Lead(revision, stack_selector(svc, color)),
        serving=Place(color, rollout.revision) if rollout else None,
        focus=color,
        replicas=replicas,
        marked=_marked(facts, Place(color, wanted.name), None) if is_done and not is_promoted else None,
    )


def _color_in_use(facts: Facts) -> str:
    """Where traffic goes, whatever the selector says beside the colour; else where stable is, or was."""
    found = ((facts.switch or {}).get("spec", {}).get("selector") or {}).get(names.COLOR_LABEL)
    if found in COLORS:
        return str(found)
    return facts.stable.place.color if facts.stable else next(iter(facts.deployments), COLORS[0])


def _blue_green(facts: Facts, record: Record | None, image: str, now: datetime) -> Course:
    terms = terms_of(facts.svc.spec)
    pods = verifiers(facts, record, terms, image, now)
    asks = due(facts.svc, record, now) if facts.observed.samples is None else ()
    known = sampled(facts.svc, record, facts.observed.samples, now) if record and facts.observed.samples else record
    said = heard(facts, known, pods, bool(image))
    view = view_of(facts, said, DEFAULT_REPLICAS)
    found, look_at, marked = known, None, None
    needs_pods = facts.observed.pods is None and record is not None and record.step in WATCHED_STEPS
    # Gates that are open already are passed at one go: one record instead of three.
    for _ in () if needs_pods else Step:
        following = step(found, view, terms, now)
        look_at = following.look_at
        if found and (following.promotes or following.rejects):
            marked = _marked(facts, found.place, following.rejects)
        if marked:
            break
        if following.record == found:
            break
        found = following.record
        if found and found.step is Step.VERIFY_AFTER:
            break  # what was said until now was not said of its traffic
    if found and record and found.started_at == record.started_at:
        found = replace(found, outcomes=said.outcomes)
        if found.step is Step.VERIFY_AFTER is not record.step:
            found = watched(facts, found, pods)
    wanted, serving = demand(record, view, terms), view.traffic.leads_to
    is_waited_for = found is not None and found.step not in (Step.KEEP, Step.SWITCH_BACK)
    return Course(
        stacks=tuple(each for color in COLORS for each in _colored(facts, record, color, wanted.stacks.get(color))),
        switch=_lead(facts, wanted.leads_to),
        preview=_lead(facts, wanted.previews),
        serving=serving,
        focus=found.place.color if found and is_waited_for else serving.color if serving else COLORS[0],
        replicas=view.replicas,
        is_gated=True,
        record=found,
        has_moved=found != record,
        marked=marked,
        verifiers=tuple(pods),
        rejection=next((r for r in facts.rejections() if r.key == view.key), None),
        needs_pods=needs_pods,
        asks=asks,
        look_at=min((moment for moment in (look_at, next_due(facts.svc, found)) if moment), default=None),
    )


def _colored(facts: Facts, record: Record | None, color: str, wanted: release.Stack | None) -> list[Stack]:
    if wanted is None:
        return _idle(facts, color)
    revision = facts.revision(wanted.revision, color)
    return [_stack(facts, color, revision, wanted.wanted, _epoch(record, color))] if revision else []


def _idle(facts: Facts, color: str) -> list[Stack]:
    """A colour that nobody needs: its Deployment stays, without pods, for a warm start."""
    rollout = facts.rollout(color)
    revision = facts.revision(rollout.revision, color) if rollout else None
    return [_stack(facts, color, revision, 0)] if revision else []


def _stack(facts: Facts, color: str, revision: Revision, replicas: int, epoch: str = "") -> Stack:
    number = facts.kept.number_for(revision.name)
    return Stack(color, revision, number, replicas, facts.marks(revision.name), epoch or facts.epoch(color))


def _epoch(record: Record | None, color: str) -> str:
    """What says on a Deployment that this release leads traffic to it; "" where it does not."""
    if record is None:
        return ""
    started = record.started_at.isoformat(timespec="milliseconds")
    if record.step is Step.CUTOVER and color == record.place.color:
        return started
    return f"{started} back" if record.step is Step.SWITCH_BACK and color != record.place.color else ""


def _lead(facts: Facts, place: Place | None) -> Lead:
    """To a place; to nobody with the ports of what serves, or of what will."""
    at = place or (facts.stable.place if facts.stable else None)
    revision = facts.revision(at.revision, at.color) if at else None
    return Lead(revision if revision and revision.fields else facts.wanted, selector(facts.svc, place))


def _marked(facts: Facts, place: Place, rejection: Rejection | None) -> Stack | None:
    """The place's revision with one more rejection, or else promoted; None where nothing is left of it that could be marked."""
    revision = facts.revision(place.revision, place.color)
    if revision is None or not revision.fields:
        return None
    stack = _stack(facts, place.color, revision, 0)
    number = 1 + (facts.stable.promotion if facts.stable else 0)
    return replace(stack, marks=stack.marks.rejected(rejection) if rejection else stack.marks.promoted(number))
