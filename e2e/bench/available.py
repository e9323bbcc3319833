"""How long a new service takes until it serves, beside a bare Deployment of the same pods."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from statistics import median

from e2e.bench.bench_site import BenchSite
from e2e.bench.manifests import REAL, bare, service
from e2e.bench.moments import moments, until_none
from e2e.bench.operators import operator
from e2e.bench.report import Figure
from e2e.kube import Body, Kube, is_ready
from e2e.rig import fresh_namespace

REPLICAS = 3
PAIRS, QUICK_PAIRS = 12, 4
#: Seconds for one run.
WITHIN_S = 120


@dataclass
class AvailableTimes:
    """Seconds from sending the apply: to the service's Ready, to its Deployment's last pod, and to that of the bare Deployment."""

    ready: list[float] = field(default_factory=list)
    made: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)


def run(site: BenchSite, *, quick: bool) -> list[Figure]:
    """Alternating pairs, so that whatever else the machine does meets both alike."""
    return figures(asyncio.run(_measure(site, QUICK_PAIRS if quick else PAIRS)))


def figures(taken: AvailableTimes) -> list[Figure]:
    """The medians, and their ratio."""
    service_s, bare_s = median(taken.ready), median(taken.bare)
    spread = f"{min(taken.ready):.1f} to {max(taken.ready):.1f} s"
    bare_spread = f"{min(taken.bare):.1f} to {max(taken.bare):.1f} s"
    return [
        Figure(f"HardenedService, {REPLICAS} pods: apply → Ready, median of {len(taken.ready)}", service_s, "s", note=spread),
        Figure(f"the same: apply → {REPLICAS} pods available", median(taken.made), "s"),
        Figure(f"bare Deployment: apply → {REPLICAS} pods available", bare_s, "s", note=bare_spread),
        Figure("ratio of Ready to the bare Deployment", service_s / bare_s, "", goal=1.2),
    ]


async def _measure(site: BenchSite, pairs: int) -> AvailableTimes:
    taken = AvailableTimes()
    async with Kube(site.kubeconfig) as kube, fresh_namespace(kube, "available") as namespace:
        async with operator(kube, site.kubeconfig, site.folder, namespace) as running:
            await running.until_healthy()
            await _pair(kube, namespace, "warm-up", (_service, _bare), AvailableTimes())
            for number in range(pairs):
                order = (_service, _bare) if number % 2 else (_bare, _service)
                await _pair(kube, namespace, str(number), order, taken)
        return taken


MakeAvailable = Callable[[Kube, str, str, AvailableTimes], Awaitable[None]]


async def _pair(kube: Kube, namespace: str, suffix: str, order: tuple[MakeAvailable, ...], taken: AvailableTimes) -> None:
    for one in order:
        await one(kube, namespace, suffix, taken)
        await until_none(kube, "Pod", namespace, within=WITHIN_S)


async def _service(kube: Kube, namespace: str, suffix: str, taken: AvailableTimes) -> None:
    name = f"hardened-{suffix}"
    manifest = service(name, namespace, scheduling=REAL, replicas=REPLICAS)
    async with (
        moments(kube, "HardenedService", namespace, is_ready) as ready,
        moments(kube, "Deployment", namespace, _is_available) as made,
    ):
        begun = time.monotonic()
        await kube.apply(manifest)
        taken.ready.append(await ready.until([name], within=WITHIN_S) - begun)
        taken.made.append(await made.until([f"{name}-blue"], within=WITHIN_S) - begun)
    await kube.delete("HardenedService", name, namespace)


async def _bare(kube: Kube, namespace: str, suffix: str, taken: AvailableTimes) -> None:
    deployment, account = bare(service(f"bare-{suffix}", namespace, scheduling=REAL, replicas=REPLICAS))
    await kube.apply(account)
    name = deployment["metadata"]["name"]
    async with moments(kube, "Deployment", namespace, _is_available) as made:
        begun = time.monotonic()
        await kube.apply(deployment)
        taken.bare.append(await made.until([name], within=WITHIN_S) - begun)
    await kube.delete("Deployment", name, namespace)


def _is_available(live: Body) -> bool:
    """Its controller has seen the spec, and has all pods of it."""
    status = live.get("status") or {}
    has_seen = int(status.get("observedGeneration", 0)) >= int(live["metadata"]["generation"])
    return has_seen and int(status.get("availableReplicas", 0)) >= REPLICAS
