"""Whether the autoscaler of a service scales it, and why not. Nothing here moves with what is measured, but for the size itself."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from hardened.api.autoscale import Autoscale
from hardened.api.status import ScalingReason
from hardened.core.desired.autoscaler import KIND
from hardened.core.desired.scaled_object import KIND as SCALED_OBJECT
from hardened.core.model.manifest import Manifest
from hardened.core.observe.facts import Facts
from hardened.core.observe.keda import said_by_keda, switching
from hardened.core.observe.rollout import instant
from hardened.core.observe.scalers import Scalers

#: What a HorizontalPodAutoscaler says counts once it has said so for this long: the metrics of new pods come late, and under a load that
#: just fills all pods it would be told anew with every change.
BELIEVED_AFTER = timedelta(minutes=1)
_EXTERNAL = "external metric"
_NO_API = ("could not find the requested resource", "currently unable to handle the request", "no matches for kind")
_CAUSE = "the HPA was unable to compute the replica count: "
_LONGEST = 400
#: What is told in the words of the HorizontalPodAutoscaler.
_OTHERS_WORDS = frozenset({"CannotScale", "NoMetrics", "NoMetricsAPI"})


@dataclass(frozen=True)
class Scaling:
    """How an autoscaler does."""

    reason: ScalingReason
    message: str = ""
    """Why it does not scale, and what to do; "" while it does."""
    look_at: datetime | None = None
    """When more is believed than is told now."""
    quota: str = ""
    """What quotas lack for maxReplicas pods; "" for nothing."""
    is_by_keda: bool = False
    """See Scalers."""


def scaling_of(facts: Facts, scalers: Scalers, replicas: int, now: datetime) -> Scaling | None:
    """None for a service without an autoscaler. replicas: how many pods are wanted."""
    found = _scaling(facts, scalers, replicas, now)
    if found is None:
        return None
    look_at = min((at for at in (found.look_at, scalers.look_at) if at), default=None)
    return replace(found, look_at=look_at, is_by_keda=scalers.is_by_keda)


def _scaling(facts: Facts, scalers: Scalers, replicas: int, now: datetime) -> Scaling | None:
    svc, told = facts.svc, facts.before.get("autoscale") or {}
    if svc.spec.autoscale is None and not scalers.is_by_keda:
        return None
    if scalers.unread or "autoscale" in svc.lacks:
        return Scaling(told.get("reason", "Missing"), str(told.get("message", "" if told else "it was not looked at yet")))
    if svc.spec.suspend:
        return Scaling("Suspended", f"{svc.spec.suspension}: the size stays as it is")
    if facts.hold and facts.hold.stops_self:
        return Scaling("Suspended", "a restore holds the pods: the size stays as it is")
    if scalers.waits_for or svc.spec.autoscale is None:
        return Scaling(*switching(facts, scalers, now, BELIEVED_AFTER))
    if replicas == 0:
        how = f"kubectl scale hs {svc.name} -n {svc.namespace} --replicas={svc.spec.autoscale.min_replicas}"
        return Scaling("ScaledToZero", f"the spec asks for 0 replicas; to scale again: {how}")
    live, kind = (scalers.scaled_object, SCALED_OBJECT) if scalers.is_by_keda else (facts.mine(KIND, svc.name), KIND)
    if live is None and scalers.wanted is None and scalers.lacks:
        return Scaling(*scalers.lacks)
    if live is None:
        return Scaling("Missing", f"{kind} {svc.name} is not there; Ready says why, if it cannot be made")
    said = [(scaling, at + BELIEVED_AFTER) for scaling, at in _all_said(live, scalers, svc.spec.autoscale)]
    otherwise = Scaling(*scalers.lacks) if scalers.lacks else Scaling("Active")
    found = next((scaling for scaling, believed_at in said if believed_at <= now), otherwise)
    look_at = min((believed_at for _, believed_at in said if believed_at > now), default=None)
    return replace(_as_told(found, facts.before.get("autoscale") or {}), look_at=look_at)


def _as_told(found: Scaling, told: Mapping[str, Any]) -> Scaling:
    """Words that name one pod, and the next time another one, are no news."""
    is_same = found.reason == told.get("reason") and found.reason in _OTHERS_WORDS
    return replace(found, message=str(told.get("message", ""))) if is_same else found


def _all_said(live: Manifest, scalers: Scalers, given: Autoscale) -> Iterator[tuple[Scaling, datetime]]:
    """What the autoscaler says, and, where that is KEDA's, the HorizontalPodAutoscaler that was made of it."""
    made = live
    if scalers.is_by_keda:
        at, resources = instant(live["metadata"]["creationTimestamp"]), sum(each is not None for each in (given.cpu, given.memory))
        yield from ((Scaling(*told), at) for told in said_by_keda(live, resources) if at)
        if scalers.made is None:
            return
        made = scalers.made
    yield from _said(made, given.max_replicas)


def _said(live: Manifest, most: int) -> Iterator[tuple[Scaling, datetime]]:
    """What a HorizontalPodAutoscaler says of why it does not scale, the worst first, and since when."""
    conditions = (live.get("status") or {}).get("conditions") or ()
    by_type = {condition.get("type"): condition for condition in conditions}
    made = instant(live["metadata"].get("creationTimestamp"))
    if not by_type and made:
        yield Scaling("NotSeen", "nothing in the cluster looks at it: is the controller of HorizontalPodAutoscalers at work?"), made
    able, active, limited = (by_type.get(name) or {} for name in ("AbleToScale", "ScalingActive", "ScalingLimited"))
    if able.get("status") == "False" and (at := instant(able.get("lastTransitionTime"))):
        yield Scaling("CannotScale", _words(able)), at
    if active.get("status") == "False" and (at := instant(active.get("lastTransitionTime"))):
        yield _inactive(active), at
    is_at_most = limited.get("status") == "True" and limited.get("reason") == "TooManyReplicas"
    if is_at_most and (at := instant(limited.get("lastTransitionTime"))):
        yield Scaling("AtMaximum", f"the load asks for more than maxReplicas, which is {most}; raise it if the cluster has room"), at


def _inactive(condition: Mapping[str, Any]) -> Scaling:
    words = _words(condition)
    if any(part in words for part in _NO_API) and _EXTERNAL in words:
        return Scaling("NoMetricsAPI", f"KEDA's metrics API does not answer: is its metrics API server at work? ({words})")
    if any(part in words for part in _NO_API):
        return Scaling("NoMetricsAPI", f"the resource metrics API does not answer: install metrics-server, or repair it ({words})")
    if condition.get("reason") == "AmbiguousSelector":
        return Scaling("CannotScale", f"another HorizontalPodAutoscaler scales the same pods: delete it ({words})")
    return Scaling("NoMetrics", f"nothing is known of what the pods use: {words}")


def _words(condition: Mapping[str, Any]) -> str:
    return str(condition.get("message") or condition.get("reason") or "").removeprefix(_CAUSE)[:_LONGEST]
