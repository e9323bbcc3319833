"""Pods of a release that wait for the cluster: no node takes them, or a quota does not let them be made.

That is not the revision's fault. In Preview and ScaleUp it is waited for like a dependency, and the deadline does not run.
"""

from datetime import datetime

from hardened.core.facts import Facts
from hardened.core.live import diagnosis
from hardened.core.live.diagnosis import Finding
from hardened.core.manifest import Manifest
from hardened.core.release.model import Record, Step


def needs_pods(facts: Facts, record: Record, now: datetime) -> bool:
    """Whether something follows from it now if pods wait for room. What an earlier list said of pods is not believed."""
    live = _incomplete(facts, record)
    is_asked = record.deadline is None or now >= record.deadline
    return live is not None and (is_asked or diagnosis.of_deployment(live) is not None)


def lack_of_room(facts: Facts, record: Record | None) -> Finding | None:
    """Why the cluster has no room for the record's pods. None where it has, where a pod shows another fault, and where nobody looked."""
    live = _incomplete(facts, record) if record else None
    if record is None or live is None or facts.observed.pods is None:
        return None
    return diagnosis.of_room(live, facts.pods_at(record.place))


def _incomplete(facts: Facts, record: Record) -> Manifest | None:
    """The Deployment of a step that waits for pods, where some of them are not there."""
    rollout = facts.rollout(record.place.color)
    if record.step not in (Step.PREVIEW, Step.SCALE_UP) or record.paused_at or rollout is None:
        return None
    is_its_own = rollout.is_current and rollout.revision == record.place.revision
    return facts.deployments[record.place.color] if is_its_own and not rollout.is_complete else None
