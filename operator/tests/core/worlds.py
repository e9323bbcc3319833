"""Worlds for the tests of decisions: services as the API server holds them, and children as it keeps them once they were applied."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from tests.memory import fields
from tests.memory.defaults import DEFAULTS

from hardened.api import names
from hardened.api.parse import HardenedService, parse
from hardened.core.checks.pods import is_verifier
from hardened.core.look import at_once, look
from hardened.core.model.kit import BackupKit
from hardened.core.model.manifest import ChildKey, Manifest, key_of
from hardened.core.model.measurement import Query, Sample
from hardened.core.model.policy import Policy
from hardened.core.model.question import ReadLog
from hardened.core.observe.observed import Constraints, Made, NamespaceSnapshot, Observed
from hardened.core.plan import Plan, plan
from hardened.core.revisions.revision import revision_name
from hardened.core.writes.differences import ENDED_SECONDS
from hardened.errors import ApiFailure, Refused

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
STAMP = "2026-01-02T03:04:05Z"
UID = "11111111-1111-4111-8111-111111111111"
OTHER_UID = "99999999-9999-4999-8999-999999999999"
ANY_KEY = replace(Policy.of_anything(), verifier_image="registry.example/hardened:1", backup=BackupKit("registry.example/backup:1"))
_HERE = Path(__file__).parent

#: A web service whose one Deployment replaces its own pods, and a worker, in as few words as possible.
WEB: Manifest = {
    "image": "registry.example/shop:1",
    "ports": [{"name": "http", "containerPort": 8080}],
    "replicas": 2,
    "release": {"strategy": "RollingUpdate"},
}
WORKER: Manifest = {"image": "registry.example/shop:1", "replicas": 1}


def live_sample(name: str) -> Any:
    """Objects as a real API server of Kubernetes 1.36 returned them."""
    return fields.copy(_loaded(name))


@cache
def _loaded(name: str) -> Any:
    return yaml.safe_load((_HERE / "live" / f"{name}.yaml").read_text())


def body(spec: Mapping[str, Any] = WEB, *, status: Manifest | None = None, **meta: Any) -> Manifest:
    """A HardenedService as the API server has it."""
    meta = {"name": "shop", "namespace": "market", "uid": UID, "generation": 1, **meta}
    found: Manifest = {"apiVersion": names.API_VERSION, "kind": names.KIND, "metadata": meta, "spec": fields.copy(dict(spec))}
    return found | ({"status": status} if status else {})


def service(spec: Mapping[str, Any] = WEB, **more: Any) -> HardenedService:
    """A parsed service. more: fields of the spec, by their JSON names."""
    return parse(body({**spec, **more}))


def live(manifest: Manifest, *, number: int = 1, manager: str = names.MANAGER) -> Manifest:
    """What the API server makes of an applied manifest: defaults, identity, managed fields."""
    found = fields.copy(manifest)
    owned = fields.fields_v1(set(fields.leaves(found, found["kind"])))
    DEFAULTS.get(found["kind"], lambda _: None)(found)
    found["metadata"] |= {
        "uid": f"00000000-0000-4000-8000-{number:012}",
        "resourceVersion": str(number),
        "generation": 1,
        "creationTimestamp": (NOW - timedelta(days=1) + timedelta(seconds=number)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "managedFields": [{"manager": manager, "operation": "Apply", "apiVersion": found["apiVersion"], "fieldsV1": owned}],
    }
    return found


@dataclass
class World:
    """The children of a namespace. What was applied replaces what was there, as an owner of all its fields would see it."""

    objects: dict[ChildKey, Manifest] = field(default_factory=dict)
    pods: list[Manifest] = field(default_factory=list)
    written: int = 0
    writes: list[str] = field(default_factory=list)
    dead: set[str] = field(default_factory=set)  # Deployments whose pods are never ready
    failing: set[str] = field(default_factory=set)  # checks that fail
    mute: bool = False  # verifiers are lost, and say nothing
    slow: bool = False  # verifiers do not begin
    homeless: bool = False  # no node takes verifiers
    stuck: bool = False  # verifiers run, and come to no end
    has_slot: bool = True  # see Observed
    available: set[str] = field(default_factory=set)  # other services that are Available, and not Ready
    samples: dict[str, Sample] = field(default_factory=dict)  # what Prometheus answers, by the check
    asked: list[str] = field(default_factory=list)  # what it was asked
    quotas: list[Manifest] = field(default_factory=list)
    limit_ranges: list[Manifest] = field(default_factory=list)
    policies: list[Manifest] = field(default_factory=list)  # NetworkPolicies of others
    knows_constraints: bool = True  # see Constraints
    config_maps: dict[str, Manifest] | None = field(default_factory=dict)  # of others, by name; None for whatever is asked for
    barred: dict[str, str] = field(default_factory=dict)  # a part of the names of pods that are refused -> why
    refused: dict[ChildKey, ApiFailure] = field(default_factory=dict)  # see Observed; of this look
    refuses: dict[ChildKey, ApiFailure] = field(default_factory=dict)  # what is refused whenever it is to be made
    tried: list[str] = field(default_factory=list)  # the pods that it was tried to make
    replica_sets: list[Manifest] | None = None  # of the Deployments, each of which has one then, or of others; None: they may not be listed
    strangers: list[Manifest] = field(default_factory=list)  # pods of nobody's
    made: dict[ChildKey, Made] = field(default_factory=dict)  # see Observed
    has_keda: bool = False  # the cluster knows ScaledObjects
    held: set[ChildKey] = field(default_factory=set)  # what a finalizer holds once it is deleted
    log: str = ""  # what every container has said
    read_logs: list[ReadLog] = field(default_factory=list)  # what was read of it

    def seen(self, service: str = "shop") -> Observed:
        """What the caches show: what carries the service's label, without who owns which field."""
        labels = [(o, o["metadata"].get("labels") or {}) for key, o in self.objects.items() if key.kind != "ScaledObject"]
        labelled = [o for o, mine in labels if mine.get(names.SERVICE_LABEL) == service]
        labelled = [o | {"metadata": {k: v for k, v in o["metadata"].items() if k != "managedFields"}} for o in labelled]
        conditions = [{"type": "Ready", "status": "False"}, {"type": "Available", "status": "True"}]
        services = {name: {"metadata": {"name": name}, "status": {"conditions": conditions}} for name in self.available}
        known = {"services": services, "refused": dict(self.refused), "made": dict(self.made)}
        return replace(Observed.of(labelled), has_slot=self.has_slot, **known)

    def bars(self, key: ChildKey) -> ApiFailure | None:
        """Why an object cannot be made."""
        if key in self.refuses:
            return self.refuses[key]
        said = next((words for part, words in self.barred.items() if key.kind == "Pod" and part in key.name), None)
        return Refused(f'pods "{key.name}" is forbidden: {said}', status=403) if said else None

    def constraints(self) -> Constraints:
        return Constraints(tuple(self.limit_ranges), tuple(self.policies), is_known=self.knows_constraints)

    def read(self, observed: Observed, keys: Iterable[ChildKey]) -> Observed:
        """What is seen once these were read by name."""
        for key in keys:
            found = self.objects.get(key)
            is_known = self.has_keda or key.kind != "ScaledObject"
            observed = observed.with_child(found) if found else observed.with_gone(key, is_kind_known=is_known)
        return observed

    async def read_children(self, observed: Observed, keys: frozenset[ChildKey]) -> Observed:
        return self.read(observed, keys)

    async def ask_prometheus(self, observed: Observed, queries: tuple[Query, ...]) -> Observed:
        self.asked += [query.text for query in queries]
        return replace(observed, samples={query.name: self.samples[query.name] for query in queries})

    async def read_namespace(self, observed: Observed, config_maps: frozenset[str]) -> Observed:
        return replace(observed, namespace_snapshot=NamespaceSnapshot(tuple(self.quotas), self.config_maps, tuple(self.limit_ranges)))

    async def list_constraints(self, observed: Observed) -> Observed:
        return replace(observed, constraints=self.constraints())

    async def try_pods(self, observed: Observed, pods: tuple[Manifest, ...]) -> Observed:
        keys = [key_of(pod) for pod in pods]
        self.tried += [key.name for key in keys]
        return observed.with_tried({key: failure for key in keys if (failure := self.bars(key))})

    async def list_pods(self, observed: Observed) -> Observed:
        return observed.with_pods(self.pods, self.replica_sets)

    async def list_mounts(self, observed: Observed) -> Observed:
        return observed.with_mounts(self.pods, self.replica_sets)

    async def list_former(self, observed: Observed, selector: Mapping[str, str]) -> Observed:
        found = [pod for pod in self.strangers if selector.items() <= (pod["metadata"].get("labels") or {}).items()]
        return replace(observed, former=tuple(found))

    async def read_log(self, observed: Observed, wanted: ReadLog) -> Observed:
        self.read_logs.append(wanted)
        return replace(observed, crash_log=self.log)

    def write(self, decided: Plan) -> None:
        for step in decided.apply:
            key = key_of(step.manifest)
            if step.is_new and (failure := self.bars(key)):
                assert step.is_optional, f"all else stops with {key}"
                self.refused[key] = failure
                continue
            self.written += 1
            self.writes.append(f"apply {key}")
            before = self.objects.get(key)
            after = live({k: v for k, v in step.manifest.items()}, number=self.written)
            if before:
                after["metadata"] |= {k: before["metadata"][k] for k in ("uid", "creationTimestamp")}
                after["metadata"]["generation"] = before["metadata"]["generation"] + 1
            if before and "status" in before:
                after["status"] = before["status"]
            self.objects[key] = after
            if key in self.made:
                self.made[key] = Made(after["metadata"]["uid"], after["spec"]["containers"][0]["image"])
        for pod in decided.end:
            self.writes.append(f"end {pod}")
            self.objects[pod]["spec"]["activeDeadlineSeconds"] = ENDED_SECONDS
        if decided.let_go:
            self.writes.append(f"let go {decided.let_go.key}")
            self.objects[decided.let_go.key]["spec"]["suspend"] = False
        for unwanted in decided.delete:
            self.writes.append(f"delete {unwanted.key}")
            if unwanted.key in self.held:
                self.objects[unwanted.key]["metadata"]["deletionTimestamp"] = STAMP
            else:
                del self.objects[unwanted.key]

    def follow(self, now: datetime = NOW) -> None:
        """Lets pods and endpoints be as Deployments and Services want them."""
        self.pods.clear()
        for key, live in list(self.objects.items()):
            if key.kind == "Deployment":
                ready = 0 if key.name in self.dead else live["spec"]["replicas"]
                self.run_pods(key.name, ready=ready)
                owner = self._replica_set(live)
                self.pods += [_pod(live, number, owner, is_ready=number < ready) for number in range(live["spec"]["replicas"])]
        self.pods += self.strangers
        for live in list(self.objects.values()):
            if is_verifier(live) and (live.get("status") or {}).get("phase") not in ("Succeeded", "Failed"):
                live["status"] = self._verified(live, now)
        for key, live in list(self.objects.items()):
            if key.kind == "Service":
                self.objects[ChildKey("EndpointSlice", f"{key.name}-x")] = _endpoints(live, self.pods)

    def _replica_set(self, deployment: Manifest) -> str:
        """The uid of the ReplicaSet of a Deployment's last template; "" where nobody knows them."""
        if self.replica_sets is None:
            return ""
        name = f"{deployment['metadata']['name']}-{deployment['spec']['template']['metadata']['labels'][names.REVISION_LABEL]}"
        owner = {"kind": "Deployment", "name": deployment["metadata"]["name"], "uid": deployment["metadata"]["uid"], "controller": True}
        found = {"kind": "ReplicaSet", "metadata": {"name": name, "uid": f"rs-{name}", "ownerReferences": [owner]}}
        if found not in self.replica_sets:
            self.replica_sets.append(found)
        return f"rs-{name}"

    def _verified(self, live: Manifest, now: datetime) -> Manifest:
        if self.mute:
            return {"phase": "Failed", "reason": "Evicted"}
        if self.slow or self.homeless:
            message = "0/2 nodes are available: 2 Insufficient cpu"
            condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
            return {"phase": "Pending", "conditions": [condition] if self.homeless else []}
        if self.stuck:
            return {"phase": "Running"}
        return _verified(live, self.failing, now)

    def run_pods(
        self, name: str = "shop-blue", *, ready: int | None = None, reason: str = "NewReplicaSetAvailable", since: datetime = NOW
    ) -> None:
        """Lets the Deployment's controller count: all wanted pods are of the last template, and `ready` of them available."""
        deployment = self.objects[ChildKey("Deployment", name)]
        wanted = deployment["spec"]["replicas"]
        stamp = since.strftime("%Y-%m-%dT%H:%M:%SZ")
        progress = {"type": "Progressing", "status": "True", "reason": reason, "lastUpdateTime": stamp}
        counts = {"replicas": wanted, "updatedReplicas": wanted, "availableReplicas": wanted if ready is None else ready}
        deployment["status"] = {**counts, "observedGeneration": deployment["metadata"]["generation"], "conditions": [progress]}


