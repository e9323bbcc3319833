"""Verification on a real cluster: a backup of a PostgreSQL is restored into a server of the pod's own, and asked there."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path
from typing import Any

import pytest
from test_backups import NEVER, back_up, database, prepare, told, until_told

from e2e.actions import action, phase_of, until_over
from e2e.cluster import tools
from e2e.cluster.command import run as call
from e2e.cluster.local.cluster import LocalCluster
from e2e.figures import figures
from e2e.install import backup_image_name, ensure_backup_image
from e2e.kube import Body, condition
from e2e.rig import Run, running, serve
from e2e.workloads.build import build_part

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("rights")]


@pytest.fixture(scope="module")
def loaded(local: LocalCluster) -> LocalCluster:
    """The cluster, with the images of the database and of backup pods on its nodes."""
    local.load([build_part("postgres"), ensure_backup_image()])
    return local


def verified(namespace: str, sql: str) -> Body:
    """The database, whose backup is verified by this."""
    return database(namespace, verify={"schedule": NEVER, "sql": sql, "size": "256Mi", "deadline": "3m"})


async def verify(run: Run) -> Body:
    """Verifies the backup by hand. The action once it is over."""
    manifest = action(run.namespace, "VerifyBackup", by=await run.kube.username(), service="db", backup="nightly")
    await run.kube.create(manifest)
    return await until_over(run.kube, manifest, within=180)


def test_a_backup_is_verified_by_restoring_it_and_what_does_not_hold_is_told(loaded: LocalCluster, tmp_path: Path) -> None:
    async def all_of_it() -> None:
        settings: dict[str, Any] = {"HARDENED_BACKUP_IMAGE": backup_image_name()}
        async with running(loaded.kubeconfig, tmp_path, settings=settings, name="verify") as run:
            await prepare(run, secrets.token_hex(12))
            await serve(run, verified(run.namespace, "select count(*) = 10000 from rows"), within=120)
            sql = "create table rows as select n, md5(n::text) as text from generate_series(1, 10000) n"
            kubectl = [str(tools.kubectl()), f"--kubeconfig={loaded.kubeconfig}", f"--namespace={run.namespace}"]
            psql = ["exec", "deployment/db-blue", "--", "psql", "-U", "postgres", "-c", sql]
            await asyncio.to_thread(call, [*kubectl, *psql], timeout=60)
            made = await back_up(run)
            assert phase_of(made) == "Succeeded", made["status"]

            good = await verify(run)
            assert phase_of(good) == "Succeeded", good["status"]
            live = await until_told(run, lambda found: "lastVerification" in found, within=10)
            found = told(live)["lastVerification"]
            assert (found["result"], found["snapshot"]) == ("Succeeded", made["status"]["result"]["snapshot"])
            assert condition(live, "BackedUp")["status"] == "True"

            await run.kube.apply(verified(run.namespace, "select count(*) = 0 from rows"))
            bad = await verify(run)
            assert phase_of(bad) == "Failed", bad["status"]
            live = await until_told(run, lambda now: now["lastVerification"]["result"] == "Failed", within=10)
            backed_up = condition(live, "BackedUp")
            assert (backed_up["status"], backed_up["reason"]) == ("False", "VerificationFailed")
            assert "AssertionFailed: the sql gave false" in backed_up["message"]
            assert f"next: hardenctl backup verify db nightly -n {run.namespace}" in backed_up["message"]
            figures("verification of a backup of PostgreSQL", seconds=found["seconds"])

    asyncio.run(all_of_it())
