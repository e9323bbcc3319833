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

    key: LabelKey = Field(description="The label.")
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"] = Field(description="How its value is compared.")
    values: Annotated[list[LabelValue], atomic(64)] | None = Field(
        None, description="The values to compare with; none for Exists and DoesNotExist."
    )


class NodeRequirement(Model):
    """A requirement on the labels of nodes."""

    rules: ClassVar[tuple[Rule, ...]] = (_VALUES, _NUMBER)

    key: LabelKey = Field(description="The label of the node.")
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"] = Field(description="How its value is compared.")
    values: Annotated[list[LabelValue], atomic(64)] | None = Field(
        None, description="The values to compare with; none for Exists and DoesNotExist."
    )


class LabelSelector(Model):
    """Selects by labels; an empty selector selects everything."""

    match_labels: Annotated[dict[LabelKey, LabelValue], at_most(32)] | None = Field(None, description="Labels that must have these values.")
    match_expressions: Annotated[list[Requirement], atomic(32)] | None = Field(None, description="Conditions that must all hold.")


class NodeSelectorTerm(Model):
    """Requirements on node labels, which must all match."""

    match_expressions: Annotated[list[NodeRequirement], atomic(32, least=1)] = Field(
        description="Conditions on the node's labels that must all hold."
    )


class NodeSelector(Model):
    """One of the terms must match."""

    node_selector_terms: Annotated[list[NodeSelectorTerm], atomic(16, least=1)] = Field(description="A node fits that meets one of them.")


Weight = Annotated[int, Field(ge=1, le=100)]


class PreferredNodes(Model):
    """A preference for nodes."""

    weight: Weight = Field(description="1 to 100: how much it counts.")
    preference: NodeSelectorTerm


class NodeAffinity(Model):
    """Required and preferred nodes."""

    required_during_scheduling_ignored_during_execution: NodeSelector | None = Field(None, description="Nodes that a pod may go to.")
    preferred_during_scheduling_ignored_during_execution: Annotated[list[PreferredNodes], atomic(16)] | None = Field(
        None, description="Nodes that are preferred, by weight."
    )


class PodTerm(Model):
    """Pods in the same namespace, by topology."""

    label_selector: LabelSelector
    topology_key: LabelKey = Field(description="The label of nodes whose value makes a place, such as kubernetes.io/hostname.")


class PreferredPods(Model):
    """A preference to run beside pods, or apart from them."""

    weight: Weight = Field(description="1 to 100: how much it counts.")
    pod_affinity_term: PodTerm


class PodAffinity(Model):
    """Pods to run beside, or apart from."""

    required_during_scheduling_ignored_during_execution: Annotated[list[PodTerm], atomic(16)] | None = Field(
        None, description="What must hold for a node to be chosen."
    )
    preferred_during_scheduling_ignored_during_execution: Annotated[list[PreferredPods], atomic(16)] | None = Field(
        None, description="What is preferred, by weight."
    )


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

    key: LabelKey = Field(description="The key of the taint.")
    operator: Literal["Exists", "Equal"] | None = Field(None, description="Default: Equal.")
    value: LabelValue | None = Field(None, description="The taint's value, for Equal.")
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = Field(
        None, description="The taint's effect. Default: every effect."
    )
    toleration_seconds: Annotated[int, Field(ge=0, le=86400)] | None = Field(
        None, description="For NoExecute: how long a pod may stay. Default: for ever."
    )


class Spread(Model):
    """Spreads the service's own pods over a topology."""

    topology_key: LabelKey = Field(description="The label of nodes whose value makes a place, such as topology.kubernetes.io/zone.")
    max_skew: Annotated[int, Field(ge=1, le=100)] = Field(1, description="How many pods more than in the emptiest place may run in one.")
    when_unsatisfiable: Literal["DoNotSchedule", "ScheduleAnyway"] = Field(
        "ScheduleAnyway", description="DoNotSchedule lets a pod wait; ScheduleAnyway puts it where it fits best."
    )


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

    node_selector: Annotated[dict[LabelKey, LabelValue], at_most(32)] | None = Field(None, description="Labels that a node must have.")
    tolerations: Annotated[list[Toleration], atomic(16)] | None = Field(None, description="Taints of nodes that the pods tolerate.")
    affinity: Affinity | None = None
    spread: Annotated[list[Spread], keyed("topology_key", 8)] | None = Field(
        None, description="How the pods are spread. Default: over the nodes, and over the zones, as far as it goes."
    )
    priority_class_name: ObjectName | None = Field(None, description="The PriorityClass of the pods.")
    runtime_class_name: ObjectName | None = Field(None, description="The RuntimeClass of the pods.")
