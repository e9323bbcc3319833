"""Backups for the tests of runs: specs, and Jobs and pods as the cluster's controllers and kubelets leave them."""

import json
from datetime import datetime, timedelta
from typing import Any

from tests.core.worlds import STAMP, World

from hardened.api import names
from hardened.core.model.conditions import timestamp
from hardened.core.model.manifest import ChildKey, Manifest, key_of

SNAPSHOT = "ab" * 32
OTHER_SNAPSHOT = "cd" * 32
#: At half past three, each day. The tests' NOW is at four past three.
NIGHTLY: Manifest = {
    "name": "nightly",
    "schedule": "30 3 * * *",
    "repository": {"secretName": "restic", "claim": {"name": "backups"}},
    "source": {"postgres": {"secretName": "db"}},
}
CRON_JOB = ChildKey("CronJob", "shop-nightly")
VERIFY_CRON_JOB = ChildKey("CronJob", names.child_name("shop", "nightly", "verify", limit=52))
#: At five, each day.
VERIFY: Manifest = {"schedule": "0 5 * * *", "sql": "select count(*) > 0 from orders"}


def backup(**more: Any) -> Manifest:
    """The usual one, with other fields."""
    return {**NIGHTLY, **more}


def report(result: str = "Succeeded", **more: Any) -> str:
    """What the runner leaves as its termination message."""
    said = {
        "kind": "backup",
        "result": result,
        "reason": "",
        "message": "",
        "snapshot": SNAPSHOT,
        "bytes": 4096,
        "files": 1,
        "seconds": 2.5,
    }
    skipped = {"result": "Skipped", "reason": "", "message": ""}
    return json.dumps({**said, "dumped_at": STAMP, "forget": skipped, "prune": skipped, **more})


def ended(name: str, began: datetime, message: str = "", *, code: int = 0, seconds: int = 2, reason: str = "") -> Manifest:
    """The status of a container that has ended."""
    times = {"startedAt": timestamp(began), "finishedAt": timestamp(began + timedelta(seconds=seconds))}
    state = {"exitCode": code, "reason": reason or ("Error" if code else "Completed"), **times}
    return {"name": name, "state": {"terminated": state | ({"message": message} if message else {})}}


def pod_status(began: datetime, message: str, *, code: int = 0, dump: Manifest | None = None) -> Manifest:
    """The status of a pod that dumped, and then stored."""
    first = dump or ended("dump", began)
    phase = "Failed" if code or first["state"]["terminated"]["exitCode"] else "Succeeded"
    runner = ended("runner", began + timedelta(seconds=2), message, code=code)
    has_stored = not first["state"]["terminated"]["exitCode"]
    return {"phase": phase, "initContainerStatuses": [first], "containerStatuses": [runner] if has_stored else []}


def begin(world: World, began: datetime, *, name: str = "", pod: str = "x", by: ChildKey = CRON_JOB) -> tuple[ChildKey, ChildKey]:
    """A Job of the CronJob `by`, as its controller makes it, and the Job's pod; or a pod of the Job of this name. Their keys."""
    number = 1000 + len(world.objects)
    if not name:
        schedule = world.objects[by]
        name = f"{by.name}-{int(began.timestamp()) // 60}"
        meta = _meta(name, schedule, schedule["spec"]["jobTemplate"]["metadata"]["labels"], number, began)
        job: Manifest = {"apiVersion": "batch/v1", "kind": "Job", "metadata": meta, "spec": schedule["spec"]["jobTemplate"]["spec"]}
        world.objects[key_of(job)] = job
    key = ChildKey("Job", name)
    job = world.objects[key]
    job["status"] = {"startTime": timestamp(began), "active": 1}
    template = job["spec"]["template"]
    meta = _meta(f"{name}-{pod}", job, template["metadata"]["labels"], number + 500, began)
    made = {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": template["spec"], "status": {"phase": "Pending"}}
    world.objects[key_of(made)] = made
    return key, key_of(made)


def end(world: World, job: ChildKey, kind: str, at: datetime, reason: str = "") -> None:
    """The Job's controller says how it ended: Complete, or Failed."""
    found = {"type": kind, "status": "True", "lastTransitionTime": timestamp(at), **({"reason": reason} if reason else {})}
    world.objects[job]["status"] |= {"conditions": [found]}


def run(world: World, began: datetime, message: str | None = None, *, name: str = "", **more: Any) -> tuple[ChildKey, ChildKey]:
    """A run that has ended: see begin, pod_status."""
    job, pod = begin(world, began, name=name)
    world.objects[pod]["status"] = pod_status(began, report() if message is None else message, **more)
    has_failed = world.objects[pod]["status"]["phase"] == "Failed"
    end(world, job, "Failed" if has_failed else "Complete", began + timedelta(seconds=4))
    return job, pod


def verification(world: World, began: datetime, reason: str = "", message: str = "", **more: Any) -> tuple[ChildKey, ChildKey]:
    """A verification by its schedule that has ended after three seconds, well unless there is a reason. more: of its report."""
    job, pod = begin(world, began, by=VERIFY_CRON_JOB)
    said = report("Failed" if reason else "Succeeded", **{"kind": "verify", "reason": reason, "message": message, **more})
    phase, code = ("Failed", 1) if reason else ("Succeeded", 0)
    world.objects[pod]["status"] = {"phase": phase, "containerStatuses": [ended("runner", began, said, code=code, seconds=3)]}
    end(world, job, "Failed" if reason else "Complete", began + timedelta(seconds=4))
    return job, pod


def _meta(name: str, owner: Manifest, labels: Manifest, number: int, made: datetime) -> Manifest:
    meta, kind = owner["metadata"], owner["kind"]
    reference = {"apiVersion": owner["apiVersion"], "kind": kind, "name": meta["name"], "uid": meta["uid"], "controller": True}
    uid = f"00000000-0000-4000-9000-{number:012}"
    found = {"name": name, "namespace": "market", "uid": uid, "resourceVersion": str(number), "labels": dict(labels)}
    assert labels[names.BACKUP_LABEL] == "nightly"
    return found | {"creationTimestamp": timestamp(made), "ownerReferences": [reference]}
