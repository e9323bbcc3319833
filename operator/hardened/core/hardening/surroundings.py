"""What a cluster has around one service, as far as its checks ask for it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from hardened.core.model.manifest import Manifest
from hardened.core.model.policy import Policy


@dataclass(frozen=True)
class Surroundings:
    """Raw objects, and names of others. Each field is None where nobody can say: the caller may not read it, or it was not looked for.

    What a service does not refer to may be left out of a field.
    """

    namespace: Manifest | None = None
    """Its namespace; {} where there is none of that name."""
    secrets: frozenset[str] | None = None
    """The names of Secrets that are there. Their contents are never read."""
    config_maps: Mapping[str, Manifest] | None = None
    """By name."""
    claims: frozenset[str] | None = None
    """The names of persistent volume claims."""
    services: frozenset[str] | None = None
    """The names of Services of the namespace."""
    hardened_services: frozenset[str] | None = None
    """The names of all HardenedServices of the namespace."""
    namesakes: tuple[Manifest, ...] | None = None
    """Objects that have the name of one of its children, of whomever they are."""
    quotas: tuple[Manifest, ...] | None = None
    """The ResourceQuotas of the namespace."""
    limit_ranges: tuple[Manifest, ...] | None = None
    """The LimitRanges of the namespace."""
    nodes: tuple[Manifest, ...] | None = None
    """All nodes."""
    storage_classes: tuple[Manifest, ...] | None = None
    """All storage classes."""
    priority_classes: frozenset[str] | None = None
    """The names of priority classes."""
    runtime_classes: frozenset[str] | None = None
    """The names of runtime classes."""
    has_metrics: bool | None = None
    """The metrics API is served."""
    has_keda: bool | None = None
    """The cluster knows ScaledObjects."""
    crd_schema: str | None = None
    """The schema revision of the CRD; "" where there is no CRD."""
    operator_pods: int | None = None
    """How many pods of the operator are available."""
    has_action_policy: bool | None = None
    """An admission policy decides who may ask for which action."""
    policy: Policy | None = None
    """What the operator's settings allow."""

    def unknown(self, fields: Iterable[str]) -> list[str]:
        """Those of these fields that nobody knows."""
        return [name for name in fields if getattr(self, name) is None]
