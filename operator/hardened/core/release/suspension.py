"""A release whose service is suspended: its time stands still, and goes on with what it had left."""

from dataclasses import replace
from datetime import datetime

from hardened.api.parse import HardenedService
from hardened.api.steps import Step
from hardened.core.model.release_policy import ReleasePolicy
from hardened.core.model.state import ReleaseState
from hardened.core.model.timing import held, resumed


def is_suspended(svc: HardenedService, state: ReleaseState | None) -> bool:
    """Whether nothing is changed any more. What has come to its cutover by then comes to its end first."""
    return svc.spec.suspend and (state is None or not state.step.row.is_unproven)


def stands_still(svc: HardenedService, state: ReleaseState) -> bool:
    """Whether the time of a release does not count."""
    is_held = svc.is_stand_in and state.is_before_cutover and not state.is_rollback
    return is_held or is_suspended(svc, state)


def asleep(state: ReleaseState, now: datetime) -> ReleaseState:
    """The state of a release whose service is suspended: since when, nothing tells."""
    is_untimed = state.deadline is None and state.remaining is None and not state.paused_at
    if state.step is Step.APPROVAL and is_untimed:
        return replace(state, entered_at=None)  # an autoPromoteAfter that comes later is not to count the time that stood still
    return held(state, now)


def woken(state: ReleaseState, policy: ReleasePolicy, now: datetime) -> ReleaseState:
    """The state of a release whose service is not suspended any more, with the time that it had left."""
    found = resumed(state, now)
    if state.step is Step.APPROVAL and policy.auto_promote_after is not None and found.deadline:
        return replace(found, entered_at=min(now, found.deadline - policy.auto_promote_after))
    return found
