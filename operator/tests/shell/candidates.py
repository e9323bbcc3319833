"""Candidates for the leadership over one in-memory cluster, in virtual time."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

from tests.memory.api_server import MemoryApiServer
from tests.shell import virtual_time

from hardened.shell.kinds import LEASE
from hardened.shell.leader import Leader
from hardened.shell.settings import Settings


class Candidate:
    """One process: its own caller of the shared cluster, and what it was told."""

    def __init__(self, cluster: MemoryApiServer, name: str, seed: int = 1) -> None:
        self.api = cluster.outsider(name)
        self.told: list[tuple[str, float]] = []
        self.offset = 0.0
        self.runs = asyncio.Event()
        self.runs.set()
        settings = Settings(identity=name, lease_namespace="system")
        self.leader = Leader(
            self.api,
            settings,
            clock=lambda: virtual_time.now() + self.offset,
            rng=random.Random(seed),
            on_started=lambda: self.told.append(("started", virtual_time.now() - 1000)),
            on_lost=lambda: self.told.append(("lost", virtual_time.now() - 1000)),
            sleep=self._sleep,
        )
        self.task: asyncio.Task[None] | None = None

    async def _sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await self.runs.wait()  # SIGSTOP

    def start(self) -> "Candidate":
        self.task = asyncio.create_task(self.leader.run())
        return self

    async def kill(self) -> None:
        """SIGKILL: nothing is released."""
        assert self.task is not None
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    @property
    def words(self) -> list[str]:
        return [word for word, _ in self.told]


Scenario = Callable[[MemoryApiServer], Awaitable[None]]


def play(scenario: Scenario) -> None:
    async def main() -> None:
        await scenario(MemoryApiServer(["system"]))
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    virtual_time.run(main())


async def holder(cluster: MemoryApiServer) -> Any:
    return (await cluster.get(LEASE, "system", "hardened-operator"))["spec"]["holderIdentity"]
