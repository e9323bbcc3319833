"""What the cluster's own controllers do: Deployments get their pods, Services their endpoints, and quotas are counted."""

import contextlib
import json
from datetime import datetime, timedelta
from typing import Any

from tests.memory import autoscalers, fields, keda
from tests.memory.fields import Body
from tests.memory.ownership import Manager
from tests.memory.store import Store

from hardened.errors import Refused
from hardened.shell.kinds import DEPLOYMENT, ENDPOINT_SLICE, JOB, POD, REPLICA_SET, RESOURCE_QUOTA, SERVICE, Kind

CONTROLLER = Manager("kube-controller-manager", "Update", "status")
_GATED = {"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}
_HOMELESS = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/2 nodes are available"}


def settle(store: Store) -> int:
    """KEDA makes its autoscalers. Each autoscaler gives its service the size that the load asks for.

    Each Deployment gets all its replicas, updated and ready, unless it is in store.stuck: then no more ready ones than it has already.

    Then each Service gets its endpoints, and each quota is counted. The number of objects that changed.
    """
    if store.rests and store.rests == store.moved_by():
        return 0
    changed = keda.settle(store, write) + autoscalers.settle(store, write) + _deployments(store)
    changed += _replica_sets(store) + _pods(store) + _endpoints(store) + _verifiers(store) + _jobs(store) + _quotas(store)
    # A verifier ends by itself.
    is_at_rest = not changed and not any(_is_verifier(pod) and not _has_ended(pod) for pod in store.bodies(POD, None))
    store.rests = store.moved_by() if is_at_rest else None
    return changed


def _deployments(store: Store) -> int:
    changed = 0
    for (kind, namespace, name), stored in list(store.objects.items()):
        if kind != DEPLOYMENT.name or "deletionTimestamp" in stored.body["metadata"]:
            continue
        before = stored.body.get("status") or {}
        if not stored.body["spec"].get("paused"):
            store.rolled_out[namespace, name] = stored.body["spec"]["template"]
        is_stuck = (namespace, name) in store.stuck
        pace = 0 if is_stuck else store.pace
        status = _available(stored.body, before, store.now(), pace=pace, is_dead=_is_dead(store, stored.body))
        if store.rolled_out.get((namespace, name)) != stored.body["spec"]["template"]:
            status.pop("updatedReplicas", None)
        if status != before:
            new = fields.copy(stored.body) | {"status": status}
            new["metadata"].setdefault("annotations", {}).setdefault("deployment.kubernetes.io/revision", "1")
            write(store, DEPLOYMENT, new)
            changed += 1
    return changed


def _is_dead(store: Store, deployment: Body) -> bool:
    template = deployment["spec"]["template"]
    image = template["spec"]["containers"][0]["image"]
    if image in store.doomed:
        labels = template["metadata"]["labels"]
        selectors = [s["spec"].get("selector") or {} for s in store.bodies(SERVICE, None) if not s["metadata"]["name"].endswith("-preview")]
        return any(selector.items() <= labels.items() for selector in selectors)
    return image in store.dead | store.homeless


def _available(body: Body, before: Body, now: str, *, pace: int, is_dead: bool) -> Body:
    wanted = body["spec"]["replicas"]
    ready = 0 if is_dead else min(wanted, before.get("readyReplicas", 0) + pace)
    counts = {"replicas": wanted, "updatedReplicas": wanted, "readyReplicas": ready, "availableReplicas": ready}
    status: Body = {"observedGeneration": body["metadata"]["generation"], **{name: count for name, count in counts.items() if count}}
    if ready < wanted:
        status["unavailableReplicas"] = wanted - ready
    available = "True" if ready == wanted else "False"
    reason = "MinimumReplicasAvailable" if available == "True" else "MinimumReplicasUnavailable"
    progress = "NewReplicaSetAvailable" if available == "True" else "ReplicaSetUpdated"
    status["conditions"] = [
        _condition(before, now, "Available", available, reason),
        _condition(before, now, "Progressing", "True", progress),
    ]
    return status


def _replica_sets(store: Store) -> int:
    """One for the last template of each Deployment that was rolled out."""
    wanted: dict[tuple[str, str], Body] = {}
    for deployment in _rolled_out(store):
        meta, template = deployment["metadata"], deployment["spec"]["template"]
        owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": meta["name"], "uid": meta["uid"], "controller": True}
        name, labels = _replica_set_name(deployment), template["metadata"]["labels"]
        told = meta.get("annotations", {})
        set_meta = {"name": name, "namespace": meta["namespace"], "labels": labels, "annotations": told, "ownerReferences": [owner]}
        wanted[meta["namespace"], name] = {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": set_meta,
            "spec": {"replicas": deployment["spec"]["replicas"], "template": template},
            "status": {"observedGeneration": 1},
        }
    return _bring(store, REPLICA_SET, wanted, "spec")


def _rolled_out(store: Store) -> list[Body]:
    """The Deployments with the templates that their pods have: of one that is paused, that from before."""
    known = {(live["metadata"]["namespace"], live["metadata"]["name"]): live for live in store.bodies(DEPLOYMENT, None)}
    rolled_out = {key: live for key, live in known.items() if key in store.rolled_out}
    return [live | {"spec": live["spec"] | {"template": store.rolled_out[key]}} for key, live in rolled_out.items()]


def _replica_set_name(deployment: Body) -> str:
    """Another one where a gate holds its pods back: that is in the template."""
    template = deployment["spec"]["template"]
    held = "-held" if template["spec"].get("schedulingGates") else ""
    return f"{deployment['metadata']['name']}-{template['metadata']['labels'].get('hardened.dev/revision', 'none')}{held}"


def _pods(store: Store) -> int:
    """The pods of each Deployment's last template that was rolled out, at once: none of another one is left."""
    wanted: dict[tuple[str, str], Body] = {}
    for deployment in _rolled_out(store):
        meta, template = deployment["metadata"], deployment["spec"]["template"]
        ready = (deployment.get("status") or {}).get("readyReplicas", 0)
        made_by = store.existing(REPLICA_SET, meta["namespace"], _replica_set_name(deployment)).body["metadata"]
        for number in range(deployment["spec"]["replicas"]):
            name = f"{made_by['name']}-{number}"
            status = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True" if number < ready else "False"}]}
            if template["spec"]["containers"][0]["image"] in store.homeless:
                status = {"phase": "Pending", "conditions": [_HOMELESS]}
            gates = template["spec"].get("schedulingGates")
            if gates:
                status = {"phase": "Pending", "conditions": [_GATED]}
            owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": made_by["name"], "uid": made_by["uid"], "controller": True}
            pod_meta = {
                "name": name, "namespace": meta["namespace"], "labels": template["metadata"]["labels"], "ownerReferences": [owner],
            }  # fmt: skip
            volumes = template["spec"].get("volumes") or []
            pod_spec = {"volumes": volumes} | ({"schedulingGates": gates} if gates else {})
            wanted[meta["namespace"], name] = {
                "apiVersion": "v1", "kind": "Pod", "metadata": pod_meta, "spec": pod_spec, "status": status,
            }  # fmt: skip
    return _bring(store, POD, wanted, "status")


def _quotas(store: Store) -> int:
    """Counts pods; of anything else a quota counts nothing here."""
    changed = 0
    for quota in store.bodies(RESOURCE_QUOTA, None):
        hard = quota["spec"]["hard"]
        pods = str(len(store.bodies(POD, quota["metadata"]["namespace"])))
        status = {"hard": hard, "used": {name: pods if name == "pods" else "0" for name in hard}}
        if quota.get("status") != status:
            write(store, RESOURCE_QUOTA, fields.copy(quota) | {"status": status})
            changed += 1
    return changed


def _endpoints(store: Store) -> int:
    """One EndpointSlice for each Service with a selector; it has the Service's labels, as the real ones do."""
    wanted: dict[tuple[str, str], Body] = {}
    for service in store.bodies(SERVICE, None):
        meta, selector = service["metadata"], service["spec"].get("selector")
        if not selector:
            continue
        pods = [
            p for p in store.bodies(POD, meta["namespace"]) if not _is_verifier(p) and selector.items() <= p["metadata"]["labels"].items()
        ]
        endpoints = [
            {
                "targetRef": {"kind": "Pod", "name": pod["metadata"]["name"], "uid": pod["metadata"]["uid"]},
                "conditions": {"ready": pod["status"]["conditions"][0]["status"] == "True"},
            }
            for pod in pods
        ]
        managed = {"endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io"}
        labels = {**(meta.get("labels") or {}), "kubernetes.io/service-name": meta["name"], **managed}
        owner = {"apiVersion": "v1", "kind": "Service", "name": meta["name"], "uid": meta["uid"], "controller": True}
        slice_meta = {"name": f"{meta['name']}-slice", "namespace": meta["namespace"], "labels": labels, "ownerReferences": [owner]}
        wanted[meta["namespace"], slice_meta["name"]] = {
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": slice_meta, "endpoints": endpoints,
        }  # fmt: skip
    return _bring(store, ENDPOINT_SLICE, wanted, "endpoints")


def _is_verifier(body: Body) -> bool:
    return body["metadata"].get("labels", {}).get("app.kubernetes.io/component") == "verifier"


def _is_of_job(body: Body) -> bool:
    return any(owner["kind"] == "Job" for owner in body["metadata"].get("ownerReferences") or ())


def _jobs(store: Store) -> int:
    """Each Job gets its pod, whose containers have ended a moment later; then the Job has. Well, but where its backup's name is dead.

    What is looked up is found all the same, unless "find NAME" is dead.
    """
    changed = 0
    for job in store.bodies(JOB, None):
        meta, name = job["metadata"], f"{job['metadata']['name']}-x"
        if (job.get("status") or {}).get("conditions") or job["spec"].get("suspend"):
            continue
        changed += 1
        pod = store.get(POD, meta["namespace"], name)
        if pod is None:
            owner = {"apiVersion": "batch/v1", "kind": "Job", "name": meta["name"], "uid": meta["uid"], "controller": True}
            template = job["spec"]["template"]
            pod_meta = {"name": name, "namespace": meta["namespace"], "labels": template["metadata"]["labels"], "ownerReferences": [owner]}
            with contextlib.suppress(Refused):  # what an admission plugin refuses is tried again
                made = {"apiVersion": "v1", "kind": "Pod", "metadata": pod_meta, "spec": fields.copy(template["spec"])}
                store.create(POD, made, CONTROLLER)
                write(store, JOB, fields.copy(job) | {"status": {"startTime": store.now(), "active": 1}})
        elif not _has_ended(pod.body):
            verb = pod.body["spec"]["containers"][0]["command"][-1]
            backup = meta["labels"].get("hardened.dev/backup")
            is_dead = (f"{verb} {backup}" if verb == "find" else backup) in store.dead
            ended = _not_stored(store.now(), verb, has_written="unwritten" not in store.dead) if is_dead else _stored(store.now(), verb)
            write(store, POD, fields.copy(pod.body) | {"status": ended})
        else:
            done = {
                "type": "Complete" if pod.body["status"]["phase"] == "Succeeded" else "Failed",
                "status": "True",
                "lastTransitionTime": store.now(),
            }
            write(store, JOB, fields.copy(job) | {"status": {"startTime": job["status"]["startTime"], "conditions": [done]}})
    return changed


def _stored(now: str, verb: str) -> Body:
    """The status of a pod that has made a backup, or verified or restored one."""
    report = {"kind": verb, "result": "Succeeded", "reason": "", "message": "", "snapshot": "ab" * 32, "bytes": 4096}
    if verb in ("restore", "find"):
        report |= {"before": "cd" * 32, "dumped_at": "2029-12-31T23:00:00.000Z"}
    times = {"startedAt": now, "finishedAt": now, "exitCode": 0}
    ended = {"name": "runner", "state": {"terminated": times | {"message": json.dumps(report)}}}
    if verb in ("verify", "restore", "find"):
        return {"phase": "Succeeded", "containerStatuses": [ended]}
    return {
        "phase": "Succeeded",
        "initContainerStatuses": [{"name": "dump", "state": {"terminated": times}}],
        "containerStatuses": [ended],
    }


def _not_stored(now: str, verb: str, *, has_written: bool) -> Body:
    """The status of a pod that has failed to make a backup, or to restore it."""
    report = {"kind": verb, "result": "Failed", "reason": "RepositoryUnreachable", "message": "connection refused", "written": has_written}
    found = _stored(now, verb)
    found["containerStatuses"][0]["state"]["terminated"] |= {"exitCode": 1, "message": json.dumps(report)}
    return found | {"phase": "Failed"}


def _has_ended(pod: Body) -> bool:
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def _is_foreign(body: Body) -> bool:
    """Whether no controller of these made it: a slice of another manager, or a pod of nobody."""
    managed_by = (body["metadata"].get("labels") or {}).get("endpointslice.kubernetes.io/managed-by")
    if body["kind"] == ENDPOINT_SLICE.name:
        return managed_by != "endpointslice-controller.k8s.io"
    return not body["metadata"].get("ownerReferences")


def _verifiers(store: Store) -> int:
    """Checks pass with their last request, commands but `false` at once; the probe ends after its time, or when it is told to."""
    changed = 0
    for pod in store.bodies(POD, None):
        if not _is_verifier(pod) or _has_ended(pod):
            continue
        if (pod.get("status") or {}).get("phase") != "Running":
            began = {"name": pod["spec"]["containers"][0]["name"], "state": {"running": {"startedAt": store.now()}}}
            pod = fields.copy(pod) | {"status": {"phase": "Running", "containerStatuses": [began]}}
            write(store, POD, pod)
            changed += 1
        container = pod["spec"]["containers"][0]
        if container["command"] in (["true"], ["false"]):
            code = int(container["command"] == ["false"])
            ended = {"name": container["name"], "state": {"terminated": {"exitCode": code}}}
            phase = "Failed" if code else "Succeeded"
            write(store, POD, fields.copy(pod) | {"status": {"phase": phase, "containerStatuses": [ended]}})
            changed += 1
            continue
        task = json.loads(container["env"][0]["value"])
        began_at = datetime.fromisoformat(pod["status"]["containerStatuses"][0]["state"]["running"]["startedAt"])
        checks = ((check["count"] - 1) * check["intervalSeconds"] for check in task.get("checks", ()))
        asks_for = max([*checks, *(probe["durationSeconds"] for probe in task.get("probes", ()))], default=0)
        if pod["spec"]["activeDeadlineSeconds"] != 1 and datetime.fromisoformat(store.now()) < began_at + timedelta(seconds=asks_for):
            continue
        results = [{"name": item["name"], "result": "Passed", "requests": 5} for item in (*task.get("checks", ()), *task.get("probes", ()))]
        message = json.dumps({"results": results, "finishedAt": store.now()})
        ended = {"name": "verifier", "state": {"terminated": {"exitCode": 0, "message": message}}}
        write(store, POD, fields.copy(pod) | {"status": {"phase": "Succeeded", "containerStatuses": [ended]}})
        changed += 1
    return changed


def _bring(store: Store, kind: Kind, wanted: dict[tuple[str, str], Body], compared: str) -> int:
    """Makes, changes and removes objects of a kind until they are those that are wanted. How many that took."""
    changed = 0
    for body in store.bodies(kind, None):
        if _is_verifier(body) or _is_of_job(body) or _is_foreign(body):
            continue
        target = (body["metadata"]["namespace"], body["metadata"]["name"])
        if target in wanted or (kind in (POD, REPLICA_SET) and body["metadata"]["labels"].get("hardened.dev/revision") in store.lingering):
            continue
        store.remove(kind, *target)
        changed += 1
    for target, body in wanted.items():
        known = store.get(kind, *target)
        if known is None:
            store.create(kind, fields.copy(body), CONTROLLER)
            known = store.existing(kind, *target)
            changed += 1
        if not known.body["metadata"].get("ownerReferences"):
            # Orphaned, and taken over again by who made one of the same name.
            adopted = fields.copy(known.body)
            adopted["metadata"]["ownerReferences"] = body["metadata"]["ownerReferences"]
            write(store, kind, adopted)
            known = store.existing(kind, *target)
            changed += 1
        # An EndpointSlice has the labels of its Service, also where those change.
        mirrored = ("annotations", "labels") if kind == ENDPOINT_SLICE and wanted else ("annotations",)
        is_mirrored = kind != ENDPOINT_SLICE or known.body["metadata"]["labels"] == body["metadata"]["labels"]
        if known.body.get(compared) != body.get(compared) or not is_mirrored:
            told = {name: value for name, value in body["metadata"].items() if name in mirrored}
            write(store, kind, fields.copy(known.body | {compared: body[compared], "metadata": known.body["metadata"] | told}))
            changed += 1
    return changed


def _condition(before: Body, now: str, type_: str, status: str, reason: str) -> Body:
    condition: Body = {"type": type_, "status": status, "reason": reason, "message": reason}
    old: dict[str, Any] = next((entry for entry in before.get("conditions", ()) if entry["type"] == type_), {})
    if {key: old.get(key) for key in condition} == condition:
        return old
    since = old["lastTransitionTime"] if old.get("status") == status else now
    return condition | {"lastTransitionTime": since, "lastUpdateTime": now}


def write(store: Store, kind: Kind, new: Body) -> Body:
    """Stores what a controller made of an object, as it is."""
    meta = new["metadata"]
    stored = store.objects[kind.name, meta["namespace"], meta["name"]]
    owners = stored.owners.updated(stored.body, new, CONTROLLER, kind.name)
    entries = stored.body["metadata"]["managedFields"]
    meta["managedFields"] = owners.managed_fields(kind.api_version, store.now(), stored.owners, entries)
    stored.owners = owners
    meta["resourceVersion"] = store.next_version()
    stored.body = new
    store.tell("MODIFIED", kind, new)
    return new
