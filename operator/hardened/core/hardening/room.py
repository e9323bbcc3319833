"""Checks of whether a cluster has room for a service: its quotas, its bounds, and its nodes."""

import math
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from hardened.api.parse import HardenedService
from hardened.api.quantity import amount
from hardened.core.desired.template import pod_template
from hardened.core.hardening.check import Gap, HardeningCheck, live_check
from hardened.core.hardening.fields import least_pods, most_pods
from hardened.core.hardening.surroundings import Surroundings
from hardened.core.model.manifest import Manifest
from hardened.core.needs.quota import Growth, shortages, usage
from hardened.core.revisions.revision import revision_name

_COMPUTE = ("cpu", "memory", "ephemeral-storage")
#: What a Deployment that replaces its own pods may have beyond its size.
_SURGE = 0.25


@live_check(
    "HS078",
    "error",
    "The quotas of the namespace have room for a release.",
    needs=("quotas", "namesakes"),
    cause="A release of BlueGreen needs room for a second stack beside the one that serves. Until a quota has it, the release waits.",
    fix="raise the ResourceQuota, free some of it, or lower replicas or resources",
    example="kubectl describe resourcequota -n shop",
)
def releases_have_room(svc: HardenedService, around: Surroundings) -> Iterator[Gap]:
    running, size = _running(around), least_pods(svc)
    added = size
    if running and svc.spec.effective_strategy != "BlueGreen":
        added = math.ceil(size * _SURGE) if svc.spec.effective_strategy == "RollingUpdate" else 0
    yield from _short(svc, around, added, "spec.replicas", f"{added} pods of a release need")


@live_check(
    "HS079",
    "warn",
    "The quotas of the namespace have room for all pods that an autoscaler may add.",
    needs=("quotas", "namesakes"),
    cause="Where a quota is full, an autoscaler asks for pods that are never made, when they are needed most.",
    fix="raise the ResourceQuota, or lower autoscale.maxReplicas",
    example="autoscale: {minReplicas: 2, maxReplicas: 6, cpu: 70}",
)
def growth_has_room(svc: HardenedService, around: Surroundings) -> Iterator[Gap]:
    if svc.spec.autoscale:
        added = max(most_pods(svc) - _running(around), 0)
        yield from _short(svc, around, added, "spec.autoscale.maxReplicas", f"{added} more pods up to maxReplicas need")


@live_check(
    "HS080",
    "error",
    "The pods fit the LimitRanges of the namespace.",
    needs=("limit_ranges",),
    cause="The API server refuses pods whose containers ask for less, or may use more, than a LimitRange allows.",
    fix="set resources within these bounds, or have the LimitRange changed",
    example="kubectl describe limitrange -n shop",
)
def limits_are_kept(svc: HardenedService, around: Surroundings) -> Iterator[Gap]:
    pod = _pod(svc)
    containers = [(each["name"], _as_pod(each)) for each in (*(pod.get("initContainers") or ()), *pod["containers"])]
    for live in around.limit_ranges or ():
        for item in (live.get("spec") or {}).get("limits") or ():
            judged = containers if item.get("type") == "Container" else [("", pod)] if item.get("type") == "Pod" else []
            for called, each in judged:
                for text in _beyond(item, each):
                    who = f"container {called}" if called else "the pod"
                    yield Gap("spec.resources", f"{who} has {text} of LimitRange {live['metadata']['name']}")


@live_check(
    "HS081",
    "warn",
    "There are nodes that take its pods.",
    needs=("nodes",),
    cause="Pods wait for a node with the labels of nodeSelector and without taints that they do not tolerate. Unless nodes are added for "
    "them, the release waits for ever.",
    fix="correct scheduling.nodeSelector or tolerations, or add such nodes",
    example="scheduling: {nodeSelector: {kubernetes.io/arch: amd64}}",
)
def nodes_take_pods(svc: HardenedService, around: Surroundings) -> Iterator[Gap]:
    if not _usable(svc, around):
        yield Gap("spec.scheduling", f"none of {len(around.nodes or ())} nodes takes its pods")


