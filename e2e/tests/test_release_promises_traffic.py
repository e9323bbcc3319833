"""What clients are promised while versions change: enough pods, a way back, no mixture, and one writer. See docs/promises.md."""

from __future__ import annotations

import asyncio
import functools
import uuid
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import pytest

from e2e.actions import ask, phase_of
from e2e.cluster.local.cluster import LocalCluster
from e2e.faults import Fault, Hold, Where
from e2e.figures import figures
from e2e.invariants import LATENESS, InvariantMonitor, watching
from e2e.kube import KINDS, Body, Kube, is_ready
from e2e.release_flow import REPLACED, ROLLED_BACK, ROLLED_BACK_BY_HAND
from e2e.release_run import Stage, run_clean
from e2e.releases import end, leads_to, pods_of, released, slow, until_no_release, until_step
from e2e.rig import Run, running, serve
from e2e.sweep import Outcome, gather_limited
from e2e.traffic import sending

RATE = 100
#: Seconds after the confirmed cutover from which on the previous version is asked by nobody: kube-proxy says nothing of what it has done.
PROXIES_S = 2.0

pytestmark = [pytest.mark.cluster, pytest.mark.sampled(1), pytest.mark.usefixtures("rights")]


def test_traffic_always_leads_to_enough_ready_pods_and_what_it_left_is_kept_for_its_time(local: LocalCluster, tmp_path: Path) -> None:
    """A release, one that is rolled back, and a rollback by hand, side by side."""

    async def all_of_it() -> list[Outcome | BaseException]:
        async with Kube(local.kubeconfig) as kube:
            stage = Stage(local, kube, tmp_path)
            flows = (REPLACED, ROLLED_BACK, ROLLED_BACK_BY_HAND)
            return await gather_limited(len(flows), [functools.partial(run_clean, stage, flow) for flow in flows])

    for outcome in asyncio.run(all_of_it()):
        assert not isinstance(outcome, BaseException), outcome
        assert outcome.wrongs == ()


def test_a_rollback_depends_on_its_target_alone_and_brings_it_up_first(local: LocalCluster, tmp_path: Path) -> None:
    def has_no_pods(live: Body | None) -> bool:
        return live is not None and not (live.get("status") or {}).get("availableReplicas")

    async def all_of_it() -> None:
        async with running(local.kubeconfig, tmp_path, name="target") as run:
            await serve(run, released(run.namespace, "v1"))
            await serve(run, released(run.namespace, "v2"))
            await until_no_release(run)
            await run.kube.until("Deployment", "web-blue", run.namespace, has_no_pods, within=30)
            await end(local, run, await pods_of(run, "green"), "hanging")
            await run.kube.until("Deployment", "web-green", run.namespace, has_no_pods, within=60)
            async with watching(run) as monitor:
                done = await ask(run, "Rollback", within=60)
                await until_no_release(run)
            wrongs = monitor.wrongs(replicas=2, keep={"web-green": 5})
            assert phase_of(done) == "Succeeded", done["status"]
            assert monitor.selected == ("green", "blue")
            # What is broken is broken; what traffic was led to was up before. Nobody else serves, so that its first ready pod is enough.
            first = "web-blue serves with 1 available pods of 2"
            assert [wrong for wrong in wrongs if wrong != first and not wrong.startswith("web-green serves with ")] == []

    asyncio.run(all_of_it())


def led_at(monitor: InvariantMonitor, color: str) -> float:
    """When the clients' Service was first heard to lead to a colour, on the monotonic clock."""
    services = [c for c in monitor.changes if (c.body["kind"], c.body["metadata"]["name"]) == ("Service", "web")]
    return next(change.at for change in services if leads_to(color)(change.body))


def test_no_version_is_asked_before_traffic_is_led_to_it_nor_after_it_was_led_away(local: LocalCluster, tmp_path: Path) -> None:
    async def all_of_it() -> None:
        async with running(local.kubeconfig, tmp_path, name="mixed") as run:
            await serve(run, released(run.namespace, "v1"))
            async with watching(run) as monitor, sending(local, run.kube, run.namespace, rate=RATE) as under_way:
                await run.kube.apply(slow(run.namespace, "v2"))  # its pods are ready long before traffic is led to them
                await until_step(run, "VerifyAfter", within=90)
                confirmed = asyncio.get_running_loop().time()
                await run.kube.until("HardenedService", "web", run.namespace, is_ready, within=60)
            sent, switched = under_way.sent, led_at(monitor, "green")
            first = sent.began + float(sent.versions["v2"]["first"])
            figures("versions around a cutover", first_after_s=first - switched, last_after_s=sent.last_of("v1") - confirmed)
            assert set(sent.versions) == {"v1", "v2"}
            assert first >= switched - LATENESS
            assert sent.last_of("v1") <= confirmed + PROXIES_S
            assert sent.failed == 0

    asyncio.run(all_of_it())


async def touch(run: Run, kind: str, name: str) -> None:
    """A change that nobody has to set back, so that the object is not any more as it was when something was decided on it."""
    await run.kube.patch(kind, name, run.namespace, {"metadata": {"annotations": {"example.com/touched": uuid.uuid4().hex}}})


async def refused_if_late(run: Run, kind: str, name: str, cause: Awaitable[Any] | None = None) -> None:
    """The next write of this object arrives when the object has changed: it is refused, and decided anew. cause: what leads to it."""
    hold, since = Hold(), len(run.proxy.calls)
    run.proxy.inject(Fault(Where(verb="apply", resource=KINDS[kind][1], name=name), hold))
    if cause:
        await cause
    await asyncio.wait_for(hold.reached.wait(), 60)
    await touch(run, kind, name)
    hold.release.set()
    (late,) = await run.proxy.until(lambda call: bool(call.fault) and call.index >= since and call.finished is not None)
    run.proxy.clear()
    assert late.upstream_code == 409, f"{name} was written on what was known before"


def test_no_write_of_the_switch_and_none_that_takes_pods_away_counts_once_its_object_has_changed(
    local: LocalCluster, tmp_path: Path
) -> None:
    async def all_of_it() -> None:
        async with running(local.kubeconfig, tmp_path, name="fence") as run:
            await serve(run, released(run.namespace, "v1"))
            drift = run.kube.patch("Service", "web", run.namespace, {"spec": {"sessionAffinity": "ClientIP"}})
            await refused_if_late(run, "Service", "web", drift)  # a repair
            await run.kube.until("Service", "web", run.namespace, lambda s: bool(s and s["spec"]["sessionAffinity"] == "None"), within=10)
            await refused_if_late(run, "Service", "web", run.kube.apply(released(run.namespace, "v2")))  # the flip
            await run.kube.until("HardenedService", "web", run.namespace, is_ready, within=60)
            await refused_if_late(run, "Deployment", "web-blue")  # the removal of the previous stack
            await until_no_release(run)
            await run.kube.until("Deployment", "web-blue", run.namespace, lambda d: bool(d and not d["spec"]["replicas"]), within=30)
            assert leads_to("green")(await run.kube.get("Service", "web", run.namespace))
            assert not run.operator.exits

    asyncio.run(all_of_it())
