"""What the cluster's controller of HorizontalPodAutoscalers does, by the sizes that the load asks for: Store.demand.

As pkg/controller/podautoscaler/horizontal.go does: a size out of the bounds is brought back whatever the behaviour says, and 0 is left as
it is.
"""

from collections.abc import Callable

from tests.memory import fields
from tests.memory.fields import Body
from tests.memory.ownership import Manager
from tests.memory.store import Store

from hardened.shell.kinds import HARDENED_SERVICE, HORIZONTAL_POD_AUTOSCALER, Kind

SCALER = Manager("kube-controller-manager", "Update", "scale")
Write = Callable[[Store, Kind, Body], Body]


def settle(store: Store, write: Write) -> int:
    """One look at each. How many objects that changed. write: stores a status."""
    changed = 0
    for hpa in store.bodies(HORIZONTAL_POD_AUTOSCALER, None):
        meta, name, before = hpa["metadata"], hpa["spec"]["scaleTargetRef"]["name"], hpa.get("status") or {}
        target = store.get(HARDENED_SERVICE, meta["namespace"], name)
        size = target.body["spec"].get("replicas") if target else None
        status = _status(hpa, size, store.demand.get((meta["namespace"], name)), before, store.now())
        desired = status.get("desiredReplicas")
        if target and desired not in (None, size):
            scaled = fields.copy(target.body)
            scaled["spec"]["replicas"] = desired
            store.update(HARDENED_SERVICE, scaled, SCALER)
            changed += 1
        if status != before:
            write(store, HORIZONTAL_POD_AUTOSCALER, fields.copy(hpa) | {"status": status})
            changed += 1
    return changed


def _status(hpa: Body, size: int | None, demand: int | None, before: Body, now: str) -> Body:
    """demand: None where the load asks for no other size."""
    if size is None:
        return {"conditions": [_condition(before, now, "AbleToScale", "False", "FailedGetScale")]}
    able = _condition(before, now, "AbleToScale", "True", "SucceededGetScale")
    if size == 0:
        active = _condition(before, now, "ScalingActive", "False", "ScalingDisabled")
        return {"currentReplicas": 0, "desiredReplicas": 0, "conditions": [able, active]}
    wanted = size if demand is None else demand
    is_limited = wanted > hpa["spec"]["maxReplicas"]
    conditions = [
        able,
        _condition(before, now, "ScalingActive", "True", "ValidMetricFound"),
        _condition(before, now, "ScalingLimited", str(is_limited), "TooManyReplicas" if is_limited else "DesiredWithinRange"),
    ]
    return {"currentReplicas": size, "desiredReplicas": _size(hpa["spec"], size, wanted), "conditions": conditions}


def _size(spec: Body, size: int, wanted: int) -> int:
    least, most = spec["minReplicas"], spec["maxReplicas"]
    if not least <= size <= most:
        return min(max(size, least), most)
    rules = (spec.get("behavior") or {}).get("scaleUp" if wanted > size else "scaleDown") or {}
    return size if rules.get("selectPolicy") == "Disabled" else min(max(wanted, least), most)


def _condition(before: Body, now: str, type_: str, status: str, reason: str) -> Body:
    old = next((entry for entry in before.get("conditions", ()) if entry["type"] == type_), {})
    since = old["lastTransitionTime"] if old.get("status") == status else now
    return {"type": type_, "status": status, "reason": reason, "message": reason, "lastTransitionTime": since}
