"""Queued: as many releases are at work as may be. It waits for one of them to end."""

from hardened.api.steps import Step
from hardened.core.model.input import Input
from hardened.core.model.state import ReleaseState
from hardened.core.model.transition import Advance, Passed
from hardened.core.release import sizes
from hardened.core.release.entering import enter as enter_step
from hardened.core.release.pods import asked_for_room
from hardened.core.release.waiting import waiting

STEP = Step.QUEUED
goes_by_pods = asked_for_room
desired = sizes.stable_alone


def applies(seen: Input) -> bool:
    """The first release does not wait for a slot: nothing serves before it."""
    return not (seen.has_slot or seen.stable is None)


def enter(state: ReleaseState, seen: Input) -> ReleaseState:
    return enter_step(state, STEP, seen)


def advance(state: ReleaseState, seen: Input) -> Advance:
    return Passed(state) if seen.has_slot else waiting(state, seen)
