"""Room in ResourceQuotas: what pods use of them, and what of it is short.

Counted as Kubernetes counts (pkg/quota/v1/evaluator/core/pods.go, and component-helpers/resource): an init container runs beside the
sidecars that were started before it, the others beside all sidecars. What cannot be understood is no obstacle: the pods will tell.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from hardened.api.quantity import amount, quantity
from hardened.core.model.manifest import Manifest

Quantities = Mapping[str, Decimal]
#: What a quota counts of limits, and without a prefix of requests. Of any other resource it counts requests alone.
_COMPUTE = ("cpu", "memory", "ephemeral-storage")
_ONE = {"pods": Decimal(1), "count/pods": Decimal(1)}
_NONE = Decimal(0)


@dataclass(frozen=True)
class Growth:
    """How pods are to become others."""

    after: Manifest
    """The spec of a pod as it is to be."""
    stages: tuple[tuple[int, int], ...]
    """How many of `before` and of `after` there may be at the same time, at each moment that may need most."""
    before: Manifest | None = None
    """The spec of a pod as it was; None where there is none."""
    held: int = 0
    """How many of `before` are there."""
    checked: tuple[tuple[int, tuple[Manifest, ...]], ...] = ()
    """Beside how many of `after` which pods of checks run at the same time, by their specs."""
    leaving: tuple[Manifest, ...] = ()
    """Those that are there and make way for them."""


def rolled(held: int, size: int, surge: int) -> tuple[tuple[int, int], ...]:
    """The stages of a Deployment that replaces its pods, so many more than wanted at a time. surge: 0 where all old ones go first.

    Examples: (0, 4, 1) -> all new; (4, 4, 1) -> the first new one beside all old ones, and the last old one beside all new ones.
    """
    if not held or not surge:
        return ((0, size),)
    return (min(held, size), surge), (min(held, surge), size)


def surge_of(deployment: Manifest, size: int) -> int:
    """How many pods a rendered Deployment of this size may have beyond it, while it replaces them."""
    surge = (deployment["spec"]["strategy"].get("rollingUpdate") or {}).get("maxSurge", 0)
    return math.ceil(size * int(surge.removesuffix("%")) / 100) if isinstance(surge, str) else int(surge)


def shortages(quotas: Iterable[Manifest], growth: Growth, who: str = "the release needs") -> list[str]:
    """A sentence for each resource of which a quota leaves less than is needed: its name, what it leaves, and what is needed, by whom."""
    ordered = sorted(quotas, key=lambda each: str(each["metadata"]["name"]))
    return [sentence for live in ordered for sentence in _shortages(live, growth, who)]


def usage(pod: Manifest) -> dict[str, Decimal]:
    """What one pod of this spec uses, by a quota's names of it. Raises ValueError for a quantity that is none."""
    requests, limits = _total(pod, _requests), _total(pod, _limits)
    compute = {name: each for name, each in requests.items() if name in _COMPUTE}
    return {
        **_ONE,
        **compute,
        **{f"requests.{name}": each for name, each in requests.items()},
        **{f"limits.{name}": each for name, each in limits.items() if name in _COMPUTE},
    }


def covers(quota: Manifest, pod: Manifest) -> bool:
    """Whether a quota counts pods of this spec. One with a scope that is not known counts none."""
    spec = quota.get("spec") or {}
    plain = [{"scopeName": name, "operator": "Exists"} for name in spec.get("scopes") or ()]
    return all(_matches(term, pod) for term in (*plain, *((spec.get("scopeSelector") or {}).get("matchExpressions") or ())))


def _shortages(quota: Manifest, growth: Growth, who: str) -> Iterator[str]:
    status = quota.get("status") or {}
    hard, used = status.get("hard") or {}, status.get("used") or {}
    try:
        after, before = _counted(quota, growth.after), _counted(quota, growth.before)
        checked = [(made, [_counted(quota, pod) for pod in pods]) for made, pods in growth.checked]
        leaving = [_counted(quota, pod) for pod in growth.leaving]
    except ValueError:
        return
    named = set(after).union(*(each for _, pods in checked for each in pods))
    for resource in sorted(hard.keys() & used.keys() & named):
        old, new = before.get(resource, _NONE), after.get(resource, _NONE)
        held = growth.held * old + sum(pod.get(resource, _NONE) for pod in leaving)
        alone = max(kept * old + made * new for kept, made in growth.stages)
        needed = max([alone, *(made * new + sum(pod.get(resource, _NONE) for pod in pods) for made, pods in checked)])
        try:
            left = max(amount(str(hard[resource])) - amount(str(used[resource])), _NONE)
        except ValueError:
            continue
        if needed - held > left:
            said = f"ResourceQuota {quota['metadata']['name']} has {quantity(left)} {resource} left"
            yield f"{said}, and {who} {quantity(needed - held)}{', check pods included' if needed > alone else ''}"


def _counted(quota: Manifest, pod: Manifest | None) -> Quantities:
    """What one pod of this spec uses of a quota: nothing of one that does not count it. Raises ValueError for a quantity that is none."""
    return usage(pod) if pod and covers(quota, pod) else {}


def _matches(term: Mapping[str, Any], pod: Manifest) -> bool:
    match term.get("scopeName"):
        case "NotTerminating":
            return pod.get("activeDeadlineSeconds") is None
        case "Terminating":
            return pod.get("activeDeadlineSeconds") is not None
        case "BestEffort":
            return _is_best_effort(pod)
        case "NotBestEffort":
            return not _is_best_effort(pod)
        case "PriorityClass":
            return _has_class(term, pod.get("priorityClassName") or "")
        case _:
            return False


def _has_class(term: Mapping[str, Any], name: str) -> bool:
    match term.get("operator"):
        case "Exists":
            return bool(name)
        case "DoesNotExist":
            return not name
        case "In":
            return name in (term.get("values") or ())
        case "NotIn":
            return name not in (term.get("values") or ())
        case _:
            return False


def _is_best_effort(pod: Manifest) -> bool:
    containers = (*(pod.get("initContainers") or ()), *pod["containers"])
    return not any({"cpu", "memory"} & {*_requests(each), *_limits(each)} for each in containers)


def _limits(container: Manifest) -> Mapping[str, str]:
    return (container.get("resources") or {}).get("limits") or {}


def _requests(container: Manifest) -> Mapping[str, str]:
    """The API server takes a limit for the request that nobody wrote."""
    return {**_limits(container), **((container.get("resources") or {}).get("requests") or {})}


def _total(pod: Manifest, of: Callable[[Manifest], Mapping[str, str]]) -> dict[str, Decimal]:
    beside: dict[str, Decimal] = {}
    most: dict[str, Decimal] = {}
    for container in pod.get("initContainers") or ():
        own = _amounts(of(container))
        if container.get("restartPolicy") == "Always":
            beside = own = _sum(beside, own)
        else:
            own = _sum(beside, own)
        most = {name: max(most.get(name, _NONE), own.get(name, _NONE)) for name in most.keys() | own.keys()}
    for container in pod["containers"]:
        beside = _sum(beside, _amounts(of(container)))
    return {name: max(most.get(name, _NONE), beside.get(name, _NONE)) for name in most.keys() | beside.keys()}


def _amounts(found: Mapping[str, Any]) -> dict[str, Decimal]:
    return {name: amount(str(each)) for name, each in found.items()}


def _sum(one: Quantities, other: Quantities) -> dict[str, Decimal]:
    return {name: one.get(name, _NONE) + other.get(name, _NONE) for name in one.keys() | other.keys()}
