"""A rollback with data on a real cluster, across a migration that drops a column and adds a foreign key.

Code and data go back by one command, and no pod of the version that is left runs on the restored data.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from test_backups import NEVER, database, prepare
from test_restore import Shell, hold_of

from e2e.cluster.local.cluster import LocalCluster
from e2e.figures import figures
from e2e.install import backup_image_name, ensure_backup_image
from e2e.kube import Body, condition, is_ready
from e2e.rig import Run, running, serve
from e2e.workloads.build import build_part, part_name

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("rights")]

#: What a version asks the database for each request; the other's schema has no answer to it.
ASKS = {
    "v1": "select name || ':' || nick from people order by name",
    "v2": "select name || ':' || count(b.*) from people left join badges b using (name) group by name order by name",
}
MIGRATION = (
    "alter table people drop column nick; alter table people add primary key (name); "
    "create table badges (name text references people, kind text); insert into badges values ('ada', 'first')"
)
SERVER = """
import asyncio, os, sys
import asyncpg
from aiohttp import web

async def ask(sql):
    connection = await asyncpg.connect(timeout=3)
    try:
        return " ".join(row[0] for row in await connection.fetch(sql))
    finally:
        await connection.close()

async def answer(request):
    try:
        return web.Response(text=await ask("select 'yes'" if request.path == "/alive" else os.environ["ASKS"]))
    except (OSError, asyncio.TimeoutError, asyncpg.PostgresError) as error:
        return web.Response(status=503, text=type(error).__name__)

async def migrate():
    connection = await asyncpg.connect(timeout=3)
    await connection.execute(os.environ["MIGRATION"])

if sys.argv[1:] == ["migrate"]:
    asyncio.run(migrate())
else:
    site = web.Application()
    site.add_routes([web.get("/", answer), web.get("/alive", answer)])
    web.run_app(site, port=8080, print=None)
"""


@pytest.fixture(scope="module")
def loaded(local: LocalCluster) -> LocalCluster:
    """The cluster, with the images of the application, its database, and of backup pods on its nodes."""
    local.load([build_part("postgres"), build_part("bookmarks"), ensure_backup_image()])
    return local


def application(namespace: str, version: str) -> Body:
    """Two pods that serve what the database says. Its code is in `files`, and goes back with the revision."""
    env = [{"name": f"PG{name.upper()}", "valueFrom": {"secretKeyRef": {"name": "db", "key": key}}} for name, key in KEYS.items()]
    source = {"postgres": {"secretName": "db", "scratch": "64Mi"}}
    repository = {"secretName": "restic", "claim": {"name": "backups"}}
    migrates: Body = {"migrate": {"command": ["python3", "/code/server.py", "migrate"], "deadline": "60s"}} if version == "v2" else {}
    return {
        "apiVersion": "hardened.dev/v1alpha1",
        "kind": "HardenedService",
        "metadata": {"name": "app", "namespace": namespace},
        "spec": {
            "image": part_name("bookmarks"),
            "command": ["python3", "-u", "/code/server.py"],
            "replicas": 2,
            "ports": [{"name": "http", "containerPort": 8080, "port": 80}],
            "env": [*env, {"name": "ASKS", "value": ASKS[version]}, {"name": "MIGRATION", "value": MIGRATION}],
            "files": [{"mountPath": "/code", "data": {"server.py": SERVER}}],
            "probes": {"readiness": {"httpGet": {"path": "/alive"}, "periodSeconds": 2, "timeoutSeconds": 2}},
            "security": {"runAsUser": 10001, "runAsGroup": 10001},
            "shutdown": {"drainSeconds": 0, "graceSeconds": 5},
            "verify": {"afterCutover": {"window": "1s"}},
            "release": {"strategy": "BlueGreen", "keepPrevious": "10m", "progressDeadline": "2m", "backupFirst": "nightly", **migrates},
            "backups": [{"name": "nightly", "schedule": NEVER, "deadline": "3m", "source": source, "repository": repository}],
        },
    }


#: Of a connection, and where Secret db has it.
KEYS = {"host": "host", "user": "user", "password": "password", "database": "dbname"}


class PodWatch:
    """The pods of the application that were on a node, by their revision, each time that one changed after the restore had begun."""

    def __init__(self, run: Run) -> None:
        self._run, self._has_begun = run, False
        self.revisions: list[str] = []

    async def follow(self, version: str) -> None:
        """From this version of the list of pods on, until it is cancelled."""
        async for change in self._run.kube.watch("Pod", self._run.namespace, version):
            pod = change["object"]
            labels = pod["metadata"].get("labels") or {}
            self._has_begun = self._has_begun or labels.get("hardened.dev/run") == "restore"
            is_of_it = (labels.get("hardened.dev/service"), labels.get("app.kubernetes.io/component")) == ("app", "app")
            may_run = change["type"] != "DELETED" and pod["status"].get("phase") not in ("Succeeded", "Failed")
            if self._has_begun and is_of_it and may_run and pod["spec"].get("nodeName"):
                self.revisions.append(labels["hardened.dev/revision"])


def hardenctl(kubeconfig: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The real program, as a person's shell would run it."""
    environment = {**os.environ, "KUBECONFIG": str(kubeconfig)}
    argv = [sys.executable, "-m", "hardenctl", *arguments]
    return subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=240, check=False)


