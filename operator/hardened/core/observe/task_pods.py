"""How a pod that works for a release is: by the container that is ours. Others that were injected live as long as they like."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from hardened.api import names
from hardened.core.model.manifest import Manifest
from hardened.core.observe.disruptions import left_at
from hardened.core.observe.presence import may_run
from hardened.core.observe.rollout import instant


def own_container(pod: Mapping[str, Any]) -> Manifest:
    """The container that is ours, by its name, as it was asked for; empty where there is none."""
    containers = (pod.get("spec") or {}).get("containers") or ()
    return next((found for found in containers if found.get("name") == names.VERIFIER), {})


def own_part(pod: Mapping[str, Any]) -> Manifest:
    """The pod as it would be if nothing ran beside what is ours. Init containers stay: ours begins once they have ended."""
    status = pod.get("status") or {}
    ours = [found for found in status.get("containerStatuses") or () if found.get("name") == names.VERIFIER]
    return {**pod, "status": {**status, "containerStatuses": ours}}


def own_state(pod: Mapping[str, Any]) -> Mapping[str, Any]:
    """The state of the container that is ours, by its name; empty where nothing is known of it."""
    found = own_status(pod).get("state")
    return found if isinstance(found, Mapping) else {}


def own_status(pod: Mapping[str, Any]) -> Mapping[str, Any]:
    """The status of the container that is ours, by its name; empty where nothing is known of it."""
    containers = (pod.get("status") or {}).get("containerStatuses") or ()
    return next((found for found in containers if found.get("name") == names.VERIFIER), {})


def is_over(pod: Mapping[str, Any]) -> bool:
    """Whether what the pod was made for has ended. What runs on beside it does not count."""
    return bool(own_state(pod).get("terminated")) or not may_run(pod)


def is_running(pod: Mapping[str, Any]) -> bool:
    """Whether what the pod was made for is at work. Beside a container that cannot be started the pod stays Pending all the same."""
    is_begun = "running" in own_state(pod) or (pod.get("status") or {}).get("phase") == "Running"
    return is_begun and not is_over(pod)


def interruption(pod: Mapping[str, Any]) -> str:
    """Why what the pod was made for did not end by itself, or will not; "" where it did, or may.

    A process that is told to end may well end with 0, half-way. What had ended before that has ended by itself, as far as the times tell.
    """
    status = pod.get("status") or {}
    if status.get("reason") not in (None, "", "DeadlineExceeded"):
        return str(status["reason"])
    told_at = left_at(pod)
    if told_at is None or _ended_before(pod, told_at):
        return ""
    disruption = next(
        (c for c in status.get("conditions") or () if c.get("type") == "DisruptionTarget" and c.get("status") == "True"), None
    )
    if disruption is None:
        return "somebody deleted it"
    return f"it had to leave its node: {disruption['reason']}" if disruption.get("reason") else "it had to leave its node"


def ended_in_time(pod: Mapping[str, Any]) -> bool:
    """Whether what the pod was made for had ended before the pod's own deadline, as far as the times tell."""
    began_at, seconds = instant((pod.get("status") or {}).get("startTime")), pod["spec"].get("activeDeadlineSeconds")
    return began_at is not None and bool(seconds) and _ended_before(pod, began_at + timedelta(seconds=seconds))


def _ended_before(pod: Mapping[str, Any], moment: datetime) -> bool:
    ended_at = instant((own_state(pod).get("terminated") or {}).get("finishedAt"))
    return ended_at is not None and ended_at < moment
