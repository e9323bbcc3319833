"""The work on backups that faults are injected into, each beside a service that clients use and of which they are to notice nothing.

All runs back up one database; each has a repository of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from e2e.actions import action
from e2e.cluster import tools
from e2e.cluster.command import run as call
from e2e.install import backup_image_name
from e2e.kube import Body, Kube, is_ready
from e2e.release_flow import FLOW_SECONDS, LONG_KEEP, QUIET_SECONDS, Flow, is_kept, terms
from e2e.releases import released
from e2e.rig import Act, Run, fresh_namespace, serve
from e2e.workloads.build import part_name

#: Once in four years: what runs is by hand.
NEVER = "0 0 29 2 *"
BACKUP = "nightly"
ROWS = 100
#: Seconds for one Job of restic, with the pods and the programs that it needs.
JOB_SECONDS = 180.0


@dataclass(frozen=True)
class Database:
    """A PostgreSQL that lets everybody in who knows the password."""

    host: str
    password: str


@contextlib.asynccontextmanager
async def shared_database(kube: Kube, kubeconfig: Path) -> AsyncIterator[Database]:
    """A PostgreSQL with ROWS rows in a namespace of its own, for as long as the block lasts."""
    password = secrets.token_hex(12)
    async with fresh_namespace(kube, "database") as namespace:
        for manifest in _server(namespace, password):
            await kube.create(manifest)
        await kube.until("Deployment", "db", namespace, _is_available, within=JOB_SECONDS)
        sql = f"create table rows as select n, md5(n::text) as text from generate_series(1, {ROWS}) n"
        words = ["exec", "deployment/db", "--", "psql", "-U", "postgres", "-c", sql]
        await asyncio.to_thread(call, [tools.kubectl(), f"--kubeconfig={kubeconfig}", f"--namespace={namespace}", *words], timeout=60)
        yield Database(f"db.{namespace}", password)


def _server(namespace: str, password: str) -> tuple[Body, Body]:
    labels = {"app": "db"}
    places = {"data": "/var/lib/postgresql/data", "tmp": "/tmp", "run": "/var/run/postgresql"}
    container = {
        "name": "postgres",
        "image": part_name("postgres"),
        "env": [{"name": "POSTGRES_PASSWORD", "value": password}],
        "readinessProbe": {"exec": {"command": ["pg_isready", "-U", "postgres", "-h", "localhost"]}, "periodSeconds": 1},
        "volumeMounts": [{"name": name, "mountPath": path} for name, path in places.items()],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    security = {"runAsNonRoot": True, "runAsUser": 999, "fsGroup": 999, "seccompProfile": {"type": "RuntimeDefault"}}
    pod = {"securityContext": security, "containers": [container], "volumes": [{"name": name, "emptyDir": {}} for name in places]}
    template = {"metadata": {"labels": labels}, "spec": pod}
    meta = {"name": "db", "namespace": namespace}
    return (
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": meta,
            "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": template},
        },
        {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": {"selector": labels, "ports": [{"port": 5432}]}},
    )


def _is_available(live: Body | None) -> bool:
    return bool(((live or {}).get("status") or {}).get("availableReplicas"))


# ---- the service


def backed_up(namespace: str, version: str = "v1", *, first: bool = False, verified: bool = False) -> Body:
    """A service beside which the database is backed up. first: before each of its releases; verified: the backup can be verified."""
    source = {"postgres": {"secretName": "db", "scratch": "64Mi"}}
    repository = {"secretName": "restic", "claim": {"name": "backups"}}
    verify = {"schedule": NEVER, "sql": f"select count(*) = {ROWS} from rows", "size": "256Mi", "deadline": "5m"}
    backup = {"name": BACKUP, "schedule": NEVER, "deadline": "5m", "source": source, "repository": repository}
    spec = terms(LONG_KEEP)
    spec["release"] |= {"backupFirst": BACKUP} if first else {}
    return released(namespace, version, **spec, backups=[backup | ({"verify": verify} if verified else {})])


async def make_repository(run: Run, password: str) -> None:
    """The claim that takes snapshots, and the Secret for them."""
    await run.kube.create(_secret(run, "restic", {"RESTIC_PASSWORD": password}))
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "64Mi"}}}
    meta = {"name": "backups", "namespace": run.namespace}
    await run.kube.create({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta, "spec": claim})


def _secret(run: Run, name: str, data: Body) -> Body:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": run.namespace}, "stringData": data}


def serves(database: Database, make: Callable[[str], Body], then: Act | None = None) -> Act:
    """The service runs, with all that its backups need, and nothing is left to do. make: it, in a namespace; then: what comes after."""

    async def step(run: Run) -> None:
        given = {"host": database.host, "user": "postgres", "password": database.password}
        await run.kube.create(_secret(run, "db", given))
        await make_repository(run, database.password)
        await serve(run, make(run.namespace), within=FLOW_SECONDS)
        if then:
            await then(run)
        await run.proxy.until_quiet(QUIET_SECONDS, within=FLOW_SECONDS)

    return step


def asks(verb: str, name: str) -> Act:
    """Somebody asks for it, by an action of this name."""

    async def step(run: Run) -> None:
        manifest = action(run.namespace, verb, by=await run.kube.username(), backup=BACKUP)
        await run.kube.create({**manifest, "metadata": {**manifest["metadata"], "name": name}})

    return step


async def backs_up(run: Run) -> None:
    """There is a backup by hand."""
    await asks("Backup", "earlier")(run)
    await run.kube.until("HardenedService", "web", run.namespace, is_over("earlier"), within=JOB_SECONDS)


async def runs_schedule(run: Run) -> None:
    """The spec gets a backup, and the time of its schedule comes: a Job is made as Kubernetes makes it."""
    await run.kube.apply(backed_up(run.namespace))
    live, _ = await run.kube.until("CronJob", f"web-{BACKUP}", run.namespace, lambda found: found is not None, within=FLOW_SECONDS)
    assert live
    meta, template = live["metadata"], live["spec"]["jobTemplate"]
    owner = {"apiVersion": "batch/v1", "kind": "CronJob", "name": meta["name"], "uid": meta["uid"], "controller": True}
    own = {"name": f"{meta['name']}-29300000", "namespace": run.namespace, "ownerReferences": [owner], **template["metadata"]}
    await run.kube.create({"apiVersion": "batch/v1", "kind": "Job", "metadata": own, "spec": template["spec"]})


async def releases_first(run: Run) -> None:
    """Somebody applies the second version."""
    await run.kube.apply(backed_up(run.namespace, "v2", first=True))


def is_over(name: str) -> Callable[[Body | None], bool]:
    """Whether an action of this name has come to an end."""
    return lambda live: any(entry["name"] == name and entry["phase"] != "Running" for entry in _of(live, "actions"))


def has_run(live: Body | None) -> bool:
    """Whether a backup has ended, and is ready to be used."""
    ends = ("lastSuccess", "lastFailure")
    return is_ready(live) and any(entry.keys() & set(ends) and "running" not in entry for entry in _of(live, "backups"))


def _of(live: Body | None, field: str) -> list[Body]:
    return ((live or {}).get("status") or {}).get(field) or []


# ---- the flows


def flows(database: Database) -> dict[str, Flow]:
    """All of them, by name."""
    common: dict[str, Any] = {"keep": {}, "settings": {"HARDENED_BACKUP_IMAGE": backup_image_name()}}
    stays: dict[str, Any] = {"selected": ("blue",), "versions": frozenset({"v1"}), **common}

    def unverified(namespace: str) -> Body:
        return backed_up(namespace)

    def verified(namespace: str) -> Body:
        return backed_up(namespace, verified=True)

    def plain(namespace: str) -> Body:
        return released(namespace, "v1", **terms(LONG_KEEP))

    def first(namespace: str) -> Body:
        return backed_up(namespace, first=True)

    made, promoted = frozenset({"BackupSucceeded"}), frozenset({"ReleaseStarted", "SwitchedOver", "Promoted", "BackupSucceeded"})
    found = (
        Flow(
            "backup by hand",
            serves(database, unverified),
            asks("Backup", "by-hand"),
            is_over("by-hand"),
            told=made,
            status_writes=2,
            **stays,
        ),
        Flow(
            "verification by hand",
            serves(database, verified, backs_up),
            asks("VerifyBackup", "by-hand"),
            is_over("by-hand"),
            told=frozenset({"VerificationSucceeded"}),
            status_writes=2,
            **stays,
        ),
        Flow("scheduled backup", serves(database, plain), runs_schedule, has_run, told=made, status_writes=2, **stays),
        Flow(
            "first a backup, then a release",
            serves(database, first),
            releases_first,
            is_kept,
            ("blue", "green"),
            promoted,
            versions=frozenset({"v1", "v2"}),
            status_writes=5,
            **common,
        ),
    )
    return {flow.name: flow for flow in found}


#: Their names.
NAMES = ("backup by hand", "verification by hand", "scheduled backup", "first a backup, then a release")
