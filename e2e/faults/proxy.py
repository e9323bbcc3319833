"""The fault proxy: a TLS server on 127.0.0.1 in front of an API server, which records every call and does harm to chosen ones."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import tempfile
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any

import aiohttp
from aiohttp import web

from e2e.faults.armed import Armed, Fault, pick
from e2e.faults.calls import Call, parse_operation
from e2e.faults.exchange import Exchange, UpstreamLost, reset_connection
from e2e.faults.journal import Journal
from e2e.faults.kubeconfig import Upstream, write_kubeconfig
from e2e.faults.perform import Strike, perform
from e2e.faults.tls import make_server_tls

CONNECT_SECONDS = 10.0
MAX_HEADER_BYTES = 64 * 1024


class FaultProxy:
    """One client's way to the API server. Give each client a proxy of its own: the faults and the record are then about that client.

    The client's Authorization header passes through unchanged and no other credential is added, so the API server sees the client's own
    rights; certificates cannot pass. Upgrades (exec, port-forward) are not supported. An API server that cannot be reached is a reset
    connection, never an invented answer. Use as an async context manager; at its end every connection is torn, and a callback of
    `on_kill` that failed is raised.
    """

    def __init__(self, upstream: Upstream, faults: Iterable[Fault] = ()) -> None:
        self.upstream = upstream
        self.journal = Journal()
        self.armed = [Armed(fault) for fault in faults]
        self.port = 0
        self.authority = b""
        self._on_kill: Strike | None = None
        self._strikes: set[asyncio.Task[None]] = set()
        self._failures: list[BaseException] = []
        self._open: dict[int, web.BaseRequest] = {}
        self._closing = contextlib.AsyncExitStack()

    # -- life

    async def __aenter__(self) -> FaultProxy:
        async with contextlib.AsyncExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fault-proxy-")))
            context, self.authority = make_server_tls(folder)
            # A pooled connection that the server is about to close would be a fault nobody asked for: keep it a short while only.
            connector = aiohttp.TCPConnector(ssl=self.upstream.ssl_context(), limit=0, keepalive_timeout=10)
            self._session = await stack.enter_async_context(
                aiohttp.ClientSession(
                    connector=connector, auto_decompress=False, timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS)
                )
            )
            server = web.Server(
                self._handle,
                handler_cancellation=True,
                access_log=None,
                auto_decompress=False,
                max_line_size=MAX_HEADER_BYTES,
                max_field_size=MAX_HEADER_BYTES,
            )
            runner = web.ServerRunner(server, shutdown_timeout=0.1)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
            await site.start()
            self.port = runner.addresses[0][1]
            stack.callback(self.sever)
            self._closing = stack.pop_all()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._closing.aclose()
        for strike in self._strikes:
            strike.cancel()
        await asyncio.gather(*self._strikes, return_exceptions=True)
        if self._failures and error is None:
            raise self._failures[0]

    # -- for the client

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def kubeconfig(self, path: Path, *, token: str | None = None, token_file: Path | None = None, namespace: str = "default") -> Path:
        """Writes a kubeconfig for the client: this proxy's address and authority, and the client's own token. Returns the path."""
        return write_kubeconfig(path, server=self.url, ca=self.authority, token=token, token_file=token_file, namespace=namespace)

    # -- for the test

    @property
    def calls(self) -> tuple[Call, ...]:
        """Every call so far, in the order in which they came."""
        return self.journal.calls

    @property
    def writes(self) -> tuple[Call, ...]:
        """The calls that can change the cluster, without those of the clock (leases, events)."""
        return tuple(call for call in self.calls if call.is_write and not call.is_background)

    @property
    def last_fault(self) -> float | None:
        """When a fault last struck, on the monotonic clock."""
        return max((armed.last_hit for armed in self.armed if armed.hits), default=None)

    def hits(self, fault: Fault) -> int:
        """How often the fault struck. A test that never sees it strike has proved nothing."""
        return sum(armed.hits for armed in self.armed if armed.fault == fault)

    def inject(self, *faults: Fault) -> None:
        """Adds faults; they count calls from now on. A watch that is open already is not hit: `sever` it first."""
        self.armed.extend(Armed(fault) for fault in faults)

    def clear(self) -> None:
        """Takes all faults away. A call already caught stays caught."""
        self.armed.clear()

    def sever(self) -> None:
        """Resets every connection that has a call open, watches too."""
        for request in self._open.values():
            reset_connection(request.transport)

    def on_kill(self, callback: Strike) -> None:
        """Says how a Kill fault reaches the client process; Operator.strike is made for it."""
        self._on_kill = callback

    async def until(self, happened: Callable[[Call], bool], *, count: int = 1, within: float = 30.0) -> tuple[Call, ...]:
        """See Journal.until."""
        return await self.journal.until(happened, count=count, within=within)

    async def until_quiet(self, seconds: float, *, within: float) -> None:
        """See Journal.until_quiet."""
        await self.journal.until_quiet(seconds, within=within)

    # -- a call

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.content.read()
        operation = parse_operation(request.method, request.raw_path, request.headers, body)
        now = time.monotonic()
        fault = pick(self.armed, operation, now)
        index = self.journal.open(operation, started=now, user_agent=request.headers.get("User-Agent", ""), fault=str(fault or ""))
        exchange = Exchange(request, body, operation, index, self.upstream, self._session, self.journal)
        self._open[index] = request
        try:
            return await perform(exchange, fault.what if fault else None, self._strike)
        except UpstreamLost:
            return exchange.reset()
        except ConnectionError:
            return exchange.reset()  # the client left while it was being answered
        finally:
            exchange.release()
            del self._open[index]
            self.journal.close(index)

    async def _strike(self, which: signal.Signals) -> None:
        """Runs the kill callback to its end, even though the client's death cancels the call from within which it runs."""
        task = asyncio.create_task(self._strike_once(which))
        self._strikes.add(task)
        task.add_done_callback(self._strikes.discard)
        await asyncio.shield(task)

    async def _strike_once(self, which: signal.Signals) -> None:
        if self._on_kill is None:
            self._failures.append(RuntimeError("a Kill fault struck, but nobody said how: call FaultProxy.on_kill first"))
            return
        try:
            await self._on_kill(which)
        except Exception as error:  # noqa: BLE001 - it is the test's code: kept, and raised at the end of the proxy
            self._failures.append(error)


async def record(upstream: Upstream, run: Callable[[FaultProxy], Coroutine[Any, Any, None] | Awaitable[None]]) -> tuple[Call, ...]:
    """The calls of a run without faults: what the plans are enumerated from."""
    async with FaultProxy(upstream) as proxy:
        await run(proxy)
        return proxy.calls
