"""How many pods a service has, by what they use, and by what Prometheus knows: `spec.autoscale`."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from hardened.api.fields import Model, Rule, Text, atomic
from hardened.api.names import DEFAULT_REPLICAS

Size = Annotated[int, Field(ge=1, le=1000)]
#: Percent of a request. Above 100 is possible: a container may use more than it requests, up to its limit.
Utilization = Annotated[int, Field(ge=1, le=1000)]


class ScalingPolicy(Model):
    """How far the size may change within a time."""

    type: Literal["Pods", "Percent"] = Field(description="Whether `value` is a number of pods, or a percentage of the present size.")
    value: Annotated[int, Field(ge=1, le=1000)] = Field(description="How much the size may change within periodSeconds.")
    period_seconds: Annotated[int, Field(ge=1, le=1800)] = Field(description="How far back changes count.")


class ScalingRules(Model):
    """How fast the size changes in one direction."""

    stabilization_window_seconds: Annotated[int, Field(ge=0, le=3600)] | None = Field(
        None,
        description="The size follows the most careful recommendation of this many past seconds. "
        "Default: 0 for scaleUp; for scaleDown what the cluster is set to, usually 300.",
    )
    select_policy: Literal["Max", "Min", "Disabled"] | None = Field(
        None, description="Which policy counts: the one that allows most (the default), the one that allows least, or none: no scaling."
    )
    policies: Annotated[list[ScalingPolicy], atomic(8, least=1)] | None = Field(
        None,
        description="Default for scaleUp: 4 pods or 100 percent within 15 s, whichever is more; for scaleDown: 100 percent within 15 s.",
    )


class ScalingBehavior(Model):
    """How fast the size changes. The fields are those of a HorizontalPodAutoscaler."""

    scale_up: ScalingRules | None = Field(None, description="How pods are added.")
    scale_down: ScalingRules | None = Field(None, description="How pods are removed.")


class PrometheusMetric(Model):
    """A number that Prometheus knows, and how much of it one pod should take. Needs KEDA in the cluster."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="!self.query.contains('$(color)') && !self.query.contains('$(revision)')",
            holds=lambda m: not any(word in m.query for word in ("$(color)", "$(revision)")),
            message="$(color) and $(revision) change with each release: ask for the service as a whole, by $(service) and $(namespace)",
            field=".query",
        ),
        Rule(
            cel="self.target >= 0.001",
            holds=lambda m: m.target >= 0.001,
            message="target must be at least 0.001: KEDA counts in thousandths",
            field=".target",
        ),
    )

    query: Annotated[Text, StringConstraints(min_length=1)] = Field(
        description="PromQL that returns one number. $(service) and $(namespace) are replaced. No number is no reason to remove pods."
    )
    # A least that is no whole number is a rule: the API server compares a whole number with what is left of it without its fraction.
    target: Annotated[float, Field(ge=0, le=10**12, allow_inf_nan=False)] = Field(
        description="How much of the number one pod should take: the size is the number divided by it, rounded up."
    )


class Autoscale(Model):
    """The operator makes a HorizontalPodAutoscaler, which sets `replicas` through /scale. Leave `replicas` out beside it.

    With `prometheus` it makes a ScaledObject of KEDA's instead, with all metrics.
    """

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel=f"(has(self.minReplicas) ? self.minReplicas : {DEFAULT_REPLICAS}) <= self.maxReplicas",
            holds=lambda m: m.min_replicas <= m.max_replicas,
            message=f"minReplicas ({DEFAULT_REPLICAS} when left out) must be at most maxReplicas",
            field=".minReplicas",
        ),
        Rule(
            cel="has(self.cpu) || has(self.memory) || has(self.prometheus)",
            holds=lambda m: m.cpu is not None or m.memory is not None or m.prometheus is not None,
            message="set cpu, memory or prometheus: without a metric nothing tells when to scale",
        ),
    )

    min_replicas: Size = Field(DEFAULT_REPLICAS, description="The least number of pods.")
    max_replicas: Size = Field(description="The largest number of pods.")
    cpu: Utilization | None = Field(
        None, description="The CPU that pods should use on average, in percent of resources.requests.cpu. Sidecars do not count."
    )
    memory: Utilization | None = Field(
        None, description="The memory that pods should use on average, in percent of resources.requests.memory. Sidecars do not count."
    )
    prometheus: Annotated[list[PrometheusMetric], atomic(8, least=1)] | None = Field(
        None,
        description="Numbers that the operator's Prometheus knows, by KEDA. The metric that asks for most pods counts. "
        "Without KEDA they are ignored, and status.autoscale says so.",
    )
    behavior: ScalingBehavior | None = Field(None, description="How fast the size changes.")

    def bounded(self, size: int) -> int:
        """The size within the bounds that is nearest to this one."""
        return min(max(size, self.min_replicas), self.max_replicas)
