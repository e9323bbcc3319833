"""How a service is looked at: what the planner is given, and what is to be done with its answer, in which order.

The operator does what a plan says; `hardenctl deploy --dry-run` only notes it. Both look through this module, and each answers every kind
of Turn, which a type checker holds them to: what one of them is asked, the other is asked as well.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from hardened.core.model.manifest import ChildKey, Manifest
from hardened.core.model.measurement import Query
from hardened.core.needs.dependencies import named_services
from hardened.core.needs.services import namesakes
from hardened.core.observe.observed import Observed
from hardened.core.plan import Plan


@dataclass(frozen=True)
class Read:
    """Read these children by name: they may be there, unlabelled, or made a moment ago."""

    keys: frozenset[ChildKey]


@dataclass(frozen=True)
class Ask:
    """Ask Prometheus."""

    queries: tuple[Query, ...]


@dataclass(frozen=True)
class LookAround:
    """Read these ConfigMaps, and list the quotas of the namespace."""

    config_maps: frozenset[str]


@dataclass(frozen=True)
class ListConstraints:
    """List the LimitRanges of the namespace, and its NetworkPolicies that the operator has not made."""


@dataclass(frozen=True)
class TryOut:
    """Have the server tell whether these pods could be made."""

    pods: tuple[Manifest, ...]


@dataclass(frozen=True)
class ListPods:
    """List the application's pods."""


@dataclass(frozen=True)
class Write:
    """Write all that the plan says, but for its status and its answers, and plan anew."""


@dataclass(frozen=True)
class TellFirst:
    """Write the status, and look at the service anew: the rest depends on it."""


@dataclass(frozen=True)
class Tell:
    """Write the status and the answers: nothing else is left."""


Turn = Read | Ask | LookAround | ListConstraints | TryOut | ListPods | Write | TellFirst | Tell


def turn_of(decided: Plan) -> Turn:
    """What comes next of a plan. All else of it is for later: it is planned anew once this is done."""
    if decided.look:
        return Read(decided.look)
    if decided.ask:
        return Ask(decided.ask)
    if decided.look_around is not None:
        return LookAround(decided.look_around)
    if decided.look_at_constraints:
        return ListConstraints()
    if decided.try_out:
        return TryOut(decided.try_out)
    if decided.look_at_pods:
        return ListPods()
    if decided.has_writes:
        return Write()
    return TellFirst() if decided.is_status_first else Tell()


def snapshot(
    body: Mapping[str, Any],
    children: Iterable[Manifest],
    *,
    service: Callable[[str], Manifest | None],
    needs: Callable[[str], frozenset[str]],
    crd_schema: str,
) -> Observed:
    """What is known of a service when a look at it begins.

    children: all that belongs to it, its actions among them; service: a HardenedService of its namespace by name, None where there is none;
    needs: the names of those that the HardenedService of this name depends on.
    """
    others = named_services(body) | namesakes(str(body["metadata"]["name"]))
    found = {name: live for name in sorted(others) if (live := service(name)) is not None}
    return replace(Observed.of(children, crd_schema=crd_schema), services=found, needs=_all_needs(body, needs))


def _all_needs(body: Mapping[str, Any], needs: Callable[[str], frozenset[str]]) -> dict[str, frozenset[str]]:
    """What everything depends on that the service depends on, each looked up once."""
    found: dict[str, frozenset[str]] = {}
    left = set(named_services(body))
    while left:
        name = left.pop()
        found[name] = needs(name)
        left |= found[name] - found.keys()
    return found
