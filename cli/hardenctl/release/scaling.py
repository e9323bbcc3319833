"""How a service is scaled by what its pods use: from its spec, its status, and its HorizontalPodAutoscaler."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from hardenctl.cluster.session import Session
from hardenctl.release.children import children_of
from hardenctl.release.verdict import Live, status
from hardened.api.names import DEFAULT_REPLICAS
from hardened.errors import ApiFailure

_RESOURCES = ("cpu", "memory")
#: What the operator calls an autoscaler that scales.
_ACTIVE = "Active"


@dataclass(frozen=True)
class MetricReading:
    """What pods use of one resource, in percent of what they request."""

    resource: str
    """cpu or memory."""
    target: int
    """What they should use."""
    current: int | None
    """What they use; None where nobody knows."""

    def __str__(self) -> str:
        return f"{self.resource} {'?' if self.current is None else self.current}% of {self.target}%"


@dataclass(frozen=True)
class ScalingReading:
    """How an autoscaler does."""

    replicas: int | None
    """The size that is wanted now; None while nobody has said."""
    min_replicas: int
    max_replicas: int
    reason: str
    """Active while it scales, otherwise why it does not; "" for not known."""
    message: str
    """The same in a sentence; "" while it scales."""
    quota: str
    """What quotas lack for the largest size, "" for nothing."""
    metrics: tuple[MetricReading, ...]

    def __str__(self) -> str:
        size = "?" if self.replicas is None else self.replicas
        return ", ".join((f"{size} pods, within {self.min_replicas} to {self.max_replicas}", *map(str, self.metrics)))

    def data(self) -> dict[str, Any]:
        """As JSON and YAML output have it."""
        return {
            "replicas": self.replicas,
            "minReplicas": self.min_replicas,
            "maxReplicas": self.max_replicas,
            "reason": self.reason,
            "message": self.message,
            "quota": self.quota,
            "metrics": [asdict(metric) for metric in self.metrics],
        }

    @property
    def problem(self) -> str:
        """Why it does not scale, "" while it does. Example: "NoMetrics: nothing is known of what the pods use"."""
        return ": ".join(filter(None, (self.reason, self.message))) if self.reason != _ACTIVE else ""


def scaling_of(session: Session, live: Live) -> ScalingReading | None:
    """None for a service without `autoscale`. Who may not read HorizontalPodAutoscalers does not learn what the pods use."""
    given = (live.get("spec") or {}).get("autoscale")
    if not isinstance(given, Mapping):
        return None
    told = status(live).get("autoscale")
    found = told if isinstance(told, Mapping) else {}
    used = _used(session, live)
    return ScalingReading(
        replicas=(live.get("spec") or {}).get("replicas"),
        min_replicas=int(given.get("minReplicas", DEFAULT_REPLICAS)),
        max_replicas=int(given.get("maxReplicas", 0)),
        reason=str(found.get("reason", "")),
        message=" ".join(str(found.get("message", "")).split()),
        quota=" ".join(str(found.get("quota", "")).split()),
        metrics=tuple(MetricReading(name, int(given[name]), used.get(name)) for name in _RESOURCES if name in given),
    )


def _used(session: Session, live: Live) -> dict[str, int]:
    """Percent of the requests, by the resource, as far as it is known."""
    try:
        found = children_of(session, live, "HorizontalPodAutoscaler")
    except ApiFailure as error:
        session.console.trace(f"what the pods use is not shown: {error}")
        return {}
    metrics = [metric for each in found for metric in (each.get("status") or {}).get("currentMetrics") or ()]
    return dict(entry for metric in metrics if (entry := _percent(metric)))


def _percent(metric: Any) -> tuple[str, int] | None:
    match metric:
        case {"containerResource": {"name": str(name), "current": {"averageUtilization": int(percent)}}}:
            return name, percent
        case _:
            return None
