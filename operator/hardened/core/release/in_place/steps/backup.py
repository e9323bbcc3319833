"""Backup in place: nothing has begun yet, and what supersedes the release does so at once."""

from dataclasses import replace

from hardened.core.model.input import Input
from hardened.core.model.state import ReleaseState
from hardened.core.model.transition import Advance
from hardened.core.release.in_place import pods, sizes
from hardened.core.release.in_place.moves import begin
from hardened.core.release.steps import backup

STEP = backup.STEP
applies = backup.applies
desired = sizes.desired
goes_by_pods = pods.goes_by_pods


def enter(state: ReleaseState, seen: Input) -> ReleaseState:
    return replace(backup.enter(state, seen), available=state.available)


def advance(state: ReleaseState, seen: Input) -> Advance:
    is_same = (state.key, state.strategy) == (seen.key, seen.strategy) and seen.key not in seen.rejected
    goes_on = is_same and seen.replicas > 0 and not (seen.is_held or state.paused_at)
    return backup.advance(state, seen) if goes_on else begin(state, seen)
