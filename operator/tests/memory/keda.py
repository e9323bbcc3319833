"""What KEDA's operator does with ScaledObjects, while it is at work: Store.keda.

As controllers/keda/scaledobject_controller.go of 2.21 does: it holds each by a finalizer, makes a HorizontalPodAutoscaler with the labels
and annotations of the ScaledObject, takes it away while that is paused, and brings a service at 0 replicas back to the least.
"""

from collections.abc import Callable
from typing import Any

from tests.memory import fields
from tests.memory.fields import Body
from tests.memory.ownership import Manager
from tests.memory.store import Store

from hardened.shell.kinds import HARDENED_SERVICE, HORIZONTAL_POD_AUTOSCALER, SCALED_OBJECT, Kind

FINALIZER = "finalizer.keda.sh"
PAUSED = "autoscaling.keda.sh/paused"
_ME = Manager("keda", "Update")
Write = Callable[[Store, Kind, Body], Body]


def settle(store: Store, write: Write) -> int:
    """One look at each. How many objects that changed. write: stores a status."""
    if store.keda != "Works":
        return 0
    return sum(_look(store, write, live) for live in store.bodies(SCALED_OBJECT, None))


def uninstall(store: Store) -> None:
    """Its kinds go, and with them their objects, whatever holds them."""
    for live in store.bodies(SCALED_OBJECT, None):
        store.remove(SCALED_OBJECT, live["metadata"]["namespace"], live["metadata"]["name"])
    store.keda = ""


def _look(store: Store, write: Write, live: Body) -> int:
    version, meta = store.version, live["metadata"]
    if "deletionTimestamp" in meta:
        store.remove(SCALED_OBJECT, meta["namespace"], meta["name"])
        return 1
    if FINALIZER not in meta.get("finalizers", ()):
        held = fields.copy(live)
        held["metadata"] |= {"finalizers": [FINALIZER], "labels": {**meta["labels"], "scaledobject.keda.sh/name": meta["name"]}}
        live = store.update(SCALED_OBJECT, held, _ME)
    is_paused = meta.get("annotations", {}).get(PAUSED) == "true"
    _bring_autoscaler(store, live, is_paused=is_paused)
    if not is_paused:
        _wake(store, live)
    status = _status(store, is_paused=is_paused)
    if status != live.get("status"):
        write(store, SCALED_OBJECT, fields.copy(live) | {"status": status})
    return store.version - version


def _bring_autoscaler(store: Store, live: Body, *, is_paused: bool) -> None:
    meta, spec = live["metadata"], live["spec"]
    config = spec["advanced"]["horizontalPodAutoscalerConfig"]
    known = store.get(HORIZONTAL_POD_AUTOSCALER, meta["namespace"], config["name"])
    if is_paused:
        if known:
            store.remove(HORIZONTAL_POD_AUTOSCALER, meta["namespace"], config["name"])
        return
    owner = {"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "name": meta["name"], "uid": meta["uid"], "controller": True}
    wanted: dict[str, Any] = {
        "scaleTargetRef": spec["scaleTargetRef"],
        "minReplicas": spec["minReplicaCount"],
        "maxReplicas": spec["maxReplicaCount"],
        "metrics": [],
        **({"behavior": config["behavior"]} if "behavior" in config else {}),
    }
    labels, annotations = meta["labels"], meta["annotations"]
    made = {
        "name": config["name"],
        "namespace": meta["namespace"],
        "labels": labels,
        "annotations": annotations,
        "ownerReferences": [owner],
    }
    body = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": made, "spec": wanted}
    if known is None:
        store.create(HORIZONTAL_POD_AUTOSCALER, fields.copy(body), _ME)
    elif any(known.body["spec"].get(name) != value for name, value in wanted.items() if name != "behavior"):
        store.update(HORIZONTAL_POD_AUTOSCALER, fields.copy(known.body) | {"spec": fields.copy(wanted)}, _ME)


def _wake(store: Store, live: Body) -> None:
    """pkg/scaling/executor/scale_scaledobjects.go."""
    target = store.get(HARDENED_SERVICE, live["metadata"]["namespace"], live["spec"]["scaleTargetRef"]["name"])
    if target and target.body["spec"].get("replicas") == 0:
        scaled = fields.copy(target.body)
        scaled["spec"]["replicas"] = live["spec"]["minReplicaCount"]
        store.update(HARDENED_SERVICE, scaled, Manager("keda", "Update", "scale"))


def _status(store: Store, *, is_paused: bool) -> Body:
    is_failing = store.unanswered and not is_paused
    states = {"Ready": "True", "Active": "True", "Fallback": str(is_failing), "Paused": str(is_paused)}
    conditions = [{"type": name, "status": status, "reason": name, "message": name} for name, status in states.items()]
    health = {"status": "Failing", "numberOfFailures": 4} if is_failing else {"status": "Happy", "numberOfFailures": 0}
    return {"conditions": conditions, "health": {"s1-prometheus": health}}
