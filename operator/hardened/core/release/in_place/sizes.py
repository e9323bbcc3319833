"""What the two colours and the Service should be like in place, in every step."""

from hardened.core.model.input import Input
from hardened.core.model.state import ReleaseState
from hardened.core.model.target import DesiredState, Stack
from hardened.core.release.in_place.pods import here, is_there, least_of, running_target


def desired(state: ReleaseState | None, seen: Input) -> DesiredState:
    target = running_target(state, seen.stable)
    if target is None:
        return DesiredState()
    has_come = state is not None and target == state.target and state.cutover_at is not None
    if (state.strategy if state else seen.strategy) == "RollingUpdate":
        # Until the rollout is complete clients have the ports of stable, and before the first release no pod.
        return DesiredState({target.color: Stack(target.revision, seen.replicas)}, target if has_come else seen.stable)
    stack = seen.stack(target)
    running = stack.wanted if stack.revision == target.revision else 0
    size = seen.replicas if here(seen).is_clear else min(seen.replicas, running)
    stacks = {target.color: Stack(target.revision, size)} if here(seen).is_free else {}
    has_come = has_come or seen.traffic.active_target == target or is_there(target, least_of(state, seen), seen)
    return DesiredState(stacks, target if has_come else seen.stable)
