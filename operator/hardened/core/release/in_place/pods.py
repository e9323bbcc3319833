"""Which pods run in place, how many there must be, and whether nobody else's are left."""

from datetime import datetime, timedelta

from hardened.api.steps import Step
from hardened.core.model.input import InPlace, Input
from hardened.core.model.state import ReleaseState
from hardened.core.model.target import Target
from hardened.core.model.timing import has_passed

#: How often it is looked whether the last pod of the other revision has gone: nobody tells of a pod, and meanwhile nothing serves.
GONE_WAIT = timedelta(seconds=1)


def here(seen: Input) -> InPlace:
    """What is seen of a service whose revisions replace each other."""
    return seen.in_place or InPlace()


def running_target(state: ReleaseState | None, stable: Target | None) -> Target | None:
    """What is to run."""
    return state.target if state is not None and state.step in (Step.CUTOVER, Step.VERIFY_AFTER) else stable


def is_up(target: Target, least: int, seen: Input) -> bool:
    """Whether a target runs alone, and clients have followed to it."""
    if not here(seen).is_clear or not is_there(target, least, seen):
        return False
    traffic = seen.traffic
    return not here(seen).has_clients or (traffic.active_target == target and traffic.has_followed and traffic.ready >= least)


def is_there(target: Target, least: int, seen: Input) -> bool:
    """Whether so many pods of a target are available, and none of another revision is left in its colour."""
    stack = seen.stack(target)
    return stack.revision == target.revision and stack.is_settled and stack.available >= least


def least_of(state: ReleaseState | None, seen: Input) -> int:
    """How many pods must be available: no more than were wanted at first, however much is scaled meanwhile.

    By hand a single one, once nobody else serves: who asks for that has judged what served.
    """
    if state is not None and state.is_rollback and state.step is Step.CUTOVER:
        return 1
    return max(1, min(seen.replicas, state.replicas if state is not None and state.replicas is not None else seen.replicas))


def is_down(target: Target, seen: Input) -> bool:
    """Whether a target has no pod that takes requests, and none that is on its way."""
    stack = seen.stack(target)
    return stack.is_settled and stack.available == 0


def gone_at(otherwise: datetime | None, seen: Input) -> datetime | None:
    """When to look again: soon, while pods of another target are to go."""
    return otherwise if here(seen).is_clear else seen.now + GONE_WAIT


def goes_by_pods(state: ReleaseState | None, seen: Input) -> bool:
    """Whether nothing can be said before the pods were listed."""
    if (state.strategy if state else seen.strategy) == "RollingUpdate":
        is_late = state is not None and state.step is Step.CUTOVER and has_passed(state.deadline, seen.now)  # then for the cause alone
        return is_late or (state is not None and state.step is Step.VERIFY_AFTER)
    target = running_target(state, seen.stable)
    if target is None or (state is not None and state.step.row.has_pods):
        return state is not None
    stack = seen.stack(target)
    return stack.revision != target.revision or stack.wanted < seen.replicas
