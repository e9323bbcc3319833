"""How many pods a service has over time, seen by watch."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from e2e.kube import Body, Kube, path_of
from e2e.releases import step_of

#: The moment on the monotonic clock from which on there were so many.
Count = tuple[float, int]


@dataclass
class Watched:
    """counts: of the application's pods that are not ending; steps: of the release, "" for none, each with the moment it was seen at."""

    counts: list[Count] = field(default_factory=list)
    steps: list[tuple[float, str]] = field(default_factory=list)

    def began(self, step: str, after: float = 0.0) -> float:
        """When the release came to a step. Raises StopIteration where it never did."""
        return next(at for at, name in self.steps if name == step and at > after)


def most(counts: Sequence[Count], since: float, until: float) -> int:
    """The highest count between two moments, with the one that held when the time began.

    Examples: [(0, 2), (5, 3), (9, 2)], 1 to 4 -> 2; 1 to 6 -> 3; 10 to 12 -> 2.
    """
    held = [count for at, count in counts if at <= since][-1:]
    return max([*held, *(count for at, count in counts if since < at < until)], default=0)


def is_counted(pod: Body) -> bool:
    """A pod of the application that is to stay: verifiers are not its own."""
    meta = pod["metadata"]
    return "hardened.dev/color" in (meta.get("labels") or {}) and not meta.get("deletionTimestamp")


@contextlib.asynccontextmanager
async def watching(kube: Kube, namespace: str, service: str = "web") -> AsyncIterator[Watched]:
    """Watches for the block, from before it begins."""
    found = Watched()
    async with asyncio.TaskGroup() as tasks:
        pods = await kube.call("GET", path_of("Pod", namespace))
        watches = [
            tasks.create_task(_count(kube, namespace, pods, found)),
            tasks.create_task(_follow(kube, namespace, service, found)),
        ]
        yield found
        for watch in watches:
            watch.cancel()


async def _count(kube: Kube, namespace: str, pods: Body, found: Watched) -> None:
    present = {pod["metadata"]["uid"] for pod in pods["items"] if is_counted(pod)}
    found.counts.append((time.monotonic(), len(present)))
    async for event in kube.watch("Pod", namespace, pods["metadata"]["resourceVersion"]):
        pod = event["object"]
        is_there = event["type"] != "DELETED" and is_counted(pod)
        (present.add if is_there else present.discard)(pod["metadata"]["uid"])
        found.counts.append((time.monotonic(), len(present)))
    raise AssertionError("the watch of pods ended, and some may have been missed")


async def _follow(kube: Kube, namespace: str, service: str, found: Watched) -> None:
    def note(live: Body | None) -> bool:
        step = step_of(live)
        if not found.steps or found.steps[-1][1] != step:
            found.steps.append((time.monotonic(), step))
        return False

    await kube.until("HardenedService", service, namespace, note, within=3600)
