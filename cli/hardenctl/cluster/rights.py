"""What each verb may have to ask the API server for: the one table that roles are made from."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from hardenctl.cluster.paths import CHILD_COLLECTIONS, CRD_NAME, OPTIONAL_COLLECTIONS
from hardened.api import names


@dataclass(frozen=True)
class Right:
    """What may be done with one resource."""

    group: str
    """Of the API, "" for the core."""
    resource: str
    verbs: tuple[str, ...]
    is_cluster_wide: bool = False
    """It is needed outside the service's namespace: the resource has none, or all namespaces are looked at."""
    names: tuple[str, ...] = ()
    """The objects that it is bound to, () for all."""


def _ours(*verbs: str) -> Right:
    return Right(names.GROUP, names.PLURAL, verbs)


def _list(*collections: str) -> tuple[Right, ...]:
    return tuple(Right(group, resource, ("list",)) for group, resource in map(_resource, collections))


def _resource(collection: str) -> tuple[str, str]:
    """Example: "apis/apps/v1/{}/deployments" -> ("apps", "deployments")."""
    parts = collection.split("/")
    return (parts[1] if parts[0] == "apis" else ""), parts[-1]


def _asks(subresource: str, *more: Right) -> tuple[Right, ...]:
    """By a HardenedServiceAction, followed to its end. subresource: what the admission policy asks for."""
    follow = Right(names.GROUP, names.ACTION_PLURAL, ("create", "get", "list", "watch"))
    return (_ours("get"), follow, Right(names.GROUP, f"{names.PLURAL}/{subresource}", ("create",)), *more)


_DEPLOYMENTS, _REVISIONS = _list(CHILD_COLLECTIONS["Deployment"], CHILD_COLLECTIONS["ControllerRevision"])
_AUTOSCALERS, _CLAIMS = _list(CHILD_COLLECTIONS["HorizontalPodAutoscaler"], CHILD_COLLECTIONS["PersistentVolumeClaim"])
_PODS, _REPLICA_SETS, _EVENTS = Right("", "pods", ("list",)), Right("apps", "replicasets", ("list",)), Right("", "events", ("list",))
_JOBS, _CRON_JOBS, _ACTIONS = (
    Right("batch", "jobs", ("list",)),
    Right("batch", "cronjobs", ("list",)),
    Right(names.GROUP, names.ACTION_PLURAL, ("list",)),
)
_TIMELINE = (_PODS, _REPLICA_SETS, _DEPLOYMENTS, _JOBS, _CRON_JOBS, _CLAIMS, _ACTIONS, _EVENTS)
#: The operator, in whichever namespace, and the CRD.
_INSTALLATION = (
    Right("apps", "deployments", ("list",), is_cluster_wide=True),
    Right("apiextensions.k8s.io", "customresourcedefinitions", ("get",), is_cluster_wide=True, names=(CRD_NAME,)),
)
#: What the operator would look at to decide.
_DRY_RUN = (
    *(Right(group, resource, ("get", "list")) for group, resource in map(_resource, CHILD_COLLECTIONS.values())),
    *(_PODS, _ACTIONS, Right("discovery.k8s.io", "endpointslices", ("list",))),
    *(Right("", resource, ("list",)) for resource in ("resourcequotas", "limitranges")),
    _INSTALLATION[0],
)
#: What the operator made, and what of it has to be let go on.
_EJECT = (
    *_list(*CHILD_COLLECTIONS.values()),
    *(Right(*_resource(CHILD_COLLECTIONS[kind]), ("patch",)) for kind in ("HorizontalPodAutoscaler", "CronJob")),
)
#: Of the operator's log it has none: a right to it is one to all logs of a namespace.
_REPORT = (
    *_list(*CHILD_COLLECTIONS.values(), *OPTIONAL_COLLECTIONS.values()),
    _PODS,
    _REPLICA_SETS,
    _EVENTS,
    _ACTIONS,
    Right("", "pods/log", ("get",)),
)
_PREFLIGHT = (
    *(
        Right(*_resource(CHILD_COLLECTIONS[kind]), ("get",))
        for kind in (
            "ConfigMap",
            "PersistentVolumeClaim",
            "Service",
            "Deployment",
            "NetworkPolicy",
            "ServiceAccount",
            "PodDisruptionBudget",
        )
    ),
    *(Right("", resource, ("list",)) for resource in ("resourcequotas", "limitranges")),
    Right("", "namespaces", ("get",), is_cluster_wide=True),
    Right("", "nodes", ("list",), is_cluster_wide=True),
    Right("storage.k8s.io", "storageclasses", ("list",), is_cluster_wide=True),
    Right("scheduling.k8s.io", "priorityclasses", ("get",), is_cluster_wide=True),
    Right("node.k8s.io", "runtimeclasses", ("get",), is_cluster_wide=True),
    Right("admissionregistration.k8s.io", "validatingadmissionpolicies", ("list",), is_cluster_wide=True),
)

