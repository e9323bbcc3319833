"""Who may reach whom: NetworkPolicies, evaluated as the Kubernetes documentation defines them. Pods and policies in, yes or no out."""

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Policy = Mapping[str, Any]


@dataclass(frozen=True)
class End:
    """One end of a connection: a pod of a namespace, or an address outside of the cluster."""

    namespace: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    namespace_labels: Mapping[str, str] = field(default_factory=dict)
    address: str = ""


def may_reach(source: End, target: End, port: int, policies: Iterable[Policy], protocol: str = "TCP") -> bool:
    """True when the source's egress and the target's ingress both allow it. A pod that no policy selects is open."""
    every = list(policies)
    return _allowed("egress", source, target, port, protocol, every) and _allowed("ingress", target, source, port, protocol, every)


def _allowed(way: str, pod: End, peer: End, port: int, protocol: str, policies: list[Policy]) -> bool:
    if not pod.namespace:
        return True
    chosen = [p for p in policies if _selects(p, pod) and way.capitalize() in p["spec"]["policyTypes"]]
    rules = [rule for p in chosen for rule in p["spec"].get(way) or ()]
    side = "to" if way == "egress" else "from"
    return not chosen or any(_port(rule, port, protocol) and _peer(rule.get(side), peer, pod.namespace) for rule in rules)


def _selects(policy: Policy, pod: End) -> bool:
    return bool(policy["metadata"]["namespace"] == pod.namespace) and matches(policy["spec"]["podSelector"], pod.labels)


def _port(rule: Policy, port: int, protocol: str) -> bool:
    if not rule.get("ports"):
        return True
    return any(p.get("protocol", "TCP") == protocol and p["port"] <= port <= p.get("endPort", p["port"]) for p in rule["ports"])


def _peer(peers: list[Any] | None, end: End, own_namespace: str) -> bool:
    return not peers or any(_is(peer, end, own_namespace) for peer in peers)


def _is(peer: Policy, end: End, own_namespace: str) -> bool:
    if "ipBlock" in peer:
        if not end.address:
            return False
        address = ipaddress.ip_address(end.address)
        inside = address in ipaddress.ip_network(peer["ipBlock"]["cidr"], strict=False)
        return inside and not any(address in ipaddress.ip_network(e, strict=False) for e in peer["ipBlock"].get("except") or ())
    if not end.namespace:
        return False
    if "namespaceSelector" in peer:
        if not matches(peer["namespaceSelector"], end.namespace_labels):
            return False
    elif end.namespace != own_namespace:
        return False
    return "podSelector" not in peer or matches(peer["podSelector"], end.labels)


def matches(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether a label selector selects; an empty one selects everything."""
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    return all(_holds(e, labels) for e in selector.get("matchExpressions") or ())


def _holds(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    has, value = expression["key"] in labels, labels.get(expression["key"])
    match expression["operator"]:
        case "In":
            return value in expression["values"]
        case "NotIn":
            return value not in expression["values"]
        case "Exists":
            return has
        case _:
            return not has
