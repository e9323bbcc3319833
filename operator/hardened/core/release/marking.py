"""The revisions that a move marks: as promoted, as rejected, as forgiven, as given up, or with what its migration is undone by."""

from dataclasses import replace

from hardened.core.desired.children import DesiredStack
from hardened.core.model.manifest import ChildKey, key_of
from hardened.core.model.release import COLORS, Rejection, ReleaseState, Step, Target, Transition, other
from hardened.core.model.revision import object_name
from hardened.core.observe.facts import Facts
from hardened.core.release.migration_pods import mark_of
from hardened.core.release.moves import leave
from hardened.core.release.stacks import stack_of


def marked_by(facts: Facts, record: ReleaseState, following: Transition) -> tuple[DesiredStack, ...]:
    """The revisions that a move marks, the rejected one first: what was promoted last is stable."""
    rejects = _rejection(facts, record.place, following.rejects) if following.rejects else ()
    migrates = _migration(facts, record) if following.migrates else ()
    leaves = _leaving(facts, record) if following.leaves else ()
    return (*rejects, *migrates, *leaves, *(_promotion(facts, record) if following.promotes else ()))


def are_refused(facts: Facts, marked: tuple[DesiredStack, ...]) -> bool:
    """Whether one of these marks cannot be written now: it was refused in this pass, or what has the revision's name is not ours."""
    keys = {ChildKey("ControllerRevision", object_name(facts.svc, stack.revision.name)) for stack in marked}
    mine = {key_of(live) for live in facts.ours if live["metadata"]["name"] not in facts.kept.unusable}
    return bool(keys & facts.observed.refused.keys() or (keys & facts.observed.children.keys()) - mine)


def unmarked(record: ReleaseState, following: Transition) -> Transition:
    """The move without its mark. Nobody waits for a mark to be led back; a rejection is marked as soon as it can be."""
    after, rejects = following.record, following.rejects
    if following.promotes or following.migrates:
        return Transition(record, look_at=following.look_at)
    if rejects is None or record.step is Step.SWITCH_BACK:
        return Transition(after, look_at=following.look_at, failed=following.failed)
    if not rejects.after_cutover or record.is_rollback:
        return Transition(record, look_at=following.look_at)
    return leave(record, rejects)


def is_stored(facts: Facts, place: Target) -> bool:
    """Whether the revision of a place can be marked: it is stored, or can be stored anew."""
    revision = facts.revision(place.revision, place.color)
    is_taken = object_name(facts.svc, place.revision) in facts.kept.unusable
    return revision is not None and bool(revision.fields) and not is_taken


def _migration(facts: Facts, record: ReleaseState) -> tuple[DesiredStack, ...]:
    revision = facts.revision(record.place.revision, record.place.color)
    if revision is None or not revision.fields:
        return ()
    stack = stack_of(facts, record.place.color, revision, 0)
    return (replace(stack, marks=replace(stack.marks, migrated=mark_of(facts, record))),)


def _leaving(facts: Facts, record: ReleaseState) -> tuple[DesiredStack, ...]:
    revision = facts.revision(record.place.revision, record.place.color)
    if revision is None or not revision.fields or facts.marks(revision.name).left_by == record.epoch:
        return ()
    stack = stack_of(facts, record.place.color, revision, 0)
    return (replace(stack, marks=replace(stack.marks, left_by=record.epoch)),)


def _promotion(facts: Facts, record: ReleaseState) -> tuple[DesiredStack, ...]:
    place = record.place
    revision = facts.revision(place.revision, place.color)
    if revision is None or not revision.fields:
        return ()
    stack = stack_of(facts, place.color, revision, 0)
    number = 1 + (facts.stable.promotion if facts.stable else 0)
    return (replace(stack, marks=stack.marks.promoted(number, record.key)),)


def _rejection(facts: Facts, place: Target, rejection: Rejection) -> tuple[DesiredStack, ...]:
    color = place.color if rejection.revision == place.revision else other(place.color)
    revision = facts.revision(rejection.revision, color)
    if revision is None or not revision.fields:
        return ()
    stack = stack_of(facts, color, revision, 0)
    return (replace(stack, marks=stack.marks.rejected(rejection)),)


def forgiven_by(facts: Facts, key: str) -> tuple[DesiredStack, ...]:
    """What is marked as rejected under a key that somebody wants to be tried again."""
    names = [r.revision for r in facts.rejections() if r.key == key and facts.kept.named(r.revision)]
    found = [revision for name in names if (revision := facts.revision(name, COLORS[0]))]
    stacks = [stack_of(facts, COLORS[0], revision, 0) for revision in found]
    return tuple(replace(stack, marks=stack.marks.forgiven(key)) for stack in stacks)
