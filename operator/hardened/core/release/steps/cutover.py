"""Cutover: the active Service is led to the new revision, and every endpoint has followed.

A state is written before what it asks for: the Service is led on after the state says Cutover, by whoever reads it.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from hardened.api.steps import Step
from hardened.core.model.input import Input
from hardened.core.model.reasons import Reason
from hardened.core.model.state import ReleaseState
from hardened.core.model.target import DesiredState
from hardened.core.model.timing import has_passed
from hardened.core.model.transition import Advance, Failed, Passed, Stay, Transition
from hardened.core.release import sizes
from hardened.core.release.entering import enter as enter_step
from hardened.core.release.moves import NO_REPLICAS, kept, late, none_ready, rejected_before
from hardened.core.release.pods import needed
from hardened.core.release.steps import verify_after

STEP = Step.CUTOVER
#: How long endpoints have to follow, at least; half of the deadline where that is less. They take a second. Clients are not led on any
#: later: that the API server did not let the operator do so before is not the version's fault.
_TO_FOLLOW = timedelta(seconds=15)


def applies(_: Input) -> bool:
    return True


def enter(state: ReleaseState, seen: Input) -> ReleaseState:
    return enter_step(state, STEP, seen)


def advance(state: ReleaseState, seen: Input) -> Advance:
    return _over(state, seen) or (_followed if seen.traffic.active_target == state.target else _to_be_led)(state, seen)


def goes_by_pods(state: ReleaseState, seen: Input) -> bool:
    """Not before traffic is led there: the flip waits for no list. Then for where it has followed, and for why pods are not there."""
    stack = seen.stacks.get(state.target.color)
    is_down = stack is not None and stack.is_settled and stack.available == 0
    counts = seen.traffic.has_endpoints or is_down or has_passed(state.deadline, seen.now)
    return seen.traffic.active_target == state.target and counts


def desired(state: ReleaseState, seen: Input) -> DesiredState:
    """A selector that is not what it should be is always led back to stable, never on."""
    traffic = seen.traffic
    may_lead = state.recalled_at is None and traffic.active_target in (seen.stable, state.target) and not traffic.is_strange
    return sizes.led_to(state, seen, state.target if may_lead else seen.stable)


def _over(state: ReleaseState, seen: Input) -> Advance | None:
    """What ends the cutover, whether or not traffic has been led on. None where it goes on."""
    if seen.stable == state.target:
        return Transition(kept(replace(state, cutover_at=seen.now), seen))  # marked, and the process ended before it wrote this
    if state.key in seen.rejected:
        return rejected_before(state)
    if seen.traffic.is_strange or seen.traffic.active_target not in (seen.stable, state.target):
        return Failed(state, Reason.SELECTOR_CHANGED, "somebody else changed the selector of the active Service in the cutover")
    if seen.wanted == seen.stable_revision and not state.is_by_hand:
        return Failed(state, None)
    if seen.replicas == 0:
        return Failed(state, None, NO_REPLICAS)
    return None


def _to_be_led(state: ReleaseState, seen: Input) -> Advance:
    """Traffic leads to stable yet."""
    stack = seen.stack(state.target)
    is_short = stack.revision != state.target.revision or stack.available < needed(state, seen)
    if has_passed(_led_by(state, seen), seen.now) or is_short:
        return Stay(replace(state, recalled_at=seen.now))
    return Stay(state, _led_by(state, seen))


def _led_by(state: ReleaseState, seen: Input) -> datetime | None:
    """When it is too late to lead clients on in this cutover; None for never."""
    return state.deadline - min(_TO_FOLLOW, seen.policy.progress_deadline / 2) if state.deadline else None


def _followed(state: ReleaseState, seen: Input) -> Advance:
    """Traffic leads to the new revision, and endpoints follow."""
    traffic, stack = seen.traffic, seen.stack(state.target)
    if traffic.has_followed and traffic.ready >= needed(state, seen):
        return _done(replace(state, cutover_at=seen.now), seen)
    if has_passed(state.deadline, seen.now):
        found = late(state, seen, f"the endpoints did not follow the cutover{seen.policy.for_so_long}")
        # Its pods are there, and no endpoint is one: nobody keeps the Service's endpoints. That is not the revision's fault.
        is_ignored = seen.has_way_back and stack.is_settled and stack.available >= needed(state, seen) and traffic.ready == 0
        return replace(found, reason=None) if is_ignored else lost(found, seen)
    # No endpoint alone says little: they may not have followed yet. The first one has until its deadline: there is nothing to go back to.
    if seen.has_way_back and traffic.ready == 0 and stack.is_settled and stack.available == 0:
        message = none_ready(seen, "no pod of the new revision was ready after the cutover")
        return lost(Failed(state, Reason.NO_PODS_AVAILABLE, message), seen)
    return Stay(state, state.deadline)


def _done(state: ReleaseState, seen: Input) -> Advance:
    if state.is_rollback:
        return Transition(kept(state, seen), promotes=state.target.revision, rejects=state.left)
    return Passed(state) if verify_after.applies(seen) else Transition(kept(state, seen), promotes=state.target.revision)


def lost(failed: Failed, seen: Input) -> Failed:
    """Back from a target without enough pods. Where they were taken away it is not rejected, and is released again behind it."""
    return replace(failed, reason=None) if seen.is_taken_away else failed