def _verified(pod: Manifest, failing: set[str], now: datetime) -> Manifest:
    """The status of a verifier: checks and migrations end at once, the probe after its time or once it is told to."""
    if names.ONCE_ANNOTATION in pod["metadata"]["annotations"]:
        code = int(pod["spec"]["containers"][0]["command"][0] in failing)
        ended = {"name": "verifier", "state": {"terminated": {"exitCode": code, "reason": "Error" if code else "Completed"}}}
        return {"phase": "Failed" if code else "Succeeded", "containerStatuses": [ended]}
    task = json.loads(pod["spec"]["containers"][0]["env"][0]["value"])
    items = [*task.get("checks", ()), *task.get("probes", ())]
    has_failed = any(item["name"] in failing for item in items)
    if "probes" in task and pod["spec"]["activeDeadlineSeconds"] != ENDED_SECONDS and not has_failed:
        began = {"name": "verifier", "state": {"running": {"startedAt": now.isoformat()}}}
        (container,) = (pod.get("status") or {}).get("containerStatuses") or [began]
        began_at = datetime.fromisoformat(container["state"]["running"]["startedAt"])
        if now < began_at + timedelta(seconds=task["probes"][0]["durationSeconds"]):
            return {"phase": "Running", "containerStatuses": [container]}
    results = [
        {"name": i["name"], "result": "Failed" if i["name"] in failing else "Passed", "message": "as asked", "requests": 5, "failed": 0}
        for i in items
    ]
    message = json.dumps({"results": results, "finishedAt": now.isoformat()})
    ended = {"name": "verifier", "state": {"terminated": {"exitCode": 0, "message": message}}}
    return {"phase": "Succeeded", "containerStatuses": [ended]}


