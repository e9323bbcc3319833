"""What the operator would do, by its own core: nothing here writes."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from hardenctl.cluster.api_cluster import Cluster
from hardenctl.deploying.observation import Nowhere, Observation, OnCluster
from hardenctl.deploying.wanted import NO_UID, complete
from hardened.api.parse import parse
from hardened.core.hardening.catalog import gaps
from hardened.core.look import at_once, look, snapshot
from hardened.core.model.manifest import ChildKey, Manifest, key_of
from hardened.core.model.measurement import Query
from hardened.core.model.question import ReadLog
from hardened.core.needs.dependencies import named_services
from hardened.core.observe.compare import difference
from hardened.core.observe.observed import Observed
from hardened.core.plan import Plan, plan
from hardened.core.revisions.revision import revision_name
from hardened.core.writes.differences import ENDED_SECONDS
from hardened.core.writes.write import Apply

#: Plans in one preview: a release at its beginning takes less than twenty, and what goes round in circles ends.
_ROUNDS = 60


@dataclass(frozen=True)
class Change:
    """One write."""

    action: str
    """create, update or delete."""
    key: ChildKey
    """Which child."""
    field: str
    """The first field that differs, "" when all of it does."""
    manifest: Mapping[str, Any]
    """As it is written, {} for a deletion."""
    before: Mapping[str, Any]
    """As it is on the cluster, {} for a creation."""


@dataclass(frozen=True)
class Forecast:
    """What the operator would do."""

    revision: str
    """The one that the spec asks for."""
    changes: tuple[Change, ...]
    """In the order of writing."""
    gaps: tuple[str, ...]
    """Hardening that is left open."""
    obstacle: str
    """What stops it, or what it waits for; "" for nothing."""


def preview(body: Mapping[str, Any], namespace: str, cluster: Cluster | None = None, now: datetime | None = None) -> Forecast:
    """All that is written until the operator has to wait: for pods, for checks, or for time to pass. Raises InvalidSpec, ApiFailure.

    cluster: where it is looked at; None: nothing is there yet. now: the moment of the deployment, None for this one. What has to be there
    before the first pod, such as what the service depends on, is told as the obstacle; the changes are those once it is there.
    """
    body = complete(body, namespace)
    svc = parse(body)
    where: Observation = OnCluster(cluster, svc.namespace, svc.name) if cluster else Nowhere()
    rehearsal = _Rehearsal(body, where, now or datetime.now(UTC))
    rehearsal.play()
    obstacle = _condition(rehearsal.status, "Stalled", "True")
    before = len(rehearsal.changes)
    rehearsal.play(is_granted=True)
    if not obstacle and cluster and len(rehearsal.changes) > before:
        obstacle = rehearsal.waits
    return Forecast(revision_name(svc.spec), tuple(rehearsal.changes.values()), tuple(gaps(svc)), obstacle)


class _Rehearsal:
    """The operator's looks at a service, one after the other as it would take them, with a copy of the world that is written to instead.

    A Looker and a Reader, see hardened.core.look, that never wait.
    """

    def __init__(self, body: Mapping[str, Any], where: Observation, now: datetime) -> None:
        self._body, self._where, self._now = dict(body), where, now
        self._policy = where.policy()
        self._children = {key_of(child): child for child in where.children()}
        self._read: dict[ChildKey, Manifest | None] = {}
        self._services: dict[str, Manifest | None] = {}
        self._is_granted = False
        self.changes: dict[ChildKey, Change] = {}
        #: What the first of these looks said last.
        self.waits = ""

    @property
    def status(self) -> Mapping[str, Any]:
        """As it was written last."""
        return self._body.get("status") or {}

    def play(self, *, is_granted: bool = False) -> None:
        """Looks until nothing is left to write. is_granted: see Observed."""
        self.waits = _condition(self.status, "Ready", "False") if is_granted else ""
        self._is_granted = is_granted
        at_once(look(self, self, self._seen(), _ROUNDS))

    def plan(self, observed: Observed) -> Plan:
        return plan(self._body, observed, self._policy, self._now)

    async def tell(self, observed: Observed, decided: Plan) -> Observed | None:
        """The operator would be told of its status by the watch, and look anew."""
        if decided.status in (None, self._body.get("status")):
            return None
        self._body["status"] = decided.status
        return self._seen()

    # ---- reading

    async def read_children(self, observed: Observed, keys: frozenset[ChildKey]) -> Observed:
        for key in sorted(keys):
            live = self._child(key)
            observed = observed.with_child(live) if live else observed.with_gone(key, is_kind_known=self._where.knows(key.kind))
        return observed

    async def ask_prometheus(self, observed: Observed, queries: tuple[Query, ...]) -> Observed:
        return replace(observed, samples={})  # only the operator may ask

    async def read_namespace(self, observed: Observed, config_maps: frozenset[str]) -> Observed:
        return replace(observed, namespace_snapshot=self._where.around(config_maps))

    async def list_constraints(self, observed: Observed) -> Observed:
        return replace(observed, constraints=self._where.constraints())

    async def try_pods(self, observed: Observed, pods: tuple[Manifest, ...]) -> Observed:
        return observed.with_tried({})  # the operator's rights are not ours to try

    async def list_pods(self, observed: Observed) -> Observed:
        pods = self._where.pods()
        return replace(observed, sees_pods=False) if pods is None else observed.with_pods(pods)

    async def list_mounts(self, observed: Observed) -> Observed:
        return replace(observed, sees_pods=False)  # what a restore waits for is nothing that a preview shows

    async def list_former(self, observed: Observed, selector: Mapping[str, str]) -> Observed:
        return replace(observed, sees_former=False)  # how many they are is known to the operator at the cutover

    async def read_log(self, observed: Observed, wanted: ReadLog) -> Observed:
        return replace(observed, crash_log="")  # nothing is rejected in a preview that is not rejected already

    def _seen(self) -> Observed:
        found = snapshot(self._body, self._children.values(), service=self._service, needs=self._needs, crd_schema="")
        return replace(found, is_granted=self._is_granted)

    def _child(self, key: ChildKey) -> Manifest | None:
        if key in self.changes:
            return self._children.get(key)
        if key not in self._read:
            self._read[key] = self._where.child(key)
        return self._read[key]

    def _service(self, name: str) -> Manifest | None:
        if name not in self._services:
            self._services[name] = self._where.service(name)
        return self._services[name]

    def _needs(self, name: str) -> frozenset[str]:
        return named_services(self._service(name) or {})

    # ---- writing

    async def write(self, observed: Observed, decided: Plan) -> Observed:
        if decided.seed_replicas is not None:
            self._body["spec"] = {**self._body["spec"], "replicas": decided.seed_replicas}
        for step in decided.apply:
            observed = self._put(step.manifest, _field(step, observed), observed, is_new=step.is_new)
        for unwanted in decided.delete:
            gone = self._children.pop(unwanted.key, None) or {}
            # What is made only to be waited for goes again once that is granted: what will be seen of it is that it is made.
            self.changes.setdefault(unwanted.key, Change("delete", unwanted.key, "", {}, gone))
            observed = observed.without_child(unwanted.key)
        for key in decided.end:
            pod = {**observed.children[key], "spec": {**observed.children[key]["spec"], "activeDeadlineSeconds": ENDED_SECONDS}}
            observed = self._put(pod, "spec.activeDeadlineSeconds", observed, is_new=False)
        if decided.let_go:
            job = observed.children[decided.let_go.key]
            observed = self._put({**job, "spec": {**job["spec"], "suspend": False}}, "spec.suspend", observed, is_new=False)
        return observed

    def _put(self, manifest: Manifest, path: str, observed: Observed, *, is_new: bool) -> Observed:
        key = key_of(manifest)
        live = None if is_new else observed.children.get(key)
        after = self._children[key] = _applied(manifest, live, self._now)
        before = self.changes.get(key)
        # What is written twice is one change: from what was there to what is last.
        action, first = (before.action, before.field) if before and before.action != "delete" else ("create" if is_new else "update", path)
        self.changes[key] = Change(action, key, first, manifest, before.before if before else live or {})
        return observed.with_child(after)


def _applied(manifest: Manifest, live: Manifest | None, now: datetime) -> Manifest:
    """What an apply makes of a live object, as far as a plan looks at it."""
    if live is None:
        made = {"uid": NO_UID, "resourceVersion": "1", "generation": 1, "creationTimestamp": now.isoformat(), "managedFields": []}
        return {**manifest, "metadata": {**manifest["metadata"], **made}}
    meta = {**live["metadata"], **manifest["metadata"]}
    for kind in ("labels", "annotations"):
        meta[kind] = {**(live["metadata"].get(kind) or {}), **(manifest["metadata"].get(kind) or {})}
    found = {**live, **manifest, "metadata": meta}
    if "spec" in manifest:
        found["spec"] = {**(live.get("spec") or {}), **manifest["spec"]}
        # Its controller has not seen it yet.
        meta["generation"] = int(meta.get("generation", 1)) + (found["spec"] != live.get("spec"))
    return found


def _field(step: Apply, observed: Observed) -> str:
    live = observed.children.get(key_of(step.manifest))
    if step.is_new or live is None:
        return ""
    spec = {k: v for k, v in step.wish.items() if k != "metadata"}
    return difference(spec, live) or difference(step.wish, live) or ""


def _condition(status: Mapping[str, Any], kind: str, value: str) -> str:
    conditions = status.get("conditions") or ()
    return next((str(c.get("message", "")) for c in conditions if c["type"] == kind and c["status"] == value), "")
