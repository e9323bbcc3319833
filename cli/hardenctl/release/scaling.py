"""How a service is scaled: from its spec, its status, and the HorizontalPodAutoscaler that is the operator's, or KEDA's."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from hardenctl.cluster.session import Session
from hardenctl.release.children import autoscalers_of
from hardenctl.release.verdict import Live, status
from hardened.api.names import DEFAULT_REPLICAS
from hardened.api.quantity import amount
from hardened.errors import ApiFailure

_RESOURCES = ("cpu", "memory")
#: What the operator calls an autoscaler that scales.
_ACTIVE = "Active"


@dataclass(frozen=True)
class MetricReading:
    """What pods use of one resource, in percent of what they request; or how much of a number of Prometheus each of them takes."""

    resource: str
    """cpu or memory; prometheus[N] for the entry of this index."""
    target: float
    """What they should use, or take."""
    current: float | None
    """What they do; None where nobody knows."""

    def __str__(self) -> str:
        unit = "%" if self.resource in _RESOURCES else ""
        return f"{self.resource} {'?' if self.current is None else f'{self.current:g}'}{unit} of {self.target:g}{unit}"


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
        metrics=tuple(MetricReading(name, target, used.get(name)) for name, target in _targets(given)),
    )


def _targets(given: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    yield from ((name, int(given[name])) for name in _RESOURCES if name in given)
    yield from ((f"prometheus[{index}]", each["target"]) for index, each in enumerate(given.get("prometheus") or ()))


def _used(session: Session, live: Live) -> dict[str, float]:
    """What is used, by the metric, as far as it is known."""
    try:
        found = autoscalers_of(session, live)
    except ApiFailure as error:
        session.console.trace(f"what the pods use is not shown: {error}")
        return {}
    metrics = [metric for each in found for metric in (each.get("status") or {}).get("currentMetrics") or ()]
    resources = sum(name in live["spec"]["autoscale"] for name in _RESOURCES)
    return dict(entry for metric in metrics if (entry := _current(metric, resources)))


def _current(metric: Any, resources: int) -> tuple[str, float] | None:
    """resources: how many of KEDA's triggers come before those of Prometheus; it numbers them all: `s1-prometheus`."""
    match metric:
        case {"containerResource": {"name": str(name), "current": {"averageUtilization": int(percent)}}}:
            return name, percent
        case {"external": {"metric": {"name": str(name)}, "current": {"averageValue": str(value)}}}:
            number = name.removeprefix("s").partition("-")[0]
            return (f"prometheus[{int(number) - resources}]", float(amount(value))) if number.isdecimal() else None
        case _:
            return None
