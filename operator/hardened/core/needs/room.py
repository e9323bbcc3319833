"""Pods of a release that do not come: for want of room, or for a cause of their own.

No node takes them, or a quota does not let them be made: that is not the revision's fault. In Preview and ScaleUp it is waited for like a
dependency, and the deadline does not run. Any other cause is what the revision is rejected for, once its deadline has passed.
"""

from datetime import datetime

from hardened.core.model.finding import Diagnosis
from hardened.core.model.manifest import Manifest
from hardened.core.model.reasons import Reason
from hardened.core.model.state import ReleaseState
from hardened.core.model.timing import has_passed
from hardened.core.observe import diagnosis
from hardened.core.observe.facts import Facts


def needs_pods(facts: Facts, state: ReleaseState, now: datetime, *, has_failed: bool = False) -> bool:
    """Whether something follows from it now if pods wait for room. What an earlier list said of pods is not believed.

    has_failed: a check has, and the release ends with that.
    """
    live = _incomplete(facts, state)
    if live is None:
        return False
    if not state.step.row.is_growing:
        return has_failed or has_passed(state.deadline, now)  # for the cause alone
    return state.deadline is None or now >= state.deadline or diagnosis.of_deployment(live) is not None


def lack_of_room(facts: Facts, state: ReleaseState | None) -> Diagnosis | None:
    """Why the cluster has no room for the state's pods. None where it has, where a pod shows another fault, and where nobody looked."""
    live = _incomplete(facts, state) if state else None
    if state is None or not state.step.row.is_growing or live is None or facts.pods is None:
        return None
    return diagnosis.of_room(live, facts.pods_at(state.target))


def cause_of(facts: Facts, state: ReleaseState | None) -> Diagnosis | None:
    """Why the state's pods are not available: as they show it, or else as status has told it of this release before."""
    if state is None or not _is_waited_for(state):
        return None
    live = _incomplete(facts, state)
    if live is None:
        # It is not there, or does not run this revision: what has kept the operator from writing it was told.
        return None if _is_complete(facts, state) else _told(facts, state, _OF_WRITES)
    if facts.pods is None:
        return None
    pods = facts.pods_at(state.target)
    found = diagnosis.of_pods(pods)
    if found and found.reason is not Reason.NOT_READY:
        return found
    return diagnosis.of_deployment(live) or diagnosis.of_ends(pods) or found or _told(facts, state, _TOLD)


#: Why a write failed.
_OF_WRITES = frozenset({Reason.APPLY_REFUSED, Reason.FORBIDDEN, Reason.QUOTA_EXCEEDED, Reason.NOT_OWNED, Reason.NAME_TAKEN})
#: What status may have told of pods, and is believed later. Room was waited for.
_TOLD = (diagnosis.OF_PODS | _OF_WRITES) - {Reason.UNSCHEDULABLE, Reason.QUOTA_EXCEEDED}


def _told(facts: Facts, state: ReleaseState, reasons: frozenset[Reason]) -> Diagnosis | None:
    known = facts.state
    ready: Manifest = next((c for c in facts.before.get("conditions") or () if c.get("type") == "Ready"), {})
    if known is None or known.started_at != state.started_at or ready.get("reason") not in reasons:
        return None
    return Diagnosis(Reason(ready["reason"]), str(ready.get("message", "")))


def _is_waited_for(state: ReleaseState) -> bool:
    """Whether its step needs its pods."""
    return (state.step.row.is_timed or state.step.row.checks == "after") and state.paused_at is None


def _is_complete(facts: Facts, state: ReleaseState) -> bool:
    rollout = facts.rollout(state.target.color)
    return rollout is not None and rollout.revision == state.target.revision and rollout.is_complete


def _incomplete(facts: Facts, state: ReleaseState) -> Manifest | None:
    """The Deployment of a step that needs its pods, where some of them are not there."""
    rollout = facts.rollout(state.target.color)
    if not _is_waited_for(state) or rollout is None:
        return None
    is_its_own = rollout.is_current and rollout.revision == state.target.revision
    return facts.deployments[state.target.color] if is_its_own and not rollout.is_complete else None
