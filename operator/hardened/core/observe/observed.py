"""One frozen snapshot of the world around a service, made from raw objects."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from types import MappingProxyType
from typing import Any, NamedTuple

from hardened.api import names
from hardened.core.model.manifest import ChildKey, Manifest, key_of
from hardened.core.model.measurement import Sample
from hardened.core.observe.presence import is_deleting as is_deleting
from hardened.core.observe.presence import may_run as may_run
from hardened.errors import ApiFailure


class Ownership(Enum):
    """Whose an object is, seen from one service."""

    OURS = "ours"
    PREVIOUS = "previous"  # of a deleted service of the same name: the garbage collector will take it
    FOREIGN = "foreign"


class Made(NamedTuple):
    """What is known of a pod that was made."""

    uid: str
    image: str
    """Of our container, as the server took it."""


@dataclass(frozen=True)
class WriteError:
    """A write that failed in this pass. `doing` reads like `apply Deployment shop-blue`."""

    doing: str
    failure: ApiFailure


@dataclass(frozen=True)
class NamespaceSnapshot:
    """What a release finds in its namespace."""

    quotas: tuple[Manifest, ...] = ()
    """All of the namespace."""
    config_maps: Mapping[str, Manifest] | None = None
    """Those that were asked for, by name, as far as they are there; None where nobody can say."""
    limit_ranges: tuple[Manifest, ...] = ()
    """All, where there are quotas."""


@dataclass(frozen=True)
class Constraints:
    """What a namespace demands of the pods that work for a release."""

    limit_ranges: tuple[Manifest, ...] = ()
    policies: tuple[Manifest, ...] = ()
    """Its NetworkPolicies, but for ours."""
    is_known: bool = True
    """False where they could not be listed."""


@dataclass(frozen=True)
class Observed:
    """What is known of the world at one moment."""

    children: Mapping[ChildKey, Manifest] = field(default_factory=lambda: MappingProxyType({}))
    """By key, everything that carries the service's label or was read by name."""
    absent: frozenset[ChildKey] = frozenset()
    """Wanted children that were read by name and are not there."""
    gone: frozenset[ChildKey] = frozenset()
    """Children that were read by name in this pass and were not there, after whatever it has deleted. A deletion alone tells less: a
    finalizer can hold what was deleted."""
    unknown_kinds: frozenset[str] = frozenset()
    """Kinds that the cluster does not know, by their names, as far as one of their objects was read."""
    fresh: frozenset[ChildKey] = frozenset()
    """Children as they were read or written in this pass."""
    pods: tuple[Manifest, ...] | None = None
    """Those that carry the service's labels, or None if nobody has listed them."""
    replica_sets: tuple[Manifest, ...] | None = None
    """Those of the service, or None if nobody has listed them, or may."""
    namespace_pods: tuple[Manifest, ...] | None = None
    """All of the namespace, listed after `replica_sets`; None if nobody has listed them."""
    former: tuple[Manifest, ...] | None = None
    """The pods that a Service led to before it was taken over; None if nobody has listed them."""
    sees_former: bool = True
    """False once they could not be listed in this pass."""
    write_errors: tuple[WriteError, ...] = ()
    """What is refused again and again."""
    refused: Mapping[ChildKey, ApiFailure] = field(default_factory=lambda: MappingProxyType({}))
    """What could not be written in this pass, and why, and is done without."""
    hidden: frozenset[ChildKey] = frozenset()
    """What may not be read."""
    tried: Mapping[ChildKey, ApiFailure] | None = None
    """Why pods could not be made that were tried, None if nobody tried."""
    tried_runs: Mapping[ChildKey, ApiFailure] | None = None
    """The same of the pods of Jobs, see TryRuns."""
    contested: Mapping[ChildKey, str] = field(default_factory=lambda: MappingProxyType({}))
    """Children that came back from our own write in this pass without what was written, and the field."""
    crd_schema: str = ""
    """The schema revision of the CRD on the cluster, "" if unknown."""
    has_slot: bool = True
    """Fewer releases of other services are at work than may be."""
    samples: Mapping[str, Sample] | None = None
    """What queries gave, by the check, None if nobody has asked."""
    unanswered: frozenset[str] = frozenset()
    """The checks whose queries were asked and are not answered yet."""
    actions: tuple[Manifest, ...] = ()
    """What was asked for by hand."""
    services: Mapping[str, Manifest] = field(default_factory=lambda: MappingProxyType({}))
    """Those that it depends on, and those that may want one of its names, by name, as far as they are there."""
    dependents: tuple[Manifest, ...] = ()
    """Those of its namespace that depend on it, where they may have to be stopped."""
    needs: Mapping[str, frozenset[str]] = field(default_factory=lambda: MappingProxyType({}))
    """Which services each one depends on, of all that this one depends on by way of others."""
    namespace_snapshot: NamespaceSnapshot | None = None
    """None if nobody has looked at it."""
    crash_log: str | None = None
    """The end of the log that was asked for, "" where it could not be read; None if nobody has asked."""
    constraints: Constraints | None = None
    """None if nobody has looked at them."""
    keeps_status: bool = True
    """False once the server has not kept the status of this pass as it was written."""
    unkept: frozenset[str] = frozenset()
    """The fields of the last status that was written of which the CRD on the cluster, being older, keeps nothing."""
    sees_pods: bool = True
    """False once the pods could not be listed in this pass."""
    made: Mapping[ChildKey, Made] = field(default_factory=lambda: MappingProxyType({}))
    """What is known of pods that this process made."""
    is_granted: bool = False
    """What a release waits for before its first pod is taken for there, by who wants to know what comes then."""

    @classmethod
    def of(cls, children: Iterable[Manifest], *, crd_schema: str = "") -> "Observed":
        """A snapshot of these children, and of the actions among them."""
        found: dict[ChildKey, Manifest] = {key_of(child): child for child in children}
        actions = tuple(live for key, live in sorted(found.items(), key=lambda item: item[0]) if key.kind == names.ACTION_KIND)
        others = {key: child for key, child in found.items() if key.kind != names.ACTION_KIND}
        return cls(MappingProxyType(others), crd_schema=crd_schema, actions=actions)

    def with_child(self, child: Manifest) -> "Observed":
        """The same world, with this newer state of one child."""
        key = key_of(child)
        children = MappingProxyType({**self.children, key: child})
        return replace(self, children=children, absent=self.absent - {key}, gone=self.gone - {key}, fresh=self.fresh | {key})

    def without_child(self, key: ChildKey) -> "Observed":
        """The same world, where this child is known to be absent: it was deleted, or read."""
        children = {k: v for k, v in self.children.items() if k != key}
        return replace(self, children=MappingProxyType(children), absent=self.absent | {key})

    def with_gone(self, key: ChildKey, *, is_kind_known: bool = True) -> "Observed":
        """The same world, where this child was read by name and is not there. is_kind_known: whether the cluster knows its kind."""
        kinds = self.unknown_kinds if is_kind_known else self.unknown_kinds | {key.kind}
        return replace(self.without_child(key), gone=self.gone | {key}, unknown_kinds=kinds)

    def with_pods(self, pods: Iterable[Manifest], replica_sets: Iterable[Manifest] | None = None) -> "Observed":
        """The same world, with the pods listed, and after them the ReplicaSets. None: those may not be listed."""
        return replace(self, pods=tuple(pods), replica_sets=None if replica_sets is None else tuple(replica_sets))

    def with_mounts(self, pods: Iterable[Manifest], replica_sets: Iterable[Manifest] | None) -> "Observed":
        """The same world, with the ReplicaSets listed, and after them all pods of the namespace. None: the first may not be listed."""
        return replace(self, namespace_pods=tuple(pods), replica_sets=None if replica_sets is None else tuple(replica_sets))

    def with_refused(self, key: ChildKey, failure: ApiFailure) -> "Observed":
        """The same world, which is done without this child for now."""
        return replace(self, refused=MappingProxyType({**self.refused, key: failure}))

    def with_tried(self, refused: Mapping[ChildKey, ApiFailure]) -> "Observed":
        """The same world, in which pods were tried, and these could not be made."""
        return replace(self, tried=MappingProxyType(dict(refused)))

    def unknown(self, keys: Iterable[ChildKey]) -> frozenset[ChildKey]:
        """Those of which nobody has said that they are there, or are not, or may not be read."""
        return frozenset(keys) - self.children.keys() - self.absent - self.hidden

    def with_hidden(self, key: ChildKey) -> "Observed":
        """The same world, in which nobody can say how this child is."""
        return replace(self, hidden=self.hidden | {key})

    def with_contested(self, key: ChildKey, path: str) -> "Observed":
        """The same world, in which this field of a child is not as it was just written."""
        return replace(self, contested=MappingProxyType({**self.contested, key: path}))

    def with_write_error(self, trouble: WriteError) -> "Observed":
        """The same world, in which one more write failed."""
        return replace(self, write_errors=(*self.write_errors, trouble))