@live_check(
    "HS082",
    "warn",
    "A node is large enough for a pod.",
    needs=("nodes",),
    cause="A pod that requests more than any node has waits for ever, unless larger nodes are added for it.",
    fix="lower resources.requests, or add larger nodes",
    example="resources: {requests: {cpu: 500m, memory: 1Gi}}",
)
def nodes_are_large_enough(svc: HardenedService, around: Surroundings) -> Iterator[Gap]:
    nodes, wanted = _usable(svc, around), usage(_pod(svc))
    asked = {name: wanted[f"requests.{name}"] for name in _COMPUTE}
    if nodes and not any(all(_offered(node, name, need) >= need for name, need in asked.items()) for node in nodes):
        yield Gap("spec.resources.requests", f"none of {len(nodes)} nodes that could take its pods is large enough for one")


@live_check(
    "HS083",
    "warn",
    "Replicas run on more than one node.",
    needs=("nodes",),
    cause="Several replicas on the only node that takes them are lost together with it.",
    fix="add nodes, or let more of them take its pods by scheduling",
    example="kubectl get nodes",
)
def nodes_are_several(svc: HardenedService, around: Surroundings) -> Iterator[Gap]:
    if least_pods(svc) > 1 and len(_usable(svc, around)) == 1:
        yield Gap("spec.scheduling", f"one node takes all {least_pods(svc)} pods")


def _short(svc: HardenedService, around: Surroundings, added: int, path: str, who: str) -> Iterator[Gap]:
    for text in shortages(around.quotas or (), Growth(_pod(svc), ((0, added),)), who) if added else ():
        yield Gap(path, text)


def _running(around: Surroundings) -> int:
    """Pods of the service that there are by now."""
    found = (each for each in around.namesakes or () if each.get("kind") == "Deployment")
    return sum(int((each.get("status") or {}).get("replicas") or 0) for each in found)


def _pod(svc: HardenedService) -> Manifest:
    found: Manifest = pod_template(svc, revision_name(svc.spec))["spec"]
    return found


def _as_pod(container: Manifest) -> Manifest:
    return {"containers": [{name: each for name, each in container.items() if name != "restartPolicy"}]}


def _beyond(item: Mapping[str, Any], pod: Manifest) -> Iterator[str]:
    """How a pod goes beyond one item of a LimitRange, as in `limits.memory above the max of 128Mi`."""
    used = usage(pod)
    for name in _COMPUTE:
        request, limit = used.get(f"requests.{name}"), used.get(f"limits.{name}")
        least, most, ratio = (_amount((item.get(bound) or {}).get(name)) for bound in ("min", "max", "maxLimitRequestRatio"))
        if least is not None and request is not None and request < least:
            yield f"requests.{name} below the min of {item['min'][name]}"
        if most is not None and limit is not None and limit > most:
            yield f"limits.{name} above the max of {item['max'][name]}"
        if ratio is not None and request and limit is not None and limit / request > ratio:
            yield f"limits.{name} more than maxLimitRequestRatio {item['maxLimitRequestRatio'][name]} times its request"


def _amount(text: Any) -> Decimal | None:
    try:
        return None if text is None else amount(str(text))
    except ValueError:
        return None


def _offered(node: Manifest, name: str, need: Decimal) -> Decimal:
    """What a node has of a resource; enough, where it does not say."""
    found = _amount(((node.get("status") or {}).get("allocatable") or {}).get(name))
    return need if found is None else found


def _usable(svc: HardenedService, around: Surroundings) -> list[Manifest]:
    """The nodes that take pods of the service, by their labels and taints. Affinity is not counted."""
    wanted = (svc.spec.scheduling and svc.spec.scheduling.node_selector) or {}
    found = []
    for node in around.nodes or ():
        spec, labels = node.get("spec") or {}, node["metadata"].get("labels") or {}
        fits = all(labels.get(key) == value for key, value in wanted.items())
        if fits and not spec.get("unschedulable") and all(_tolerates(svc, taint) for taint in spec.get("taints") or ()):
            found.append(node)
    return found


def _tolerates(svc: HardenedService, taint: Mapping[str, Any]) -> bool:
    if taint.get("effect") == "PreferNoSchedule":
        return True
    given = (svc.spec.scheduling and svc.spec.scheduling.tolerations) or ()
    return any(
        each.key == taint.get("key")
        and each.effect in (None, taint.get("effect"))
        and (each.operator == "Exists" or (each.value or "") == (taint.get("value") or ""))
        for each in given
    )


ROOM: tuple[HardeningCheck, ...] = (
    releases_have_room,
    growth_has_room,
    limits_are_kept,
    nodes_take_pods,
    nodes_are_large_enough,
    nodes_are_several,
)
