"""Whether a release begins, and what is known of it then."""

from hardened.api.steps import Step
from hardened.core.model.input import Input
from hardened.core.model.state import ReleaseState
from hardened.core.model.target import COLORS, Target, other
from hardened.core.model.transition import Begin, Transition


def begin(_: ReleaseState | None, seen: Input) -> Begin | Transition:
    """Where no release is in progress."""
    return Begin(fresh(seen)) if wants_release(seen) else Transition(None)


def wants_release(seen: Input) -> bool:
    """Whether the spec asks for another revision than the one that is stable, and it may be released."""
    is_new = seen.wanted != seen.stable_revision and seen.key not in seen.rejected and seen.replicas > 0
    return is_new and not seen.migration.is_busy and not seen.is_held


def fresh(seen: Input) -> ReleaseState:
    """A release of what the spec asks for, before its first step."""
    return ReleaseState(idle_target(seen, seen.wanted), seen.key, Step.PREFLIGHT, seen.now)


def idle_target(seen: Input, revision: str) -> Target:
    """The revision in the colour that does not serve."""
    return Target(other(seen.stable.color) if seen.stable else COLORS[0], revision)
