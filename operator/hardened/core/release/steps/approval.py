"""Approval: a person promotes the revision, or the time that the spec gives it to be refused is over."""

from dataclasses import replace

from hardened.api.steps import Step
from hardened.core.model.input import Input
from hardened.core.model.state import ReleaseState
from hardened.core.model.timing import has_passed
from hardened.core.model.transition import Advance, Passed
from hardened.core.release import sizes
from hardened.core.release.entering import enter as enter_step
from hardened.core.release.pods import asked_for_room
from hardened.core.release.waiting import waiting

STEP = Step.APPROVAL
goes_by_pods = asked_for_room
desired = sizes.at_preview_size


def applies(seen: Input) -> bool:
    return seen.policy.is_manual


def enter(state: ReleaseState, seen: Input) -> ReleaseState:
    return _promoted_by_itself(replace(enter_step(state, STEP, seen), entered_at=seen.now), seen)


def advance(state: ReleaseState, seen: Input) -> Advance:
    state = _promoted_by_itself(state, seen)
    has_slot = seen.has_slot or seen.stable is None
    if has_slot and (state.is_approved or not seen.policy.is_manual or has_passed(state.deadline, seen.now)):
        return Passed(state)
    return waiting(state, seen)


def _promoted_by_itself(state: ReleaseState, seen: Input) -> ReleaseState:
    """The state with the deadline that the spec sets by now.

    Where it is not known when the step was entered (under an older CRD), a deadline stays as it is, and one that is new counts from now.
    """
    after = seen.policy.auto_promote_after
    if after is None:
        return replace(state, deadline=None)
    if state.entered_at is None:
        return state if state.deadline else replace(state, entered_at=seen.now, deadline=seen.now + after)
    return replace(state, deadline=state.entered_at + after)
