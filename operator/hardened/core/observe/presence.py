"""Whether an object is still there in earnest."""

from collections.abc import Mapping
from typing import Any


def may_run(pod: Mapping[str, Any]) -> bool:
    """False for a pod whose containers have all ended, and which stays only to be looked at."""
    return (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed")


def is_ready(pod: Mapping[str, Any]) -> bool:
    """Whether a pod says that it can take requests."""
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(each.get("type") == "Ready" and each.get("status") == "True" for each in conditions)


def is_deleting(live: Mapping[str, Any]) -> bool:
    """True once somebody asked for the object's deletion."""
    return bool(live["metadata"].get("deletionTimestamp"))
