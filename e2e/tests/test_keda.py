"""A service on a cluster with a real KEDA: it is scaled by a number of Prometheus, and there are never two autoscalers."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from e2e.cluster.local.cluster import LocalCluster
from e2e.figures import figures
from e2e.keda import Prometheus, installed
from e2e.kube import Body
from e2e.releases import released, unsized
from e2e.rig import Run, running, serve
from e2e.scaling import AT_ONCE, QUIET_RATE, REQUESTED, SCALED_WITHIN, failures, is_asked_for, until_sized
from e2e.traffic import load, sending

#: What one pod should take of the number, and the query that asks for it.
TARGET, QUERY = 100, 'sum(rate(requests{namespace="$(namespace)"}[1m]))'
#: Seconds for one autoscaler to go and for the other to come; KEDA makes its own within a moment.
SWITCHED_WITHIN = 60.0
BEHAVIOR = {"scaleUp": AT_ONCE, "scaleDown": AT_ONCE}
CPU = {"minReplicas": 1, "maxReplicas": 4, "cpu": 80, "behavior": BEHAVIOR}
NUMBER = {"minReplicas": 1, "maxReplicas": 4, "prometheus": [{"query": QUERY, "target": TARGET}], "behavior": BEHAVIOR}

pytestmark = [pytest.mark.cluster, pytest.mark.full, pytest.mark.usefixtures("rights")]


class Watched:
    """Who scales, at each change: fails where that are two."""

    def __init__(self) -> None:
        self.there: set[str] = set()
        self.history: list[frozenset[str]] = []

    def saw(self, kind: str, event: str, live: Body) -> None:
        this = f"{kind} {live['metadata']['name']}"
        self.there = self.there - {this} if event == "DELETED" else self.there | {this}
        if not self.history or self.history[-1] != self.there:
            self.history.append(frozenset(self.there))

    @property
    def wrong(self) -> list[frozenset[str]]:
        """Where there were two autoscalers, or ours beside a ScaledObject."""
        ours = "HorizontalPodAutoscaler web"
        return [
            each for each in self.history if len({name for name in each if "Autoscaler" in name}) > 1 or (ours in each and len(each) > 1)
        ]


@contextlib.asynccontextmanager
async def watching(run: Run) -> AsyncIterator[Watched]:
    """Watches both kinds from now on, from one state of the cluster."""
    found = Watched()
    version = (await run.kube.call("GET", "api/v1/namespaces"))["metadata"]["resourceVersion"]

    async def watch(kind: str) -> None:
        async for event in run.kube.watch(kind, run.namespace, version):
            found.saw(kind, event["type"], event["object"])

    tasks = [asyncio.create_task(watch(kind)) for kind in ("HorizontalPodAutoscaler", "ScaledObject")]
    try:
        yield found
    finally:
        assert not any(task.done() for task in tasks), "a watch has ended, and nobody would have seen two"
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def is_told(reason: str, kind: str | None) -> Callable[[Body | None], bool]:
    """Whether the service says that it is so, and what scales it."""

    def holds(live: Body | None) -> bool:
        told = ((live or {}).get("status") or {}).get("autoscale") or {}
        return (told.get("reason"), told.get("kind")) == (reason, kind)

    return holds


async def until_told(run: Run, reason: str, kind: str | None, *, within: float = SWITCHED_WITHIN) -> float:
    _, seconds = await run.kube.until("HardenedService", "web", run.namespace, is_told(reason, kind), within=within)
    return seconds


async def scale_by(run: Run, autoscale: Body | None) -> None:
    """Another wish, and nothing left of the one before."""
    nothing = dict.fromkeys(("cpu", "prometheus"))
    await run.kube.patch("HardenedService", "web", run.namespace, {"spec": {"autoscale": autoscale and {**nothing, **autoscale}}})


async def is_there(run: Run, kind: str, name: str, *, wanted: bool) -> float:
    _, seconds = await run.kube.until(kind, name, run.namespace, lambda live: (live is not None) is wanted, within=SWITCHED_WITHIN)
    return seconds


def test_from_one_autoscaler_to_the_other_and_back_under_load_there_are_never_two(local: LocalCluster, tmp_path: Path) -> None:
    async def all_of_it() -> None:
        with Prometheus(local, tmp_path, 50) as prometheus:
            async with running(local.kubeconfig, tmp_path, settings={"HARDENED_PROMETHEUS_URL": prometheus.url}, name="keda") as run:
                await serve(run, unsized(released(run.namespace, "v1", resources=REQUESTED, autoscale={**CPU, **NUMBER})))
                await until_told(run, "NoKEDA", None, within=90)
                await scale_by(run, CPU)
                async with installed(local, run.kube):
                    await there_and_back(run, local, prometheus)

    asyncio.run(all_of_it())


async def there_and_back(run: Run, local: LocalCluster, prometheus: Prometheus) -> None:
    async with (
        watching(run) as watched,
        sending(local, run.kube, run.namespace, rate=QUIET_RATE) as quiet,
        load(local, run.kube, run.namespace, rate=QUIET_RATE) as under_way,
    ):
        await scale_by(run, NUMBER)
        to_keda = await is_there(run, "HorizontalPodAutoscaler", "keda-hpa-web", wanted=True)
        prometheus.number = 250
        _, grew_in = await until_sized(run, lambda size: size == 3)
        assert prometheus.asked == {QUERY.replace("$(namespace)", run.namespace)}
        await until_told(run, "Active", "ScaledObject")
        # No number is no reason to remove pods.
        prometheus.number = None
        await until_told(run, "Fallback", "ScaledObject", within=150)
        assert (await size_of(run)) == 3
        prometheus.number = 250
        await until_told(run, "Active", "ScaledObject", within=150)
        await suspended(run, prometheus)
        _, shrank_in = await until_sized(run, lambda size: size == 1)
        await scale_by(run, CPU)
        to_ours = await is_there(run, "HorizontalPodAutoscaler", "web", wanted=True)
        await until_told(run, "Active", None, within=SCALED_WITHIN)
        await scale_by(run, NUMBER)
        await is_there(run, "HorizontalPodAutoscaler", "keda-hpa-web", wanted=True)
        await scale_by(run, None)
        await is_there(run, "HorizontalPodAutoscaler", "keda-hpa-web", wanted=False)
        assert (await size_of(run)) == 1
    counts = failures(quiet, *under_way)
    figures("scaled by KEDA", to_keda=to_keda, grew_in=grew_in, shrank_in=shrank_in, to_ours=to_ours, states=len(watched.history), **counts)
    assert watched.wrong == []
    assert {"ScaledObject web", "HorizontalPodAutoscaler keda-hpa-web"} in watched.history
    assert watched.there == set()
    assert counts["failed"] == 0


async def suspended(run: Run, prometheus: Prometheus) -> None:
    """Nothing scales while the service is suspended, though the number asks for less; then it does."""
    await run.kube.patch("HardenedService", "web", run.namespace, {"spec": {"suspend": True}})
    await is_there(run, "HorizontalPodAutoscaler", "keda-hpa-web", wanted=False)
    prometheus.number = 10
    await until_told(run, "Suspended", "ScaledObject")
    with pytest.raises(AssertionError):
        await run.kube.until("HardenedService", "web", run.namespace, is_asked_for(lambda size: size != 3), within=30)
    await run.kube.patch("HardenedService", "web", run.namespace, {"spec": {"suspend": False}})


async def size_of(run: Run) -> int:
    live = await run.kube.get("HardenedService", "web", run.namespace)
    assert live
    return int(live["spec"]["replicas"])
