"""What is there of a service's backups, without what differs from run to run: ids, sizes and times; and who uses data that is replaced."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterable
from typing import Any

from e2e.kube import Body, path_of
from e2e.rig import Run, stable


async def backups_in(run: Run, status: Body) -> Body:
    """The schedules and the Jobs of a namespace; what status knows of backups, of a hold, and of which revisions there are snapshots."""
    found: dict[str, Any] = {
        f"CronJob {each['metadata']['name']}": _without_namespace(run, stable(each))
        for each in await run.kube.list("CronJob", run.namespace)
    }
    jobs = await run.kube.list("Job", run.namespace)
    return found | {
        "jobs": sorted(_job(each) for each in jobs),
        "backups": [_remembered(each) for each in status.get("backups") or ()],
        "hold": (status.get("hold") or {}).get("phase"),
        "snapshots": [entry["revision"] for entry in status.get("history") or () if (entry.get("backup") or {}).get("snapshot")],
    }


def _job(job: Body) -> tuple[str, ...]:
    """(who made it, what for, whether it failed). That one is complete is told a moment after its pod, by which the operator goes."""
    labels, conditions = job["metadata"].get("labels") or {}, (job.get("status") or {}).get("conditions") or ()
    owner = next((each["kind"] for each in job["metadata"].get("ownerReferences") or ()), "")
    has_failed = any(each["type"] == "Failed" and each["status"] == "True" for each in conditions)
    return owner, labels.get("hardened.dev/backup", ""), labels.get("hardened.dev/run", ""), "Failed" if has_failed else ""


def _remembered(entry: Body) -> Body:
    """What is known of one backup: the names of what there is, and how its last verification ended."""
    verification = entry.get("lastVerification") or {}
    return {"name": entry["name"], "knows": sorted(entry.keys() - {"nextAt"}), "verification": verification.get("result", "")}


def _without_namespace(run: Run, body: Body) -> Body:
    """What its pods are told names the namespace, which is another one in each run."""
    found: Body = json.loads(json.dumps(body).replace(run.namespace, "X"))
    return found


# ---- data that is replaced


@contextlib.asynccontextmanager
async def watching_data(run: Run) -> AsyncIterator[list[str]]:
    """Looks on until the end of the block: which pods of the application were there while one that restores was at work, one line each."""
    found = await run.kube.call("GET", path_of("Pod", run.namespace))
    pods = {pod["metadata"]["name"]: pod for pod in found["items"]}
    wrong: list[str] = []

    async def follow(version: str) -> None:
        while True:
            async for event in run.kube.watch("Pod", run.namespace, version):
                pod = event["object"]
                version, name = pod["metadata"]["resourceVersion"], pod["metadata"]["name"]
                pods[name] = pod
                if event["type"] == "DELETED":
                    del pods[name]
                wrong.extend(line for line in _both(pods.values()) if line not in wrong)
            await asyncio.sleep(0.1)  # a watch that is over is taken up where it was

    task = asyncio.create_task(follow(found["metadata"]["resourceVersion"]))
    try:
        yield wrong
        assert not task.done(), task.exception()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _both(pods: Iterable[Body]) -> list[str]:
    """Each pod of the application that may use its volumes while the pod of a restore may."""
    here = [pod for pod in pods if pod["spec"].get("nodeName") and not _has_ended(pod)]
    labels = {pod["metadata"]["name"]: pod["metadata"].get("labels") or {} for pod in here}
    restores = [name for name, found in labels.items() if found.get("hardened.dev/run") == "restore"]
    uses = [name for name, found in labels.items() if found.get("app.kubernetes.io/component") == "app"]
    return [f"{name} uses the data that {restore} replaces" for restore in restores for name in uses]


def _has_ended(pod: Body) -> bool:
    """Whether all containers of a pod have ended: its phase says so a moment later."""
    containers = pod["status"].get("containerStatuses") or ()
    return pod["status"]["phase"] in ("Succeeded", "Failed") or (
        bool(containers) and all("terminated" in (each.get("state") or {}) for each in containers)
    )
