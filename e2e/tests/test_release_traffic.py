"""Cutovers and rollbacks under load: not one request is lost, on new connections and on kept ones."""

from __future__ import annotations

import asyncio
import statistics
from pathlib import Path

import pytest

from e2e.actions import ask, phase_of
from e2e.cluster.local.cluster import LocalCluster
from e2e.figures import figures
from e2e.kube import is_ready
from e2e.releases import released, until_gone, until_led_to, until_no_release
from e2e.rig import Run, running, serve
from e2e.traffic import load

RATE = 200

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("rights")]


async def there_and_back(run: Run, number: int) -> tuple[float, float]:
    """One release that goes live, and its rollback by hand: of every other one after the previous pods are gone, and their kept connections
    with them. Seconds from the apply, and from the request, until traffic was led over.
    """
    there = asyncio.create_task(until_led_to(run, "green", within=60))
    await run.kube.apply(released(run.namespace, "v2", token=str(number)))
    live, _ = await run.kube.until("HardenedService", "web", run.namespace, is_ready, within=90)
    assert live
    assert live["status"]["serving"]["color"] == "green"
    if number % 2:
        await until_no_release(run)
        await until_gone(run, "blue", within=30)
    back = asyncio.create_task(until_led_to(run, "blue", within=60))
    done = await ask(run, "Rollback")
    assert phase_of(done) == "Succeeded", done["status"]
    seconds = await there, await back
    await until_no_release(run)
    return seconds


@pytest.mark.parametrize("times", [pytest.param(2), pytest.param(25, marks=[pytest.mark.full, pytest.mark.timeout(3600)])])
def test_cutovers_and_rollbacks_lose_no_request(local: LocalCluster, tmp_path: Path, times: int) -> None:
    async def all_of_it() -> None:
        async with running(local.kubeconfig, tmp_path, name="traffic") as run:
            await serve(run, released(run.namespace, "v1"))
            async with load(local, run.kube, run.namespace, rate=RATE) as under_way:
                switches = [await there_and_back(run, number) for number in range(times)]
            sent = [each.sent for each in under_way]
            there, back = zip(*switches, strict=True)
            kept = [seconds for number, seconds in enumerate(back) if number % 2 == 0]
            figures(
                "cutovers and rollbacks under load",
                times=times,
                requests=sum(s.requests for s in sent),
                failed=sum(s.failed for s in sent),
                failures=str([s.figures["failures"] for s in sent]),
                cutover_median_s=statistics.median(there),
                cutover_worst_s=max(there),
                rollback_median_s=statistics.median(kept),
                rollback_worst_s=max(kept),
                brought_up_median_s=statistics.median(set(back) - set(kept)),
            )
            assert [s.failed for s in sent] == [0, 0]
            assert all(set(s.versions) == {"v1", "v2"} for s in sent)
            assert not run.operator.exits

    asyncio.run(all_of_it())
