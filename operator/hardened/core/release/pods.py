"""How many pods of a release there must be, how many have come, and how long it may wait for the next."""

from dataclasses import replace
from datetime import datetime, timedelta

from hardened.core.model.input import Input
from hardened.core.model.state import ReleaseState
from hardened.core.model.target import Target

#: How long a rollback waits for as many pods as serve. Then half of what is wanted takes over.
PATIENCE_BACK = timedelta(seconds=15)


def asked_for_room(_: ReleaseState, seen: Input) -> bool:
    """Whether the pods are to be listed since they wait, and something follows from what for."""
    return seen.needs.asks_for_pods


def are_there(state: ReleaseState, seen: Input, least: int) -> bool:
    """Whether so many pods of the state's target are available, and none of another revision is left in its colour."""
    stack = seen.stack(state.target)
    return stack.revision == state.target.revision and stack.is_settled and stack.available >= least


def needed(state: ReleaseState, seen: Input) -> int:
    """How many pods must be available to take over, and ready once traffic is led to them: at least 1.

    As many as serve at that moment, and as were wanted at first; never more than are wanted now. To go back as many as serve, whatever was
    wanted, and soon half of what is wanted: who goes back has judged what serves. Once traffic leads to the state's own target, nobody else
    serves.
    """
    serving = _serving(state, seen)
    if not state.is_rollback:
        least = max(serving, seen.replicas if state.replicas is None else state.replicas)
    elif seen.now < half_at(state, seen):
        least = serving
    else:
        least = min(serving, (seen.replicas + 1) // 2)
    return max(1, min(seen.replicas, least))


def half_at(state: ReleaseState, seen: Input) -> datetime:
    """From when on half of the pods are enough to go back to; by the deadline at the latest."""
    return state.started_at + min(PATIENCE_BACK, seen.policy.progress_deadline)


def _serving(state: ReleaseState, seen: Input) -> int:
    """How many pods serve, of another target than the state's."""
    led = seen.traffic.active_target
    stack = seen.stacks.get(led.color) if led and led != state.target else None
    return stack.ready if stack and led and stack.revision == led.revision else 0


def come(state: ReleaseState, seen: Input) -> int:
    """How many pods of the state's target are available, as far as is known."""
    stack = seen.stack(state.target)
    return max(stack.available, stack.come) if stack.revision == state.target.revision else 0


def renewed(state: ReleaseState, seen: Input) -> ReleaseState | None:
    """The state with its deadline renewed, since more pods are available than ever in this step. None where they are not.

    One that comes and goes does not renew it again and again. Pods that come soon one after the other are worth one write.
    """
    found = come(state, seen)
    if not seen.counts or state.deadline is None or found <= state.available or seen.now < _renewable_at(state.deadline, seen):
        return None
    return replace(state, deadline=seen.now + seen.policy.progress_deadline, available=found)


def runs_again(state: ReleaseState, seen: Input) -> ReleaseState:
    """The state whose deadline runs from now on."""
    available = max(state.available, come(state, seen)) if seen.counts else state.available
    return replace(state, deadline=seen.now + seen.policy.progress_deadline, available=available)


def look_at(state: ReleaseState, seen: Input) -> datetime | None:
    """When something follows for a release that waits for pods, if nothing happens before."""
    moments = [state.deadline] if state.deadline else []
    if state.deadline and seen.counts and come(state, seen) > state.available:
        moments.append(_renewable_at(state.deadline, seen))
    if state.is_rollback:
        moments.append(half_at(state, seen))
    return min((moment for moment in moments if moment > seen.now), default=state.deadline)


def _renewable_at(deadline: datetime, seen: Input) -> datetime:
    """A tenth of the time after the deadline was set."""
    return deadline - seen.policy.progress_deadline * 9 / 10


def runs_beside_stable(target: Target, seen: Input) -> bool:
    """Whether pods of this target are wanted, beside those of stable."""
    stack = seen.stack(target)
    is_beside = seen.stable is None or seen.stable.color != target.color
    return is_beside and stack.revision == target.revision and stack.wanted > 0
