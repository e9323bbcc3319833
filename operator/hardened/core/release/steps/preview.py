"""Preview: the idle colour runs the new revision, beside the one that serves."""

from hardened.api.steps import Step
from hardened.core.model.input import Input
from hardened.core.model.state import ReleaseState
from hardened.core.model.transition import Advance, Passed
from hardened.core.release import sizes
from hardened.core.release.entering import enter as enter_step
from hardened.core.release.pods import are_there, asked_for_room
from hardened.core.release.waiting import waiting

STEP = Step.PREVIEW
goes_by_pods = asked_for_room
desired = sizes.at_preview_size


def applies(_: Input) -> bool:
    return True


def enter(state: ReleaseState, seen: Input) -> ReleaseState:
    return enter_step(state, STEP, seen)


def advance(state: ReleaseState, seen: Input) -> Advance:
    has_come = are_there(state, seen, seen.policy.preview_size(seen.replicas))
    return Passed(state) if has_come else waiting(state, seen)
