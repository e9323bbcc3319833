"""NetworkPolicies of others that close the way of a pod to whatever it connects to."""

from collections.abc import Mapping
from typing import Any


def closes_egress(policy: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether pods with these labels, in the namespace of a policy, reach only what policies name. What it names itself does not count."""
    spec = policy.get("spec") or {}
    # The API server fills policyTypes in.
    return "Egress" in (spec.get("policyTypes") or ()) and _selects(spec.get("podSelector") or {}, labels)


def _selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """An empty selector selects everything."""
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    return all(_holds(each, labels) for each in selector.get("matchExpressions") or ())


def _holds(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    has, value = expression["key"] in labels, labels.get(expression["key"])
    match expression["operator"]:
        case "In":
            return value in (expression.get("values") or ())
        case "NotIn":
            return value not in (expression.get("values") or ())
        case "Exists":
            return has
        case _:
            return not has
