"""Many services: how long they take to be ready, to be looked at by an operator that was started anew, and what they cost at rest."""

from __future__ import annotations

import asyncio
import functools
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from e2e.audit import WRITES, Since
from e2e.bench.bench_site import KWOK_NODES, BenchSite
from e2e.bench.manifests import PLAYED, service
from e2e.bench.moments import moments
from e2e.bench.operators import Running, looked_at, operator
from e2e.bench.report import Figure
from e2e.kube import Kube, is_ready
from e2e.rig import fresh_namespace
from e2e.sweep import gather_limited

SIZES, QUICK_SIZES = (1, 100, 1000), (1, 100)
REST_S, QUICK_REST_S = 120.0, 30.0
#: Services that are applied at the same time: enough that the one who applies them is never who is waited for.
AT_ONCE = 40
#: Seconds for all to be ready, for the operator to come to rest, for one that was started anew, and for a namespace to go.
READY_S, SETTLE_S, RESTART_S, GONE_S = 900.0, 120.0, 120.0, 600.0
#: Seconds without a write that count as settled.
QUIET_S = 5.0

#: Of the names of their namespaces.
PREFIX = "fleet"

Calls = Counter[tuple[str, str]]


@dataclass(frozen=True)
class Fleet:
    """What was measured with `size` services. Seconds, megabytes, and numbers of requests.

    applied_s: until the last was sent; restart_writes, rest_writes: of the operator, by the audit log; rest_s: how long the rest was.
    """

    size: int
    applied_s: float
    ready_s: float
    ready_cpu_s: float
    peak_mb: float
    calls: Calls
    restart_s: float
    restart_cpu_s: float
    restart_writes: int
    rest_s: float
    rest_writes: int
    rest_cpu_s: float
    rest_mb: float


def run(site: BenchSite, *, quick: bool) -> list[Figure]:
    """One size after the other, each in a namespace of its own."""
    site.local.add_kwok_nodes(KWOK_NODES)
    found = []
    for size in QUICK_SIZES if quick else SIZES:
        found += figures(asyncio.run(_measure(site, size, QUICK_REST_S if quick else REST_S)))
    return found


def figures(fleet: Fleet) -> list[Figure]:
    """With the goals that are set for the full size; memory and silence are wanted at each."""
    of, is_full = f"{fleet.size:,} service{'s' if fleet.size > 1 else ''}", fleet.size >= SIZES[-1]
    writes = sum(count for (verb, _), count in fleet.calls.items() if verb in WRITES)
    per = f"{(fleet.calls.total() - writes) / fleet.size:.1f} reads and {writes / fleet.size:.1f} writes a service"
    hourly, seen = fleet.rest_writes * 3600 / fleet.rest_s, f"{fleet.rest_writes} in {fleet.rest_s:.0f} s"
    return [
        Figure(f"{of}: applied → all Ready", fleet.ready_s, "s", 120 if is_full else None, f"applied in {fleet.applied_s:.1f} s; {per}"),
        Figure(f"{of}: the operator's CPU for that", fleet.ready_cpu_s, "s", note=f"at most {fleet.peak_mb:.0f} MB"),
        Figure(
            f"{of}: operator started → all looked at", fleet.restart_s, "s", 10 if is_full else None, f"{fleet.restart_cpu_s:.1f} s of CPU"
        ),
        Figure(f"{of}: writes at that start", fleet.restart_writes, "", 0),
        Figure(f"{of}: writes an hour at rest", hourly, "", 0, seen),
        Figure(f"{of}: operator's CPU at rest", 100 * fleet.rest_cpu_s / fleet.rest_s, "% of a core"),
        Figure(f"{of}: operator's memory at rest", fleet.rest_mb, "MB", 120),
    ]


async def _measure(site: BenchSite, size: int, rest_s: float) -> Fleet:
    async with Kube(site.kubeconfig) as kube:
        await _until_gone(kube)
        async with fresh_namespace(kube, f"{PREFIX}{size}") as namespace:
            run_operator = functools.partial(operator, kube, site.kubeconfig, site.folder, namespace)
            async with run_operator() as running:
                created = await _create(site, kube, running, namespace, size)
            since = Since(site.local.audit_log)
            async with run_operator() as running:
                restart_s = await running.until(looked_at(size), within=RESTART_S)
                restart_cpu_s = running.usage.cpu_s
                await running.until_idle(within=SETTLE_S)
                restart_writes = since.writes()
                rest = Since(site.local.audit_log)
                before = running.usage
                await asyncio.sleep(rest_s)
                after = running.usage
                at_rest = (rest_s, rest.writes(), after.cpu_s - before.cpu_s, after.rss_mb)
    return Fleet(size, *created, restart_s, restart_cpu_s, restart_writes, *at_rest)


async def _until_gone(kube: Kube) -> None:
    """The deletion of an earlier fleet, which takes minutes, would disturb the next one."""
    for namespace in await kube.list("Namespace"):
        name = namespace["metadata"]["name"]
        if name.startswith(PREFIX):
            await kube.until("Namespace", name, None, lambda live: live is None, within=GONE_S)


async def _create(site: BenchSite, kube: Kube, running: Running, namespace: str, size: int) -> tuple[float, float, float, float, Calls]:
    await running.until_healthy()
    names = [f"web-{number}" for number in range(size)]
    jobs: list[Callable[[], Awaitable[Any]]] = [
        functools.partial(kube.apply, service(name, namespace, scheduling=PLAYED)) for name in names
    ]
    since, cpu_s = Since(site.local.audit_log), running.usage.cpu_s
    async with moments(kube, "HardenedService", namespace, is_ready) as ready:
        begun = time.monotonic()
        for result in await gather_limited(AT_ONCE, jobs):
            if isinstance(result, BaseException):
                raise result
        applied_s = time.monotonic() - begun
        ready_s = await ready.until(names, within=READY_S) - begun
    await running.until_settled(QUIET_S, within=SETTLE_S)
    used = running.usage
    return applied_s, ready_s, used.cpu_s - cpu_s, used.peak_mb, since.calls()
