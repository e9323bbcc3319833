"""A target that answers as told, well or badly."""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import Any

#: What becomes of one request: these bytes, or whatever the function does with the connection.
Answer = bytes | Callable[[asyncio.StreamWriter], Awaitable[Any]]


class TargetServer:
    """Answers in turn, across all connections; the last answer again and again. A connection ends with an answer that says `close`.

    requests: for each connection, in the order they were opened, the requests it carried.
    open_now, most_open: how many connections are, and were at once, open.
    """

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.requests: list[list[str]] = []
        self.port = self.open_now = self.most_open = 0
        self.was_asked = asyncio.Event()

    async def __aenter__(self) -> "TargetServer":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=1000)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        mine: list[str] = []
        self.requests.append(mine)
        self.open_now += 1
        self.most_open = max(self.most_open, self.open_now)
        try:
            while not writer.is_closing():
                mine.append((await reader.readuntil(b"\r\n\r\n")).decode())
                self.was_asked.set()
                answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                if answer is hang:
                    await reader.read()  # until the client leaves
                elif isinstance(answer, bytes):
                    writer.write(answer)
                    if b"close" in answer:
                        return
                else:
                    await answer(writer)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self.open_now -= 1
            writer.close()


def reply(body: bytes = b"ok", *headers: str, status: int = 200) -> bytes:
    lines = [f"HTTP/1.1 {status} Said", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


OK = reply()


async def close(writer: asyncio.StreamWriter) -> None:
    """Ends the connection without a byte."""
    writer.close()


async def reset(writer: asyncio.StreamWriter) -> None:
    """Ends it by an RST."""
    raw: socket.socket = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def hang(_: asyncio.StreamWriter) -> None:
    """Never answers."""


def say(data: bytes) -> Callable[[asyncio.StreamWriter], Awaitable[Any]]:
    """Writes these bytes, and stays."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(data)

    return answer


def then_close(data: bytes) -> Callable[[asyncio.StreamWriter], Awaitable[Any]]:
    """Writes these bytes, and no more."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        writer.close()

    return answer


def then_later(data: bytes, later: Callable[[asyncio.StreamWriter], Awaitable[Any]]) -> Answer:
    """Writes these bytes, and goes on so 0.05 s after that."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await asyncio.sleep(0.05)
        await later(writer)

    return answer


def frozen(begins: float, ends: float) -> Answer:
    """Well, except from `begins` to `ends`, in seconds since its first request: then nobody is answered until it ends."""
    since: list[float] = []

    async def answer(writer: asyncio.StreamWriter) -> None:
        now = asyncio.get_running_loop().time()
        since.append(now) if not since else None
        if begins <= now - since[0] < ends:
            await asyncio.sleep(since[0] + ends - now)
        writer.write(OK)

    return answer
