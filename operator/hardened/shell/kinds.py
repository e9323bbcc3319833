"""The kinds of objects that the operator speaks about, as values."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from hardened.api import names


@dataclass(frozen=True)
class Kind:
    """One namespaced kind. `name` is the manifest's `kind`; `plural` is what a URL and an RBAC rule say."""

    group: str
    version: str
    plural: str
    name: str
    is_optional: bool = False
    """A cluster may lack it. It is not watched then, nor kept in the cache: its objects are read by name."""

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str | None, name: str | None = None, subresource: str = "") -> str:
        """The URL path of the collection, of one object, or of its subresource. namespace None: all namespaces, for lists only."""
        parts = ["apis", self.group, self.version] if self.group else ["api", self.version]
        if namespace is not None:
            parts += ["namespaces", namespace]
        parts.append(self.plural)
        if name is not None:
            parts.append(name)
        if subresource:
            parts.append(subresource)
        return "/" + "/".join(quote(part, safe="") for part in parts)

    def named(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The object with its apiVersion and kind, which the server leaves out of some replies, such as the items of its own kinds."""
        return {"apiVersion": self.api_version, "kind": self.name, **body}

    def __str__(self) -> str:
        return self.name


DEPLOYMENT = Kind("apps", "v1", "deployments", "Deployment")
CONTROLLER_REVISION = Kind("apps", "v1", "controllerrevisions", "ControllerRevision")
REPLICA_SET = Kind("apps", "v1", "replicasets", "ReplicaSet")
SERVICE = Kind("", "v1", "services", "Service")
SERVICE_ACCOUNT = Kind("", "v1", "serviceaccounts", "ServiceAccount")
CONFIG_MAP = Kind("", "v1", "configmaps", "ConfigMap")
PERSISTENT_VOLUME_CLAIM = Kind("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim")
POD = Kind("", "v1", "pods", "Pod")
RESOURCE_QUOTA = Kind("", "v1", "resourcequotas", "ResourceQuota")
LIMIT_RANGE = Kind("", "v1", "limitranges", "LimitRange")
EVENT = Kind("", "v1", "events", "Event")
POD_DISRUPTION_BUDGET = Kind("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget")
HORIZONTAL_POD_AUTOSCALER = Kind("autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler")
SCALED_OBJECT = Kind("keda.sh", "v1alpha1", "scaledobjects", "ScaledObject", is_optional=True)
ENDPOINT_SLICE = Kind("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice")
CRON_JOB = Kind("batch", "v1", "cronjobs", "CronJob")
JOB = Kind("batch", "v1", "jobs", "Job")
NETWORK_POLICY = Kind("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy")
LEASE = Kind("coordination.k8s.io", "v1", "leases", "Lease")
#: Cluster-scoped: its namespace is None.
CUSTOM_RESOURCE_DEFINITION = Kind("apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition")
HARDENED_SERVICE = Kind(names.GROUP, names.VERSION, names.PLURAL, names.KIND)
HARDENED_SERVICE_ACTION = Kind(names.GROUP, names.VERSION, names.ACTION_PLURAL, names.ACTION_KIND)

#: Every kind, by the `kind` of its manifest.
KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        DEPLOYMENT,
        REPLICA_SET,
        CONTROLLER_REVISION,
        SERVICE,
        SERVICE_ACCOUNT,
        CONFIG_MAP,
        PERSISTENT_VOLUME_CLAIM,
        POD,
        RESOURCE_QUOTA,
        LIMIT_RANGE,
        EVENT,
        POD_DISRUPTION_BUDGET,
        CRON_JOB,
        JOB,
        NETWORK_POLICY,
        HORIZONTAL_POD_AUTOSCALER,
        SCALED_OBJECT,
        ENDPOINT_SLICE,
        LEASE,
        HARDENED_SERVICE,
        HARDENED_SERVICE_ACTION,
    )
}
