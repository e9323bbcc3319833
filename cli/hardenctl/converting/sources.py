"""What a file holds, and whose converter that is."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from hardenctl.converting import compose, deployment, ingress, rollout
from hardenctl.converting.notes import CannotConvert, Converted
from hardenctl.converting.objects import Objects, called, objects_of

#: What stays beside the service, and needs no word: the conversion reads it.
_READ = frozenset((
    "Deployment", "Rollout", "Ingress", "Service", "HorizontalPodAutoscaler", "PodDisruptionBudget", "ConfigMap", "AnalysisTemplate",
    "PersistentVolumeClaim",
))  # fmt: skip
_APART = {
    "Secret": "it stays as it is: apply it before",
    "Namespace": "it stays as it is: apply it before",
    "ServiceAccount": "pods have an account of their own",
    "NetworkPolicy": "network.ingressFrom and network.egressTo say the same of the service's own pods",
    "Role": "pods have no rights in the cluster",
    "RoleBinding": "pods have no rights in the cluster",
    "ServiceMonitor": "its selector has to find the operator's Service: app.kubernetes.io/name",
    "StatefulSet": "it is not converted: pods of a HardenedService have no identity of their own",
    "DaemonSet": "it is not converted: a HardenedService does not run one pod a node",
    "Job": "it is not converted; what prepares a version is release.migrate",
    "CronJob": "it is not converted: it stays as it is",
}
#: The kinds, the most particular first: a Rollout may refer to a Deployment, and an Ingress has one behind it.
_OF_OBJECTS: Sequence[tuple[str, Callable[[Objects, Mapping[str, str]], list[Converted]]]] = (
    (rollout.KIND, rollout.services_of),
    (ingress.KIND, ingress.services_of),
    (deployment.KIND, deployment.services_of),
)


def kind_of(documents: Sequence[Any]) -> str:
    """Rollout, Ingress, Deployment or compose; "" for none of them. An Ingress counts only if it is ingress-nginx's, or has no class."""
    objects = objects_of(documents)
    for kind, _ in _OF_OBJECTS:
        if objects.of(kind):
            return kind
    return compose.KIND if any(compose.is_one(each) for each in documents) else ""


def converted(documents: Iterable[Any], images: Mapping[str, str]) -> tuple[str, list[Converted]]:
    """The kind of the source, and the services of it. images: by the name of the service, "" for the only one. Raises CannotConvert."""
    whole = list(documents)
    kind = kind_of(whole)
    if kind == compose.KIND:
        return kind, compose.services_of(next(each for each in whole if compose.is_one(each)), images)
    objects = objects_of(whole)
    for known, convert in _OF_OBJECTS:
        if kind == known:
            found = convert(objects, images)
            for each in found:
                _tell_the_rest(objects, each)
            return kind, found
    held = ", ".join(sorted({str(each.get("kind")) for each in objects.found if each.get("kind")})) or "no object"
    raise CannotConvert(f"there is nothing to convert: the file has {held}", "a Deployment, a Rollout, an Ingress or a compose file can be")


def _tell_the_rest(objects: Objects, found: Converted) -> None:
    for each in objects.found:
        if each.get("kind") not in _READ:
            found.notes.left_out(called(each), _APART.get(str(each.get("kind")), "it stays as it is"))
