"""A service that is scaled by the CPU that its pods use, under a real load: it grows and shrinks, and no request is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from e2e.cluster.local.cluster import LocalCluster
from e2e.figures import figures
from e2e.kube import Body
from e2e.releases import released, serving_color, unsized, until_step
from e2e.rig import running, serve
from e2e.scaling import AT_ONCE, LOAD_RATE, QUIET_RATE, REQUESTED, SCALED_WITHIN, failures, is_asked_for, until_sized
from e2e.traffic import load, sending

#: Seconds for which nothing may happen where it would shrink otherwise.
FROZEN_FOR = 45.0

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("rights")]


def scaled(namespace: str, version: str, **spec: Any) -> Body:
    """A service of one pod while it is quiet, and of three at most."""
    autoscale = {"minReplicas": 1, "maxReplicas": 3, "cpu": 50, "behavior": {"scaleUp": AT_ONCE, "scaleDown": AT_ONCE}}
    return unsized(released(namespace, version, resources=REQUESTED, autoscale=autoscale, **spec))


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
