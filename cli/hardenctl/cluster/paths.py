"""The URL paths of what hardenctl reads and writes."""

from urllib.parse import quote, urlencode

from hardened.api import names

FIELD_MANAGER = "hardenctl"
#: Of what suspends a service: an apply takes away what its manager said before and leaves out now.
SUSPENDER = "hardenctl-suspend"
OPERATOR_LABEL = f"{names.NAME_LABEL}=hardened-operator"
CRD_NAME = f"{names.PLURAL}.{names.GROUP}"

VERSION = "/version"
CRD = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{CRD_NAME}"
GROUP = f"/apis/{names.API_VERSION}"
METRICS = "/apis/metrics.k8s.io/v1beta1"
SELF_REVIEWS = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
ACCESS_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
ALL_DEPLOYMENTS = "/apis/apps/v1/deployments"
ALL_SERVICES = f"{GROUP}/{names.PLURAL}"

#: The kinds of a service's children, by the collection that holds them.
CHILD_COLLECTIONS = {
    "ControllerRevision": "apis/apps/v1/{}/controllerrevisions",
    "ConfigMap": "api/v1/{}/configmaps",
    "ServiceAccount": "api/v1/{}/serviceaccounts",
    "NetworkPolicy": "apis/networking.k8s.io/v1/{}/networkpolicies",
    "PodDisruptionBudget": "apis/policy/v1/{}/poddisruptionbudgets",
    "PersistentVolumeClaim": "api/v1/{}/persistentvolumeclaims",
    "Deployment": "apis/apps/v1/{}/deployments",
    "Service": "api/v1/{}/services",
    "CronJob": "apis/batch/v1/{}/cronjobs",
    "Job": "apis/batch/v1/{}/jobs",
    "HorizontalPodAutoscaler": "apis/autoscaling/v2/{}/horizontalpodautoscalers",
}
#: The same of kinds that a cluster may lack.
OPTIONAL_COLLECTIONS = {"ScaledObject": "apis/keda.sh/v1alpha1/{}/scaledobjects"}
PODS = "api/v1/{}/pods"
REPLICA_SETS = "apis/apps/v1/{}/replicasets"
EVENTS = "api/v1/{}/events"
ENDPOINT_SLICES = "apis/discovery.k8s.io/v1/{}/endpointslices"
QUOTAS = "api/v1/{}/resourcequotas"
LIMIT_RANGES = "api/v1/{}/limitranges"


def services(namespace: str) -> str:
    """The HardenedServices of a namespace."""
    return collection(namespace, names.PLURAL)


def service(namespace: str, name: str) -> str:
    """One HardenedService."""
    return one(services(namespace), name)


def actions(namespace: str) -> str:
    """The HardenedServiceActions of a namespace."""
    return collection(namespace, names.ACTION_PLURAL)


def collection(namespace: str, plural: str) -> str:
    """The objects of one of our kinds in a namespace. plural: the kind, as names.PLURAL is."""
    return f"{GROUP}/namespaces/{quote(namespace, safe='')}/{plural}"


def one(collection: str, name: str) -> str:
    """One object of a collection."""
    return f"{collection}/{quote(name, safe='')}"


def children(kind: str, namespace: str) -> str:
    """The collection that holds children of this kind."""
    return within(CHILD_COLLECTIONS[kind], namespace)


def within(collection: str, namespace: str) -> str:
    """A collection of the kinds above, in one namespace."""
    return "/" + collection.format(f"namespaces/{quote(namespace, safe='')}")


def with_query(path: str, **query: str | int | bool | None) -> str:
    """A path with its query; None leaves a parameter out. Example: ("/x", watch=True) -> "/x?watch=true"."""
    given = {k: str(v).lower() if isinstance(v, bool) else str(v) for k, v in query.items() if v is not None}
    return f"{path}?{urlencode(given)}" if given else path