def _pod(deployment: Manifest, number: int, owner: str, *, is_ready: bool) -> Manifest:
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    name = f"{deployment['metadata']['name']}-{labels[names.REVISION_LABEL]}-{number}"
    meta = {"name": name, "uid": name, "labels": labels}
    if owner:
        meta["ownerReferences"] = [{"kind": "ReplicaSet", "uid": owner, "controller": True}]
    return {"kind": "Pod", "metadata": meta, "status": {"isReady": is_ready}}


def _endpoints(service: Manifest, pods: Iterable[Manifest]) -> Manifest:
    selected = [p for p in pods if service["spec"]["selector"].items() <= p["metadata"]["labels"].items()]
    endpoints = [{"targetRef": {"uid": p["metadata"]["uid"]}, "conditions": {"ready": p["status"].get("isReady", False)}} for p in selected]
    managed = {"endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io"}
    labels = {**service["metadata"]["labels"], "kubernetes.io/service-name": service["metadata"]["name"], **managed}
    meta = {"name": f"{service['metadata']['name']}-x", "namespace": "market", "labels": labels, "ownerReferences": [SERVICE_OWNER]}
    return {"kind": "EndpointSlice", "metadata": meta, "endpoints": endpoints}


SERVICE_OWNER: Manifest = {"apiVersion": "v1", "kind": "Service", "name": "shop", "uid": "s", "controller": True}


