"""What the operator would do, by its own core: nothing here writes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from hardenctl.cluster import Cluster, Manifest
from hardenctl.resources import CHILD_COLLECTIONS, children, with_query
from hardened.api import names
from hardened.api.parse import parse
from hardened.core.children import at_rest
from hardened.core.hardening import gaps
from hardened.core.live.observed import Observed, Surroundings
from hardened.core.manifest import ChildKey, key_of
from hardened.core.plan import plan
from hardened.core.policy import Policy
from hardened.core.release.course import DEFAULT_REPLICAS
from hardened.core.revisions.revision import render, revision_name
from hardened.errors import Vanished

#: Stands in for the uid that only the API server can give.
NO_UID = "00000000-0000-0000-0000-000000000000"
#: Which keys are allowed is in the operator's settings, which are not read here: the operator reports what it refuses.
_ANY_KEY = Policy(frozenset("*"), frozenset("*"), frozenset("*"))


@dataclass(frozen=True)
class Change:
    """One write. action: create, update or delete; field: what differs, "" when all of it does; manifest: {} for a deletion."""

    action: str
    key: ChildKey
    field: str
    manifest: Mapping[str, Any]


@dataclass(frozen=True)
class Preview:
    """revision: what the spec asks for; changes: in the order of writing; gaps: hardening left open; obstacle: what stops it, or ""."""

    revision: str
    changes: tuple[Change, ...]
    gaps: tuple[str, ...]
    obstacle: str


def wanted(body: Mapping[str, Any], namespace: str) -> list[Manifest]:
    """Every child of a service that is made anew. namespace: where the body has none. Raises InvalidSpec."""
    svc = parse(_complete(body, namespace))
    replicas = DEFAULT_REPLICAS if svc.spec.replicas is None else svc.spec.replicas
    return at_rest(svc, render(svc), replicas)


def preview(body: Mapping[str, Any], namespace: str, cluster: Cluster | None = None) -> Preview:
    """The next plan. cluster: where the children are read that are there already; None: there are none. Raises InvalidSpec, ApiFailure."""
    body = _complete(body, namespace)
    svc = parse(body)
    observed = Observed.of(_children(cluster, svc.namespace, svc.name) if cluster else ())
    now = datetime.now(UTC)
    found = plan(body, observed, _ANY_KEY, now)
    while found.look or found.look_at_pods or found.look_around is not None or found.ask or found.is_status_first:
        for key in found.look:
            live = _child(cluster, svc.namespace, key) if cluster else None
            observed = observed.with_child(live) if live else observed.without_child(key)
        if found.look_at_pods:
            observed = observed.with_pods(())
        if found.look_around is not None:
            observed = replace(observed, surroundings=_surroundings(cluster, svc.namespace, found.look_around))
        if found.ask:
            observed = replace(observed, samples={})
        if found.is_status_first:
            body = {**body, "status": found.status}
        found = plan(body, observed, _ANY_KEY, now)
    applied = [
        Change("create" if a.is_new else "update", key_of(a.manifest), _field(a.manifest, observed, a.is_new), a.manifest)
        for a in found.apply
    ]
    deleted = [Change("delete", d.key, "", {}) for d in found.delete]
    return Preview(revision_name(svc.spec), (*applied, *deleted), tuple(gaps(svc)), _obstacle(found.status))


def _surroundings(cluster: Cluster | None, namespace: str, config_maps: Iterable[str]) -> Surroundings:
    """Without the quotas, which are waited for: what is written once there is room is what is asked for here."""
    if cluster is None:
        return Surroundings()
    found = {name: _child(cluster, namespace, ChildKey("ConfigMap", name)) for name in config_maps}
    return Surroundings(config_maps={name: live for name, live in found.items() if live})


def _complete(body: Mapping[str, Any], namespace: str) -> dict[str, Any]:
    meta = {"uid": NO_UID, "generation": 1, "namespace": namespace} | body["metadata"]
    return {**body, "metadata": meta}


def _field(manifest: Manifest, observed: Observed, is_new: bool) -> str:
    from hardened.core.live.compare import difference

    live = observed.children.get(key_of(manifest))
    if is_new or live is None:
        return ""
    spec = {k: v for k, v in manifest.items() if k != "metadata"}
    return difference(spec, live) or difference(manifest, live) or ""


def _obstacle(status: Mapping[str, Any] | None) -> str:
    conditions = (status or {}).get("conditions") or ()
    return next((str(c["message"]) for c in conditions if c["type"] == "Stalled" and c["status"] == "True"), "")


def _children(cluster: Cluster, namespace: str, name: str) -> list[Manifest]:
    found = []
    for kind in CHILD_COLLECTIONS:
        path = with_query(children(kind, namespace), labelSelector=f"{names.SERVICE_LABEL}={name}")
        found += [{**item, "kind": kind} for item in cluster.get(path).get("items") or ()]
    return found


def _child(cluster: Cluster, namespace: str, key: ChildKey) -> Manifest | None:
    try:
        live = cluster.get(f"{children(key.kind, namespace)}/{key.name}")
    except Vanished:
        return None
    # For the plan, an object without them is one that was read in part: it would ask for it again, for ever.
    live["metadata"].setdefault("managedFields", [])
    return {**live, "kind": key.kind}