def owner_of(live: Mapping[str, Any], service: str, uid: str) -> Ownership:
    """Whose this object is.

    An object is ours by its controller reference. One that lost every controller is still ours if it carries our labels
    and our field manager wrote it: somebody stripped the reference, and it is to be put back. Claims never have an owner
    and are ours by their labels; one that lost them is still ours by our field manager's mark, unless they name somebody else.
    """
    meta = live["metadata"]
    controller = next((r for r in meta.get("ownerReferences") or () if r.get("controller")), None)
    if controller:
        if controller.get("uid") == uid:
            return Ownership.OURS
        is_namesake = controller.get("kind") == names.KIND and controller.get("name") == service
        return Ownership.PREVIOUS if is_namesake else Ownership.FOREIGN
    labels = meta.get("labels") or {}
    claimed = {names.MANAGED_BY_LABEL: names.MANAGED_BY, names.SERVICE_LABEL: service}
    unlabelled = claimed if live.get("kind") == "PersistentVolumeClaim" else {}
    is_labelled = all(labels.get(key, unlabelled.get(key)) == value for key, value in claimed.items())
    is_signed = names.APPLIED_ANNOTATION in (meta.get("annotations") or {})
    return Ownership.OURS if is_labelled and is_signed else Ownership.FOREIGN
