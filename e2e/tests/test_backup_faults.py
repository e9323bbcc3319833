"""The operator is killed around the writes of work on backups: each Job is made once, the end is the same, and clients notice nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from e2e.backup_flow import NAMES, flows, shared_database
from e2e.cluster.local.cluster import LocalCluster
from e2e.faults import kill_plans
from e2e.install import ensure_backup_image
from e2e.kube import Kube
from e2e.release_run import Stage
from e2e.release_sweep import sweep
from e2e.restore_flow import restore_flow
from e2e.sweep import Results, choose_sample, tell_and_check
from e2e.workloads.build import build_part

#: Plans of each flow: all of them would take hours, and over time all are run.
PLANS = 12


@pytest.fixture(scope="module")
def loaded(local: LocalCluster) -> LocalCluster:
    """The cluster, with the images of the database and of backup pods on its nodes."""
    local.load([build_part("postgres"), ensure_backup_image()])
    return local


@pytest.mark.full
@pytest.mark.timeout(3600)
@pytest.mark.usefixtures("rights")
@pytest.mark.parametrize("name", NAMES)
def test_killed_around_sampled_writes_of_work_on_backups_it_ends_the_same(loaded: LocalCluster, tmp_path: Path, name: str) -> None:
    async def all_of_it() -> tuple[float, Results, list[str]]:
        async with Kube(loaded.kubeconfig) as kube, shared_database(kube, loaded.kubeconfig) as database:
            return await sweep(Stage(loaded, kube, tmp_path), [flows(database)[name]], kill_plans, choose_sample(PLANS))

    tell_and_check(f"{name}, killed around sampled writes", *asyncio.run(all_of_it()))


@pytest.mark.full
@pytest.mark.timeout(3600)
@pytest.mark.usefixtures("rights")
def test_killed_around_sampled_writes_of_a_restore_it_ends_the_same_and_nobody_uses_what_is_replaced(
    loaded: LocalCluster, tmp_path: Path
) -> None:
    async def all_of_it() -> tuple[float, Results, list[str]]:
        async with Kube(loaded.kubeconfig) as kube:
            return await sweep(Stage(loaded, kube, tmp_path), [restore_flow()], kill_plans, choose_sample(PLANS))

    tell_and_check("restore, killed around sampled writes", *asyncio.run(all_of_it()))
