"""Backups on a real cluster: a PostgreSQL with rows is dumped and stored, by hand and by its schedule, and what goes wrong is told."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from e2e.actions import action, phase_of, until_over
from e2e.cluster import tools
from e2e.cluster.command import run as call
from e2e.cluster.local.cluster import LocalCluster
from e2e.figures import figures
from e2e.install import backup_image_name, ensure_backup_image
from e2e.kube import Body, condition, is_ready
from e2e.rig import Run, running, serve, web
from e2e.workloads.build import build_part, part_name

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("rights")]

#: Once in four years: what runs is by hand.
NEVER = "0 0 29 2 *"


@pytest.fixture(scope="module")
def loaded(local: LocalCluster) -> LocalCluster:
    """The cluster, with the images of the database and of backup pods on its nodes."""
    local.load([build_part("postgres"), ensure_backup_image()])
    return local


def database(namespace: str, schedule: str = NEVER, **more: Any) -> Body:
    """A PostgreSQL that lets in nobody but its own backup pods, with a backup into a claim."""
    source = {"postgres": {"secretName": "db", "scratch": "64Mi"}}
    repository = {"secretName": "restic", "claim": {"name": "backups"}}
    backup = {"name": "nightly", "schedule": schedule, "deadline": "3m", "source": source, "repository": repository, **more}
    return {
        "apiVersion": "hardened.dev/v1alpha1",
        "kind": "HardenedService",
        "metadata": {"name": "db", "namespace": namespace},
        "spec": {
            "image": part_name("postgres"),
            "replicas": 1,
            "ports": [{"name": "postgres", "containerPort": 5432}],
            "env": [{"name": "POSTGRES_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "db", "key": "password"}}}],
            "volumes": [{"name": "data", "mountPath": "/var/lib/postgresql/data", "claim": {"size": "256Mi"}}],
            "security": {"runAsUser": 999, "runAsGroup": 999, "fsGroup": 999, "writablePaths": ["/tmp", "/var/run/postgresql"]},
            "probes": {"readiness": {"exec": {"command": ["pg_isready", "-U", "postgres"]}, "periodSeconds": 1}},
            "shutdown": {"drainSeconds": 0, "graceSeconds": 10},
            "network": {"ingressFrom": []},
            "verify": {"afterCutover": {"window": "1s"}},
            "backups": [backup],
        },
    }


async def prepare(run: Run, password: str) -> None:
    """What the database and its backups need, which is not the operator's to make."""
    given = {"host": "db", "user": "postgres", "password": password}
    for name, data in (("db", given), ("restic", {"RESTIC_PASSWORD": password})):
        meta = {"name": name, "namespace": run.namespace}
        await run.kube.create({"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": data})
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "256Mi"}}}
    meta = {"name": "backups", "namespace": run.namespace}
    await run.kube.create({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta, "spec": spec})


async def back_up(run: Run) -> Body:
    """Makes the backup by hand. The action once it is over."""
    manifest = action(run.namespace, "Backup", by=await run.kube.username(), service="db", backup="nightly")
    await run.kube.create(manifest)
    return await until_over(run.kube, manifest, within=180)


async def until_told(run: Run, holds: Callable[[Body], bool], *, within: float) -> Body:
    """The service once status.backups is so."""
    live, _ = await run.kube.until(
        "HardenedService", "db", run.namespace, lambda found: found is not None and holds(told(found)), within=within
    )
    assert live
    return live


def told(live: Body) -> Body:
    """What status says of the backup."""
    found: Body = next(iter((live.get("status") or {}).get("backups") or ()), {})
    return found


