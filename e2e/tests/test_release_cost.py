"""What a release costs in pods: a preview while it is checked, twice as many around the cutover, and no more than before after it."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from e2e.cluster.local.cluster import LocalCluster
from e2e.figures import figures
from e2e.kube import is_ready
from e2e.pod_count import Watched, most, watching
from e2e.releases import released, slow, until_no_release, until_step
from e2e.rig import running, serve

REPLICAS, PREVIEW = 3, 1
#: Seconds that pods may take to be told to end once nobody wants them, and that are looked at from then on.
GONE_S, LOOK_S = 5.0, 5.0

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("rights")]


def highest(seen: Watched, since: float, until: float) -> tuple[int, int, int]:
    """The most pods of one release until ScaleUp, from then to the end of Keep, and after it."""
    grows_at = seen.began("ScaleUp", since)
    over_at = seen.began("", grows_at)
    return most(seen.counts, since, grows_at), most(seen.counts, grows_at, over_at), most(seen.counts, over_at + GONE_S, until)


@pytest.mark.parametrize(
    "versions", [pytest.param(("v2",), id="a new colour"), pytest.param(("v2", "v3"), id="a warm one", marks=pytest.mark.full)]
)
def test_a_release_has_a_preview_then_twice_the_pods_and_then_no_more_than_before(
    local: LocalCluster, tmp_path: Path, versions: tuple[str, ...]
) -> None:
    async def all_of_it() -> None:
        async with running(local.kubeconfig, tmp_path, name="cost") as run:
            await serve(run, released(run.namespace, "v1", replicas=REPLICAS))
            async with watching(run.kube, run.namespace) as seen:
                for version in versions:
                    since = time.monotonic()
                    await run.kube.apply(slow(run.namespace, version, replicas=REPLICAS))
                    await until_step(run, "Keep", within=120)
                    await until_no_release(run, within=90)
                    await asyncio.sleep(GONE_S + LOOK_S)  # nothing more is to happen
                    assert is_ready(await run.kube.get("HardenedService", "web", run.namespace))
                    checked, switched, after = highest(seen, since, time.monotonic())
                    figures("pods of a release", version=version, replicas=REPLICAS, checked=checked, switched=switched, after=after)
                    assert checked == REPLICAS + PREVIEW
                    assert switched == 2 * REPLICAS
                    assert after == REPLICAS

    asyncio.run(all_of_it())
