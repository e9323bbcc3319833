"""Migrate in place: stable serves meanwhile."""

from dataclasses import replace

from hardened.core.model.input import Input
from hardened.core.model.state import ReleaseState
from hardened.core.model.transition import Advance, Transition
from hardened.core.release.in_place import pods, sizes
from hardened.core.release.in_place.moves import begin
from hardened.core.release.moves import to_undo
from hardened.core.release.steps import migrate

STEP = migrate.STEP
applies = migrate.applies
desired = sizes.desired
goes_by_pods = pods.goes_by_pods


def enter(state: ReleaseState, seen: Input) -> ReleaseState:
    within = seen.policy.migrates_within
    return replace(state, step=STEP, deadline=seen.now + within if within is not None else None)


def advance(state: ReleaseState, seen: Input) -> Advance:
    if seen.is_held:
        return Transition(state)
    if seen.key == state.key and seen.key not in seen.rejected and seen.replicas > 0:
        return migrate.advance(state, seen)
    left = to_undo(state, seen)
    return Transition(left) if left else begin(state, seen)
