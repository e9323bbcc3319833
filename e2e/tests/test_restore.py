"""Restores on a real cluster: rows and files come back, what was newer is gone, and meanwhile no pod runs that could use them."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path
from typing import Any

import pytest
from test_backups import NEVER, database, prepare

from e2e.actions import action, phase_of, until_over
from e2e.cluster import tools
from e2e.cluster.command import run as call
from e2e.cluster.local.cluster import LocalCluster
from e2e.figures import figures
from e2e.install import backup_image_name, ensure_backup_image
from e2e.kube import Body, condition, is_ready
from e2e.rig import Run, running, serve
from e2e.workloads.build import build_part, part_name

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("rights")]

#: What runs for ever, and ends at once.
SLEEP = ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.2; done"]


@pytest.fixture(scope="module")
def loaded(local: LocalCluster) -> LocalCluster:
    """The cluster, with the images of the database and of backup pods on its nodes."""
    local.load([build_part("postgres"), ensure_backup_image()])
    return local


def files(namespace: str, **more: Any) -> Body:
    """A worker with files on a claim, and a backup of them into a repository of their own, which comes to the node of the files."""
    repository = {"secretName": "restic", "claim": {"name": "files-backups"}}
    backup = {"name": "files", "schedule": NEVER, "deadline": "3m", "source": {"volume": {"name": "data"}}, "repository": repository}
    return {
        "apiVersion": "hardened.dev/v1alpha1",
        "kind": "HardenedService",
        "metadata": {"name": "files", "namespace": namespace},
        "spec": {
            "image": part_name("postgres"),
            "command": SLEEP,
            "replicas": 1,
            "volumes": [{"name": "data", "mountPath": "/files", "claim": {"size": "64Mi"}}],
            "security": {"runAsUser": 999, "runAsGroup": 999, "fsGroup": 999},
            "shutdown": {"drainSeconds": 0, "graceSeconds": 5},
            "backups": [backup],
            **more,
        },
    }


def foreign(namespace: str) -> Body:
    """A pod of nobody's that mounts the same files."""
    security = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    mounts = [{"name": "data", "mountPath": "/files"}]
    container = {"name": "sh", "image": part_name("postgres"), "command": SLEEP, "volumeMounts": mounts, "securityContext": security}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "debug", "namespace": namespace},
        "spec": {
            "securityContext": {"runAsNonRoot": True, "runAsUser": 999, "fsGroup": 999, "seccompProfile": {"type": "RuntimeDefault"}},
            "terminationGracePeriodSeconds": 5,
            "containers": [container],
            "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "files-data"}}],
        },
    }


class Shell:
    """Commands in the pods of the namespace, and kubectl."""

    def __init__(self, kubeconfig: Path, namespace: str) -> None:
        self._kubectl = [str(tools.kubectl()), f"--kubeconfig={kubeconfig}", f"--namespace={namespace}"]

    async def kubectl(self, *arguments: str) -> str:
        return await asyncio.to_thread(call, [*self._kubectl, *arguments], timeout=60)

    async def sh(self, script: str, color: str = "blue") -> str:
        return (await self.kubectl("exec", f"deployment/files-{color}", "--", "sh", "-c", script)).strip()

    async def sql(self, text: str, base: str = "orders") -> str:
        return (await self.kubectl("exec", "deployment/db-blue", "--", "psql", "-U", "postgres", "-d", base, "-tA", "-c", text)).strip()


async def ask(run: Run, verb: str, service: str, **named: str) -> Body:
    """Asks for it, and makes sure that it comes to a good end."""
    manifest = action(run.namespace, verb, by=await run.kube.username(), service=service, **named)
    await run.kube.create(manifest)
    done = await until_over(run.kube, manifest, within=180)
    assert phase_of(done) == "Succeeded", done["status"]
    return dict(done["status"])


async def rows_come_back(run: Run, shell: Shell) -> None:
    """A table that was dropped; and what was made since is gone."""
    await shell.sql("create database orders", base="postgres")
    await shell.sql("create table rows as select n, md5(n::text) as text from generate_series(1, 10000) n")
    made = await ask(run, "Backup", "db", backup="nightly")
    await shell.sql("drop table rows; create table newer (n int)")
    done = await ask(run, "Restore", "db", backup="nightly", snapshot=made["result"]["snapshot"])
    assert done["result"]["before"], "what was there is stored first"
    assert await shell.sql("select count(*), count(text) from rows") == "10000|10000"
    assert await shell.sql("select to_regclass('newer') is null") == "t"


