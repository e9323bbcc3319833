"""Where pods may run: the scheduling part of a Pod, without the fields that would name a node or another namespace."""

import re
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from hardened.api.fields import LabelKey, LabelValue, Model, ObjectName, Rule, at_most, atomic, keyed

_VALUES = Rule(
    cel="self.operator in ['Exists', 'DoesNotExist'] ? !has(self.values) : has(self.values) && self.values.size() > 0",
    holds=lambda m: m.values is None if m.operator in ("Exists", "DoesNotExist") else bool(m.values),
    message="Exists and DoesNotExist take no values; every other operator needs them",
    field=".values",
)
_NUMBER = Rule(
    cel="!(self.operator in ['Gt', 'Lt']) || (has(self.values) && self.values.size() == 1 && self.values[0].matches('^[0-9]{1,18}$'))",
    holds=lambda m: m.operator not in ("Gt", "Lt") or (len(m.values or ()) == 1 and re.fullmatch("[0-9]{1,18}", m.values[0]) is not None),
    message="Gt and Lt compare with one whole number",
    field=".values",
)


class Requirement(Model):
    """A requirement on the labels of pods or namespaces."""

    rules: ClassVar[tuple[Rule, ...]] = (_VALUES,)

    key: LabelKey
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    values: Annotated[list[LabelValue], atomic(64)] | None = None


class NodeRequirement(Model):
    """A requirement on the labels of nodes."""

    rules: ClassVar[tuple[Rule, ...]] = (_VALUES, _NUMBER)

    key: LabelKey
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"]
    values: Annotated[list[LabelValue], atomic(64)] | None = None


class LabelSelector(Model):
    """Selects by labels; an empty selector selects everything."""

    match_labels: Annotated[dict[LabelKey, LabelValue], at_most(32)] | None = None
    match_expressions: Annotated[list[Requirement], atomic(32)] | None = None


class NodeSelectorTerm(Model):
    """Requirements on node labels, which must all match."""

    match_expressions: Annotated[list[NodeRequirement], atomic(32, least=1)]


class NodeSelector(Model):
    """One of the terms must match."""

    node_selector_terms: Annotated[list[NodeSelectorTerm], atomic(16, least=1)]


Weight = Annotated[int, Field(ge=1, le=100)]


class PreferredNodes(Model):
    """A preference for nodes."""

    weight: Weight
    preference: NodeSelectorTerm


class NodeAffinity(Model):
    """Required and preferred nodes."""

    required_during_scheduling_ignored_during_execution: NodeSelector | None = None
    preferred_during_scheduling_ignored_during_execution: Annotated[list[PreferredNodes], atomic(16)] | None = None


class PodTerm(Model):
    """Pods in the same namespace, by topology."""

    label_selector: LabelSelector
    topology_key: LabelKey


class PreferredPods(Model):
    """A preference to run beside pods, or apart from them."""

    weight: Weight
    pod_affinity_term: PodTerm


class PodAffinity(Model):
    """Pods to run beside, or apart from."""

    required_during_scheduling_ignored_during_execution: Annotated[list[PodTerm], atomic(16)] | None = None
    preferred_during_scheduling_ignored_during_execution: Annotated[list[PreferredPods], atomic(16)] | None = None


class Affinity(Model):
    """Affinity as in a Pod, within the namespace."""

    node_affinity: NodeAffinity | None = None
    pod_affinity: PodAffinity | None = None
    pod_anti_affinity: PodAffinity | None = None


class Toleration(Model):
    """Tolerates one taint, by its key. No toleration can match every taint."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="!(has(self.value) && has(self.operator) && self.operator == 'Exists')",
            holds=lambda m: not (m.value is not None and m.operator == "Exists"),
            message="operator Exists takes no value",
            field=".value",
        ),
        Rule(
            cel="!has(self.tolerationSeconds) || (has(self.effect) && self.effect == 'NoExecute')",
            holds=lambda m: m.toleration_seconds is None or m.effect == "NoExecute",
            message="tolerationSeconds needs effect NoExecute",
            field=".tolerationSeconds",
        ),
    )

    key: LabelKey
    operator: Literal["Exists", "Equal"] | None = None
    value: LabelValue | None = None
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    toleration_seconds: Annotated[int, Field(ge=0, le=86400)] | None = None


class Spread(Model):
    """Spreads the service's own pods over a topology."""

    topology_key: LabelKey
    max_skew: Annotated[int, Field(ge=1, le=100)] = 1
    when_unsatisfiable: Literal["DoNotSchedule", "ScheduleAnyway"] = "ScheduleAnyway"


class Scheduling(Model):
    """Where pods run. Spread defaults to a preference over hostname and zone."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="!has(self.priorityClassName) || !self.priorityClassName.startsWith('system-')",
            holds=lambda m: not (m.priority_class_name or "").startswith("system-"),
            message="priority classes that start with system- are for the cluster's own components: such pods would evict all others",
            field=".priorityClassName",
        ),
    )

    node_selector: Annotated[dict[LabelKey, LabelValue], at_most(32)] | None = None
    tolerations: Annotated[list[Toleration], atomic(16)] | None = None
    affinity: Affinity | None = None
    spread: Annotated[list[Spread], keyed("topology_key", 8)] | None = None
    priority_class_name: ObjectName | None = None
    runtime_class_name: ObjectName | None = None
