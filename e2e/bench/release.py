"""How long a new version takes until it has all traffic, beside a bare Deployment's rolling update; and how long the way back takes."""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from e2e.actions import action, phase_of, until_over
from e2e.audit import Since
from e2e.bench.bench_site import BenchSite
from e2e.bench.manifests import REAL, bare, service
from e2e.bench.moments import moments, until_none
from e2e.bench.operators import operator
from e2e.bench.report import Figure
from e2e.cluster import ClusterError
from e2e.kube import Body, Kube, is_ready
from e2e.releases import leads_to, step_of
from e2e.rig import fresh_namespace
from e2e.traffic import sending

REPLICAS = 3
RUNS, QUICK_RUNS = 10, 3
#: Requests a second, each on a connection of its own: they tell when the last one was answered by the version before.
RATE = 100
#: Seconds for one part of a run, and those that requests go on once all is switched, since proxies follow after the API server.
WITHIN_S, AFTER_S = 120, 2.0
#: No checks, and the shortest window: it lies behind the cutover, and is not counted.
TERMS: Body = {
    "release": {"strategy": "BlueGreen", "keepPrevious": "30s"},
    "verify": {"afterCutover": {"window": "1s"}},
    "shutdown": {"drainSeconds": 5, "graceSeconds": 15},
}


@dataclass
class ReleaseTimes:
    """Seconds. released, rolled: from sending the apply until the last request was sent that the version before answered, of the service
    and of the bare Deployment; flipped: from sending a rollback until its Service was seen to lead back; left: until the last request was
    sent that the bad version answered. writes: of the operator, from an apply until nothing of the release was left to do."""

    released: list[float] = field(default_factory=list)
    rolled: list[float] = field(default_factory=list)
    flipped: list[float] = field(default_factory=list)
    left: list[float] = field(default_factory=list)
    writes: int = 0


def run(site: BenchSite, *, quick: bool) -> list[Figure]:
    """Alternating, so that whatever else the machine does meets both alike."""
    return figures(asyncio.run(_measure(site, QUICK_RUNS if quick else RUNS)))


def figures(taken: ReleaseTimes) -> list[Figure]:
    """The medians with their goals; of the way back, which is for bad days, also the worst."""
    released_s, rolled_s = median(taken.released), median(taken.rolled)
    of = f"median of {len(taken.released)}"
    flipped = [1000 * seconds for seconds in taken.flipped]
    return [
        Figure(f"BlueGreen, {REPLICAS} pods: apply → all traffic on the new version, {of}", released_s, "s", note=_spread(taken.released)),
        Figure("bare Deployment, rolling update: the same", rolled_s, "s", note=_spread(taken.rolled)),
        Figure("ratio of a release to the bare Deployment", released_s / rolled_s, "", 1.1),
        Figure(f"rollback by hand: asked for → Service leads back, {of}", median(flipped), "ms", 100),
        Figure("the same: the worst", max(flipped), "ms", 300),
        Figure("rollback by hand: asked for → last new connection to the bad version, worst", max(taken.left), "s", 1),
        Figure("API writes of a release, until the previous pods are gone", taken.writes, ""),
    ]


def _spread(seconds: list[float]) -> str:
    return f"{min(seconds):.1f} to {max(seconds):.1f} s"


async def _measure(site: BenchSite, runs: int) -> ReleaseTimes:
    taken = ReleaseTimes()
    async with Kube(site.kubeconfig) as kube, fresh_namespace(kube, "release") as namespace:
        by = await kube.username()
        async with operator(kube, site.kubeconfig, site.folder, namespace) as running:
            await running.until_healthy()
            one = functools.partial(_pair, site, kube, namespace, by)
            await one("warm-up", (_service, _bare), ReleaseTimes())
            for number in range(runs):
                await one(str(number), (_service, _bare) if number % 2 else (_bare, _service), taken)
            taken.writes = await _writes(site, kube, namespace)
        return taken


ReleaseOnce = Callable[[BenchSite, Kube, str, str, str, ReleaseTimes], Awaitable[None]]


async def _pair(
    site: BenchSite, kube: Kube, namespace: str, by: str, suffix: str, order: tuple[ReleaseOnce, ...], taken: ReleaseTimes
) -> None:
    for one in order:
        await one(site, kube, namespace, by, suffix, taken)
        await until_none(kube, "Pod", namespace, within=WITHIN_S)


