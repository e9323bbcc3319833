"""Restores at full size, by hand: all rows of a database that was lost with its server, all keys of a Redis, all files of a volume."""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from test_backups import NEVER, database, prepare
from test_restore import Shell, files

from e2e.cluster.command import run as call
from e2e.cluster.local.cluster import LocalCluster
from e2e.figures import figures
from e2e.install import backup_image_name, ensure_backup_image
from e2e.kube import Body, condition, is_ready
from e2e.rig import Run, running, serve
from e2e.workloads.build import build_part, part_name

pytestmark = [pytest.mark.full, pytest.mark.usefixtures("rights")]

ROWS = KEYS = 100_000
#: Seconds for one call of hardenctl, which waits for the end.
WITHIN_S = 400
#: Of all rows, in their order.
ROWS_SUM = "select count(*) || ' ' || md5(string_agg(n || note || coalesce(at::text, '-'), ',' order by n)) from orders"
#: Of all keys of a database of Redis in their order, with their values, whatever their types.
KEYS_SUM = """
local names, sum = redis.call('KEYS', '*'), ''
table.sort(names)
for _, name in ipairs(names) do
  local kind = redis.call('TYPE', name).ok
  local value = kind == 'string' and {redis.call('GET', name)} or kind == 'hash' and redis.call('HGETALL', name)
    or kind == 'list' and redis.call('LRANGE', name, 0, -1) or redis.call('SORT', name, 'ALPHA')
  sum = redis.sha1hex(sum .. name .. kind .. table.concat(value, ','))
end
return #names .. ' ' .. sum
"""
#: Of all files in their order, with what they hold, and of whatever else is there, with its mode.
FILES_SUM = "cd /files && (find . -type f | sort | xargs sha256sum; find . -printf '%p %y %m %l\\n' | sort) | sha256sum"


@dataclass(frozen=True)
class Place:
    """A namespace in which things are lost, and brought back by hand."""

    run: Run
    shell: Shell
    kubeconfig: Path

    async def hardenctl(self, *words: str) -> float:
        """Somebody does that. The seconds that it took. Raises ClusterError where it fails."""
        began = time.monotonic()
        command = [sys.executable, "-m", "hardenctl", *words, f"--namespace={self.run.namespace}"]
        await asyncio.to_thread(call, command, env={**os.environ, "KUBECONFIG": str(self.kubeconfig)}, timeout=WITHIN_S)
        return time.monotonic() - began

    async def snapshot_of(self, service: str, backup: str) -> str:
        """Of a backup that somebody makes now."""
        await self.hardenctl("backup", "create", service, backup)
        live = await self.run.kube.get("HardenedService", service, self.run.namespace)
        assert live
        return str(live["status"]["backups"][0]["lastSuccess"]["snapshot"])

    async def restore(self, service: str, backup: str, snapshot: str) -> float:
        return await self.hardenctl("restore", service, f"--backup={backup}", f"--snapshot={snapshot}", "--yes")

    async def lose(self, kind: str, name: str) -> None:
        await self.run.kube.delete(kind, name, self.run.namespace, propagation="Foreground")
        await self.run.kube.until(kind, name, self.run.namespace, lambda live: live is None, within=120)


async def rows_come_back(place: Place) -> dict[str, float]:
    """The server is lost, and its volume with it."""
    run, sql = place.run, place.shell.sql
    await serve(run, database(run.namespace, stops="Nothing"), within=180)
    await sql("create database orders", base="postgres")
    columns = "n, md5(n::text) as note, case when n % 7 > 0 then now() + n * interval '1 second' end as at"
    await sql(f"create table orders as select {columns} from generate_series(1, {ROWS}) n; alter table orders add primary key (n)")
    wanted = await sql(ROWS_SUM)
    assert wanted.startswith(f"{ROWS} ")
    snapshot = await place.snapshot_of("db", "nightly")
    await place.lose("HardenedService", "db")
    await place.lose("PersistentVolumeClaim", "db-data")
    await serve(run, database(run.namespace, stops="Nothing"), within=180)
    assert await sql("select count(*) from pg_database where datname = 'orders'", base="postgres") == "0"
    seconds = await place.restore("db", "nightly", snapshot)
    assert await sql(ROWS_SUM) == wanted
    assert await sql("select count(*) from pg_index where indrelid = 'orders'::regclass and indisprimary") == "1"
    return {"rows": ROWS, "rows_seconds": seconds}


# ---- Redis


def cache(namespace: str) -> Body:
    """A Redis with a password that writes each change to its disk, connects to nobody, and lets in nobody but its own backup pods."""
    password = {"valueFrom": {"secretKeyRef": {"name": "redis", "key": "password"}}}
    source = {"redis": {"secretName": "redis", "scratch": "64Mi"}}
    repository = {"secretName": "restic", "claim": {"name": "backups"}}
    backup = {"name": "keys", "schedule": NEVER, "deadline": "3m", "source": source, "repository": repository, "stops": "Nothing"}
    return {
        "apiVersion": "hardened.dev/v1alpha1",
        "kind": "HardenedService",
        "metadata": {"name": "redis", "namespace": namespace},
        "spec": {
            "image": part_name("redis"),
            "args": ["--requirepass", "$(REDISCLI_AUTH)", "--appendonly", "yes", "--appendfsync", "always", "--save", ""],
            "replicas": 1,
            "ports": [{"name": "redis", "containerPort": 6379}],
            "env": [{"name": "REDISCLI_AUTH", **password}],
            "volumes": [{"name": "data", "mountPath": "/data", "claim": {"size": "256Mi"}}],
            "security": {"runAsUser": 999, "runAsGroup": 999, "fsGroup": 999},
            "probes": {"readiness": {"exec": {"command": ["redis-cli", "-e", "ping"]}, "periodSeconds": 1}},
            "shutdown": {"drainSeconds": 0, "graceSeconds": 10},
            "network": {"ingressFrom": [], "egressTo": []},
            "release": {"strategy": "Recreate"},
            "backups": [backup],
        },
    }


