"""The revisions that a move annotates: as promoted, as rejected, as cleared, as given up, or with what its migration is undone by."""

from dataclasses import replace

from hardened.api.steps import Step
from hardened.core.desired.children import DesiredStack
from hardened.core.model.manifest import ChildKey, key_of
from hardened.core.model.revision import object_name
from hardened.core.model.state import Rejection, ReleaseState
from hardened.core.model.target import COLORS, Target, other
from hardened.core.model.transition import Transition
from hardened.core.observe.facts import Facts
from hardened.core.release.migration_pods import mark_of
from hardened.core.release.moves import leave
from hardened.core.release.stacks import stack_of


def marked_by(facts: Facts, state: ReleaseState, following: Transition) -> tuple[DesiredStack, ...]:
    """The revisions that a move marks, the rejected one first: what was promoted last is stable."""
    rejects = _rejection(facts, state.target, following.rejects) if following.rejects else ()
    migrates = _migration(facts, state) if following.migrates else ()
    leaves = _leaving(facts, state) if following.leaves else ()
    return (*rejects, *migrates, *leaves, *(_promotion(facts, state) if following.promotes else ()))


def are_refused(facts: Facts, marked: tuple[DesiredStack, ...]) -> bool:
    """Whether one of these annotations cannot be written now: it was refused in this pass, or what has the revision's name is not ours."""
    keys = {ChildKey("ControllerRevision", object_name(facts.svc, stack.revision.name)) for stack in marked}
    mine = {key_of(live) for live in facts.ours if live["metadata"]["name"] not in facts.kept.unusable}
    return bool(keys & facts.observed.refused.keys() or (keys & facts.observed.children.keys()) - mine)


def unmarked(state: ReleaseState, following: Transition) -> Transition:
    """The move without its mark. Nobody waits for a mark to be led back; a rejection is marked as soon as it can be."""
    after, rejects = following.state, following.rejects
    if following.promotes or following.migrates:
        return Transition(state, look_at=following.look_at)
    if rejects is None or state.step is Step.SWITCH_BACK:
        return Transition(after, look_at=following.look_at, failed=following.failed)
    if not rejects.after_cutover or state.is_rollback:
        return Transition(state, look_at=following.look_at)
    return leave(state, rejects)


def is_stored(facts: Facts, target: Target) -> bool:
    """Whether the revision of a place can be marked: it is stored, or can be stored anew."""
    revision = facts.revision(target.revision, target.color)
    is_taken = object_name(facts.svc, target.revision) in facts.kept.unusable
    return revision is not None and bool(revision.fields) and not is_taken


def _migration(facts: Facts, state: ReleaseState) -> tuple[DesiredStack, ...]:
    revision = facts.revision(state.target.revision, state.target.color)
    if revision is None or not revision.fields:
        return ()
    stack = stack_of(facts, state.target.color, revision, 0)
    return (replace(stack, annotations=replace(stack.annotations, migrated=mark_of(facts, state))),)


def _leaving(facts: Facts, state: ReleaseState) -> tuple[DesiredStack, ...]:
    revision = facts.revision(state.target.revision, state.target.color)
    if revision is None or not revision.fields or facts.annotations(revision.name).left_by == state.fencing_token:
        return ()
    stack = stack_of(facts, state.target.color, revision, 0)
    return (replace(stack, annotations=replace(stack.annotations, left_by=state.fencing_token)),)


def _promotion(facts: Facts, state: ReleaseState) -> tuple[DesiredStack, ...]:
    target = state.target
    revision = facts.revision(target.revision, target.color)
    if revision is None or not revision.fields:
        return ()
    stack = stack_of(facts, target.color, revision, 0)
    number = 1 + (facts.stable.promotion if facts.stable else 0)
    return (replace(stack, annotations=stack.annotations.promoted(number, state.key)),)


def _rejection(facts: Facts, target: Target, rejection: Rejection) -> tuple[DesiredStack, ...]:
    color = target.color if rejection.revision == target.revision else other(target.color)
    revision = facts.revision(rejection.revision, color)
    if revision is None or not revision.fields:
        return ()
    stack = stack_of(facts, color, revision, 0)
    return (replace(stack, annotations=stack.annotations.rejected(rejection)),)


def cleared_by(facts: Facts, key: str) -> tuple[DesiredStack, ...]:
    """What is marked as rejected under a key that somebody wants to be tried again."""
    names = [r.revision for r in facts.rejections() if r.key == key and facts.kept.named(r.revision)]
    found = [revision for name in names if (revision := facts.revision(name, COLORS[0]))]
    stacks = [stack_of(facts, COLORS[0], revision, 0) for revision in found]
    return tuple(replace(stack, annotations=stack.annotations.cleared(key)) for stack in stacks)
