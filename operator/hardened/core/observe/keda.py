"""What is told of a service that KEDA scales, or scaled: by its ScaledObject, which says since when nothing is as it is."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from hardened.api.status import ScalingReason
from hardened.core.desired.scaled_object import KIND, PAUSED_ANNOTATION
from hardened.core.model.manifest import Manifest
from hardened.core.observe.facts import Facts
from hardened.core.observe.observed import is_deleting
from hardened.core.observe.rollout import instant
from hardened.core.observe.scalers import Scalers

Told = tuple[ScalingReason, str]
_LONGEST = 400


def said_by_keda(live: Manifest, resources: int) -> Iterator[Told]:
    """What a ScaledObject says of why it does not scale, or not as it should, the worst first.

    resources: how many of its triggers are for CPU and memory, which come before those of Prometheus.
    """
    status, annotations = live.get("status") or {}, live["metadata"].get("annotations") or {}
    by_type: dict[str, Mapping[str, Any]] = {str(each.get("type")): each for each in status.get("conditions") or ()}
    ready, fallback = (by_type.get(name) or {} for name in ("Ready", "Fallback"))
    if not by_type:
        yield "NotSeen", "nothing in the cluster looks at the ScaledObject: is KEDA's operator at work?"
    pauses = [name for name, value in annotations.items() if name.startswith(PAUSED_ANNOTATION) and value != "false"]
    if pauses:
        yield "Paused", f"somebody paused it, by {' and '.join(sorted(pauses))} on the ScaledObject: remove it to scale again"
    if ready.get("status") == "False":
        words = str(ready.get("message") or ready.get("reason") or "")[:_LONGEST]
        yield "CannotScale", f"KEDA does not scale by the ScaledObject: {words}"
    if fallback.get("status") == "True":
        yield "Fallback", f"Prometheus gives no number for {_failing(status, resources)}: until it does, no pods are removed"


def switching(facts: Facts, scalers: Scalers, now: datetime, patience: timedelta) -> Told:
    """What has to go before the service is scaled, or before it is not any more."""
    reason: ScalingReason = "Leaving" if facts.svc.spec.autoscale is None else "Switching"
    live = scalers.scaled_object
    since = instant(live["metadata"].get("deletionTimestamp")) if live and is_deleting(live) else None
    if since and since + patience <= now:
        where = f"{facts.svc.name} -n {facts.svc.namespace}"
        remedy = f"""kubectl patch scaledobject {where} --type=merge -p '{{"metadata":{{"finalizers":null}}}}'"""
        return reason, f"{KIND} {facts.svc.name} was deleted, and KEDA does not let it go: is its operator at work? If it is gone: {remedy}"
    return reason, f"waits until {scalers.waits_for} is gone: of two autoscalers each would undo the work of the other"


def _failing(status: Mapping[str, Any], resources: int) -> str:
    """The entries of `prometheus` that have no number, by KEDA's names for its triggers. Example: `s1-prometheus`, after one for CPU."""
    failing = [name for name, health in (status.get("health") or {}).items() if (health or {}).get("status") == "Failing"]
    numbers = [int(digits) - resources for name in failing if (digits := name.removeprefix("s").partition("-")[0]).isdecimal()]
    return ", ".join(f"spec.autoscale.prometheus[{number}]" for number in sorted(numbers)) or "spec.autoscale.prometheus"
