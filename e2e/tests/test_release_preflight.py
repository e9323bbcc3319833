"""A release waits for room in a quota and on the nodes, and for the ConfigMaps that it names; once they are there it goes on by itself."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from e2e.cluster.local.cluster import LocalCluster
from e2e.kube import Body, condition, is_ready
from e2e.releases import TERMS, leads_to, pods_of, ready_reason, released, step_of
from e2e.rig import Run, running, serve

#: More than any node has.
HUGE: dict[str, Any] = {"requests": {"cpu": "900"}, "limits": {"memory": "1Gi"}}
LEVEL = {"name": "LEVEL", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "level"}}}

pytestmark = [pytest.mark.cluster, pytest.mark.sampled(1), pytest.mark.usefixtures("rights")]


def is_stalled(live: Body | None) -> bool:
    """Only a person can help."""
    return live is not None and condition(live, "Stalled")["status"] == "True"


async def until_reason(run: Run, reason: str, *words: str) -> Body:
    """Waits until Ready=False has this reason, and says these words."""

    def holds(live: Body | None) -> bool:
        return ready_reason(reason)(live) and all(word in condition(live, "Ready")["message"] for word in words)

    live, _ = await run.kube.until("HardenedService", "web", run.namespace, holds, within=60)
    assert live
    return live


async def limit(run: Run, pods: int) -> None:
    """A quota of so many pods, made or changed, and counted."""

    def is_counted(live: Body | None) -> bool:
        status = (live or {}).get("status") or {}
        return status.get("hard") == {"pods": str(pods)} and "pods" in status.get("used", {})

    meta = {"name": "small", "namespace": run.namespace}
    await run.kube.apply({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": meta, "spec": {"hard": {"pods": str(pods)}}})
    await run.kube.until("ResourceQuota", "small", run.namespace, is_counted, within=30)


@pytest.mark.parametrize(("pods", "left"), [pytest.param(3, 1, id="for its own pods"), pytest.param(4, 2, id="for the pod of its probe")])
def test_a_release_waits_for_room_in_a_quota_before_its_first_pod(local: LocalCluster, tmp_path: Path, pods: int, left: int) -> None:
    async def all_of_it() -> None:
        async with running(local.kubeconfig, tmp_path, name="preflight") as run:
            await serve(run, released(run.namespace, "v1"))
            await limit(run, pods)
            await run.kube.apply(released(run.namespace, "v2"))
            live = await until_reason(run, "QuotaExceeded", f"ResourceQuota small has {left} pods left, and the release needs 3")
            assert step_of(live) == "Preflight"
            assert "deadline" not in live["status"]["release"]
            assert condition(live, "Stalled")["status"] == "False"
            assert condition(live, "Available")["status"] == "True"
            assert await pods_of(run, "green") == []
            await limit(run, 5)
            await run.kube.until("HardenedService", "web", run.namespace, is_ready, within=60)
            assert leads_to("green")(await run.kube.get("Service", "web", run.namespace))

    asyncio.run(all_of_it())


def test_a_release_waits_for_no_dependency_that_serves_though_its_newest_version_was_rejected(local: LocalCluster, tmp_path: Path) -> None:
    def named(name: str, manifest: Body) -> Body:
        return {**manifest, "metadata": {**manifest["metadata"], "name": name}}

    def is_rejected(live: Body | None) -> bool:
        return ready_reason("Rejected")(live) and condition(live, "Available")["status"] == "True"

    async def all_of_it() -> None:
        async with running(local.kubeconfig, tmp_path, name="depends") as run:
            await serve(run, named("stock", released(run.namespace, "v1")))
            never = {"name": "smoke", "http": {"path": "/", "expectBody": "another", "count": 1}}
            bad = named("stock", released(run.namespace, "v2", verify={"beforeCutover": [never]}))
            await run.kube.apply(bad)
            await run.kube.until("HardenedService", "stock", run.namespace, is_rejected, within=60)
            await serve(run, released(run.namespace, "v1", dependsOn=[{"service": "stock"}]))
            assert is_rejected(await run.kube.get("HardenedService", "stock", run.namespace))

    asyncio.run(all_of_it())


def test_a_release_stalls_until_the_config_map_and_the_key_that_it_names_are_there(local: LocalCluster, tmp_path: Path) -> None:
    async def all_of_it() -> None:
        async with running(local.kubeconfig, tmp_path, name="config") as run:
            manifest = released(run.namespace, "v1", env=[{"name": "LINGER", "value": "0"}, LEVEL])
            await run.kube.apply(manifest)
            live = await until_reason(run, "ConfigMissing", "ConfigMap settings does not exist")
            assert condition(live, "Stalled")["status"] == "False", "it may be made a moment later"
            assert step_of(live) == "Preflight"
            await run.kube.until("HardenedService", "web", run.namespace, is_stalled, within=90)
            assert await run.kube.get("Deployment", "web-blue", run.namespace) is None
            meta = {"name": "settings", "namespace": run.namespace}
            settings = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"other": "x"}}
            await run.kube.create(settings)
            live = await until_reason(run, "ConfigMissing", "ConfigMap settings has no key level")
            assert condition(live, "Stalled")["status"] == "True"
            await run.kube.patch("ConfigMap", "settings", run.namespace, {"data": {"level": "info"}})
            found, _ = await run.kube.until("HardenedService", "web", run.namespace, is_ready, within=60)
            assert condition(found, "Stalled")["status"] == "False"

    asyncio.run(all_of_it())


def test_pods_that_no_node_takes_are_waited_for_and_nothing_is_rejected(local: LocalCluster, tmp_path: Path) -> None:
    async def all_of_it() -> None:
        async with running(local.kubeconfig, tmp_path, name="room") as run:
            terms = {**TERMS["release"], "progressDeadline": "10s"}
            await serve(run, released(run.namespace, "v1"))
            await run.kube.apply(released(run.namespace, "v2", resources=HUGE, release=terms))
            await until_reason(run, "Unschedulable", "Preview: ", "waits for room")
            await asyncio.sleep(20)  # twice the deadline, which does not run
            live = await run.kube.get("HardenedService", "web", run.namespace)
            assert live
            assert step_of(live) == "Preview"
            assert "deadline" not in live["status"]["release"]
            assert condition(live, "Stalled")["status"] == "False"
            assert condition(live, "Available")["status"] == "True"
            assert leads_to("blue")(await run.kube.get("Service", "web", run.namespace))
            await serve(run, released(run.namespace, "v2"))

    asyncio.run(all_of_it())
