"""One write of a child, and the state of the child that it is good for."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Self

from hardened.core.model.manifest import ChildKey, Manifest, key_of
from hardened.core.observe.origin import is_adopted

#: What pods, and the Services that lead to them, need; and itself nothing.
_GROUND: Final = ("ControllerRevision", "ConfigMap", "ServiceAccount", "NetworkPolicy", "PodDisruptionBudget", "PersistentVolumeClaim")
#: What a process that was paused must not bring back to what it was, once others have gone on: which stack serves, what runs in it, and
#: which revision is stable or rejected.
_DECISIVE: Final = ("Service", "Deployment", "ControllerRevision")
#: What of an object's metadata says what somebody wants of it.
_META: Final = ("uid", "labels", "annotations", "ownerReferences", "finalizers", "deletionTimestamp")
#: The Deployment controller counts its rollouts there.
_ROLLOUTS: Final = "deployment.kubernetes.io/revision"


@dataclass(frozen=True)
class Apply:
    """Apply this manifest."""

    manifest: Manifest
    seen: Manifest | None = None
    """The child that this was decided on; None where it is not there, so that nothing may be taken over."""
    repairs: str = ""
    """The field that somebody else changed, or ""."""
    is_optional: bool = False
    """Where it fails, nothing is the matter."""
    needs: frozenset[ChildKey] = frozenset()
    """What must have been written before, as far as it was to be."""

    @property
    def is_new(self) -> bool:
        """Whether it is not there."""
        return self.seen is None

    @property
    def may_be_made_at_once(self) -> bool:
        """Whether it is made new, and needs no other child of which the same is so."""
        return self.is_new and self.manifest["kind"] in _GROUND

    @property
    def takes_over(self) -> bool:
        """Whether it makes somebody else's Service ours."""
        return self.seen is not None and is_adopted(self.manifest) and not is_adopted(self.seen)

    @property
    def wish(self) -> Manifest:
        """The manifest without the version that it was decided on, which is a condition of the write, and moves on with it."""
        meta = {key: value for key, value in self.manifest["metadata"].items() if key != "resourceVersion"}
        return {**self.manifest, "metadata": meta}

    def on(self, newer: Manifest) -> Self | None:
        """The same write for the child as it is now, where no more than its status has changed since this was decided; else None.

        While pods come and go, the status of a Deployment changes many times a second, faster than one can look at it anew. What others
        want of it, a mark that keeps late writes out included, stands in its metadata and its spec.
        """
        if self.seen is None or _wanted_of(self.seen) != _wanted_of(newer):
            return None
        return replace(self, manifest=pinned_to(self.wish, newer), seen=newer)


@dataclass(frozen=True)
class Delete:
    """Delete this object, if it is still this one, in this state."""

    key: ChildKey
    uid: str
    resource_version: str


def in_turn(steps: Sequence[Apply]) -> tuple[Apply, ...]:
    """Each of them needs all those before it. Once a revision is promoted, nothing else tells that the one that traffic left for it is
    rejected: where that could not be written, the other is not, either."""
    keys = [key_of(step.manifest) for step in steps]
    return tuple(replace(step, needs=step.needs | set(keys[:number])) for number, step in enumerate(steps))


def pinned_to(manifest: Manifest, live: Manifest) -> Manifest:
    """The manifest for this very object; where traffic or pods depend on it, for the state that it was decided on.

    Each apply of a Deployment is one of its template and size, whatever it is about, and one of a revision is of all its annotations.
    """
    seen = {"uid": live["metadata"]["uid"]}
    if manifest["kind"] in _DECISIVE:
        seen["resourceVersion"] = live["metadata"]["resourceVersion"]
    return {**manifest, "metadata": {**manifest["metadata"], **seen}}


def _wanted_of(live: Manifest) -> Manifest:
    """An object without its status, and without what of its metadata moves with that."""
    meta = {key: live["metadata"].get(key) or None for key in _META}
    meta["annotations"] = {key: value for key, value in (meta["annotations"] or {}).items() if key != _ROLLOUTS}
    return {"metadata": meta, **{key: value for key, value in live.items() if key not in ("metadata", "status", "kind", "apiVersion")}}
