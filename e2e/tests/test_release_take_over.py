"""When traffic is led over: to no fewer pods than serve, by hand to what there is, and by itself only while the spec says so."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from e2e.actions import ask, phase_of
from e2e.cluster.local.cluster import LocalCluster
from e2e.figures import figures
from e2e.invariants import InvariantMonitor, watching
from e2e.kube import Body, condition, is_ready
from e2e.releases import TERMS, end, leads_to, pods_of, released, scale, serving_color, slow, step_of, unsized, until_led_to, until_step
from e2e.rig import MERCY, Run, running, serve

#: Seconds until traffic is led back to pods that are ready.
AT_ONCE_S = 1.0

pytestmark = [pytest.mark.cluster, pytest.mark.sampled(1), pytest.mark.usefixtures("rights")]


async def until_ready_pods(run: Run, color: str, count: int, *, within: float = 60) -> None:
    """Waits until a stack has just so many ready pods."""

    def has(live: Body | None) -> bool:
        return live is not None and (live.get("status") or {}).get("readyReplicas", 0) == count

    await run.kube.until("Deployment", f"web-{color}", run.namespace, has, within=within)


# ---- by hand


async def leave_room_for(run: Run, pods: int) -> None:
    """A quota of so many pods, counted. What is there already stays."""
    meta = {"name": "full", "namespace": run.namespace}
    await run.kube.create({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": meta, "spec": {"hard": {"pods": str(pods)}}})
    await run.kube.until("ResourceQuota", "full", run.namespace, lambda q: bool(q and (q.get("status") or {}).get("used")), within=30)


def test_a_rollback_to_a_stack_that_lost_a_pod_flips_at_once_where_nobody_else_serves(local: LocalCluster, tmp_path: Path) -> None:
    terms: dict[str, Any] = {"replicas": 3, "release": {**TERMS["release"], "keepPrevious": "10m"}}

    async def all_of_it() -> None:
        async with running(local.kubeconfig, tmp_path, name="lame") as run:
            await serve(run, released(run.namespace, "v1", **terms))
            await serve(run, released(run.namespace, "v2", **terms))
            await leave_room_for(run, 5)  # of the six that there are
            lost, *_ = await pods_of(run, "blue")
            await run.kube.delete("Pod", lost["metadata"]["name"], run.namespace)
            await end(local, run, await pods_of(run, "green"), "hanging")
            await until_ready_pods(run, "green", 0)
            await until_ready_pods(run, "blue", 2)
            async with watching(run) as monitor:
                back = asyncio.create_task(until_led_to(run, "blue", within=60))
                done = await ask(run, "Rollback")
                seconds = await back
                # What was left goes. When the third pod of blue comes in its room is up to the back-off of the ReplicaSet's controller.
                await run.kube.until("Deployment", "web-green", run.namespace, lambda d: bool(d and d["spec"]["replicas"] == 0), within=60)
            figures("a rollback to two of three pods", seconds=seconds)
            assert phase_of(done) == "Succeeded", done["status"]
            assert seconds <= MERCY * AT_ONCE_S
            assert monitor.selected == ("green", "blue")
            blue = [change.body for change in monitor.changes if change.body["metadata"]["name"] == "web-blue"]
            assert {body["spec"]["replicas"] for body in blue} == {3}, "what is gone back to is never taken down"
            live = await run.kube.get("HardenedService", "web", run.namespace)
            assert condition(live, "Available")["status"] == "True"

    asyncio.run(all_of_it())


# ---- after scaling


def ready_at_the_switch(monitor: InvariantMonitor) -> tuple[int, int]:
    """How many pods of blue, and of green, were ready when traffic was led from the one to the other."""
    ready = {body["metadata"]["name"]: _ready(body) for body in monitor.first if body["kind"] == "Deployment"}
    for change in sorted(monitor.changes, key=lambda change: change.version):
        if change.body["kind"] == "Deployment":
            ready[change.body["metadata"]["name"]] = _ready(change.body)
        elif change.body["metadata"]["name"] == "web" and leads_to("green")(change.body):
            return ready["web-blue"], ready["web-green"]
    raise AssertionError("traffic was never led to green")


def _ready(deployment: Body) -> int:
    return int((deployment.get("status") or {}).get("readyReplicas", 0))


def test_traffic_is_led_to_no_fewer_pods_than_serve_though_they_became_more_meanwhile(local: LocalCluster, tmp_path: Path) -> None:
    more = 5

    async def all_of_it() -> None:
        async with running(local.kubeconfig, tmp_path, name="more") as run:
            await serve(run, unsized(released(run.namespace, "v1")))
            async with watching(run) as monitor:
                await run.kube.apply(unsized(slow(run.namespace, "v2")))  # its pods take longer to come up
                await until_step(run, "ScaleUp")
                await scale(run, more)
                await until_step(run, "VerifyAfter", within=60)
            before, after = ready_at_the_switch(monitor)
            figures("pods at a cutover after scaling", before=before, after=after)
            assert before == more, "they came in time, or nothing is shown here"
            assert after >= before

    asyncio.run(all_of_it())


# ---- by itself


def test_what_is_not_to_be_promoted_by_itself_any_more_waits_for_somebody(local: LocalCluster, tmp_path: Path) -> None:
    def approved(namespace: str, **after: str) -> Body:
        terms = {**TERMS["release"], "promotion": "Manual", **after}
        return released(namespace, "v2", release=terms)

    async def all_of_it() -> None:
        async with running(local.kubeconfig, tmp_path, name="approval") as run:
            await serve(run, released(run.namespace, "v1"))
            await run.kube.apply(approved(run.namespace, autoPromoteAfter="8s"))
            await until_step(run, "Approval")
            await run.kube.apply(approved(run.namespace))
            await asyncio.sleep(12)  # longer than it was to wait
            live = await run.kube.get("HardenedService", "web", run.namespace)
            assert (step_of(live), serving_color(live)) == ("Approval", "blue")
            assert leads_to("blue")(await run.kube.get("Service", "web", run.namespace))
            await run.kube.apply(approved(run.namespace, autoPromoteAfter="10s"))  # which have passed since it began to wait
            await until_led_to(run, "green", within=10)
            live, _ = await run.kube.until("HardenedService", "web", run.namespace, is_ready, within=60)
            assert serving_color(live) == "green"

    asyncio.run(all_of_it())
