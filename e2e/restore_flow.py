"""The restore that faults are injected into: of the volume of a service, whose pods are stopped while its files are replaced."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from e2e.actions import action
from e2e.backup_flow import BACKUP, JOB_SECONDS, NEVER, backs_up, is_over, make_repository
from e2e.install import backup_image_name
from e2e.kube import Body, is_ready
from e2e.release_flow import FLOW_SECONDS, QUIET_SECONDS, Flow
from e2e.rig import Run, serve, web

#: The user of pods that back up and restore, whose files they are.
USER = 10001


def with_volume(namespace: str) -> Body:
    """A service with a volume that is backed up."""
    repository = {"secretName": "restic", "claim": {"name": "backups"}}
    source = {"volume": {"name": "data"}}
    backup = {"name": BACKUP, "schedule": NEVER, "deadline": "5m", "source": source, "repository": repository}
    volume = {"name": "data", "mountPath": "/data", "claim": {"size": "1Mi"}}
    return web(namespace, "v1", volumes=[volume], backups=[backup], release={"strategy": "Recreate"})


async def folder_of(run: Run, claim_name: str = "web-data") -> Path:
    """Where the files of a claim are on this machine, which is all nodes of a local cluster."""
    claim = await run.kube.get("PersistentVolumeClaim", claim_name, run.namespace)
    assert claim
    volume = await run.kube.get("PersistentVolume", claim["spec"]["volumeName"])
    assert volume
    return Path((volume["spec"].get("hostPath") or volume["spec"]["local"])["path"])


async def write(run: Run, name: str, text: str) -> None:
    """Somebody puts a file into the volume."""
    file = await folder_of(run) / name
    file.write_text(text)
    os.chown(file, USER, USER)


async def files_in(run: Run) -> Body:
    """What the volume holds."""
    return {"files": {file.name: file.read_text() for file in (await folder_of(run)).iterdir() if file.is_file()}}


async def is_backed_up_and_changed(run: Run) -> None:
    """The service runs and has a snapshot, and its files have changed since."""
    await make_repository(run, "of-the-repository")
    await serve(run, with_volume(run.namespace), within=FLOW_SECONDS)
    await write(run, "orders", "those of yesterday")
    await backs_up(run)
    await write(run, "orders", "ruined")
    await write(run, "newer", "not in the snapshot")
    await run.proxy.until_quiet(QUIET_SECONDS, within=FLOW_SECONDS)


async def restores(run: Run) -> None:
    """Somebody restores the snapshot."""
    live = await run.kube.get("HardenedService", "web", run.namespace)
    assert live
    snapshot = live["status"]["backups"][0]["lastSuccess"]["snapshot"]
    manifest = action(run.namespace, "Restore", by=await run.kube.username(), backup=BACKUP, snapshot=snapshot)
    await run.kube.create({**manifest, "metadata": {**manifest["metadata"], "name": "by-hand"}})


def is_restored(live: Body | None) -> bool:
    """Whether it has come to an end, and the service serves again, or never will by itself."""
    has_failed = (((live or {}).get("status") or {}).get("hold") or {}).get("phase") == "Failed"
    return is_over("by-hand")(live) and (is_ready(live) or has_failed)


def restore_flow() -> Flow:
    """A restore, from the request to the pods that come back."""
    settings: dict[str, Any] = {"HARDENED_BACKUP_IMAGE": backup_image_name(), "HARDENED_ALLOW_RESTORE": "true"}
    return Flow(
        "restore of a volume",
        is_backed_up_and_changed,
        restores,
        is_restored,
        ("blue",),
        frozenset(),
        {},
        frozenset({"v1"}),
        status_writes=3,
        settings=settings,
        is_outage=True,
        look=files_in,
    )


# ---- a restore that takes its time

#: A check of the repository takes it for itself alone; it is stopped in the middle, and goes on once its pod is to end.
_LOCKER = """
until [ -n "$pid" ] && kill -STOP $pid && [ -n "$(ls /repository/locks)" ]; do
  [ -z "$pid" ] || { kill -CONT $pid; wait $pid; }
  restic check --no-cache > /dev/null & pid=$!
  while kill -0 $pid && [ -z "$(ls /repository/locks)" ]; do sleep 0.02; done
done
trap 'kill -CONT $pid; wait $pid; exit 0' TERM
touch /tmp/locked
while :; do sleep 0.2; done
"""


@contextlib.asynccontextmanager
async def locked_repository(run: Run) -> AsyncIterator[None]:
    """For the block another restic works on the repository, and a Job that restores waits for it."""
    env = [
        {"name": "RESTIC_REPOSITORY", "value": "/repository"},
        {"name": "RESTIC_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "restic", "key": "RESTIC_PASSWORD"}}},
    ]
    container = {
        "name": "restic",
        "image": backup_image_name(),
        "command": ["sh", "-c", _LOCKER],
        "env": env,
        "readinessProbe": {"exec": {"command": ["test", "-e", "/tmp/locked"]}, "periodSeconds": 1},
        "volumeMounts": [{"name": "repository", "mountPath": "/repository"}],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    spec = {
        "securityContext": {"runAsNonRoot": True, "runAsUser": USER, "fsGroup": USER, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
        "volumes": [{"name": "repository", "persistentVolumeClaim": {"claimName": "backups"}}],
    }
    await run.kube.create({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "locker", "namespace": run.namespace}, "spec": spec})
    await run.kube.until("Pod", "locker", run.namespace, is_ready, within=JOB_SECONDS)
    yield
    await run.kube.delete("Pod", "locker", run.namespace)
    await run.kube.until("Pod", "locker", run.namespace, lambda live: live is None, within=JOB_SECONDS)
