"""PodDisruptionBudgets by which no drain of a node ends that runs a pod of a service, though all of its pods are well."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from hardenctl.cluster.paths import children
from hardenctl.cluster.session import Session
from hardened.api import names
from hardened.core.model.manifest import Manifest
from hardened.errors import ApiFailure


@dataclass(frozen=True)
class Blocking:
    """One of them."""

    name: str
    why: str
    """In a sentence."""


def blocking_budgets(session: Session, live: Mapping[str, Any], pods: Iterable[Manifest]) -> list[Blocking]:
    """Those of others that select one of its pods, and those that let none go. None for who may not list them."""
    meta = live["metadata"]
    try:
        found = session.cluster.get(children("PodDisruptionBudget", meta["namespace"])).get("items") or ()
    except ApiFailure as error:
        session.console.trace(f"poddisruptionbudgets are left out: {error}")
        return []
    labels = [pod["metadata"].get("labels") or {} for pod in pods]
    over_them = [each for each in found if any(_selects(each, of_pod) for of_pod in labels)]
    return [Blocking(str(each["metadata"]["name"]), why) for each in over_them if (why := _why(each, meta["name"]))]


def _why(budget: Mapping[str, Any], service: str) -> str:
    """Why a budget over pods of a service stops each drain, "" where it does not."""
    if (budget["metadata"].get("labels") or {}).get(names.SERVICE_LABEL) != service:
        # By its own words it may let some go: that does not help.
        return (
            "it selects pods that have a budget of the service, and the API server evicts no pod with two: each drain of their nodes waits"
        )
    counts = budget.get("status") or {}
    expected = int(counts.get("expectedPods") or 0)
    if expected and int(counts.get("currentHealthy") or 0) >= expected and not counts.get("disruptionsAllowed"):
        return f"it lets no pod go, though all {expected} are well: a drain of their nodes waits"
    return ""


def _selects(budget: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """A selector that is empty selects all pods of the namespace, one that is absent none."""
    selector = (budget.get("spec") or {}).get("selector")
    if not isinstance(selector, Mapping):
        return False
    plain = (selector.get("matchLabels") or {}).items() <= labels.items()
    return plain and all(_holds(each, labels) for each in selector.get("matchExpressions") or ())


def _holds(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    key, values = str(expression.get("key")), expression.get("values") or ()
    match expression.get("operator"):
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case _:
            return key not in labels
