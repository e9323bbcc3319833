"""LimitRanges: what a namespace lets a container ask for. The pods that work for a release, and those of backups, are made to fit into it:
no field of the service says what they ask for, and one that is refused would hold its release up, or leave no backup.

Judged as Kubernetes judges (plugin/pkg/admission/limitranger). Bounds that leave nothing are not met: the API server says so then.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, Decimal
from typing import Any

from hardened.api.quantity import amount, quantity
from hardened.core.model.manifest import Manifest

_NONE = Decimal(0)
#: A pod of one container is bounded by what is said of pods, too.
_TYPES = ("Container", "Pod")


@dataclass(frozen=True)
class _Bounds:
    """Of one resource, over all LimitRanges."""

    least: Decimal = _NONE
    most: Decimal | None = None
    ratio: Decimal | None = None
    """Of the limit to the request, at most."""
    default: Decimal | None = None
    """The limit where none is asked for."""

    def fitted(self, request: Decimal | None, limit: Decimal | None) -> tuple[Decimal, Decimal]:
        """The request, raised as far as it has to be, and the limit, lowered as far as it has to be. One of the two is given.

        Examples: ratio 10, (0.02, 0.5) -> (0.05, 0.5); most 0.2, (0.02, 0.5) -> (0.02, 0.2); least 0.025, (0.02, 0.5) -> (0.025, 0.5).
        """
        most = self.default or self.most or (request or _NONE) * (self.ratio or 1)
        limit = max(most if limit is None else limit, self.least)
        limit = limit if self.most is None else min(limit, self.most)
        # The API server takes a limit for the request that nobody wrote.
        request = min(max(limit if request is None else request, self.least), limit)
        return max(request, limit / self.ratio) if self.ratio else request, limit


def fitted(pod: Manifest, limit_ranges: Iterable[Mapping[str, Any]]) -> Manifest:
    """The pod, asking for what these LimitRanges allow. What they say of pods is asked of each of its containers."""
    bounds = _bounds(limit_ranges)
    if not bounds:
        return pod
    spec = pod["spec"]
    lists = {
        name: [{**each, "resources": _resources(each.get("resources") or {}, bounds)} for each in spec[name]]
        for name in ("initContainers", "containers")
        if spec.get(name)
    }
    return {**pod, "spec": {**spec, **lists}}


def _resources(given: Mapping[str, Any], bounds: Mapping[str, _Bounds]) -> Manifest:
    requests, limits = dict(given.get("requests") or {}), dict(given.get("limits") or {})
    for name in sorted(bounds.keys() & (requests.keys() | limits.keys())):
        request, limit = (amount(str(each[name])) if name in each else None for each in (requests, limits))
        needed, allowed = bounds[name].fitted(request, limit)
        # What fits stays as it is written.
        if needed != request:
            requests[name] = _written(name, needed)
        if allowed != limit:
            limits[name] = _written(name, allowed)
    return {kind: each for kind, each in (("requests", requests), ("limits", limits)) if each}


def _written(name: str, number: Decimal) -> str:
    """Only cpu is counted in parts."""
    return quantity(number if name == "cpu" else number.to_integral_value(ROUND_CEILING))


def _bounds(limit_ranges: Iterable[Mapping[str, Any]]) -> dict[str, _Bounds]:
    found: dict[str, _Bounds] = {}
    for live in limit_ranges:
        for item in (live.get("spec") or {}).get("limits") or ():
            if item.get("type") in _TYPES:
                _narrow(found, item)
    return found


def _narrow(found: dict[str, _Bounds], item: Mapping[str, Any]) -> None:
    """Takes one more item into account."""
    for name, least in _amounts(item.get("min")).items():
        known = found.get(name, _Bounds())
        found[name] = replace(known, least=max(known.least, least))
    for name, most in _amounts(item.get("max")).items():
        known = found.get(name, _Bounds())
        found[name] = replace(known, most=most if known.most is None else min(known.most, most))
    for name, ratio in _amounts(item.get("maxLimitRequestRatio")).items():
        known = found.get(name, _Bounds())
        found[name] = replace(known, ratio=ratio if known.ratio is None else min(known.ratio, ratio))
    for name, default in _amounts(item.get("default")).items():
        found[name] = replace(found.get(name, _Bounds()), default=default)


def _amounts(given: Mapping[str, Any] | None) -> dict[str, Decimal]:
    """What can be understood of it: of anything else the API server tells."""
    found: dict[str, Decimal] = {}
    for name, value in (given or {}).items():
        try:
            found[name] = amount(str(value))
        except ValueError:
            continue
    return found
