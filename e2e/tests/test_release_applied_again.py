"""A rejected spec that Git applies again and again stays rejected, and is no work; the spec of what serves is healthy at once."""

from __future__ import annotations

import asyncio
import itertools
import time
from pathlib import Path
from typing import Any

import pytest

from e2e.audit import Since
from e2e.cluster.local.cluster import LocalCluster
from e2e.figures import figures
from e2e.kube import Body, condition, is_ready
from e2e.releases import leads_to, ready_reason, released, scale, unsized
from e2e.rig import MERCY, Run, running, serve, stable

#: Seconds between two of Git's applies, and how far an autoscaler goes up and down in each.
AGAIN_S = 5.0
SIZES = (3, 2)
#: Seconds until a spec that is what serves counts as healthy.
AT_ONCE_S = 2.0

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("rights")]


def bad(namespace: str) -> Body:
    """A version that fails its check."""
    smoke = {"name": "smoke", "http": {"path": "/", "expectBody": "v1", "count": 3, "interval": "200ms"}}
    return unsized(released(namespace, "v2", verify={"beforeCutover": [smoke], "afterCutover": {"window": "2s"}}))


async def apply_again(run: Run, sizes: Any, *, seconds: float) -> int:
    """The same bad spec from Git, at its pace, and another size each time. How often."""
    end, times = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        await run.kube.apply(bad(run.namespace))
        await scale(run, next(sizes))
        times += 1
        await asyncio.sleep(AGAIN_S)  # Git's own pace
        assert ready_reason("Rejected")(await run.kube.get("HardenedService", "web", run.namespace))
    return times


async def without_size(run: Run) -> Body:
    """The Deployment that serves, but for its number of pods."""
    live = await run.kube.get("Deployment", "web-blue", run.namespace)
    assert live
    found = stable(live)
    return {**found, "spec": {name: value for name, value in found["spec"].items() if name != "replicas"}}


@pytest.mark.parametrize(("first_s", "then_s"), [pytest.param(10, 30), pytest.param(60, 120, marks=pytest.mark.full)])
def test_a_rejected_spec_that_is_applied_again_stays_rejected_and_changes_nothing_but_the_size(
    local: LocalCluster, tmp_path: Path, first_s: float, then_s: float
) -> None:
    async def all_of_it() -> None:
        async with running(local.kubeconfig, tmp_path, name="pins") as run:
            await serve(run, unsized(released(run.namespace, "v1")))
            await run.kube.apply(bad(run.namespace))
            await run.kube.until("HardenedService", "web", run.namespace, ready_reason("Rejected"), within=60)
            sizes = itertools.cycle(SIZES)
            await apply_again(run, sizes, seconds=first_s)
            await run.proxy.until_quiet(1, within=30)
            since, before = Since(local.audit_log), await without_size(run)
            times = await apply_again(run, sizes, seconds=then_s)
            await run.proxy.until_quiet(1, within=30)
            written = since.children_written(run.namespace)
            pinned = await run.kube.get("HardenedService", "web", run.namespace)

            healthy = asyncio.create_task(run.kube.until("HardenedService", "web", run.namespace, is_ready, within=60))
            await run.kube.apply(unsized(released(run.namespace, "v1")))
            _, seconds = await healthy
            figures("the same bad spec again and again", times=times, writes_of_children=written.total(), seconds_to_healthy=seconds)
            assert condition(pinned, "Stalled")["status"] == "True"
            assert condition(pinned, "Available")["status"] == "True"
            assert leads_to("blue")(await run.kube.get("Service", "web", run.namespace))
            assert set(written) <= {"deployments/web-blue"}, written
            assert written.total() <= times, "one write for each new size"
            assert await without_size(run) == before
            assert seconds <= MERCY * AT_ONCE_S

    asyncio.run(all_of_it())
