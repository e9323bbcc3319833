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
from e2e.bench.installed import UNWANTED, packages
from e2e.bench.manifests import REAL, service
from e2e.bench.operators import operator
from e2e.bench.report import Figure
from e2e.cluster import ClusterError, tools
from e2e.kube import Kube, is_ready
from e2e.rig import ROOT, fresh_namespace

ROUNDS, QUICK_ROUNDS = 20, 10
READY_S = 120
#: Suspended services of which a list is asked for, and how many are made at a time.
MANY, QUICK_MANY, AT_A_TIME = 1000, 100, 20


@dataclass(frozen=True)
class CommandTime:
    """One run of a program, in milliseconds. cpu: its own processor time, which a busy machine changes little."""

    wall: float
    cpu: float


@dataclass(frozen=True)
class Command:
    """What is run. goal: milliseconds, or None; beside: the name of what it may take BESIDE times as long as, "" for none."""

    name: str
    argv: Sequence[str]
    goal: float | None = None
    beside: str = ""


#: How many times as long as kubectl it may take.
BESIDE = 1.5


def run(site: BenchSite, *, quick: bool) -> list[Figure]:
    """All commands in turn, again and again, so that whatever else the machine does meets them alike."""
    return [*asyncio.run(_measure(site, *((QUICK_ROUNDS, QUICK_MANY) if quick else (ROUNDS, MANY)))), _installed()]


def _installed() -> Figure:
    found = packages()
    largest = ", ".join(f"{name} {size / 2**20:.0f}" for name, size in sorted(found.items(), key=lambda item: -item[1])[:3])
    unwanted = ", ".join(sorted(UNWANTED & found.keys())) or "so it is"
    return Figure(
        "what installing the CLI brings",
        sum(found.values()) / 2**20,
        "MiB",
        None,
        f"{largest}; none of kopf, pytest: {unwanted}",
    )


async def _measure(site: BenchSite, rounds: int, many: int) -> list[Figure]:
    async with Kube(site.kubeconfig) as kube, fresh_namespace(kube, "cli") as namespace:
        async with operator(kube, site.kubeconfig, site.folder, namespace):
            await kube.apply(service("web", namespace, scheduling=REAL))
            await kube.until("HardenedService", "web", namespace, is_ready, within=READY_S)
        found = await asyncio.to_thread(compared, _commands(site, namespace), rounds)
        async with fresh_namespace(kube, "cli-many") as crowded:
            await _make(kube, crowded, many)
            return [*found, *await asyncio.to_thread(compared, _lists(site, many), rounds)]


async def _make(kube: Kube, namespace: str, count: int) -> None:
    """So many services that are suspended; no operator looks at them."""
    turns = asyncio.Semaphore(AT_A_TIME)

    async def one(number: int) -> None:
        async with turns:
            await kube.apply(service(f"web-{number:04}", namespace, scheduling=REAL, suspend=True))

    await asyncio.gather(*map(one, range(count)))


def _lists(site: BenchSite, count: int) -> tuple[Command, ...]:
    access = ["--kubeconfig", str(site.kubeconfig)]
    plain = f"kubectl get hs -A, {count} services"
    return (
        Command(plain, [str(tools.kubectl()), "get", "hs", "-A", *access]),
        Command(f"hardenctl get -A, {count} services", [sys.executable, "-m", "hardenctl", "get", "-A", *access], 1500, plain),
    )


def _commands(site: BenchSite, namespace: str) -> tuple[Command, ...]:
    access = ["--kubeconfig", str(site.kubeconfig), "--namespace", namespace]
    hardenctl = [sys.executable, "-m", "hardenctl"]
    return (
        Command("python -c pass", [sys.executable, "-c", "pass"]),
        Command(_KUBECTL, [str(tools.kubectl()), "get", "hs", "web", *access]),
        Command("hardenctl --help", [*hardenctl, "--help"], 150),
        Command("hardenctl status web", [*hardenctl, "status", "web", *access], 300, _KUBECTL),
        Command("hardenctl get web", [*hardenctl, "get", "web", *access], 300, _KUBECTL),
        Command("hardenctl render", [*hardenctl, "render", "-f", str(ROOT / SAMPLE)], 250),
    )


_KUBECTL = "kubectl get hs web"
#: What is rendered: a file of the size that people write.
SAMPLE = "manifests/samples/minimal.yaml"


def compared(commands: Sequence[Command], rounds: int) -> list[Figure]:
    """The medians of so many runs of each, after one that fills caches."""
    taken: dict[str, list[CommandTime]] = {command.name: [] for command in commands}
    for number in range(-1, rounds):
        for command in commands:
            found = timed(command.argv)
            if number >= 0:
                taken[command.name].append(found)
    figures = [figure for command in commands for figure in _figures(command, taken[command.name])]
    beside = [(command, taken[command.name], taken[command.beside]) for command in commands if command.beside]
    return [*figures, *(_ratio(command, own, other) for command, own, other in beside)]


def _ratio(command: Command, own: Sequence[CommandTime], other: Sequence[CommandTime]) -> Figure:
    """Of the medians; that of the processor time beside it, which says what the machine's other work has no part in."""
    wall, cpu = (median(getattr(one, kind) for one in own) / median(getattr(one, kind) for one in other) for kind in ("wall", "cpu"))
    return Figure(f"{command.name} / {command.beside}", wall, "x", BESIDE, f"{cpu:.2f} x of CPU")


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
