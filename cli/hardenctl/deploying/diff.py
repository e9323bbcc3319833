"""What a file would change, object by object: the service by the server's dry run, its children by the operator's own core."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hardenctl.cluster.session import Session
from hardenctl.deploying.apply import apply_one, find_live
from hardenctl.deploying.preview import Change, preview
from hardenctl.deploying.submission import Submission
from hardenctl.output.difference import difference
from hardened.api import names
from hardened.core.model.manifest import Manifest
from hardened.core.observe.ownership import applied_fields

#: Of a stored revision: the rendered pods say the same as its fields, in other words.
_SHOWN_DATA = ("number", "fields")


@dataclass(frozen=True)
class ObjectDiff:
    """One object that would change."""

    action: str
    """create, update or delete."""
    kind: str
    name: str
    diff: str
    """A unified diff of its YAML."""

    def data(self) -> Manifest:
        """As JSON output has it."""
        return {"action": self.action, "kind": self.kind, "name": self.name, "diff": self.diff}


@dataclass(frozen=True)
class ServiceDiff:
    """What would change of one service."""

    namespace: str
    name: str
    revision: str
    """That the file asks for."""
    objects: tuple[ObjectDiff, ...]
    """The service first, then its children in the order of writing."""
    obstacle: str
    """What stops it, or what it waits for; "" for nothing."""

    def data(self) -> Manifest:
        """As JSON output has it."""
        found = {"namespace": self.namespace, "name": self.name, "revision": self.revision}
        return {**found, "obstacle": self.obstacle, "objects": [each.data() for each in self.objects]}


def diff_of(session: Session, each: Submission, *, force: bool) -> ServiceDiff:
    """force: take over fields that others manage. Raises ApiFailure, CommandEnd."""
    before = find_live(session, each.namespace, each.name)
    after = apply_one(session, each, force=force, dry_run=True)
    forecast = preview(after, each.namespace, session.cluster)
    own = difference(_service(before), _service(after), f"{names.KIND}/{each.name}")
    found = [ObjectDiff("update" if before else "create", names.KIND, each.name, own)] if own else []
    found += [ObjectDiff(c.action, c.key.kind, c.key.name, _child(c)) for c in forecast.changes]
    return ServiceDiff(each.namespace, each.name, forecast.revision, tuple(found), forecast.obstacle)


def _service(live: Mapping[str, Any] | None) -> Manifest:
    """What a person writes of a service."""
    if not live:
        return {}
    meta = live["metadata"]
    kept = {key: meta[key] for key in ("labels", "annotations") if meta.get(key)}
    return {**({"metadata": kept} if kept else {}), "spec": live.get("spec") or {}}


def _child(change: Change) -> str:
    live, wanted = change.before, change.manifest
    # Of a live object only what the operator wrote can change; what the server and others added stays.
    written = (applied_fields(live, names.MANAGER) or _like(live, wanted)) if live else {}
    kind = {"kind": change.key.kind}
    before, after = (({**found, **kind} if found else {}) for found in (written, wanted))
    return difference(_plain(before), _plain(after), f"{change.key.kind}/{change.key.name}")


def _like(live: Any, wanted: Any) -> Any:
    """The part of a live value that a wanted one says something of."""
    if isinstance(live, Mapping) and isinstance(wanted, Mapping) and wanted:
        return {key: _like(live[key], wanted[key]) for key in wanted if key in live}
    return live


def _plain(found: Mapping[str, Any]) -> Manifest:
    """Without what only the operator reads: its owner, digests, and pods that are stored as they were rendered."""
    if not found:
        return {}
    meta = {k: v for k, v in (found.get("metadata") or {}).items() if k in ("labels", "annotations")}
    meta["annotations"] = {k: v for k, v in (meta.get("annotations") or {}).items() if k != names.APPLIED_ANNOTATION}
    rest = {k: v for k, v in found.items() if k not in ("apiVersion", "kind", "metadata", "status")}
    if found["kind"] == "ControllerRevision" and isinstance(rest.get("data"), Mapping):
        rest["data"] = {k: v for k, v in rest["data"].items() if k in _SHOWN_DATA}
    return {"kind": found["kind"], "metadata": {k: v for k, v in meta.items() if v}, **rest}
