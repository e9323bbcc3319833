"""One call under way: sending it on, bringing the answer back, or tearing the connection. No faults are decided here."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from e2e.faults.calls import Operation
from e2e.faults.journal import Journal
from e2e.faults.kubeconfig import Upstream
from e2e.faults.watches import Lines, StreamReset, split_lines

HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "host",
        "content-length",
        "expect",
    }
)
AUTOMATIC = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")
"""Headers that aiohttp would add: what the client did not send, the API server does not see."""


class UpstreamLost(Exception):
    """The API server did not answer, or stopped in the middle: the client's connection is to be torn as well."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request, and the ways to end it. Each way records in the journal what the client was told."""

    request: web.BaseRequest
    body: bytes
    operation: Operation
    index: int
    upstream: Upstream
    session: aiohttp.ClientSession
    journal: Journal
    _responses: list[aiohttp.ClientResponse] = field(default_factory=list)

    @property
    def is_watch(self) -> bool:
        return self.operation.verb == "watch"

    async def send(self, *, plain: bool = False) -> aiohttp.ClientResponse:
        """Asks the API server; returns when it has decided, with the body still to come. Raises UpstreamLost.

        plain: the body must come uncompressed, since somebody wants to read it on the way.
        """
        headers = CIMultiDict((name, value) for name, value in self.request.headers.items() if name.lower() not in HOP_BY_HOP)
        if plain:
            headers["Accept-Encoding"] = "identity"
        try:
            response = await self.session.request(
                self.request.method,
                URL(self.upstream.url + self.request.raw_path, encoded=True),
                data=self.body or None,
                headers=headers,
                allow_redirects=False,
                skip_auto_headers=AUTOMATIC,
                server_hostname=self.upstream.tls_server_name,
                middlewares=(_Once(),),
            )
        except (aiohttp.ClientError, OSError) as error:
            raise UpstreamLost(str(error)) from error
        self._responses.append(response)
        self.journal.note(self.index, upstream_code=response.status)
        return response

    async def settle(self) -> None:
        """Asks the API server, lets it finish, and throws the answer away."""
        response = await self.send()
        if not self.is_watch:
            await _read(response)

    async def relay(self, response: aiohttp.ClientResponse, through: Callable[[Lines], Lines] | None = None) -> web.StreamResponse:
        """The API server's answer, chunk by chunk as it comes; `through` changes the lines of a watch on the way."""
        answer = self._answer_like(response)
        if through and response.status == 200:
            answer.headers.popall("Content-Length", None)
            chunks = through(split_lines(_chunks(response)))
        else:
            chunks = _chunks(response)
        if answer.content_length is None and response.status not in (204, 304):
            answer.enable_chunked_encoding()
        await answer.prepare(self.request)
        self.journal.note(self.index, code=response.status)
        try:
            async for chunk in chunks:
                await answer.write(chunk)
        except StreamReset:
            return self.reset()
        await answer.write_eof()
        return answer

    async def relay_cut(self, response: aiohttp.ClientResponse, keep_bytes: int, *, complete: bool) -> web.StreamResponse:
        """The first bytes of the answer only; see effects.Truncate."""
        answer = self._answer_like(response)
        kept = b""
        if self.is_watch:
            async for chunk in _chunks(response):
                kept += chunk
                if len(kept) >= keep_bytes:
                    break
        else:
            kept = await _read(response)
        kept = kept[: max(0, min(keep_bytes, len(kept) - 1))]
        if complete:
            answer.headers["Content-Length"] = str(len(kept))
        elif answer.content_length is None:
            answer.enable_chunked_encoding()
        await answer.prepare(self.request)
        self.journal.note(self.index, code=response.status)
        await answer.write(kept)
        if complete:
            await answer.write_eof()
        elif self.request.transport:
            # Orderly on the wire, so that the kept bytes arrive; only the message is incomplete.
            self.request.transport.close()
        return answer

    async def answer(self, code: int, headers: CIMultiDict[str], body: bytes) -> web.StreamResponse:
        """An answer of the proxy's own."""
        answer = web.Response(status=code, headers=headers, body=body)
        await answer.prepare(self.request)
        self.journal.note(self.index, code=code)
        await answer.write_eof()
        return answer

    def reset(self) -> web.StreamResponse:
        """Tears the client's connection with a TCP RST. What it returns reaches nobody."""
        reset_connection(self.request.transport)
        return web.Response()

    def release(self) -> None:
        """Gives up what is left of the upstream connection."""
        for response in self._responses:
            response.close()

    def _answer_like(self, response: aiohttp.ClientResponse) -> web.StreamResponse:
        answer = web.StreamResponse(status=response.status, reason=response.reason)
        for name, value in response.headers.items():
            if name.lower() not in HOP_BY_HOP:
                answer.headers.add(name, value)
        if (length := response.headers.get("Content-Length")) is not None:
            answer.headers["Content-Length"] = length
        return answer


class _Once:
    """Keeps aiohttp from sending GET, PUT and DELETE a second time by itself after a lost connection: the record would not show it."""

    def __init__(self) -> None:
        self._is_sent = False

    async def __call__(self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        if self._is_sent:
            raise UpstreamLost("the connection was lost before the answer came")
        self._is_sent = True
        return await handler(request)


def reset_connection(transport: asyncio.Transport | None) -> None:
    """Closes at once with a TCP RST, unsent data lost. Nothing happens when it is closed already."""
    if transport is None or transport.is_closing():
        return
    connection = transport.get_extra_info("socket")
    # Lingering for zero seconds is how a socket is told to reset instead of to finish.
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


async def _chunks(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    try:
        async for chunk in response.content.iter_any():
            yield chunk
    except (aiohttp.ClientError, OSError) as error:
        raise UpstreamLost(str(error)) from error


async def _read(response: aiohttp.ClientResponse) -> bytes:
    return b"".join([chunk async for chunk in _chunks(response)])
