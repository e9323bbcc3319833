"""The operator that is measured: a process of this machine with its own account's rights, and no proxy between it and the API server.

A process and not a pod, because memory and processor time are then read where the kernel counts them, and a start is a start.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from e2e.faults import Operator, Upstream
from e2e.faults.kubeconfig import write_kubeconfig
from e2e.kube import Kube, TooLate
from e2e.ports import free_port
from e2e.rig import ROOT, operator_token

_TICKS = os.sysconf("SC_CLK_TCK")
#: Seconds between two looks at the metrics: nobody tells that a figure has changed.
LOOK_S = 0.1
#: A process that used at most this share of a core over so many seconds is idle.
IDLE_SHARE, IDLE_S = 0.02, 3.0

Samples = dict[str, float]
"""Metric name -> the sum over its labels."""


@dataclass(frozen=True)
class Usage:
    """What a process has used. rss_mb, peak_mb: now, and at most so far; cpu_s: user and system time."""

    rss_mb: float
    peak_mb: float
    cpu_s: float


def usage(pid: int) -> Usage:
    """As the kernel counts it."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line)
    times = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    megabytes = {name: int(status[name].split()[0]) / 1024 for name in ("VmRSS", "VmHWM")}
    return Usage(megabytes["VmRSS"], megabytes["VmHWM"], (int(times[11]) + int(times[12])) / _TICKS)


@dataclass
class Running:
    """An operator process. began: when it was started, on the monotonic clock."""

    process: Operator
    session: aiohttp.ClientSession
    metrics_port: int
    health_port: int
    began: float

    @property
    def usage(self) -> Usage:
        return usage(self.process.pid)

    async def samples(self) -> Samples | None:
        """Its metrics, or None while it does not serve them yet."""
        try:
            async with self.session.get(f"http://127.0.0.1:{self.metrics_port}/metrics") as reply:
                text = await reply.text()
        except aiohttp.ClientError:
            return None
        found: Samples = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                found[sample.name] = found.get(sample.name, 0.0) + sample.value
        return found

    async def until_healthy(self, *, within: float = 60.0) -> None:
        """Waits until its probe answers well: from then on it hears of every change. Raises TooLate."""
        end = time.monotonic() + within
        while time.monotonic() < end:
            with contextlib.suppress(aiohttp.ClientError):
                async with self.session.get(f"http://127.0.0.1:{self.health_port}/readyz") as reply:
                    if reply.status == 200:
                        return
            await asyncio.sleep(LOOK_S)
        raise TooLate(f"waited {within:g} s for the operator's probe\n{self.process.log_tail()}")

    async def until_settled(self, quiet_s: float, *, within: float) -> None:
        """Waits until nothing waits in its queue and it has written nothing for so many seconds. Raises TooLate."""
        writes, since = -1.0, time.monotonic()

        def is_quiet(seen: Samples) -> bool:
            nonlocal writes, since
            now = seen.get("hardened_writes_total", 0.0)
            if now != writes or seen.get("hardened_queue_depth"):
                writes, since = now, time.monotonic()
            return time.monotonic() - since >= quiet_s

        await self.until(is_quiet, within=within)

    async def until_idle(self, *, within: float) -> None:
        """Waits until it uses next to no processor time: after a start the watches hear once more of all there is. Raises TooLate."""
        end = time.monotonic() + within
        while time.monotonic() < end:
            before = self.usage.cpu_s
            await asyncio.sleep(IDLE_S)
            if self.usage.cpu_s - before <= IDLE_SHARE * IDLE_S:
                return
        raise TooLate(f"waited {within:g} s for the operator to have nothing to do\n{self.process.log_tail()}")

    async def until(self, holds: Callable[[Samples], bool], *, within: float) -> float:
        """Waits until this is true of its metrics. The seconds since its start. Raises TooLate."""
        last: Samples | None = None
        end = time.monotonic() + within
        while time.monotonic() < end:
            last = await self.samples()
            if last is not None and holds(last):
                return time.monotonic() - self.began
            await asyncio.sleep(LOOK_S)
        raise TooLate(f"waited {within:g} s for the operator; its metrics are\n{last}\n{self.process.log_tail()}")


def looked_at(count: int) -> Callable[[Samples], bool]:
    """Whether so many services have been looked at since the start, and none waits: a service counts once it has a phase."""
    return lambda seen: seen.get("hardened_services", 0) >= count and not seen.get("hardened_queue_depth", 0)


@contextlib.asynccontextmanager
async def operator(kube: Kube, kubeconfig: Path, folder: Path, namespace: str) -> AsyncIterator[Running]:
    """An operator for one namespace. Nothing of it is left at the end."""
    upstream = Upstream.from_kubeconfig(kubeconfig)
    access = folder / f"{namespace}.kubeconfig"
    token = await operator_token(kube)
    write_kubeconfig(access, server=upstream.url, ca=(upstream.ca or "").encode(), token=token, token_file=None, namespace=namespace)
    metrics_port, health_port = free_port(), free_port()
    env = {
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": str(ROOT / "operator"),
        "KUBECONFIG": str(access),
        "HARDENED_NAMESPACES": namespace,
        "HARDENED_LEADER_ELECT": "false",
        "HARDENED_HEALTH_PORT": str(health_port),
        "HARDENED_METRICS_PORT": str(metrics_port),
    }
    process = Operator([sys.executable, *_profiler(folder), "-m", "hardened.shell"], env=env, log=folder / f"{namespace}.log", restarts=0)
    async with aiohttp.ClientSession() as session:
        began = time.monotonic()
        async with process:
            yield Running(process, session, metrics_port, health_port, began)


def _profiler(folder: Path) -> list[str]:
    """$HARDENED_PROFILE: a folder that gets a profile of each operator process, made by cProfile, which slows it down."""
    target = os.environ.get("HARDENED_PROFILE")
    return ["-m", "cProfile", "-o", f"{target}/operator-{time.time():.0f}.prof"] if target else []