def decide(service: Manifest, world: World, now: datetime = NOW, policy: Policy = ANY_KEY) -> Plan:
    """The plan once everything that it asked for was looked up; nothing is written."""
    decided = at_once(look(_OnPaper(service, world, now, policy), world, world.seen(service["metadata"]["name"]), rounds=100))
    assert decided is not None, "it asks for ever"
    return decided


@dataclass
class _OnPaper:
    """A look that ends where something is to be written or told."""

    service: Manifest
    world: World
    now: datetime
    policy: Policy

    def plan(self, observed: Observed) -> Plan:
        return plan(self.service, observed, self.policy, self.now)

    async def write(self, observed: Observed, decided: Plan) -> Observed | None:
        taken = [key for step in decided.apply if step.is_new and (key := key_of(step.manifest)) in self.world.objects]
        return self.world.read(observed, taken) if taken else None  # as after the server's refusal to make it

    async def tell(self, observed: Observed, decided: Plan) -> Observed | None:
        return None


def begun(service: Manifest, world: World, now: datetime = NOW) -> Plan:
    """The first plan that writes more than status, which is left on the service: that a release has begun is written down before."""
    decided = decide(service, world, now)
    while decided.is_status_first:
        service["status"] = decided.status
        decided = decide(service, world, now)
    return decided


