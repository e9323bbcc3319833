"""How a release in place begins, fails, and is led back."""

from dataclasses import replace

from hardened.api.steps import Step
from hardened.core.model.input import Input
from hardened.core.model.reasons import Reason
from hardened.core.model.state import Rejection, ReleaseState
from hardened.core.model.target import Target, other
from hardened.core.model.transition import Begin, Failed, Stay, Transition
from hardened.core.release.in_place.pods import here
from hardened.core.release.moves import abandoned, to_undo

#: The steps in which nothing has begun yet.
WAITING = frozenset({Step.PREFLIGHT, Step.QUEUED, Step.BACKUP})


def begin(state: ReleaseState | None, seen: Input) -> Begin | Stay | Transition:
    """A new release. state: the one that waits for its slot, or makes way."""
    stable = seen.stable
    if state is not None and state.paused_at and state.step in WAITING and state.key not in seen.rejected:
        return Transition(None if stable and seen.wanted == stable.revision else state)
    if seen.is_held:
        return Transition(state)
    if not _may_begin(state, seen):
        return Transition(None)
    if state is not None and state.key == seen.key:
        return Begin(state)
    if stable and seen.strategy == "RollingUpdate" and seen.traffic.is_strange:
        return Transition(None)  # a selector of one revision goes first: the pods that come would get no traffic
    return Begin(ReleaseState(free_target(seen, seen.wanted), seen.key, Step.QUEUED, seen.now, strategy=seen.strategy))


def _may_begin(state: ReleaseState | None, seen: Input) -> bool:
    is_wanted = seen.wanted != seen.stable_revision and seen.key not in seen.rejected and seen.replicas > 0
    is_same = seen.strategy != "BlueGreen" and (state is None or state.strategy == seen.strategy)
    return is_wanted and is_same and not seen.migration.is_busy


def free_target(seen: Input, revision: str) -> Target:
    """The revision in the colour where it takes over."""
    is_other = seen.strategy == "Recreate" and seen.stable is not None
    return Target(other(seen.stable.color) if is_other and seen.stable else here(seen).color, revision)


def failed(found: Failed, seen: Input) -> Transition:
    """Rejected, and back to stable. A revision that was to be gone back to is not rejected: it served once."""
    state, reason = found.state, found.reason or Reason.PROGRESS_DEADLINE_EXCEEDED
    if state.is_before_cutover:
        return abandoned(state, seen, reason, found.message)
    if state.is_rollback:
        return Transition(leaving(state, seen), failed=found.message, leaves=True)
    rejection = Rejection(state.target.revision, state.key, reason, found.message, after_cutover=_has_served(state, seen))
    return Transition(state, rejects=rejection)


def _has_served(state: ReleaseState, seen: Input) -> bool:
    """From Cutover on. Before the first release nobody is led to it until it has come up."""
    return seen.stable is not None or state.step is not Step.CUTOVER or state.cutover_at is not None


def leaving(state: ReleaseState, seen: Input, *, is_rejected: bool = False) -> ReleaseState | None:
    """The state in SwitchBack; what is left of it where there is nothing to go back to."""
    back = replace(state, step=Step.SWITCH_BACK, deadline=None, available=0, left=None, is_rejected=is_rejected)
    return back if seen.stable else over(state, seen)


def over(state: ReleaseState, seen: Input) -> ReleaseState | None:
    """What is left of a release that is over from Cutover on: its migration, where it is to be undone then, too."""
    return to_undo(state, seen) if seen.migration.undoes_late or not _has_served(state, seen) else None
