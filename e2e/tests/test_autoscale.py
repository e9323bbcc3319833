"""A service that is scaled by the CPU that its pods use, under a real load: it grows and shrinks, and no request is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from e2e.cluster.local.cluster import LocalCluster
from e2e.figures import figures
from e2e.kube import Body, is_ready
from e2e.releases import released, serving_color, unsized, until_step
from e2e.rig import Run, running, serve
from e2e.traffic import Sending, load, sending

#: Requests a second: what goes on all the time, and what is more than one pod is to serve.
QUIET_RATE, LOAD_RATE = 10, 300
#: What a pod requests, and how much of it may be used: half of it is less than LOAD_RATE takes, and more than QUIET_RATE does.
REQUESTED = {"requests": {"cpu": "20m", "memory": "16Mi"}, "limits": {"memory": "64Mi"}}
#: Seconds for the kubelets to measure, for metrics-server to ask them, for the autoscaler to look, and for a pod to start.
SCALED_WITHIN = 90.0
#: Seconds for which nothing may happen where it would shrink otherwise.
FROZEN_FOR = 45.0
AT_ONCE = {"stabilizationWindowSeconds": 0}

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("rights")]


def scaled(namespace: str, version: str, **spec: Any) -> Body:
    """A service of one pod while it is quiet, and of three at most."""
    autoscale = {"minReplicas": 1, "maxReplicas": 3, "cpu": 50, "behavior": {"scaleUp": AT_ONCE, "scaleDown": AT_ONCE}}
    return unsized(released(namespace, version, resources=REQUESTED, autoscale=autoscale, **spec))


def has_size(holds: Callable[[int], bool]) -> Callable[[Body | None], bool]:
    """Whether a service is ready with so many pods, by what it says itself."""
    return lambda live: is_ready(live) and live is not None and holds(live["status"]["autoscale"]["replicas"])


def is_asked_for(holds: Callable[[int], bool]) -> Callable[[Body | None], bool]:
    """Whether so many pods are wanted, though they may not be there yet."""
    return lambda live: live is not None and holds(live["spec"].get("replicas", 1))


async def until_sized(run: Run, holds: Callable[[int], bool]) -> tuple[Body, float]:
    live, seconds = await run.kube.until("HardenedService", "web", run.namespace, has_size(holds), within=SCALED_WITHIN)
    assert live
    return live, seconds


def failures(*sendings: Sending) -> dict[str, int]:
    sent = [each.sent for each in sendings]
    return {"requests": sum(s.requests for s in sent), "failed": sum(s.failed for s in sent)}


def test_it_grows_under_load_and_shrinks_after_it(local: LocalCluster, tmp_path: Path) -> None:
    async def all_of_it() -> None:
        async with running(local.kubeconfig, tmp_path, name="autoscale") as run:
            live = await serve(run, scaled(run.namespace, "v1"))
            assert live["spec"]["replicas"] == 1, "the least, where nothing runs"
            async with sending(local, run.kube, run.namespace, rate=QUIET_RATE) as quiet:
                async with load(local, run.kube, run.namespace, rate=LOAD_RATE) as under_way:
                    grown, grew_in = await until_sized(run, lambda size: size > 1)
                assert grown["status"]["autoscale"]["reason"] in ("Active", "AtMaximum")
                _, shrank_in = await until_sized(run, lambda size: size == 1)
            written = [call for call in run.proxy.writes if call.subresource == "scale"]
            counts = failures(quiet, *under_way)
            figures("scaled by load", seconds_to_grow=grew_in, seconds_to_shrink=shrank_in, **counts)
            assert counts["failed"] == 0
            assert len(written) == 1, "the operator writes a size once, where there is none"

    asyncio.run(all_of_it())


@pytest.mark.full
def test_it_grows_in_a_release_and_stays_as_it_is_while_it_is_suspended(local: LocalCluster, tmp_path: Path) -> None:
    async def all_of_it() -> None:
        async with running(local.kubeconfig, tmp_path, name="autoscale") as run:
            await serve(run, scaled(run.namespace, "v1"))
            async with sending(local, run.kube, run.namespace, rate=QUIET_RATE) as quiet:
                async with load(local, run.kube, run.namespace, rate=LOAD_RATE) as under_way:
                    slow = {"env": [{"name": "LINGER", "value": "0"}, {"name": "START_DELAY", "value": "15"}]}
                    await run.kube.apply(scaled(run.namespace, "v2", **slow))
                    await until_step(run, "Preview", "ScaleUp")
                    grown = is_asked_for(lambda size: size > 1)
                    _, grew_in = await run.kube.until("HardenedService", "web", run.namespace, grown, within=SCALED_WITHIN)
                    await until_step(run, "Keep", "", within=SCALED_WITHIN)
                    await run.kube.until("HardenedService", "web", run.namespace, grown, within=SCALED_WITHIN)
                    await run.kube.patch("HardenedService", "web", run.namespace, {"spec": {"suspend": True}})
                    await run.kube.until("HardenedService", "web", run.namespace, _is_frozen, within=20)
                    frozen = await run.kube.get("HardenedService", "web", run.namespace)
                assert frozen
                # Long enough for it to shrink, if it could.
                with pytest.raises(AssertionError):
                    await run.kube.until("HardenedService", "web", run.namespace, _has_another_size(frozen), within=FROZEN_FOR)
                await run.kube.patch("HardenedService", "web", run.namespace, {"spec": {"suspend": False}})
                _, shrank_in = await until_sized(run, lambda size: size == 1)
            counts = failures(quiet, *under_way)
            figures("scaled by load in a release", seconds_to_grow=grew_in, seconds_to_shrink=shrank_in, **counts)
            assert counts["failed"] == 0
            assert serving_color(frozen) == "green"
            assert frozen["spec"]["replicas"] > 1

    asyncio.run(all_of_it())


def _is_frozen(live: Body | None) -> bool:
    return live is not None and ((live.get("status") or {}).get("autoscale") or {}).get("reason") == "Suspended"


def _has_another_size(before: Body) -> Callable[[Body | None], bool]:
    return lambda live: live is not None and live["spec"]["replicas"] != before["spec"]["replicas"]