async def serves(run: Run, shell: Shell) -> str:
    """What clients are told."""
    script = "import urllib.request as u; print(u.urlopen('http://app', timeout=5).read().decode())"
    return (await shell.kubectl("exec", "pod/client", "--", "python3", "-c", script)).strip()


async def start_client(run: Run) -> None:
    """A pod that asks the application."""
    security = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    sleep = ["python3", "-c", "import signal; signal.sigwait([signal.SIGTERM])"]
    container: Body = {"name": "client", "image": part_name("bookmarks"), "command": sleep, "securityContext": security}
    pod = {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}}
    spec = {"securityContext": pod, "containers": [container], "terminationGracePeriodSeconds": 1}
    await run.kube.create({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "client", "namespace": run.namespace}, "spec": spec})
    await run.kube.until("Pod", "client", run.namespace, lambda live: bool(live and live["status"]["phase"] == "Running"), within=60)


async def scale_what_was_left(run: Run, shell: Shell, color: str) -> None:
    """Somebody scales it by hand, in each phase."""
    for phase in ("Restoring", "Starting"):
        await run.kube.until(
            "HardenedService", "app", run.namespace, lambda live, phase=phase: bool(live and hold_of(live).get("phase") == phase), within=90
        )
        await shell.kubectl("scale", "deployment", f"app-{color}", "--replicas=3")


@pytest.mark.full
def test_code_and_data_go_back_by_one_command_and_nothing_else_runs_on_them(loaded: LocalCluster, tmp_path: Path) -> None:
    async def all_of_it() -> None:
        settings = {"HARDENED_BACKUP_IMAGE": backup_image_name(), "HARDENED_ALLOW_RESTORE": "true"}
        async with running(loaded.kubeconfig, tmp_path, settings=settings, name="back") as run:
            shell = Shell(loaded.kubeconfig, run.namespace)
            await prepare(run, secrets.token_hex(12))
            await run.kube.patch("Secret", "db", run.namespace, {"stringData": {"dbname": "orders"}})
            server = database(run.namespace)
            del server["spec"]["backups"], server["spec"]["network"]
            await asyncio.gather(serve(run, server, within=120), start_client(run))
            await shell.sql("create database orders", base="postgres")
            await shell.sql("create table people (name text, nick text); insert into people values ('ada', 'countess'), ('bob', 'b')")
            first = await serve(run, application(run.namespace, "v1"), within=120)
            assert await serves(run, shell) == "ada:countess bob:b"
            await run.kube.apply(application(run.namespace, "v2"))
            second = await until_app(run, lambda live: is_ready(live) and live["status"]["stable"]["promotion"] == 2, within=180)
            await shell.sql("insert into people values ('eve'); insert into badges values ('eve', 'late')")
            assert await serves(run, shell) == "ada:1 bob:0 eve:1"

            target, left = (live["status"]["stable"] for live in (first, second))
            watch = PodWatch(run)
            version = (await run.kube.call("GET", f"api/v1/namespaces/{run.namespace}/pods"))["metadata"]["resourceVersion"]
            following = asyncio.create_task(watch.follow(version))
            scaling = asyncio.create_task(scale_what_was_left(run, shell, left["color"]))
            asked = ("rollback", "app", "--with-data", "--yes", "-n", run.namespace, "-o", "json")
            done = await asyncio.to_thread(hardenctl, loaded.kubeconfig, *asked)
            following.cancel()
            await scaling
            assert done.returncode == 0, done.stderr
            answer: dict[str, Any] = json.loads(done.stdout)
            assert (answer["result"], answer["revision"]) == ("ok", target["revision"])
            assert answer["recoveryPoint"]["snapshot"] == answer["outcome"]["snapshot"]
            assert f"revision {target['revision']} starts on it" in done.stderr, "the progress tells each phase"
            assert watch.revisions, "the target's pods were seen"
            assert set(watch.revisions) == {target["revision"]}, "a pod of the version that was left ran on the restored data"
            assert await serves(run, shell) == "ada:countess bob:b"
            assert await shell.sql("select to_regclass('badges') is null") == "t"
            live = await until_app(run, lambda found: "hold" not in found["status"], within=10)
            assert condition(live, "Ready")["reason"] == "RolledBack"
            assert condition(live, "Available")["status"] == "True"
            figures("rollback with data", seconds=answer["seconds"])

    asyncio.run(all_of_it())


async def until_app(run: Run, holds: Any, *, within: float) -> Body:
    """The application once it is so."""
    live, _ = await run.kube.until("HardenedService", "app", run.namespace, lambda live: live is not None and holds(live), within=within)
    assert live
    return live
