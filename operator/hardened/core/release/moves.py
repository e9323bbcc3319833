"""Transitions that more than one step makes: a release ends, is kept, or is led back."""

import re
from dataclasses import replace

from hardened.api.steps import Step
from hardened.core.model.input import Input
from hardened.core.model.reasons import Reason
from hardened.core.model.release_policy import LEAST_KEEP, LEAST_KEEP_REJECTED
from hardened.core.model.state import Migration, Rejection, ReleaseState
from hardened.core.model.target import other
from hardened.core.model.transition import Failed, Transition

#: The command that shows more of a pod, at the end of a cause. A rejected version's pods are gone within seconds.
_SEE = re.compile(r"; see (the Events of )?kubectl [^;]*$")
#: Why a rollback ends where nothing is to serve.
NO_REPLICAS = "the spec asks for 0 replicas"


def kept(state: ReleaseState, seen: Input) -> ReleaseState | None:
    """The state in Keep, or None where there is no previous stack to keep."""
    previous = seen.stacks.get(other(state.target.color))
    if previous is None or previous.wanted == 0:
        return None
    is_left = state.left is not None and state.left.revision == previous.revision
    keep = LEAST_KEEP_REJECTED if is_left else max(seen.policy.keep_previous, LEAST_KEEP)
    return replace(state, step=Step.KEEP, deadline=None, keep_until=seen.now + keep)


def returned(state: ReleaseState, seen: Input) -> ReleaseState | None:
    """The state in Keep of what served before a rollback that has failed, and serves on: nothing is taken down.

    The pods that were to be gone back to stay as they are. None where there are none. Where the spec still asks for them, the state has
    their key: that they are gone back to without checks is not tried again.
    """
    goal = seen.stack(state.target)
    if seen.stable is None or goal.revision != state.target.revision or goal.wanted == 0:
        return None
    has_failed = not state.is_by_hand and seen.wanted == state.target.revision
    key, keep = state.key if has_failed else "", max(seen.policy.keep_previous, LEAST_KEEP)
    return ReleaseState(seen.stable, key, Step.KEEP, seen.now, cutover_at=seen.now, keep_until=seen.now + keep)


def to_undo(state: ReleaseState, seen: Input) -> ReleaseState | None:
    """What is left of a release that is over: its migration runs, or is to be undone. None where nothing is left."""
    match state.migration:
        case Migration.MADE:
            return replace(state, step=Step.UNDO, paused_at=None)  # with the time that a pause left it
        case Migration.DONE if seen.migration.undo_within is not None:
            return replace(state, step=Step.UNDO, deadline=None, paused_at=None, remaining=None)
        case _:
            return None


def abandoned(state: ReleaseState, seen: Input, reason: Reason, message: str) -> Transition:
    """Rejected while stable serves: nothing has to be switched back. A revision that was to be gone back to is not: it served once."""
    if state.is_rollback:
        return Transition(None, failed=message)
    return Transition(to_undo(state, seen), rejects=Rejection(state.target.revision, state.key, reason, message))


def failed(found: Failed, seen: Input) -> Transition:
    """Before the cutover stable serves, and nothing has to be switched back; after it traffic is led back first."""
    if found.state.is_before_cutover and found.reason:
        return abandoned(found.state, seen, found.reason, found.message)
    return back(found.state, found.reason, found.message)


def back(state: ReleaseState, reason: Reason | None = None, message: str = "") -> Transition:
    """To SwitchBack. reason: why the revision is rejected; None where only the spec has gone back to stable."""
    if state.is_rollback:
        return Transition(replace(state, step=Step.SWITCH_BACK, deadline=None, left=None), failed=message, leaves=True)
    rejects = Rejection(state.target.revision, state.key, reason, message, after_cutover=True) if reason else None
    leaving = replace(state, step=Step.SWITCH_BACK, deadline=None, is_rejected=reason is not None)
    return Transition(leaving, rejects=rejects, leaves=reason is None)


def leave(state: ReleaseState, left: Rejection) -> Transition:
    """To SwitchBack by hand: traffic goes first, and the revision is marked as rejected once it has gone."""
    return Transition(replace(state, step=Step.SWITCH_BACK, deadline=None, is_rejected=True, left=left, is_rollback=False))


def rejected_before(state: ReleaseState) -> Transition:
    """To SwitchBack with a revision that is marked as rejected: the process ended before it wrote this."""
    return Transition(replace(state, step=Step.SWITCH_BACK, deadline=None, is_rejected=True))


def late(state: ReleaseState, seen: Input, text: str, otherwise: str = "") -> Failed:
    """The deadline has passed: rejected for what keeps its pods, where that is known. otherwise: what else is known."""
    cause, said = seen.needs.cause, otherwise
    if cause:
        said = lasting(cause.message)
    return Failed(state, cause.reason if cause else Reason.PROGRESS_DEADLINE_EXCEEDED, f"{text}: {said}" if said else text)


def none_ready(seen: Input, text: str) -> str:
    """That no pod is ready, with the cause, where it is known."""
    return f"{text}: {lasting(seen.needs.cause.message)}" if seen.needs.cause else text


def lasting(message: str) -> str:
    """What of a cause is worth keeping: all but the command that shows more for as long as the pods are there.

    Example: "pod a: ended with exit code 3 (Error); see kubectl logs a" -> "pod a: ended with exit code 3 (Error)".
    """
    return _SEE.sub("", message)


def failed_check(state: ReleaseState, seen: Input, said: str, reason: Reason = Reason.CHECK_FAILED) -> Failed:
    """Rejected by a check; with what its pods show, where that may be why. said: by the check."""
    cause, said = seen.needs.cause and lasting(seen.needs.cause.message), lasting(said)
    return Failed(state, reason, f"{said}; {cause}" if cause and cause not in said else said)


def unwatched(state: ReleaseState, seen: Input) -> ReleaseState:
    """The state of a release that waits for the pods of its checks, and for nothing else: no deadline runs while they cannot be made."""
    return replace(state, deadline=None) if seen.needs.is_blind else state
