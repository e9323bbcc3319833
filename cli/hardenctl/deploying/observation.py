"""What the planner asks about, read with the rights of the person at the prompt."""

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from hardenctl.cluster.api_cluster import Cluster
from hardenctl.cluster.paths import (
    CHILD_COLLECTIONS,
    ENDPOINT_SLICES,
    LIMIT_RANGES,
    OPTIONAL_COLLECTIONS,
    PODS,
    QUOTAS,
    actions,
    service,
    with_query,
    within,
)
from hardenctl.cluster.replies import is_kind_missing
from hardenctl.deploying import settings
from hardened.api import names
from hardened.core.model.manifest import ChildKey, Manifest
from hardened.core.model.policy import Policy
from hardened.core.observe.observed import Constraints, NamespaceSnapshot
from hardened.errors import Refused, Vanished

_COLLECTIONS = {**CHILD_COLLECTIONS, **OPTIONAL_COLLECTIONS, "Pod": PODS}


class Observation(Protocol):
    """Where a service is looked at. Every method raises ApiFailure."""

    def policy(self) -> Policy:
        """What the operator's settings allow; everything, where nobody can say."""

    def children(self) -> list[Manifest]:
        """All that the operator would see of it: children, pods of its checks, endpoints and actions."""

    def child(self, key: ChildKey) -> Manifest | None: ...

    def knows(self, kind: str) -> bool:
        """Whether the cluster has this kind, as far as one of its objects was asked for."""

    def service(self, name: str) -> Manifest | None:
        """Another HardenedService of the namespace."""

    def pods(self) -> list[Manifest] | None:
        """The application's; None where they may not be listed."""

    def around(self, config_maps: Iterable[str]) -> NamespaceSnapshot: ...

    def constraints(self) -> Constraints: ...


class Nowhere(Observation):
    """Without a cluster: nothing is there yet but what the service depends on, and there is room."""

    def policy(self) -> Policy:
        return settings.UNKNOWN

    def children(self) -> list[Manifest]:
        return []

    def child(self, key: ChildKey) -> Manifest | None:
        return None

    def knows(self, kind: str) -> bool:
        return True

    def service(self, name: str) -> Manifest | None:
        return None

    def pods(self) -> list[Manifest]:
        return []

    def around(self, config_maps: Iterable[str]) -> NamespaceSnapshot:
        return NamespaceSnapshot()

    def constraints(self) -> Constraints:
        return Constraints()


class OnCluster(Observation):
    """One service on a cluster. What only tells how a release gets on is left out where it may not be read."""

    def __init__(self, cluster: Cluster, namespace: str, name: str) -> None:
        self._cluster, self._namespace, self._name = cluster, namespace, name
        self._unknown: set[str] = set()

    def policy(self) -> Policy:
        return settings.policy(self._cluster)

    def children(self) -> list[Manifest]:
        ours = f"{names.CHILD_SELECTOR},{names.SERVICE_LABEL}={self._name}"
        found = [each for kind in CHILD_COLLECTIONS for each in self._list(kind, CHILD_COLLECTIONS[kind], ours)]
        found += self._list_if_allowed("EndpointSlice", ENDPOINT_SLICES, ours)
        found += self._list_if_allowed("Pod", PODS, f"{names.WATCHED_PODS},{names.SERVICE_LABEL}={self._name}")
        return found + self._actions()

    def child(self, key: ChildKey) -> Manifest | None:
        collection = _COLLECTIONS[key.kind]
        try:
            live = self._get(f"{within(collection, self._namespace)}/{key.name}", key.kind)
        except Refused:
            if key.kind not in OPTIONAL_COLLECTIONS:
                raise
            live = None  # few people may read them: the operator may
        if live is None:
            return None
        # For the plan, an object without them is one that was read in part: it would ask for it again, for ever.
        live["metadata"].setdefault("managedFields", [])
        return _named(key.kind, collection, live)

    def knows(self, kind: str) -> bool:
        return kind not in self._unknown

    def service(self, name: str) -> Manifest | None:
        return self._get(service(self._namespace, name))

    def pods(self) -> list[Manifest] | None:
        try:
            return self._list("Pod", PODS, f"{names.SERVICE_LABEL}={self._name},{names.COMPONENT_LABEL}=app")
        except Refused:
            return None

    def around(self, config_maps: Iterable[str]) -> NamespaceSnapshot:
        found = {name: self.child(ChildKey("ConfigMap", name)) for name in config_maps}
        quotas = self._list_if_allowed("ResourceQuota", QUOTAS, None)
        limit_ranges = self._list_if_allowed("LimitRange", LIMIT_RANGES, None) if quotas else []
        return NamespaceSnapshot(tuple(quotas), {name: live for name, live in found.items() if live}, tuple(limit_ranges))

    def constraints(self) -> Constraints:
        others = f"{names.MANAGED_BY_LABEL}!={names.MANAGED_BY}"
        policies = self._list_if_allowed("NetworkPolicy", CHILD_COLLECTIONS["NetworkPolicy"], others)
        return Constraints(tuple(self._list_if_allowed("LimitRange", LIMIT_RANGES, None)), tuple(policies))

    def _get(self, path: str, kind: str = "") -> Manifest | None:
        try:
            return self._cluster.get(path)
        except Vanished as error:
            self._unknown |= {kind} if is_kind_missing(error) else set()
            return None

    def _actions(self) -> list[Manifest]:
        try:
            items = self._cluster.get(with_query(actions(self._namespace), resourceVersion=0)).get("items") or ()
        except (Refused, Vanished):
            return []
        found = [{**item, "apiVersion": names.API_VERSION, "kind": names.ACTION_KIND} for item in items]
        return [each for each in found if (each.get("spec") or {}).get("service") == self._name]

    def _list_if_allowed(self, kind: str, collection: str, selector: str | None) -> list[Manifest]:
        try:
            return self._list(kind, collection, selector)
        except (Refused, Vanished):
            return []

    def _list(self, kind: str, collection: str, selector: str | None) -> list[Manifest]:
        items = self._cluster.get(with_query(within(collection, self._namespace), labelSelector=selector)).get("items") or ()
        return [_named(kind, collection, item) for item in items]


def _named(kind: str, collection: str, item: Mapping[str, Any]) -> Manifest:
    """The object with its apiVersion and kind, which the server leaves out of the items of a list: without them it would differ."""
    version, _, _ = collection.partition("/{}")
    return {**item, "apiVersion": version.removeprefix("apis/").removeprefix("api/"), "kind": kind}
