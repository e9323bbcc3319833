"""Who is there to be asked: which ports of which hosts accept connections by now.

A Service refuses connections until the nodes have heard of its endpoints, which are there for all of its ports at once. So a port that
nobody listens on is told from a stack that is not there yet: another port of the same host accepts.
"""

import asyncio
from collections.abc import Iterable
from types import TracebackType

from hardened.verifier.addresses import Addresses
from hardened.verifier.requests import is_reachable
from hardened.verifier.task import RequestTarget

#: Seconds that a port gets to accept its first connection, once another one of its host has: an application opens its ports one by one.
SETTLE = 5.0
#: Seconds until every node knows a Service's endpoints, at the most, where the stack is said to be there.
HEARD = 30.0


class Doors:
    """Watches the ports of these targets. A context: it watches as long as it is open.

    wait: the longest time in seconds until something of a host accepts a connection; 0 where the stack is there.
    """

    def __init__(self, targets: Iterable[RequestTarget], addresses: Addresses, wait: float) -> None:
        self._targets = {(target.host, target.port): target for target in targets}
        self._addresses, self._wait = addresses, wait
        self._open = {key: asyncio.Event() for key in self._targets}
        self._there = {host: asyncio.Event() for host, _ in self._targets}
        self._watching: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> "Doors":
        self._watching = [asyncio.create_task(self._watch(target)) for target in self._targets.values()]
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for task in self._watching:
            task.cancel()

    async def is_to_be_asked(self, target: RequestTarget, stop: asyncio.Event) -> bool:
        """True once its port accepts a connection, and also once it should have: then what is refused is a failure.

        False where nothing of its host was there within the wait, and once `stop` is set: nothing is known then.
        """
        is_open, is_there = self._open[target.host, target.port], self._there[target.host]
        if not await _is_set(is_there, stop, self._wait or HEARD):
            return not self._wait and not stop.is_set()
        return await _is_set(is_open, stop, SETTLE) or not stop.is_set()

    async def _watch(self, target: RequestTarget) -> None:
        if await is_reachable(target, self._addresses, (self._wait or HEARD) + SETTLE):
            self._open[target.host, target.port].set()
            self._there[target.host].set()


async def _is_set(event: asyncio.Event, stop: asyncio.Event, within: float) -> bool:
    """Waits for an event for so many seconds, or until `stop` is set. Whether it was set."""
    either = [asyncio.create_task(event.wait()), asyncio.create_task(stop.wait())]
    await asyncio.wait(either, timeout=within, return_when=asyncio.FIRST_COMPLETED)
    for task in either:
        task.cancel()
    return event.is_set()
