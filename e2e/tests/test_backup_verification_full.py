"""Each way in which a backup proves bad in its verification is named, and a dump that fails takes no good snapshot away."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
from pathlib import Path

import pytest
from test_backup_verification import verify
from test_backups import NEVER, back_up, database, prepare, snapshots, told, until_told
from test_restore import Shell

from e2e.actions import phase_of
from e2e.cluster import tools
from e2e.cluster.command import attempt
from e2e.cluster.command import run as call
from e2e.cluster.local.cluster import LocalCluster
from e2e.cluster.packages import ensure_files
from e2e.install import backup_image_name, ensure_backup_image
from e2e.kube import Body, condition
from e2e.restore_flow import USER, folder_of
from e2e.rig import Run, running, serve
from e2e.servers import PACKAGES, POSTGRES
from e2e.workloads.build import build_part

pytestmark = [pytest.mark.full, pytest.mark.usefixtures("rights")]

GOOD = "select count(*) = 10000 from rows"
#: What is demanded -> what is told of it.
ASSERTIONS = {
    "select true from rows where n < 0": "AssertionFailed: the sql gave no row",
    "select count(*) = 0 from rows": "AssertionFailed: the sql gave false",
    "select no_such_column from rows": "AssertionFailed: the sql failed: ERROR:",
    "select true from pg_sleep(600)": "AssertionFailed: the sql gave no answer within",
}


def verified(namespace: str, sql: str) -> Body:
    """The database with a short deadline for what hangs, of whose backups one is kept."""
    return database(namespace, verify={"schedule": NEVER, "sql": sql, "size": "256Mi", "deadline": "2m"}, retention={"last": 1})


async def until_named(run: Run, said: str) -> None:
    """Waits until BackedUp is False, and names that."""

    def holds(live: Body | None) -> bool:
        found = condition(live, "BackedUp")
        return (found.get("status"), found.get("reason")) == ("False", "VerificationFailed") and said in found["message"]

    await run.kube.until("HardenedService", "db", run.namespace, holds, within=10)


async def proves_good(run: Run) -> None:
    done = await verify(run)
    assert phase_of(done) == "Succeeded", done["status"]
    live = await until_told(run, lambda found: (found.get("lastVerification") or {}).get("result") == "Succeeded", within=10)
    assert condition(live, "BackedUp")["status"] == "True"


async def proves_bad(run: Run, said: str) -> None:
    done = await verify(run)
    assert phase_of(done) == "Failed", done["status"]
    await until_named(run, said)


class Repository:
    """The repository as it lies in its claim, which is a folder of this machine."""

    def __init__(self, folder: Path, password: str) -> None:
        self._folder = folder
        self._env = {"RESTIC_REPOSITORY": str(folder), "RESTIC_PASSWORD": password}

    def restic(self, *words: str) -> str:
        """restic by hand. What it makes belongs to the user of backup pods."""
        try:
            return call([tools.restic(), "--no-cache", *words], env=self._env, timeout=120)
        finally:
            for path in (self._folder, *self._folder.rglob("*")):
                os.chown(path, USER, USER)

    def store_half_a_dump(self, tag: str, folder: Path) -> str:
        """A newer snapshot whose dump ends half-way, and can be listed all the same. Its id."""
        self.restic("restore", "latest", f"--tag={tag}", f"--target={folder}")
        (dump,) = folder.rglob("database.pgdump")
        dump.write_bytes(dump.read_bytes()[: dump.stat().st_size * 2 // 3])
        assert attempt([POSTGRES / "pg_restore", "--list", dump]).returncode == 0
        said = self.restic("backup", "--json", f"--host={tag.rpartition('/')[0]}", f"--tag={tag}", str(dump.parent))
        return str(json.loads(said.splitlines()[-1])["snapshot_id"])

    def damage(self) -> None:
        """A bit of the largest pack, which a check does not see."""
        pack = max((path for path in (self._folder / "data").rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)
        content = bytearray(pack.read_bytes())
        content[len(content) // 2] ^= 1
        pack.chmod(0o600)
        pack.write_bytes(content)
        self.restic("check")


async def fails_and_keeps(run: Run, kubeconfig: Path, password: str, good: str) -> None:
    """Dumps that fail: neither one of them is a success, and what is good stays, though one alone is to be kept."""
    for wrong in ({"password": "another"}, {"dbname": "no_such"}):
        await run.kube.patch("Secret", "db", run.namespace, {"stringData": wrong})
        done = await back_up(run)
        assert phase_of(done) == "Failed"
        assert done["status"]["message"].startswith("DumpFailed"), done["status"]
        live = await until_told(run, lambda found: (found.get("lastFailure") or {}).get("reason") == "DumpFailed", within=10)
        assert told(live)["lastSuccess"]["snapshot"] == good
        assert [each["id"] for each in await snapshots(run, kubeconfig, password)] == [good]
        await run.kube.patch("Secret", "db", run.namespace, {"stringData": {"password": password, "dbname": "postgres"}})


@pytest.mark.timeout(1800)
def test_each_way_in_which_a_backup_proves_bad_is_named_and_a_dump_that_fails_takes_no_good_one_away(
    local: LocalCluster, tmp_path: Path
) -> None:
    async def all_of_it() -> None:
        ensure_files({POSTGRES / "postgres": PACKAGES[POSTGRES / "postgres"]})
        local.load([build_part("postgres"), ensure_backup_image()])
        async with running(local.kubeconfig, tmp_path, settings={"HARDENED_BACKUP_IMAGE": backup_image_name()}, name="verify") as run:
            password, shell = secrets.token_hex(12), Shell(local.kubeconfig, run.namespace)
            await prepare(run, password)
            await serve(run, verified(run.namespace, GOOD), within=180)
            await shell.sql("create table rows as select n, md5(n::text) as text from generate_series(1, 10000) n", base="postgres")
            made = await back_up(run)
            assert phase_of(made) == "Succeeded", made["status"]
            good = str(made["status"]["result"]["snapshot"])
            await fails_and_keeps(run, local.kubeconfig, password, good)
            await proves_good(run)
            for sql, said in ASSERTIONS.items():
                await run.kube.apply(verified(run.namespace, sql))
                await proves_bad(run, said)
            await run.kube.apply(verified(run.namespace, GOOD))
            await proves_good(run)

            tag, repository = f"{run.namespace}/db/nightly", Repository(await folder_of(run, "backups"), password)
            half = await asyncio.to_thread(repository.store_half_a_dump, tag, tmp_path / "half")
            await proves_bad(run, "RestoreFailed: pg_restore:")
            await asyncio.to_thread(repository.restic, "forget", half)
            await proves_good(run)
            await asyncio.to_thread(repository.damage)
            await proves_bad(run, "SnapshotDamaged:")

    asyncio.run(all_of_it())
