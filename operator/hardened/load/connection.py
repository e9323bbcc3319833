"""One TCP connection to the target: one request at a time, and what became of it."""

import asyncio
import errno
from typing import Final, Protocol, cast

from hardened.load.figures import Failure
from hardened.load.reply import BadReply, ReplyReader, ServerReply

#: Seconds that the server is given to close a connection that is not used again. Whoever closes first keeps the port for another minute,
#: and the 28,000 of a client last for 470 requests a second; a server has one port, whatever it closes.
LINGER: Final = 0.1
#: This machine cannot open another connection: no fault of the target.
_LOCAL: Final = frozenset({errno.EADDRNOTAVAIL, errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EAGAIN})


class Exchange:
    """One request under way. scheduled, started: on the run's clock. What carries it: a connection, or the task that opens one."""

    __slots__ = ("connection", "is_retry", "scheduled", "started", "task")

    def __init__(self, scheduled: float, started: float) -> None:
        self.scheduled = scheduled
        self.started = started
        self.connection: Connection | None = None
        self.task: asyncio.Task[None] | None = None
        self.is_retry = False

    def give_up(self) -> None:
        """Takes it off the network."""
        if self.connection is not None:
            self.connection.abort()
        elif self.task is not None:
            self.task.cancel()


class ConnectionOwner(Protocol):
    """Who uses connections. Once one is `gone`, which can be told twice, nothing is sent on it."""

    def opened(self, connection: "Connection") -> None: ...
    def answered(self, connection: "Connection", exchange: Exchange, reply: ServerReply, *, keeps_alive: bool) -> None: ...
    def failed(self, exchange: Exchange, failure: Failure) -> None: ...
    def gone(self, connection: "Connection") -> None: ...


class Connection(asyncio.Protocol):
    """Sends `exchange` as soon as it is open. request: the bytes of each; keep: how much of a body to remember."""

    def __init__(self, owner: ConnectionOwner, exchange: Exchange, request: bytes, keep: int) -> None:
        self._owner = owner
        self._request = request
        self._keep = keep
        self._exchange: Exchange | None = exchange
        self._reader = ReplyReader(keep)
        self._was_used = False
        self._transport: asyncio.Transport | None = None

    def send(self, exchange: Exchange) -> None:
        """Only while it is idle."""
        assert self._transport is not None
        exchange.connection = self
        self._exchange = exchange
        self._reader = ReplyReader(self._keep)
        self._transport.write(self._request)

    def abort(self) -> None:
        """Ends it at once, and tells nobody what became of its request."""
        self._exchange = None
        self._owner.gone(self)
        if self._transport is not None:
            self._transport.abort()

    def linger(self) -> None:
        """Lets the server close it, and closes it if that takes long."""
        asyncio.get_running_loop().call_later(LINGER, self._close)

    # ---- what the event loop tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._owner.opened(self)
        if self._exchange is not None:
            self.send(self._exchange)

    def data_received(self, data: bytes) -> None:
        if self._exchange is None:
            # Nobody asked: a 408 before the server closes an idle connection, say.
            self._close()
            return
        try:
            is_whole = self._reader.feed(data)
        except BadReply:
            self._fail(Failure.BAD_REPLY)
            self._close()
        else:
            if is_whole:
                self._answer()

    def eof_received(self) -> None:
        self._end(Failure.CLOSED)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(Failure.CLOSED if exc is None else failure_of(exc))

    # ---- what follows from it

    def _answer(self) -> None:
        exchange, self._exchange, self._was_used = self._exchange, None, True
        assert exchange is not None
        self._owner.answered(self, exchange, self._reader.reply, keeps_alive=self._reader.keeps_alive)

    def _end(self, failure: Failure) -> None:
        """No more bytes will come. It has left before its request is told of, so that a second try takes another connection."""
        self._owner.gone(self)
        if self._exchange is None:
            return
        if self._reader.end() and failure is Failure.CLOSED:
            self._answer()
        else:
            self._fail(Failure.IDLE_CLOSE if self._was_used and not self._reader.has_begun else failure)

    def _fail(self, failure: Failure) -> None:
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            self._owner.failed(exchange, failure)

    def _close(self) -> None:
        self._owner.gone(self)
        if self._transport is not None:
            self._transport.close()


def failure_of(error: Exception) -> Failure:
    """The kind of what the operating system said."""
    match error:
        case ConnectionRefusedError():
            return Failure.REFUSED
        case ConnectionResetError() | BrokenPipeError() | ConnectionAbortedError():
            return Failure.RESET
        case OSError(errno=number) if number in _LOCAL:
            return Failure.LOCAL
        case _:
            return Failure.UNREACHABLE
