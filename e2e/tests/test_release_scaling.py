"""An autoscaler that acts in the middle of a release: the release goes on, the size is the autoscaler's, and no request is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from e2e.cluster.local.cluster import LocalCluster
from e2e.figures import figures
from e2e.kube import Body, is_ready
from e2e.releases import STEPS, released, scale, serving_color, slow, unsized, until_step
from e2e.rig import MERCY, Run, running, serve
from e2e.samples import sampled
from e2e.traffic import load

RATE = 100
#: What the autoscaler asks for, one after the other, and the seconds in between.
SIZES = (3, 8, 4)
PAUSE_S = 0.5
#: Seconds until the stack that serves is asked to have the new size.
FOLLOWS_S = 2.0

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("rights")]


def has_size(size: int) -> Callable[[Body | None], bool]:
    """Whether a Deployment is to have so many pods."""
    return lambda live: live is not None and live["spec"]["replicas"] == size


async def autoscale(run: Run) -> None:
    """Scales up and down, as a HorizontalPodAutoscaler of the service would. The stack that serves must follow each time."""
    for size in SIZES:
        await scale(run, size)
        color = serving_color(await run.kube.get("HardenedService", "web", run.namespace))
        await run.kube.until("Deployment", f"web-{color}", run.namespace, has_size(size), within=MERCY * FOLLOWS_S)
        await asyncio.sleep(PAUSE_S)  # pods begin to come, or to go


@pytest.mark.parametrize("step", sampled([(step,) for step in STEPS], 1))
def test_scaling_in_any_step_neither_stops_a_release_nor_is_undone_by_it(local: LocalCluster, tmp_path: Path, step: str) -> None:
    async def all_of_it() -> None:
        async with running(local.kubeconfig, tmp_path, name="scaling") as run:
            await serve(run, unsized(released(run.namespace, "v1")))
            async with load(local, run.kube, run.namespace, rate=RATE) as under_way:
                await run.kube.apply(unsized(slow(run.namespace, "v2")))
                await until_step(run, step)
                await autoscale(run)
                live, seconds = await run.kube.until("HardenedService", "web", run.namespace, is_ready, within=90)
                await run.kube.until("Deployment", "web-green", run.namespace, has_size(SIZES[-1]), within=MERCY * FOLLOWS_S)
            sent = [each.sent for each in under_way]
            sized = [call for call in run.proxy.writes if call.subresource == "scale"]
            figures(
                "scaled in a release",
                step=step,
                seconds_to_ready=seconds,
                requests=sum(s.requests for s in sent),
                failed=sum(s.failed for s in sent),
                failures=str([s.figures["failures"] for s in sent]),
            )
            assert live
            assert serving_color(live) == "green"
            assert live["spec"]["replicas"] == SIZES[-1]
            assert len(sized) == 1, "the operator writes a size once, where there is none"
            assert [s.failed for s in sent] == [0, 0]

    asyncio.run(all_of_it())
