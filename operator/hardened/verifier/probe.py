"""A probe: requests at a fixed low rate, whatever the answers, so that a loss of a moment is seen.

Open loop: a request is due at its own time, on a connection of its own, and time counts from when it was due; a slow answer delays no
other request and hides none.
"""

import asyncio
import math
from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from hardened.verifier.checks import called
from hardened.verifier.pace import is_stopped_before
from hardened.verifier.report import Result, bounded, described, stamp
from hardened.verifier.requests import Request
from hardened.verifier.task import ProbeTask

#: A request that the verifier itself could not send within these seconds is missed: it says nothing of the service.
_LATE = 0.5


async def run_probe(probe: ProbeTask, ask: Request, stop: asyncio.Event) -> Result | None:
    """What became of the requests until the probe's end, `stop`, or a burst of failures, which fails it.

    None when no request was made: nothing was proven.
    """
    loop = asyncio.get_running_loop()
    begin, tally = loop.time(), _Tally(probe)

    async def send(due: float) -> None:
        kind = await ask(probe.target, due + probe.target.timeout - loop.time())
        tally.count(kind, due - begin, loop.time() - begin)

    async with asyncio.TaskGroup() as group:
        sent: list[asyncio.Task[None]] = []
        for number in range(math.ceil(probe.duration * probe.rate)):
            due = begin + number / probe.rate
            if await is_stopped_before(due, tally.burst) or stop.is_set():
                break
            if loop.time() - due > _LATE:
                tally.missed += 1
                continue
            sent = [*(task for task in sent if not task.done()), group.create_task(send(due))]
        await _ended(sent, tally.burst)
    return tally.result()


async def _ended(sent: list[asyncio.Task[None]], burst: asyncio.Event) -> None:
    """Waits for the last answers, but not once the verdict is known."""
    either: list[asyncio.Future[Any]] = [asyncio.create_task(burst.wait()), asyncio.gather(*sent)]
    await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    for future in either:
        future.cancel()


@dataclass
class _Tally:
    """The counts so far. Moments are seconds since the begin."""

    probe: ProbeTask
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    burst: asyncio.Event = field(default_factory=asyncio.Event)
    requests: int = 0
    missed: int = 0
    slowest: float = 0.0
    kinds: Counter[str] = field(default_factory=Counter)
    failed_at: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._last: deque[float] = deque(maxlen=self.probe.burst_failures)

    def count(self, kind: str, due: float, ended: float) -> None:
        """One answer, or what there was instead."""
        self.requests += 1
        self.slowest = max(self.slowest, ended - due)
        if not kind:
            return
        self.kinds[kind] += 1
        self.failed_at = [min([*self.failed_at, due]), max([*self.failed_at, due])]
        self._last.append(ended)
        if len(self._last) == self.probe.burst_failures and ended - self._last[0] <= self.probe.burst_seconds:
            self.burst.set()

    def result(self) -> Result | None:
        """None where there was no request."""
        failed = self.kinds.total()
        message = f"{failed} of {self.requests} requests failed"
        if failed:
            message = f"{called(self.probe.target)}{message}: {described(self.kinds)}"
        details: dict[str, Any] = {"slowestSeconds": round(self.slowest, 3), "missed": self.missed}
        if failed:
            first, last = (stamp(self.started_at + timedelta(seconds=moment)) for moment in self.failed_at)
            details |= {"firstFailureAt": first, "lastFailureAt": last, "failures": bounded(self.kinds)}
        return Result(self.probe.name, not self.burst.is_set(), message, self.requests, failed, details) if self.requests else None
