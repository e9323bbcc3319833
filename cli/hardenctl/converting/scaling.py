"""How many pods: of a HorizontalPodAutoscaler and a PodDisruptionBudget, what a HardenedService says itself."""

from collections.abc import Mapping, Sequence
from typing import Any

from hardenctl.converting.notes import Notes, items, mapping, without_empty
from hardenctl.converting.objects import Objects, called
from hardenctl.converting.shape import known
from hardened.api.quantity import amount


def autoscale_of(kind: str, name: str, objects: Objects, requests: Mapping[str, Any], notes: Notes) -> dict[str, Any] | None:
    """spec.autoscale, None where nothing scales the workload. requests: of the application's container."""
    for each in objects.of("HorizontalPodAutoscaler"):
        spec = mapping(each.get("spec"))
        target = mapping(spec.get("scaleTargetRef"))
        if (target.get("kind"), target.get("name")) == (kind, name):
            return _autoscale(each, spec, requests, notes)
    return None


def _autoscale(each: Mapping[str, Any], spec: Mapping[str, Any], requests: Mapping[str, Any], notes: Notes) -> dict[str, Any] | None:
    where, found = f"{called(each)} spec", {}
    if spec.get("targetCPUUtilizationPercentage"):
        found["cpu"] = spec["targetCPUUtilizationPercentage"]
    for metric in items(spec.get("metrics")):
        source = mapping(metric.get("resource") or metric.get("containerResource"))
        percent = _percent(source, requests)
        if source.get("name") in ("cpu", "memory") and percent:
            found[str(source["name"])] = percent
            if "averageValue" in mapping(source.get("target")):
                notes.changed(f"{where}.metrics[{source['name']}]", f"{percent} percent of what the container requests")
        else:
            text = "use autoscale.prometheus, by a query" if metric.get("type") in ("Pods", "Object", "External") else "it cannot be said"
            notes.left_out(f"{where}.metrics[{metric.get('type')}]", text)
    if not found:
        notes.left_out(where, "no metric of it is cpu or memory: nothing would tell when to scale")
        return None
    return without_empty({
        "minReplicas": spec.get("minReplicas") or 1,
        "maxReplicas": spec.get("maxReplicas"),
        **found,
        "behavior": known(notes, f"{where}.behavior", "autoscale.behavior", mapping(spec.get("behavior"))),
    })  # fmt: skip


def _percent(source: Mapping[str, Any], requests: Mapping[str, Any]) -> int | None:
    target = mapping(source.get("target"))
    if target.get("averageUtilization"):
        return int(target["averageUtilization"])
    try:
        return round(100 * amount(str(target["averageValue"])) / amount(str(requests[str(source.get("name"))])))
    except (KeyError, ValueError, ArithmeticError):
        return None


def budget_of(objects: Objects, labels: Mapping[str, Any], least: int, notes: Notes) -> dict[str, Any]:
    """spec.availability. least: the fewest pods that there are."""
    found: Sequence[Mapping[str, Any]] = objects.selecting("PodDisruptionBudget", labels)
    if not found:
        return {}
    spec, where = mapping(found[0].get("spec")), f"{called(found[0])} spec"
    budget = without_empty({key: spec.get(key) for key in ("minAvailable", "maxUnavailable")})
    if not _lets_drain(budget, least):
        notes.changed(where, f"one pod at a time may be evicted: of {least} it let none go, so that no node could be drained")
        return {}
    return {"disruptionBudget": budget} if budget else {}


def _lets_drain(budget: Mapping[str, Any], least: int) -> bool:
    if budget.get("maxUnavailable") in (0, "0%") or budget.get("minAvailable") == "100%":
        return False
    wanted = budget.get("minAvailable")
    if isinstance(wanted, str) and wanted.endswith("%") and wanted[:-1].isdigit():
        wanted = -(-least * int(wanted[:-1]) // 100)
    return not isinstance(wanted, int) or wanted < max(least, 1)