def _version(name: str, namespace: str, version: str) -> Body:
    image = f"docker.io/hardened/web-static:{version}"
    return service(name, namespace, scheduling=REAL, replicas=REPLICAS, image=image, **TERMS)


async def _ready(kube: Kube, manifest: Body) -> None:
    meta = manifest["metadata"]
    await kube.until("HardenedService", meta["name"], meta["namespace"], is_ready, within=WITHIN_S)


async def _service(site: BenchSite, kube: Kube, namespace: str, by: str, suffix: str, taken: ReleaseTimes) -> None:
    """A release and, with the previous stack up, its rollback."""
    name = f"hardened-{suffix}"
    first, second = (_version(name, namespace, version) for version in ("v1", "v2"))
    await kube.apply(first)
    await _ready(kube, first)
    async with sending(site.local, kube, namespace, rate=RATE, name=name) as forth:
        begun = time.monotonic()
        await kube.apply(second)
        await _ready(kube, second)
        await asyncio.sleep(AFTER_S)
    taken.released.append(forth.sent.last_of("v1") - begun)
    back = action(namespace, "Rollback", by=by, service=name)
    async with (
        sending(site.local, kube, namespace, rate=RATE, name=name) as under_way,
        moments(kube, "Service", namespace, leads_to("blue")) as led_back,
    ):
        await asyncio.sleep(AFTER_S)  # what the bad version answers before
        asked = time.monotonic()
        await kube.create(back)
        taken.flipped.append(await led_back.until([name], within=WITHIN_S) - asked)
        done = await until_over(kube, back, within=WITHIN_S)
        await asyncio.sleep(AFTER_S)
    taken.left.append(under_way.sent.last_of("v2") - asked)
    if phase_of(done) != "Succeeded":
        raise ClusterError(f"the rollback of {name} is {done['status']}")
    await kube.delete("HardenedService", name, namespace)


async def _bare(site: BenchSite, kube: Kube, namespace: str, _: str, suffix: str, taken: ReleaseTimes) -> None:
    """A rolling update of a Deployment of the same pods, behind a Service."""
    name = f"bare-{suffix}"
    (first, account), (second, _account) = (bare(_version(name, namespace, version)) for version in ("v1", "v2"))
    for manifest in (account, _bare_service(name, namespace, first), first):
        await kube.apply(manifest)
    await kube.until("Deployment", first["metadata"]["name"], namespace, _is_rolled_out, within=WITHIN_S)
    async with sending(site.local, kube, namespace, rate=RATE, name=name) as under_way:
        begun = time.monotonic()
        await kube.apply(second)
        await kube.until("Deployment", second["metadata"]["name"], namespace, _is_rolled_out, within=WITHIN_S)
        await asyncio.sleep(AFTER_S)
    taken.rolled.append(under_way.sent.last_of("v1") - begun)
    for kind, called in (("Deployment", first["metadata"]["name"]), ("Service", name)):
        await kube.delete(kind, called, namespace)


def _bare_service(name: str, namespace: str, deployment: Body) -> Body:
    ports: list[dict[str, Any]] = [{"name": "http", "port": 80, "targetPort": "http"}]
    spec = {"selector": deployment["spec"]["selector"]["matchLabels"], "ports": ports}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": namespace}, "spec": spec}


def _is_rolled_out(live: Body | None) -> bool:
    """All pods are of the last spec, and available, and no other is left."""
    if live is None:
        return False
    status, wanted = live.get("status") or {}, live["spec"]["replicas"]
    counts = [int(status.get(name, 0)) for name in ("replicas", "updatedReplicas", "availableReplicas")]
    return int(status.get("observedGeneration", 0)) >= int(live["metadata"]["generation"]) and counts == [wanted] * 3


async def _writes(site: BenchSite, kube: Kube, namespace: str) -> int:
    """Of one release that is let come to its end."""
    first, second = (_version("whole", namespace, version) for version in ("v1", "v2"))
    await kube.apply(first)
    await _ready(kube, first)
    since = Since(site.local.audit_log)
    await kube.apply(second)
    await _ready(kube, second)
    await kube.until("HardenedService", "whole", namespace, lambda live: not step_of(live) and is_ready(live), within=WITHIN_S)
    await kube.until("Deployment", "whole-blue", namespace, lambda live: live is not None and not live["spec"]["replicas"], within=WITHIN_S)
    await asyncio.sleep(AFTER_S)  # the last status
    return since.writes()
