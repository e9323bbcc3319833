"""Pods of a release that do not come: for want of room, or for a cause of their own.

No node takes them, or a quota does not let them be made: that is not the revision's fault. In Preview and ScaleUp it is waited for like a
dependency, and the deadline does not run. Any other cause is what the revision is rejected for, once its deadline has passed.
"""

from datetime import datetime

from hardened.core.model.finding import Diagnosis
from hardened.core.model.manifest import Manifest
from hardened.core.model.reasons import Reason
from hardened.core.model.release import TIMED, ReleaseState, Step
from hardened.core.model.timing import has_passed
from hardened.core.observe import diagnosis
from hardened.core.observe.facts import Facts

#: The steps that wait for room.
_ROOMY = frozenset({Step.PREVIEW, Step.SCALE_UP})


def needs_pods(facts: Facts, record: ReleaseState, now: datetime) -> bool:
    """Whether something follows from it now if pods wait for room. What an earlier list said of pods is not believed."""
    live = _incomplete(facts, record)
    if live is None:
        return False
    if record.step not in _ROOMY:
        return has_passed(record.deadline, now)  # for the cause alone
    return record.deadline is None or now >= record.deadline or diagnosis.of_deployment(live) is not None


def lack_of_room(facts: Facts, record: ReleaseState | None) -> Diagnosis | None:
    """Why the cluster has no room for the record's pods. None where it has, where a pod shows another fault, and where nobody looked."""
    live = _incomplete(facts, record) if record else None
    if record is None or record.step not in _ROOMY or live is None or facts.pods is None:
        return None
    return diagnosis.of_room(live, facts.pods_at(record.place))


def cause_of(facts: Facts, record: ReleaseState | None) -> Diagnosis | None:
    """Why the record's pods are not available: as they show it, or else as status has told it of this release before."""
    live = _incomplete(facts, record) if record else None
    if record is None or live is None or facts.pods is None:
        return None
    found = diagnosis.of_pods(facts.pods_at(record.place))
    if found and found.reason is not Reason.NOT_READY:
        return found
    return diagnosis.of_deployment(live) or found or _told(facts, record)


def _told(facts: Facts, record: ReleaseState) -> Diagnosis | None:
    known = facts.record
    ready: Manifest = next((c for c in facts.before.get("conditions") or () if c.get("type") == "Ready"), {})
    reasons = diagnosis.OF_PODS - {Reason.UNSCHEDULABLE}  # that was waited for
    if known is None or known.started_at != record.started_at or ready.get("reason") not in reasons:
        return None
    return Diagnosis(Reason(ready["reason"]), str(ready.get("message", "")))


def _incomplete(facts: Facts, record: ReleaseState) -> Manifest | None:
    """The Deployment of a step that needs its pods, where some of them are not there."""
    rollout = facts.rollout(record.place.color)
    if record.step not in TIMED | {Step.VERIFY_AFTER} or record.paused_at or rollout is None:
        return None
    is_its_own = rollout.is_current and rollout.revision == record.place.revision
    return facts.deployments[record.place.color] if is_its_own and not rollout.is_complete else None