async def snapshots(run: Run, kubeconfig: Path, password: str) -> list[Body]:
    """What restic itself finds in the repository."""
    container = {
        "name": "restic",
        "image": backup_image_name(),
        "command": ["restic", "snapshots", "--json", "--no-lock", "--no-cache"],
        "env": [{"name": "RESTIC_REPOSITORY", "value": "/repository"}, {"name": "RESTIC_PASSWORD", "value": password}],
        "volumeMounts": [{"name": "repository", "mountPath": "/repository", "readOnly": True}],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    security = {"runAsNonRoot": True, "runAsUser": 10001, "fsGroup": 10001, "seccompProfile": {"type": "RuntimeDefault"}}
    volumes = [{"name": "repository", "persistentVolumeClaim": {"claimName": "backups"}}]
    spec = {"restartPolicy": "Never", "securityContext": security, "containers": [container], "volumes": volumes}
    meta = {"name": f"look-{secrets.token_hex(3)}", "namespace": run.namespace}
    await run.kube.create({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec})
    live, _ = await run.kube.until(
        "Pod", meta["name"], run.namespace, lambda pod: pod is not None and pod["status"]["phase"] in ("Succeeded", "Failed"), within=60
    )
    said = await asyncio.to_thread(call, [*_kubectl(kubeconfig, run), "logs", meta["name"]], timeout=30)
    assert live
    assert live["status"]["phase"] == "Succeeded", said
    found: list[Body] = json.loads(said)
    return found


def _kubectl(kubeconfig: Path, run: Run) -> list[str]:
    return [str(tools.kubectl()), f"--kubeconfig={kubeconfig}", f"--namespace={run.namespace}"]


def test_a_database_is_backed_up_by_hand_and_by_its_schedule_and_what_goes_wrong_is_told(loaded: LocalCluster, tmp_path: Path) -> None:
    async def all_of_it() -> None:
        settings = {"HARDENED_BACKUP_IMAGE": backup_image_name()}
        async with running(loaded.kubeconfig, tmp_path, settings=settings, name="backup") as run:
            password = secrets.token_hex(12)
            await prepare(run, password)
            await serve(run, database(run.namespace), within=120)
            sql = "create table rows as select n, md5(n::text) as text from generate_series(1, 10000) n"
            psql = ["exec", "deployment/db-blue", "--", "psql", "-U", "postgres", "-c", sql]
            await asyncio.to_thread(call, [*_kubectl(loaded.kubeconfig, run), *psql], timeout=60)

            done = await back_up(run)
            assert phase_of(done) == "Succeeded", done["status"]
            live = await until_told(run, lambda found: "lastSuccess" in found, within=10)
            first = told(live)["lastSuccess"]
            assert done["status"]["result"]["snapshot"] == first["snapshot"]
            assert first["bytes"] > 300_000, "10,000 rows of 36 bytes"
            assert condition(live, "BackedUp")["status"] == "True"
            (stored,) = await snapshots(run, loaded.kubeconfig, password)
            assert (stored["id"], stored["tags"]) == (first["snapshot"], [f"{run.namespace}/db/nightly"])

            await run.kube.apply(database(run.namespace, "* * * * *", retention={"last": 1}))
            live = await until_told(run, lambda found: found["lastSuccess"]["snapshot"] != first["snapshot"], within=180)
            await run.kube.apply(database(run.namespace, suspend=True))
            live = await until_told(run, lambda found: bool(found.get("suspended")) and "running" not in found, within=180)
            assert [each["id"] for each in await snapshots(run, loaded.kubeconfig, password)] == [told(live)["lastSuccess"]["snapshot"]]
            (schedule,) = await run.kube.list("CronJob", run.namespace)
            assert schedule["spec"]["suspend"]

            wrong = {"stringData": {"RESTIC_PASSWORD": "another"}}
            await run.kube.patch("Secret", "restic", run.namespace, wrong)
            done = await back_up(run)
            assert phase_of(done) == "Failed"
            assert done["status"]["message"].startswith("WrongPassword")
            live = await until_told(run, lambda found: (found.get("lastFailure") or {}).get("reason") == "WrongPassword", within=10)
            assert condition(live, "BackedUp")["status"] == "True", "the good one counts on"
            assert password not in json.dumps(live)
            figures("backup of PostgreSQL", bytes=first["bytes"], seconds=first["seconds"])

    asyncio.run(all_of_it())


def test_what_somebody_changes_or_deletes_of_a_schedule_is_set_back(loaded: LocalCluster, tmp_path: Path) -> None:
    async def all_of_it() -> None:
        settings = {"HARDENED_BACKUP_IMAGE": backup_image_name()}
        async with running(loaded.kubeconfig, tmp_path, settings=settings, name="backup") as run:
            await run.kube.apply(database(run.namespace))
            name, kind = "db-nightly", "CronJob"
            await run.kube.until(kind, name, run.namespace, lambda live: live is not None, within=30)
            await run.kube.patch(kind, name, run.namespace, {"spec": {"schedule": "1 1 1 1 *"}})
            await run.kube.until(kind, name, run.namespace, lambda live: live is not None and live["spec"]["schedule"] == NEVER, within=30)
            await run.kube.delete(kind, name, run.namespace)
            await run.kube.until(kind, name, run.namespace, lambda live: live is not None, within=30)
            await run.proxy.until_quiet(2, within=60)

    asyncio.run(all_of_it())


def backed_up(namespace: str, version: str) -> Body:
    """A service with a volume, which is backed up into a claim before each release."""
    backup = {
        "name": "nightly",
        "schedule": NEVER,
        "deadline": "3m",
        "source": {"volume": {"name": "data"}},
        "repository": {"secretName": "restic", "claim": {"name": "backups"}},
    }
    volume = {"name": "data", "mountPath": "/data", "claim": {"size": "1Mi"}}
    return web(namespace, version, volumes=[volume], backups=[backup], release={"strategy": "Recreate", "backupFirst": "nightly"})


async def write_data(run: Run) -> None:
    """Somebody puts a file into the volume of the service."""
    container = {
        "name": "write",
        "image": backup_image_name(),
        "command": ["sh", "-c", "echo kept > /data/file"],
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    security = {"runAsNonRoot": True, "runAsUser": 10001, "fsGroup": 10001, "seccompProfile": {"type": "RuntimeDefault"}}
    volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": "web-data"}}]
    spec = {"restartPolicy": "Never", "securityContext": security, "containers": [container], "volumes": volumes}
    await run.kube.create({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "write", "namespace": run.namespace}, "spec": spec})
    await run.kube.until(
        "Pod", "write", run.namespace, lambda pod: pod is not None and pod["status"].get("phase") == "Succeeded", within=60
    )


async def make_secret(run: Run, password: str) -> None:
    meta = {"name": "restic", "namespace": run.namespace}
    await run.kube.create({"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": {"RESTIC_PASSWORD": password}})


def waits(live: Body | None) -> bool:
    return live is not None and condition(live, "Ready").get("reason") == "BackupFailed"


def test_a_release_waits_until_its_backup_has_succeeded_and_the_snapshot_belongs_to_what_it_replaces(
    local: LocalCluster, tmp_path: Path
) -> None:
    async def all_of_it() -> None:
        settings = {"HARDENED_BACKUP_IMAGE": backup_image_name()}
        local.load([ensure_backup_image()])
        async with running(local.kubeconfig, tmp_path, settings=settings, name="first") as run:
            password = secrets.token_hex(12)
            await make_secret(run, password)
            claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "64Mi"}}}
            meta = {"name": "backups", "namespace": run.namespace}
            await run.kube.create({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta, "spec": claim})
            live = await serve(run, backed_up(run.namespace, "v1"), within=120)
            stable = live["status"]["stable"]["revision"]
            assert await run.kube.list("Job", run.namespace) == [], "the first release replaces nothing"
            await write_data(run)

            await run.kube.apply(backed_up(run.namespace, "v2"))
            replaced, seconds = await run.kube.until(
                "HardenedService", "web", run.namespace, lambda found: is_served(found, "v2"), within=240
            )
            assert replaced
            (entry,) = (each for each in replaced["status"]["history"] if each["revision"] == stable)
            (stored,) = await snapshots(run, local.kubeconfig, password)
            assert entry["backup"]["snapshot"] == stored["id"]
            assert sorted(stored["tags"]) == [f"{run.namespace}/web/nightly", f"revision-{stable}"]
            assert len(await run.kube.list("Job", run.namespace)) == 1

            await run.kube.patch("Secret", "restic", run.namespace, {"stringData": {"RESTIC_PASSWORD": "another"}})
            await run.kube.apply(backed_up(run.namespace, "v3"))
            held, _ = await run.kube.until("HardenedService", "web", run.namespace, waits, within=120)
            assert held
            assert "WrongPassword" in condition(held, "Ready")["message"]
            assert held["status"]["serving"]["image"].endswith(":v2")
            await run.kube.patch("Secret", "restic", run.namespace, {"stringData": {"RESTIC_PASSWORD": password}})
            await run.kube.until("HardenedService", "web", run.namespace, lambda found: is_served(found, "v3"), within=240)
            figures("release with backupFirst", seconds=round(seconds, 1))

    asyncio.run(all_of_it())


def is_served(live: Body | None, version: str) -> bool:
    return live is not None and is_ready(live) and live["status"]["serving"]["image"].endswith(f":{version}")