def settle(service: Manifest, world: World, now: datetime = NOW, policy: Policy = ANY_KEY) -> Plan:
    """Plans and writes until nothing is left to write. Leaves the last plan's status on the service."""
    world.refused.clear()
    for _ in range(12):
        decided = decide(service, world, now, policy)
        if decided.seed_replicas is not None:
            service["spec"]["replicas"] = decided.seed_replicas
            service["metadata"]["generation"] += 1
        if decided.has_writes:
            world.write(decided)
            continue
        service["status"] = decided.status
        world.refused.clear()
        if not decided.is_status_first:
            return decided
    raise AssertionError(f"still writing: {decided}")


def running(spec: Mapping[str, Any] = WEB) -> tuple[Manifest, World]:
    """A service whose first revision was released in place, and whose pods are all available."""
    cr, world = body(spec), World()
    released(cr, world)
    world.writes.clear()
    return cr, world


def released(cr: Manifest, world: World) -> None:
    """Lets a release in place come to its end, at NOW. No pod was listed, and no endpoint seen, in the world that is left."""
    for seconds in range(80, -1, -20):
        settle(cr, world, NOW - timedelta(seconds=seconds))
        world.follow(NOW)
    world.pods.clear()
    for key in [key for key in world.objects if key.kind == "EndpointSlice"]:
        del world.objects[key]


def with_spec(cr: Manifest, **changes: Any) -> Manifest:
    """The same service after a change of its spec. A field set to None is dropped."""
    spec = {k: v for k, v in {**cr["spec"], **changes}.items() if v is not None}
    return {**cr, "spec": spec, "metadata": {**cr["metadata"], "generation": cr["metadata"]["generation"] + 1}}


def revision(cr: Manifest) -> str:
    """The name of the revision that a service asks for."""
    return revision_name(parse(cr).spec)


def condition(status: Mapping[str, Any], kind: str) -> tuple[str, str]:
    """The status and reason of one condition."""
    found = next(c for c in status["conditions"] if c["type"] == kind)
    return found["status"], found["reason"]


def keys(applies: Iterable[Any]) -> list[str]:
    """What a plan applies, in order."""
    return [str(key_of(step.manifest)) for step in applies]