async def files_come_back(run: Run, shell: Shell) -> None:
    """Nothing runs meanwhile: neither what somebody scales by hand, nor a newer spec."""
    await shell.sh("echo old > /files/a")
    made = await ask(run, "Backup", "files", backup="files")
    await stops_nobody(run)
    await shell.sh("echo new > /files/a; echo newer > /files/b")
    pod = foreign(run.namespace)
    await run.kube.create(pod)
    await run.kube.until("Pod", "debug", run.namespace, lambda live: bool(live and live["status"]["phase"] == "Running"), within=60)

    manifest = action(
        run.namespace, "Restore", by=await run.kube.username(), service="files", backup="files", snapshot=made["result"]["snapshot"][:8]
    )
    await run.kube.create(manifest)
    await until_files(run, lambda live: "debug" in hold_of(live).get("message", ""), within=60)
    version = (await run.kube.call("GET", f"api/v1/namespaces/{run.namespace}/pods"))["metadata"]["resourceVersion"]
    watching = asyncio.create_task(placed(run, version))
    await shell.kubectl("scale", "deployment", "files-blue", "--replicas=3")
    await run.kube.patch("HardenedService", "files", run.namespace, {"spec": {"replicas": 2}}, subresource="scale")
    await run.kube.apply(files(run.namespace, replicas=2, env=[{"name": "NEWER", "value": "yes"}]))
    live = await until_files(run, lambda live: live["status"]["observedGeneration"] == live["metadata"]["generation"], within=30)
    assert (condition(live, "Ready")["reason"], condition(live, "Available")["status"]) == ("Restoring", "False")
    await run.kube.until("Deployment", "files-blue", run.namespace, lambda live: bool(live and live["spec"]["replicas"] == 0), within=30)
    assert "release" not in live["status"]
    await run.kube.delete("Pod", "debug", run.namespace)
    done = await until_over(run.kube, manifest, within=120)
    assert phase_of(done) == "Succeeded", done["status"]
    watching.cancel()
    early = [name for name in await asyncio.gather(watching, return_exceptions=True) if not isinstance(name, asyncio.CancelledError)]
    assert early == [], "a pod was given to a node before the end of the restore"
    await until_files(
        run, lambda live: is_ready(live) and live["status"]["observedGeneration"] == live["metadata"]["generation"], within=90
    )
    assert await shell.sh("cat /files/a; ls /files; echo $NEWER", "green") == "old\na\nyes"


async def stops_nobody(run: Run) -> None:
    """A snapshot that the repository does not have is found out while the application goes on."""
    before = await run.kube.get("Deployment", "files-blue", run.namespace)
    manifest = action(run.namespace, "Restore", by=await run.kube.username(), service="files", backup="files", snapshot="deadbeef")
    await run.kube.create(manifest)
    done = await until_over(run.kube, manifest, within=120)
    assert phase_of(done) == "Failed", done["status"]
    assert done["status"]["message"].startswith("snapshot deadbeef was not found: SnapshotUnknown"), done["status"]
    assert "nothing was stopped" in done["status"]["message"]
    after = await run.kube.get("Deployment", "files-blue", run.namespace)
    assert before
    assert after
    assert after["metadata"]["generation"] == before["metadata"]["generation"]


def hold_of(live: Body) -> Body:
    """What status says of the hold; {} for none."""
    found: Body = (live.get("status") or {}).get("hold") or {}
    return found


async def until_files(run: Run, holds: Any, *, within: float) -> Body:
    """The service of the files once it is so."""
    live, _ = await run.kube.until("HardenedService", "files", run.namespace, lambda live: live is not None and holds(live), within=within)
    assert live
    return live


async def placed(run: Run, version: str) -> str:
    """The first pod of the application that is given to a node after this version, before its restore has ended."""
    async for change in run.kube.watch("Pod", run.namespace, version):
        pod = change["object"]
        labels = pod["metadata"].get("labels") or {}
        is_of_it = labels.get("hardened.dev/service") == "files" and labels.get("app.kubernetes.io/component") == "app"
        if is_of_it and pod["spec"].get("nodeName") and not pod["metadata"].get("deletionTimestamp"):
            live = await run.kube.get("HardenedService", "files", run.namespace)
            if live and hold_of(live):
                return str(pod["metadata"]["name"])
    raise AssertionError("unreachable: the watch outlives the test")


def test_rows_and_files_come_back_and_nothing_runs_that_could_use_them_meanwhile(loaded: LocalCluster, tmp_path: Path) -> None:
    async def all_of_it() -> None:
        settings = {"HARDENED_BACKUP_IMAGE": backup_image_name(), "HARDENED_ALLOW_RESTORE": "true"}
        async with running(loaded.kubeconfig, tmp_path, settings=settings, name="restore") as run:
            password, shell = secrets.token_hex(12), Shell(loaded.kubeconfig, run.namespace)
            await prepare(run, password)
            await run.kube.patch("Secret", "db", run.namespace, {"stringData": {"dbname": "orders"}})
            spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "64Mi"}}}
            meta = {"name": "files-backups", "namespace": run.namespace}
            await run.kube.create({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta, "spec": spec})
            await asyncio.gather(
                serve(run, database(run.namespace, stops="Nothing"), within=120), serve(run, files(run.namespace), within=120)
            )
            began = asyncio.get_running_loop().time()
            await asyncio.gather(rows_come_back(run, shell), files_come_back(run, shell))
            figures("restore of a database and of a volume, with their backups", seconds=asyncio.get_running_loop().time() - began)

    asyncio.run(all_of_it())
