"""What has to be read before anything can be decided. Whoever reads answers each kind of question; see core.look."""

from dataclasses import dataclass

from hardened.core.model.manifest import ChildKey, Manifest
from hardened.core.model.measurement import Query


@dataclass(frozen=True)
class ReadChildren:
    """Read these children by name: they may be there without their labels, or made a moment ago."""

    keys: frozenset[ChildKey]
    """At least one."""


@dataclass(frozen=True)
class AskPrometheus:
    """Ask Prometheus."""

    queries: tuple[Query, ...]
    """At least one; their names are those of the checks."""


@dataclass(frozen=True)
class ReadNamespace:
    """List the quotas of the namespace, and read some of its ConfigMaps by name."""

    config_maps: frozenset[str]
    """Their names; none where the pods need none."""


@dataclass(frozen=True)
class ListConstraints:
    """List the LimitRanges of the namespace, and its NetworkPolicies that the operator has not made."""


@dataclass(frozen=True)
class TryPods:
    """Have the server tell whether these pods could be made. None of them is made."""

    pods: tuple[Manifest, ...]
    """At least one; none of them is there."""


@dataclass(frozen=True)
class TryRuns:
    """The same of the pods of Jobs that have none: who refuses them tells nobody but the Job's controller."""

    pods: tuple[Manifest, ...]
    """At least one, each with the name of its Job."""


@dataclass(frozen=True)
class ListPods:
    """List the application's pods, and after them their ReplicaSets."""


@dataclass(frozen=True)
class ListMounts:
    """List the service's ReplicaSets, and after them all pods of the namespace: who still has what a restore is to replace."""


@dataclass(frozen=True)
class ListFormer:
    """List the pods that a Service led to before it was taken over, or leads to until then."""

    selector: tuple[tuple[str, str], ...]
    """Of that Service, at least one label."""


@dataclass(frozen=True)
class ReadLog:
    """Read the end of a container's log. Whoever may not, or cannot in time, answers with nothing."""

    pod: str
    container: str
    is_previous: bool
    """Of the run before the present one."""
    lines: int
    """How many of them, 1 or more."""


Question = ReadChildren | AskPrometheus | ReadNamespace | ListConstraints | TryPods | TryRuns | ListPods | ListMounts | ListFormer | ReadLog
