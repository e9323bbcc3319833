"""Checks of what stays available: budgets, sizes, places, and services that others need."""

import math
import re
from collections.abc import Iterator, Mapping

from hardened.api.parse import HardenedService
from hardened.api.placement import Toleration
from hardened.core.hardening.check import Gap, HardeningCheck, Subject, check
from hardened.core.hardening.fields import least_pods, most_pods, parts

#: Percent of a request from which on pods are full before others are there.
_FULL = 90
_CONTROL_PLANE = ("node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master")
_LOST = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
_HOST = "kubernetes.io/hostname"
_REFERENCE = re.compile(r"(?<!\$)\$\(([A-Za-z_.-][A-Za-z0-9_.-]*)\)")


@check(
    "HS036",
    "error",
    "The disruption budget lets nodes be drained.",
    cause="A budget that allows no eviction holds up every drain: nodes cannot be upgraded, and whoever does it in the end takes the pods "
    "away by force.",
    fix="set availability.disruptionBudget to maxUnavailable: 1, or leave it out",
    example="availability: {disruptionBudget: {maxUnavailable: 1}}",
    in_condition=True,
)
def drains_are_possible(subject: Subject) -> Iterator[Gap]:
    size, allowed = least_pods(subject.svc), _evictable(subject.svc)
    if allowed is not None and size and allowed <= 0:
        yield Gap("spec.availability.disruptionBudget", f"of {size} pods a drain may evict none")


@check(
    "HS037",
    "warn",
    "The disruption budget keeps some pods.",
    cause="A budget that lets all pods be evicted at a time is none: two nodes that are drained together can take the service down.",
    fix="set availability.disruptionBudget to maxUnavailable: 1, or leave it out",
    example="availability: {disruptionBudget: {maxUnavailable: 1}}",
)
def drains_leave_some(subject: Subject) -> Iterator[Gap]:
    size, allowed = least_pods(subject.svc), _evictable(subject.svc)
    if allowed is not None and size > 1 and allowed >= size:
        yield Gap("spec.availability.disruptionBudget", f"a drain may evict all {size} pods at a time")


@check(
    "HS038",
    "warn",
    "An autoscaler has room between its bounds.",
    cause="Where minReplicas is maxReplicas, it can neither add pods nor remove them.",
    fix="raise autoscale.maxReplicas, or set replicas instead of autoscale",
    example="autoscale: {minReplicas: 3, maxReplicas: 12, cpu: 70}",
)
def bounds_leave_room(subject: Subject) -> Iterator[Gap]:
    scale = subject.svc.spec.autoscale
    if scale and scale.min_replicas == scale.max_replicas:
        yield Gap("spec.autoscale.maxReplicas", f"autoscale has {scale.max_replicas} as its least and its largest size")


@check(
    "HS039",
    "warn",
    "An autoscaler adds pods before those that run are full.",
    cause="New pods take a while to start. Where others are added only at 90 percent of the request and more, requests wait meanwhile.",
    fix="lower it to 80 or less",
    example="autoscale: {maxReplicas: 12, cpu: 70, memory: 80}",
)
def growth_comes_in_time(subject: Subject) -> Iterator[Gap]:
    for name in ("cpu", "memory"):
        target = getattr(subject.svc.spec.autoscale, name, None)
        if target is not None and target >= _FULL:
            yield Gap(f"spec.autoscale.{name}", f"pods are added at {target} percent of the {name} request")


@check(
    "HS040",
    "warn",
    "An autoscaler does not shrink at the first quiet moment.",
    cause="Without a stabilization window it removes pods after one low measurement, and adds them again at the next high one.",
    fix="leave stabilizationWindowSeconds out, or set it to 60 or more",
    example="autoscale: {maxReplicas: 12, cpu: 70, behavior: {scaleDown: {stabilizationWindowSeconds: 300}}}",
)
def shrinking_is_careful(subject: Subject) -> Iterator[Gap]:
    scale = subject.svc.spec.autoscale
    down = scale and scale.behavior and scale.behavior.scale_down
    if down and down.stabilization_window_seconds == 0:
        yield Gap("spec.autoscale.behavior.scaleDown.stabilizationWindowSeconds", "pods are removed after one low measurement")


@check(
    "HS041",
    "warn",
    "Pods leave a node that is lost.",
    cause="A toleration of not-ready or unreachable without tolerationSeconds keeps pods bound to a node that is gone, and no others are "
    "made for them.",
    fix="leave it out, or set tolerationSeconds",
    example="scheduling: {tolerations: [{key: node.kubernetes.io/unreachable, effect: NoExecute, tolerationSeconds: 60}]}",
)
def lost_nodes_are_left(subject: Subject) -> Iterator[Gap]:
    for index, each in _tolerations(subject.svc):
        if each.key in _LOST and each.toleration_seconds is None and each.effect != "NoSchedule":
            yield Gap(f"spec.scheduling.tolerations[{index}]", f"pods stay for ever on a node with {each.key}")


@check(
    "HS042",
    "warn",
    "Pods do not run on nodes of the control plane.",
    cause="There they compete with the API server and etcd, and whoever breaks out of one has the keys of the cluster.",
    fix="leave the toleration out",
    example="scheduling: {tolerations: [{key: example.com/dedicated, value: shop, effect: NoSchedule}]}",
)
def control_plane_is_left_alone(subject: Subject) -> Iterator[Gap]:
    for index, each in _tolerations(subject.svc):
        if each.key in _CONTROL_PLANE:
            yield Gap(f"spec.scheduling.tolerations[{index}]", "pods may run on nodes of the control plane")


