"""Reads what is around a service on a cluster, with the rights of the person at the prompt. Of Secrets it reads that they are there."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from hardenctl.cluster import installation
from hardenctl.cluster.api_cluster import Cluster
from hardenctl.cluster.paths import CHILD_COLLECTIONS, LIMIT_RANGES, METRICS, QUOTAS, one, services, within
from hardenctl.deploying import settings
from hardened.api import names
from hardened.api.parse import HardenedService
from hardened.core.desired.template import claim_name
from hardened.core.hardening.cluster import config_map_references, namesake_names, needs_secrets
from hardened.core.hardening.surroundings import Surroundings
from hardened.core.model.manifest import Manifest
from hardened.errors import Refused, TryAgain, Vanished

_SECRETS = "api/v1/{}/secrets"
_NAMESPACES = "/api/v1/namespaces"
_NODES = "/api/v1/nodes"
_STORAGE_CLASSES = "/apis/storage.k8s.io/v1/storageclasses"
_PRIORITY_CLASSES = "/apis/scheduling.k8s.io/v1/priorityclasses"
_RUNTIME_CLASSES = "/apis/node.k8s.io/v1/runtimeclasses"
_ADMISSION_POLICIES = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"
_KEDA = "/apis/keda.sh/v1alpha1"


@dataclass(frozen=True)
class Seen:
    """What was read."""

    around: Surroundings
    """For the checks."""
    services: tuple[Manifest, ...]
    """The HardenedServices of the namespace, where the service depends on one."""
    why: Mapping[str, str]
    """Why a field of the Surroundings is not known."""


def read(cluster: Cluster, svc: HardenedService, together: frozenset[str]) -> Seen:
    """together: the names of services that are deployed to the same namespace with it. Raises ApiFailure, but for what may not be read."""
    reading = _Reading(cluster, svc, together)
    found: dict[str, Any] = {}
    why: dict[str, str] = {}
    for field in fields(Surroundings):
        try:
            found[field.name] = getattr(reading, field.name)()
        except Refused as error:
            found[field.name], why[field.name] = None, error.message
    return Seen(Surroundings(**found), tuple(reading.others), why)


class _Reading:
    """One method for each field of Surroundings; what the service does not refer to is not asked for. Each raises ApiFailure."""

    def __init__(self, cluster: Cluster, svc: HardenedService, together: frozenset[str]) -> None:
        self._cluster, self._svc, self._together = cluster, svc, together
        self.others: list[Manifest] = []

    def namespace(self) -> Manifest:
        return self._one(one(_NAMESPACES, self._svc.namespace)) or {}

    def secrets(self) -> frozenset[str]:
        return self._there(self._within(_SECRETS), needs_secrets(self._svc.spec))

    def config_maps(self) -> dict[str, Manifest]:
        wanted = sorted({each.name for each in config_map_references(self._svc)})
        found = {name: self._one(one(self._within(CHILD_COLLECTIONS["ConfigMap"]), name)) for name in wanted}
        return {name: live for name, live in found.items() if live}

    def claims(self) -> frozenset[str]:
        spec = self._svc.spec
        own = {claim_name(self._svc, volume.name) for volume in spec.volumes or () if volume.claim}
        repositories = {each.repository.claim.name for each in spec.backups or () if each.repository.claim}
        return self._there(self._within(CHILD_COLLECTIONS["PersistentVolumeClaim"]), own | repositories)

    def services(self) -> frozenset[str]:
        hosts = {each.tcp.rpartition(":")[0] for each in self._svc.spec.depends_on or () if each.tcp}
        return self._there(self._within(CHILD_COLLECTIONS["Service"]), hosts)

    def hardened_services(self) -> frozenset[str]:
        if self._svc.spec.depends_on:
            self.others = self._list(services(self._svc.namespace))
        return frozenset(each["metadata"]["name"] for each in self.others) | self._together

    def namesakes(self) -> tuple[Manifest, ...]:
        found = []
        for kind, called in namesake_names(self._svc).items():
            for name in called:
                live = self._one(one(self._within(CHILD_COLLECTIONS[kind]), name))
                found += [{**live, "kind": kind}] if live else []
        return tuple(found)

    def quotas(self) -> tuple[Manifest, ...]:
        return tuple(self._list(self._within(QUOTAS)))

    def limit_ranges(self) -> tuple[Manifest, ...]:
        return tuple(self._list(self._within(LIMIT_RANGES)))

    def nodes(self) -> tuple[Manifest, ...]:
        return tuple(self._list(_NODES))

    def storage_classes(self) -> tuple[Manifest, ...]:
        has_claims = any(volume.claim for volume in self._svc.spec.volumes or ())
        return tuple(self._list(_STORAGE_CLASSES)) if has_claims else ()

    def priority_classes(self) -> frozenset[str]:
        scheduling = self._svc.spec.scheduling
        wanted = scheduling.priority_class_name if scheduling else None
        return self._there(_PRIORITY_CLASSES, [wanted] if wanted else [])

    def runtime_classes(self) -> frozenset[str]:
        scheduling = self._svc.spec.scheduling
        wanted = scheduling.runtime_class_name if scheduling else None
        return self._there(_RUNTIME_CLASSES, [wanted] if wanted else [])

    def has_metrics(self) -> bool:
        scale = self._svc.spec.autoscale
        return not (scale and (scale.cpu or scale.memory)) or self._is_served(METRICS)

    def has_keda(self) -> bool:
        scale = self._svc.spec.autoscale
        return not (scale and scale.prometheus) or self._is_served(_KEDA)

    def crd_schema(self) -> str | None:
        found = installation.crd(self._cluster)
        return (found.revision or "unknown" if found.is_known else None) if found.is_installed else ""

    def operator_pods(self) -> int | None:
        found = installation.operator(self._cluster)
        return found.available if found.is_known else None

    def has_action_policy(self) -> bool:
        return not self._svc.spec.backups or any(_is_of_actions(each) for each in self._list(_ADMISSION_POLICIES))

    def policy(self) -> Any:
        return settings.policy(self._cluster)

    def _within(self, collection: str) -> str:
        return within(collection, self._svc.namespace)

    def _one(self, path: str) -> Manifest | None:
        try:
            return self._cluster.get(path)
        except Vanished:
            return None

    def _list(self, path: str) -> list[Manifest]:
        """Nothing of a kind that the cluster does not know."""
        return list((self._one(path) or {}).get("items") or ())

    def _there(self, collection: str, wanted: Iterable[str]) -> frozenset[str]:
        return frozenset(name for name in sorted(wanted) if self._cluster.is_there(one(collection, name)))

    def _is_served(self, path: str) -> bool:
        try:
            return self._one(path) is not None
        except TryAgain as error:
            # The API server knows who should answer, and nobody does.
            if error.status != 503:
                raise
            return False


def _is_of_actions(policy: Mapping[str, Any]) -> bool:
    rules = ((policy.get("spec") or {}).get("matchConstraints") or {}).get("resourceRules") or ()
    return any(names.GROUP in (rule.get("apiGroups") or ()) and names.ACTION_PLURAL in (rule.get("resources") or ()) for rule in rules)
