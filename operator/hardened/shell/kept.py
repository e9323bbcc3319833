"""What is kept of objects, and how much of them is read in a list for one look: whoever may write them makes as many as they like."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from hardened.api import names
from hardened.api.managed import size_entries
from hardened.errors import Refused
from hardened.shell.api_server import UNREADABLE, Body
from hardened.shell.kinds import (
    HARDENED_SERVICE,
    HARDENED_SERVICE_ACTION,
    HORIZONTAL_POD_AUTOSCALER,
    NETWORK_POLICY,
    POD,
    POD_DISRUPTION_BUDGET,
    REPLICA_SET,
    Kind,
)

#: Bytes of a list that are read: 2,000 pods, as many as a service can have, are 20 MiB.
MOST_READ: Final = 32 * 1024 * 1024
#: Bytes of what is kept of it, as JSON: of such pods 6 MiB. As dictionaries it can have ten times that.
MOST_KEPT: Final = 8 * 1024 * 1024
_OF_METADATA: Final = (
    "name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds",
)  # fmt: skip
#: Of the metadata of actions: the rest is anybody's, as large as they like.
_OF_ACTIONS: Final = ("namespace", "name", "uid", "resourceVersion", "creationTimestamp", "deletionTimestamp", "ownerReferences")
#: Beside our own. The second tells a Deployment's name from that of its ReplicaSet.
_LABELS: Final = (names.COMPONENT_LABEL, names.TEMPLATE_HASH_LABEL)
#: The probes that a pod waits for before it is ready, and the one that ends its containers.
_PROBES: Final = ("startupProbe", "readinessProbe", "livenessProbe")
#: The volumes that are files of another object, and where its name is.
_FILES: Final = (("secret", "secretName"), ("configMap", "name"))


class Kept:
    """The objects of one list, page by page. Raises Refused beyond MOST_READ and MOST_KEPT."""

    def __init__(self, kind: Kind, namespace: str | None) -> None:
        self.items: list[Body] = []
        self._kind, self._where = kind, f"list {kind.plural} {namespace or ''}".rstrip()
        self._read = self._kept = 0

    def take(self, items: Iterable[Body], size: int) -> None:
        """One more page, of so many bytes."""
        found = [_kept(self._kind, item) for item in items]
        self._read += size
        # What is kept is never more than was read: to measure it takes as long as to read it.
        self._kept += sum(len(json.dumps(item)) for item in found) if self._read > MOST_KEPT else size
        if self._read > MOST_READ or self._kept > MOST_KEPT:
            why = f"{self._where}: they have more than the {MOST_READ >> 20} MiB that are read of them"
            raise Refused(why, status=200, reason=UNREADABLE)
        self.items += found


def without_managers(kind: Kind, meta: Body) -> Body:
    """Metadata without managedFields, which is half of most objects; of a HardenedService with those who set its size."""
    found = {name: value for name, value in meta.items() if name != "managedFields"}
    entries = size_entries(meta) if kind == HARDENED_SERVICE else []
    return found | ({"managedFields": entries} if entries else {})


def kept_of_watched(kind: Kind, obj: Body) -> Body:
    """What is kept of an object that a watch has told of."""
    if kind == POD_DISRUPTION_BUDGET:
        # Nothing follows from its status, which changes with each pod that comes or goes.
        return {name: value for name, value in obj.items() if name != "status"}
    if kind == HORIZONTAL_POD_AUTOSCALER:
        # What is measured changes every 15 s, and nothing follows from it.
        conditions = (obj.get("status") or {}).get("conditions") or ()
        return obj | {"status": {"conditions": [_some(each, _of_condition(each)) for each in conditions]}}
    if kind == HARDENED_SERVICE_ACTION:
        return obj | {"metadata": _some(obj["metadata"], _OF_ACTIONS)}
    return obj


def _of_condition(condition: Mapping[str, Any]) -> tuple[str, ...]:
    """What is kept of a condition: its words, where it says that something is not as it should be."""
    is_told = (condition.get("type") == "ScalingLimited") == (condition.get("status") == "True")
    return ("type", "status", "lastTransitionTime", *(("reason", "message") if is_told else ()))


def _kept(kind: Kind, item: Body) -> Body:
    """What decisions are made from. Of other kinds, which no tenant writes, all."""
    if kind not in (POD, REPLICA_SET, NETWORK_POLICY):
        return item
    found: Body = {"apiVersion": item["apiVersion"], "kind": item["kind"], "metadata": _metadata(item.get("metadata") or {})}
    spec = item.get("spec") or {}
    if kind == POD:
        found["spec"] = {
            "initContainers": [_some(each, ("name", "restartPolicy")) for each in spec.get("initContainers") or ()],
            **_probes(spec),
            **_some(spec, ("nodeName", "schedulingGates")),
            **_mounts(spec),
        }
        found["status"] = item.get("status") or {}
    if kind == REPLICA_SET:
        found["metadata"]["annotations"] = _some((item.get("metadata") or {}).get("annotations") or {}, (names.HOLD_ANNOTATION,))
        found["spec"], found["status"] = _some(spec, ("replicas",)) | _gates(spec), _some(item.get("status") or {}, ("observedGeneration",))
    if kind == NETWORK_POLICY:
        found["spec"] = _some(spec, ("podSelector", "policyTypes"))
    return found


def _gates(spec: Mapping[str, Any]) -> Body:
    """Of the template of a ReplicaSet: what keeps its pods from every node."""
    gates = _some((spec.get("template") or {}).get("spec") or {}, ("schedulingGates",))
    return {"template": {"spec": gates}} if gates else {}


def _probes(spec: Mapping[str, Any]) -> Body:
    """What containers are asked: where, and not with which words."""
    found = []
    for container in spec.get("containers") or ():
        probes = {name: _asked(container[name]) for name in _PROBES if container.get(name)}
        ports = [_some(each, ("name", "containerPort")) for each in container.get("ports") or ()]
        found += [_some(container, ("name",)) | {"ports": ports, **probes}] if probes else []
    return {"containers": found} if found else {}


def _asked(probe: Mapping[str, Any]) -> Body:
    found = {kind: _some(probe[kind], ("port", "path")) for kind in ("httpGet", "tcpSocket", "grpc") if probe.get(kind)}
    return found or {"exec": {}}


def _mounts(spec: Mapping[str, Any]) -> Body:
    """What a pod mounts of other objects, by their names, and the claims that are made for it.

    Who uses some data is asked of all pods of a namespace; what keeps a pod from starting may be what it mounts.
    """
    volumes = spec.get("volumes") or ()
    claims = [
        {"persistentVolumeClaim": _some(each["persistentVolumeClaim"], ("claimName",))}
        for each in volumes
        if each.get("persistentVolumeClaim")
    ]
    own = [{"name": each.get("name"), "ephemeral": True} for each in volumes if each.get("ephemeral")]
    files = [
        {field: _some(each[field], (name,))}
        for each in volumes
        for field, name in _FILES
        if each.get(field) and not each[field].get("optional")
    ]
    return {"volumes": claims + own + files} if claims or own or files else {}


def _metadata(meta: Mapping[str, Any]) -> Body:
    given = (meta.get("labels") or {}).items()
    labels = {key: value for key, value in given if key.startswith(f"{names.GROUP}/") or key in _LABELS}
    owners = [owner for owner in meta.get("ownerReferences") or () if owner.get("controller")]
    return _some(meta, _OF_METADATA) | {"labels": labels, "ownerReferences": owners}


def _some(given: Mapping[str, Any], fields: Iterable[str]) -> Body:
    return {name: given[name] for name in fields if name in given}
