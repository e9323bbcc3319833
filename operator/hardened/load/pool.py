"""The connections of a run: which one a request takes, and what becomes of it afterwards."""

import asyncio
import socket
from collections.abc import Callable
from typing import NamedTuple

from hardened.load.connection import Connection, Exchange, failure_of
from hardened.load.figures import Failure
from hardened.load.reply import ServerReply


class Address(NamedTuple):
    """One address of the target, looked up already."""

    family: socket.AddressFamily
    host: str
    port: int


class Pool:
    """connections: how many are kept alive and used in turn, see Load; request: the bytes of each; keep: how much of a body to remember.

    answered, failed: called once for each exchange that was sent, unless it was given up.
    """

    def __init__(
        self,
        address: Address,
        connections: int,
        request: bytes,
        keep: int,
        answered: Callable[[Exchange, ServerReply], None],
        failed: Callable[[Exchange, Failure], None],
    ) -> None:
        self._address = address
        self._connections = connections
        self._request = request
        self._keep = keep
        self._answered = answered
        self._failed = failed
        self._idle: dict[Connection, None] = {}  # the longest idle one first: so they are used in turn
        self._open: set[Connection] = set()
        self._opening: set[asyncio.Task[None]] = set()
        self.opened_count = 0

    def send(self, exchange: Exchange) -> None:
        """On an idle connection if as many as are to be kept are there, else on a new one."""
        if self._idle and len(self._open) + len(self._opening) >= self._connections:
            connection = next(iter(self._idle))
            del self._idle[connection]
            connection.send(exchange)
        else:
            self.send_on_new(exchange)

    def send_on_new(self, exchange: Exchange) -> None:
        """On a connection of its own."""
        exchange.connection = None
        exchange.task = asyncio.get_running_loop().create_task(self._connect(exchange))
        self._opening.add(exchange.task)
        exchange.task.add_done_callback(self._opening.discard)

    async def close(self) -> None:
        """Ends all connections at once, and comes back when nothing is left of them."""
        for task in (tasks := list(self._opening)):
            task.cancel()
        for connection in list(self._open):
            connection.abort()
        await asyncio.gather(*tasks, return_exceptions=True)
        for connection in list(self._open):
            connection.abort()  # those that opened while they were cancelled

    async def _connect(self, exchange: Exchange) -> None:
        family, host, port = self._address
        try:
            await asyncio.get_running_loop().create_connection(
                lambda: Connection(self, exchange, self._request, self._keep), host, port, family=family
            )
        except OSError as error:
            self._failed(exchange, failure_of(error))

    # ---- what connections tell

    def opened(self, connection: Connection) -> None:
        self._open.add(connection)
        self.opened_count += 1

    def answered(self, connection: Connection, exchange: Exchange, reply: ServerReply, *, keeps_alive: bool) -> None:
        if self._connections and keeps_alive:
            self._idle[connection] = None
        else:
            connection.linger()
        self._answered(exchange, reply)

    def failed(self, exchange: Exchange, failure: Failure) -> None:
        self._failed(exchange, failure)

    def gone(self, connection: Connection) -> None:
        self._open.discard(connection)
        self._idle.pop(connection, None)
