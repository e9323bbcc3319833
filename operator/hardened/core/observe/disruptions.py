"""Pods that were taken away from a version: by a drain, a preemption, a lost node. That is no failure of the version."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any

from hardened.core.model.manifest import Manifest
from hardened.core.observe.observed import is_deleting
from hardened.core.observe.rollout import instant

#: Kubernetes' time stamps are whole seconds.
_STAMP = timedelta(seconds=1)
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


class _Shows(Enum):
    """What a pod says of its version."""

    TAKEN = "it was ready until it had to leave, or until its node was lost"
    STARTING = "it came later, and has not been ready yet"
    FAILING = "it is not ready by itself"
    NOTHING = "it is ready, or was going anyway"


def are_taken_away(pods: Iterable[Manifest], since: datetime) -> bool:
    """Whether a version that has no ready pod has lost them by no fault of its own, as far as its pods tell.

    pods: of its colour and revision; since: when as many were available as are needed. A pod that has left by now is told of by the one
    that came in its place. Where one of those that stay fails by itself, so does the version. None at all says nothing.
    """
    shown = {_shows(pod, since) for pod in pods}
    return _Shows.FAILING not in shown and bool(shown & {_Shows.TAKEN, _Shows.STARTING})


def _shows(pod: Mapping[str, Any], since: datetime) -> _Shows:
    ready_since = _moment(_condition(pod, "Ready"))
    if _has(pod, "Ready"):
        told_at = left_at(pod)
        return _Shows.TAKEN if told_at and told_at + _STAMP > since else _Shows.NOTHING
    # The kubelet says both at once: one alone was changed by who has not heard of the node any more.
    if _has(pod, "ContainersReady"):
        return _Shows.TAKEN
    told_at = left_at(pod)
    if told_at is not None and (ready_since or told_at) >= told_at:
        return _Shows.TAKEN if told_at + _STAMP > since else _Shows.NOTHING
    if _has_been_up(pod, is_leaving=told_at is not None):
        return _Shows.FAILING
    if told_at is not None:
        return _Shows.NOTHING
    # A pod that was ready once, and runs, has lost that later than it began to run. One that no kubelet has seen was never ready.
    made_at = _made_at(pod) if _condition(pod, "Ready") else _made_at(pod) + _STAMP
    return _Shows.STARTING if ready_since is not None or made_at > since else _Shows.FAILING


def left_at(pod: Mapping[str, Any]) -> datetime | None:
    """When a pod was told to leave, by a drain, a preemption, or whoever deleted it; None where it was not."""
    target = _condition(pod, "DisruptionTarget")
    if target.get("status") == "True":
        return _moment(target) or _LONG_AGO
    if not is_deleting(pod):
        return None
    meta = pod["metadata"]
    return (instant(meta["deletionTimestamp"]) or _LONG_AGO) - timedelta(seconds=int(meta.get("deletionGracePeriodSeconds") or 0))


def _has_been_up(pod: Mapping[str, Any], *, is_leaving: bool) -> bool:
    """Whether a pod that is not ready ran before: it was restarted, has ended, or was ready once. What leaves ends in any case."""
    status = pod.get("status") or {}
    containers = status.get("containerStatuses") or ()
    began = [moment for c in containers if (moment := _began_at(c.get("state") or {}))]
    was_ready = bool(began) and (_moment(_condition(pod, "Ready")) or _LONG_AGO) > max(began)
    if any(c.get("restartCount") for c in containers) or was_ready:
        return True
    has_ended = status.get("phase") == "Failed" or any((c.get("state") or {}).get("terminated") for c in containers)
    return has_ended and not is_leaving


def _began_at(state: Mapping[str, Any]) -> datetime | None:
    """When a container began to run. Where it does not run, nothing tells."""
    return instant((state.get("running") or {}).get("startedAt"))


def _made_at(pod: Mapping[str, Any]) -> datetime:
    return instant(pod["metadata"].get("creationTimestamp")) or _LONG_AGO


def _has(pod: Mapping[str, Any], kind: str) -> bool:
    return _condition(pod, kind).get("status") == "True"


def _condition(pod: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return next((c for c in conditions if c.get("type") == kind), {})


def _moment(condition: Mapping[str, Any]) -> datetime | None:
    return instant(condition.get("lastTransitionTime"))
