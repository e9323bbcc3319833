"""Preflight: what the revision depends on, or what its pods need, is not there. It is waited for."""

from hardened.api.steps import Step
from hardened.core.model.input import Input
from hardened.core.model.state import ReleaseState
from hardened.core.model.transition import Advance, Passed
from hardened.core.release import sizes
from hardened.core.release.entering import enter as enter_step
from hardened.core.release.pods import asked_for_room
from hardened.core.release.waiting import waiting

STEP = Step.PREFLIGHT
goes_by_pods = asked_for_room
desired = sizes.stable_alone


def applies(seen: Input) -> bool:
    return bool(seen.needs.waits_for) or seen.needs.is_held


def enter(state: ReleaseState, seen: Input) -> ReleaseState:
    return enter_step(state, STEP, seen)


def advance(state: ReleaseState, seen: Input) -> Advance:
    return waiting(state, seen) if applies(seen) else Passed(state)