#: By verb, with its group before it. What every user may do is not here: discovery, and reviews of oneself. Neither is what a verb only
#: asks for to suggest a similar name, nor `get` of Secrets, which no role is to give away for the sake of a check: `preflight` says then
#: that it was not checked. A rollback with data also needs what `restore` needs.
VERB_RIGHTS: Mapping[str, tuple[Right, ...]] = {
    # The pods, of a live view.
    "deploy": (_ours("get", "list", "watch", "create", "patch"), _DEPLOYMENTS, _PODS),
    "get": (_ours("get", "list"),),
    "status": (_ours("get", "list", "watch"), _DEPLOYMENTS, _AUTOSCALERS, _PODS),
    "explain": (_ours("get"), *_TIMELINE, *_list(CHILD_COLLECTIONS["PodDisruptionBudget"])),
    "events": (_ours("get"), _REVISIONS, *_TIMELINE),
    "logs": (_ours("get"), _REVISIONS, _PODS, Right("", "pods/log", ("get",))),
    "tree": (_ours("get"), _DEPLOYMENTS, _PODS),
    "report": (_ours("get"), *_REPORT, *_INSTALLATION),
    "diff": (_ours("get", "create", "patch"), *_DRY_RUN),
    "history": (_ours("get"), _REVISIONS),
    "rollback": _asks("rollback", _REVISIONS),
    "promote": _asks("promote"),
    "abort": _asks("abort"),
    "retry": _asks("retry"),
    "pause": _asks("pause"),
    "resume": _asks("resume"),
    "suspend": (_ours("get", "patch"),),
    "unsuspend": (_ours("get", "patch"),),
    "backup create": _asks("backup"),
    "backup verify": _asks("verifybackup"),
    "backup list": (_ours("get"),),
    "restore": _asks("restore", _ours("list")),
    "eject": (_ours("get", "patch", "delete"), *_EJECT),
    "state export": (_ours("list"), _REVISIONS),
    "state import": (_ours("get", "create", "patch"), Right("apps", "controllerrevisions", ("get", "create", "patch"))),
    "preflight": (_ours("get", "list"), *_PREFLIGHT, *_INSTALLATION),
    "check": (_ours("get", "list", "watch"), *_INSTALLATION),
    "version": _INSTALLATION,
}


def rules_of(rights: Iterable[Right]) -> list[dict[str, list[str]]]:
    """As a Role has them: one rule for each group, set of verbs and set of names."""
    found: dict[tuple[str, tuple[str, ...], tuple[str, ...]], list[str]] = {}
    for each in rights:
        resources = found.setdefault((each.group, each.verbs, each.names), [])
        resources += [each.resource] if each.resource not in resources else []
    return [
        {"apiGroups": [group], "resources": resources, **({"resourceNames": list(bound)} if bound else {}), "verbs": list(verbs)}
        for (group, verbs, bound), resources in found.items()
    ]
