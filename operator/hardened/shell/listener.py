"""A small HTTP server that nobody can hold up: each connection has a deadline, and there are never more than so many.

One request for each connection, which is closed after the answer: those who ask here ask every few seconds.
"""

import asyncio
import http
import socket
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

#: Seconds for a connection, from its begin to the last byte of the answer. One byte now and then renews nothing.
DEADLINE: Final = 5.0
#: At a time. One more is taken all the same, in the place of the oldest of whoever has the most.
CONNECTIONS: Final = 32
#: Bytes of a request; what a kubelet or a Prometheus asks takes a few hundred.
REQUEST_LIMIT: Final = 16 << 10
#: Seconds until the next connection is taken, after one could not be.
PAUSE: Final = 0.1


@dataclass(frozen=True)
class Reply:
    """What is answered to GET and HEAD."""

    body: bytes
    status: int = 200
    content_type: str = "text/plain; charset=utf-8"


HttpAnswer = Callable[[str, Mapping[str, str]], Reply | None]
"""From a path, and the headers by their names in lower case, to the reply; None where there is nothing of that path."""


class Listener:
    """Answers on one port. deadline: seconds of a connection; connections: how many at a time."""

    def __init__(self, answer: HttpAnswer, *, deadline: float = DEADLINE, connections: int = CONNECTIONS) -> None:
        self._answer, self._deadline, self._limit = answer, deadline, connections
        self._open: dict[asyncio.Task[None], str] = {}  # in the order in which they came -> the address
        self._socket: socket.socket | None = None
        self._accepting: asyncio.Task[None] | None = None

    async def open(self, port: int, host: str = "") -> None:
        """Begins to answer. host "": every address, IPv6 too; port 0: any free one, see `port`. Raises OSError when the port is taken."""
        self._socket = _listening(port, host)
        self._socket.setblocking(False)
        self._accepting = asyncio.create_task(self._accept(self._socket))

    @property
    def port(self) -> int:
        assert self._socket, "it was opened"
        return int(self._socket.getsockname()[1])

    async def close(self) -> None:
        """Hangs up on everybody."""
        tasks = [task for task in (self._accepting, *self._open) if task]
        for task in tasks:
            task.cancel()
        if self._socket:
            self._socket.close()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _accept(self, listening: socket.socket) -> None:
        while True:
            try:
                connection, peer = await asyncio.get_running_loop().sock_accept(listening)
            except OSError:
                await asyncio.sleep(PAUSE)  # somebody has hung up by then, or the process has no file left
                continue
            self._make_room()
            task = asyncio.create_task(self._serve(connection))
            self._open[task] = str(peer[0])
            task.add_done_callback(lambda done: self._open.pop(done, None))

    def _make_room(self) -> None:
        """Whoever opens one after the other loses their own, and nobody else's."""
        while len(self._open) >= self._limit:
            most = Counter(self._open.values()).most_common(1)[0][0]
            oldest = next(task for task, peer in self._open.items() if peer == most)
            del self._open[oldest]
            oldest.cancel()

    async def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                async with asyncio.timeout(self._deadline):
                    reader, writer = await asyncio.open_connection(sock=connection, limit=REQUEST_LIMIT)
                    try:
                        writer.write(self._reply(await reader.readuntil(b"\r\n\r\n")))
                        writer.close()
                        await writer.wait_closed()
                    finally:
                        writer.transport.abort()
            except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError):
                pass  # that somebody hangs up, or is slow, is no news

    def _reply(self, request: bytes) -> bytes:
        first, *lines = request.decode("latin-1").split("\r\n")
        match first.split(" "):
            case [("GET" | "HEAD") as method, target, version] if version.startswith("HTTP/1."):
                headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
                found = self._answer(target.partition("?")[0], headers) or _plain(http.HTTPStatus.NOT_FOUND)
                return _written(found, with_body=method == "GET")
            case [_, _, version] if version.startswith("HTTP/1."):
                return _written(_plain(http.HTTPStatus.METHOD_NOT_ALLOWED))
            case _:
                return _written(_plain(http.HTTPStatus.BAD_REQUEST))


def _plain(status: http.HTTPStatus) -> Reply:
    return Reply(f"{status.value}: {status.phrase}".encode(), status.value)


def _written(reply: Reply, *, with_body: bool = True) -> bytes:
    head = [
        f"HTTP/1.1 {reply.status} {http.HTTPStatus(reply.status).phrase}",
        f"Content-Type: {reply.content_type}",
        f"Content-Length: {len(reply.body)}",
        *(["Allow: GET, HEAD"] if reply.status == http.HTTPStatus.METHOD_NOT_ALLOWED else []),
        "Connection: close",
        "\r\n",
    ]
    return "\r\n".join(head).encode() + (reply.body if with_body else b"")


def _listening(port: int, host: str) -> socket.socket:
    if not host and socket.has_dualstack_ipv6():
        return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
    return socket.create_server((host, port))