@check(
    "HS043",
    "warn",
    "The service is not suspended.",
    cause="While suspend is true the operator changes nothing: a deployment has no effect, autoscaling stands still, and no backup runs.",
    fix="leave suspend out",
    example="suspend: false",
)
def operator_is_at_work(subject: Subject) -> Iterator[Gap]:
    if subject.svc.spec.suspend:
        yield Gap("spec.suspend", "the service is suspended")


@check(
    "HS044",
    "error",
    "No services wait for each other.",
    cause="A release waits until the services in dependsOn are available. In a circle none can begin first.",
    fix="remove one of these dependencies",
    example="dependsOn: [{service: database}]   # and database names nobody that needs this one",
)
def dependencies_end(subject: Subject) -> Iterator[Gap]:
    circle = _circle(subject.svc, subject.others)
    if circle:
        index = next(i for i, each in enumerate(subject.svc.spec.depends_on or ()) if each.service == circle[1])
        yield Gap(f"spec.dependsOn[{index}]", f"services wait for each other: {' → '.join(circle)}")


@check(
    "HS045",
    "warn",
    "Variables refer to variables that are set before them.",
    cause="$(NAME) is replaced only by a variable that stands before it in the list. All else stays as it is written, without an error.",
    fix="set it before, or write $$(NAME) for the text itself",
    example='env: [{name: HOST, value: db}, {name: URL, value: "http://$(HOST)/"}]',
)
def references_are_known(subject: Subject) -> Iterator[Gap]:
    for path, called, container in parts(subject.svc.spec):
        known: set[str] = set()
        all_names = {variable.name for variable in container.env or ()}
        for index, variable in enumerate(container.env or ()):
            for name in dict.fromkeys(_REFERENCE.findall(variable.value or "")):
                # What comes from elsewhere may have any name.
                if name not in known and (name in all_names or not container.env_from):
                    yield Gap(f"{path}.env[{index}]", f"variable {variable.name}{called} refers to {name}, which is not set before it")
            known.add(variable.name)


@check(
    "HS046",
    "error",
    "A claim that one node mounts has one pod.",
    cause="A claim of ReadWriteOnce is mounted by one node, one of ReadWriteOncePod by one pod. Pods on other nodes never start.",
    fix="set replicas to 1, or use accessModes [ReadWriteMany] with shared: true",
    example="replicas: 1\nvolumes: [{name: data, mountPath: /data, claim: {size: 10Gi}}]",
)
def claims_are_mounted_by_one(subject: Subject) -> Iterator[Gap]:
    size = most_pods(subject.svc)
    for index, volume in enumerate(subject.svc.spec.volumes or ()):
        if size > 1 and volume.is_exclusive and volume.claim:
            text = f"up to {size} pods are to mount the {volume.claim.access_modes[0]} claim {volume.name}"
            yield Gap(f"spec.volumes[{index}].claim", text)


@check(
    "HS047",
    "warn",
    "A spread over nodes is a preference.",
    cause="A spread over hostname with DoNotSchedule holds for each revision. Where maxSkew is 1 and a node is full or drained, pods wait, "
    "and with them the release.",
    fix="use whenUnsatisfiable: ScheduleAnyway, or a topology of more than one node, such as a zone",
    example="scheduling: {spread: [{topologyKey: kubernetes.io/hostname, whenUnsatisfiable: ScheduleAnyway}]}",
)
def spread_is_no_obstacle(subject: Subject) -> Iterator[Gap]:
    scheduling = subject.svc.spec.scheduling
    for index, each in enumerate((scheduling and scheduling.spread) or ()):
        if each.topology_key == _HOST and each.when_unsatisfiable == "DoNotSchedule" and each.max_skew == 1:
            yield Gap(f"spec.scheduling.spread[{index}]", "a node that is full or drained keeps pods of all others waiting")


def _evictable(svc: HardenedService) -> int | None:
    """How many pods a drain may evict at the least size, by the rounding of Kubernetes; None where the spec has no budget."""
    budget = svc.spec.availability and svc.spec.availability.disruption_budget
    if not budget:
        return None
    size = least_pods(svc)
    if budget.max_unavailable is not None:
        return _scaled(budget.max_unavailable, size)
    return size - _scaled(budget.min_available or 0, size)


def _scaled(value: int | str, size: int) -> int:
    return value if isinstance(value, int) else math.ceil(int(value.removesuffix("%")) * size / 100)


def _tolerations(svc: HardenedService) -> Iterator[tuple[int, Toleration]]:
    yield from enumerate((svc.spec.scheduling and svc.spec.scheduling.tolerations) or ())


def _circle(svc: HardenedService, others: Mapping[str, HardenedService]) -> list[str]:
    """The shortest way from a service to itself, [] where there is none."""
    ways = [[svc.name]]
    seen: set[str] = set()
    while ways:
        way = ways.pop(0)
        here = svc if way[-1] == svc.name else others.get(way[-1])
        for name in (each.service for each in (here.spec.depends_on if here else None) or () if each.service):
            if name == svc.name:
                return [*way, name]
            if name not in seen:
                seen.add(name)
                ways.append([*way, name])
    return []


AVAILABILITY: tuple[HardeningCheck, ...] = (
    drains_are_possible,
    drains_leave_some,
    bounds_leave_room,
    growth_comes_in_time,
    shrinking_is_careful,
    lost_nodes_are_left,
    control_plane_is_left_alone,
    operator_is_at_work,
    dependencies_end,
    references_are_known,
    claims_are_mounted_by_one,
    spread_is_no_obstacle,
)
