"""How long hardenctl takes, beside a Python that does nothing and beside kubectl."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from e2e.bench.bench_site import BenchSite
from e2e.bench.manifests import REAL, service
from e2e.bench.operators import operator
from e2e.bench.report import Figure
from e2e.cluster import ClusterError, tools
from e2e.kube import Kube, is_ready
from e2e.rig import ROOT, fresh_namespace

ROUNDS, QUICK_ROUNDS = 20, 10
READY_S = 120


@dataclass(frozen=True)
class CommandTime:
    """One run of a program, in milliseconds. cpu: its own processor time, which a busy machine changes little."""

    wall: float
    cpu: float


@dataclass(frozen=True)
class Command:
    """What is run. goal: milliseconds, or None."""

    name: str
    argv: Sequence[str]
    goal: float | None = None


def run(site: BenchSite, *, quick: bool) -> list[Figure]:
    """All commands in turn, again and again, so that whatever else the machine does meets them alike."""
    return asyncio.run(_measure(site, QUICK_ROUNDS if quick else ROUNDS))


async def _measure(site: BenchSite, rounds: int) -> list[Figure]:
    async with Kube(site.kubeconfig) as kube, fresh_namespace(kube, "cli") as namespace:
        async with operator(kube, site.kubeconfig, site.folder, namespace):
            await kube.apply(service("web", namespace, scheduling=REAL))
            await kube.until("HardenedService", "web", namespace, is_ready, within=READY_S)
        return await asyncio.to_thread(compared, _commands(site, namespace), rounds)


def _commands(site: BenchSite, namespace: str) -> tuple[Command, ...]:
    access = ["--kubeconfig", str(site.kubeconfig), "--namespace", namespace]
    hardenctl = [sys.executable, "-m", "hardenctl"]
    return (
        Command("python -c pass", [sys.executable, "-c", "pass"]),
        Command("kubectl get hs web", [str(tools.kubectl()), "get", "hs", "web", *access]),
        Command("hardenctl --help", [*hardenctl, "--help"], 150),
        Command("hardenctl status web", [*hardenctl, "status", "web", *access], 300),
    )


def compared(commands: Sequence[Command], rounds: int) -> list[Figure]:
    """The medians of so many runs of each, after one that fills caches."""
    taken: dict[str, list[CommandTime]] = {command.name: [] for command in commands}
    for number in range(-1, rounds):
        for command in commands:
            found = timed(command.argv)
            if number >= 0:
                taken[command.name].append(found)
    return [figure for command in commands for figure in _figures(command, taken[command.name])]


def _figures(command: Command, taken: Sequence[CommandTime]) -> list[Figure]:
    cpu, least = median(one.cpu for one in taken), min(one.wall for one in taken)
    note = f"at least {least:.0f} ms; {cpu:.0f} ms of CPU"
    return [Figure(f"{command.name}, median of {len(taken)}", median(one.wall for one in taken), "ms", command.goal, note)]


def timed(argv: Sequence[str]) -> CommandTime:
    """Runs it to its end. Raises ClusterError where it fails."""
    env = {**os.environ, "PYTHONPATH": f"{ROOT / 'operator'}:{ROOT / 'cli'}"}
    begun = time.perf_counter()
    process = subprocess.Popen(argv, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr
    with process.stderr:
        said = process.stderr.read()
        _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise ClusterError(f"{' '.join(argv[:5])} ended with {process.returncode}: {said.decode(errors='replace').strip()}")
    return CommandTime(wall * 1000, (used.ru_utime + used.ru_stime) * 1000)
