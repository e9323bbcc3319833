"""What the two colours and the Services should be like in a step. The stack that serves always follows spec.replicas."""

from hardened.core.model.input import Input
from hardened.core.model.state import ReleaseState
from hardened.core.model.target import NO_STACK, DesiredState, Stack, Target, other
from hardened.core.release.moves import kept


def stable_alone(_: ReleaseState | None, seen: Input) -> DesiredState:
    """No pod of a new revision is wanted."""
    return DesiredState(stable_stack(seen), seen.stable)


def stable_stack(seen: Input) -> dict[str, Stack]:
    """The stack that serves, by its colour; none before the first promotion."""
    return {seen.stable.color: Stack(seen.stable.revision, seen.replicas)} if seen.stable else {}


def at_preview_size(state: ReleaseState, seen: Input) -> DesiredState:
    """The new revision comes up beside the one that serves, as large as its checks need it."""
    return _previewed(state, seen, seen.policy.preview_size(seen.replicas))


def at_full_size(state: ReleaseState, seen: Input) -> DesiredState:
    """The new revision comes up beside the one that serves, as large as that."""
    return _previewed(state, seen, seen.replicas)


def led_to(state: ReleaseState, seen: Input, active_target: Target | None) -> DesiredState:
    """Both colours at full size, and clients are led to one of them.

    A revision may be promoted before a status says so, or by a leader that was paused and woke up: what served before it is kept.
    """
    if seen.stable == state.target and kept(state, seen):
        return with_previous(state, seen)
    return DesiredState(_beside(state, seen, Stack(state.target.revision, seen.replicas)), active_target)


def with_previous(state: ReleaseState, seen: Input) -> DesiredState:
    """Once the revision is promoted: the colour that served before it stays at full size beside it."""
    stacks, previous = stable_stack(seen), other(state.target.color)
    if previous in seen.stacks and seen.stable == state.target:
        stacks[previous] = Stack(seen.stacks[previous].revision, seen.replicas)
    return DesiredState(stacks, seen.stable)


def _previewed(state: ReleaseState, seen: Input, size: int) -> DesiredState:
    """Pods of another revision go first, all at once: nobody is led to them, and replaced one by one they would take their time."""
    live, wanted = seen.stack(state.target), Stack(state.target.revision, size)
    stack = Stack(live.revision) if live.pods and live.revision != wanted.revision else wanted
    return DesiredState(_beside(state, seen, stack), seen.stable, state.target)


def _beside(state: ReleaseState, seen: Input, stack: Stack) -> dict[str, Stack]:
    """A paused release leaves its colour as it is, and not as the step asks for."""
    mine = seen.stacks.get(state.target.color, NO_STACK) if state.paused_at else stack
    return stable_stack(seen) | ({state.target.color: mine} if mine.revision else {})