def is_away(live: Body | None) -> bool:
    return condition(live, "Available").get("status") != "True"


async def keys_come_back(place: Place) -> dict[str, float]:
    """All are flushed, and others written; and the server is killed once they are back."""
    run = place.run

    async def ask(*words: str) -> str:
        return (await place.shell.kubectl("exec", "deployment/redis-blue", "--", "redis-cli", *words)).strip()

    async def sums() -> tuple[str, str]:
        return await ask("EVAL", KEYS_SUM, "0"), await ask("-n", "3", "EVAL", KEYS_SUM, "0")

    await serve(run, cache(run.namespace), within=180)
    await ask("EVAL", f"for n = 1, {KEYS} do redis.call('SET', 'key-' .. n, redis.sha1hex(n)) end", "0")
    await ask("-n", "3", "RPUSH", "list", "b", "a", "c")
    await ask("-n", "3", "HSET", "hash", "field", "value")
    await ask("-n", "3", "SADD", "set", "x", "y")
    wanted = await sums()
    assert [each.split()[0] for each in wanted] == [str(KEYS), "3"]
    snapshot = await place.snapshot_of("redis", "keys")
    await ask("FLUSHALL")
    await ask("MSET", "key-1", "spoilt", "newer", "1")
    seconds = await place.restore("redis", "keys", snapshot)
    assert await sums() == wanted, "what was newer is gone"
    assert await ask("SET", "written", "since") == "OK"

    (killed,) = await run.kube.list("Pod", run.namespace, "hardened.dev/service=redis,app.kubernetes.io/component=app")
    path = f"api/v1/namespaces/{run.namespace}/pods/{killed['metadata']['name']}"
    await run.kube.call("DELETE", path, {"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0})
    await run.kube.until("HardenedService", "redis", run.namespace, is_away, within=60)
    await run.kube.until("HardenedService", "redis", run.namespace, lambda live: not is_away(live), within=120)
    assert await ask("GETDEL", "written") == "since"
    assert await sums() == wanted, "what the append-only file says"
    assert "role:master" in await ask("INFO", "replication")
    return {"keys": KEYS, "keys_seconds": seconds}


async def files_come_back(place: Place) -> dict[str, float]:
    """Files that were made, changed and deleted since; links and modes."""
    run, sh = place.run, place.shell.sh
    await serve(run, files(run.namespace), within=180)
    await sh("cd /files && mkdir -p deep/er gone && for n in $(seq 500); do echo $n > deep/er/$n; done && echo old > changed")
    await sh("cd /files && echo kept > gone/file && ln -s changed link && chmod 640 changed && chmod 750 deep")
    wanted = await sh(FILES_SUM)
    snapshot = await place.snapshot_of("files", "files")
    await sh("cd /files && echo new > changed && chmod 600 changed && rm -r gone deep/er/7 link && mkdir made && echo made > made/since")
    assert await sh(FILES_SUM) != wanted
    seconds = await place.restore("files", "files", snapshot)
    await run.kube.until("HardenedService", "files", run.namespace, is_ready, within=120)
    assert await sh(FILES_SUM) == wanted
    return {"files": 502, "files_seconds": seconds}


@pytest.mark.timeout(1800)
def test_all_rows_of_a_lost_database_all_keys_and_all_files_come_back_by_hand(local: LocalCluster, tmp_path: Path) -> None:
    async def all_of_it() -> None:
        local.load([build_part("postgres"), build_part("redis"), ensure_backup_image()])
        settings = {"HARDENED_BACKUP_IMAGE": backup_image_name(), "HARDENED_ALLOW_RESTORE": "true"}
        async with running(local.kubeconfig, tmp_path, settings=settings, name="restore") as run:
            password = secrets.token_hex(12)
            await prepare(run, password)
            await run.kube.patch("Secret", "db", run.namespace, {"stringData": {"dbname": "orders"}})
            meta: Body = {"name": "redis", "namespace": run.namespace}
            given = {"host": "redis", "password": password}
            await run.kube.create({"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": given})
            spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "64Mi"}}}
            meta = {"name": "files-backups", "namespace": run.namespace}
            await run.kube.create({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta, "spec": spec})
            place = Place(run, Shell(local.kubeconfig, run.namespace), local.kubeconfig)
            found = await asyncio.gather(rows_come_back(place), keys_come_back(place), files_come_back(place))
            figures("restores by hand, at full size", **{name: each for part in found for name, each in part.items()})

    asyncio.run(all_of_it())
