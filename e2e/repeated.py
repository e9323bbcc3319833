"""A command that is run again and again: as a controller applies what is in Git, or as somebody who does not give up."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

from e2e.cluster.command import Argument, attempt


class Repeated:
    """How often a command was run."""

    def __init__(self, every: float) -> None:
        self.times = 0
        self._every = every
        self._news = asyncio.Condition()

    async def again(self) -> None:
        async with self._news:
            self.times += 1
            self._news.notify_all()

    async def more(self, times: int) -> None:
        """Waits until it was run so often from now on. Raises TimeoutError once that takes much longer than it should."""
        wanted = self.times + times
        async with self._news, asyncio.timeout(3 * times * self._every + 10):
            await self._news.wait_for(lambda: self.times >= wanted)


@contextlib.asynccontextmanager
async def repeated(command: Sequence[Argument], *, every: float) -> AsyncIterator[Repeated]:
    """Runs a command for the block, with so many seconds between its end and the next time. Raises where it fails."""
    found = Repeated(every)

    async def go_on() -> None:
        while True:
            done = await asyncio.to_thread(attempt, command, timeout=60)
            assert done.returncode == 0, done.stderr
            await found.again()
            await asyncio.sleep(every)  # the pace of whoever runs it

    task = asyncio.create_task(go_on())
    try:
        yield found
        assert not task.done(), task.exception()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
