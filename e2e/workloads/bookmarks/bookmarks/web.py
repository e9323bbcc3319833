"""The HTTP server of both roles: ids of requests, one log line each, errors as JSON, metrics, health, and an orderly end."""

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable, Coroutine
from time import monotonic
from typing import Any

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, Counter, Gauge, Histogram, generate_latest

from . import log
from .database import Away
from .settings import Settings

REQUESTS = Counter("bookmarks_http_requests_total", "Requests that were answered.", ["method", "route", "status"])
DURATION = Histogram(
    "bookmarks_http_request_duration_seconds",
    "Time until a request was answered.",
    ["method", "route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5),
)
IN_FLIGHT = Gauge("bookmarks_http_requests_in_flight", "Requests that are under way.")
LARGEST_BODY = 64 * 1024

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
#: Name -> why it cannot be used, "" where it can.
Health = Callable[[], dict[str, str]]


class Server:
    """An application that is served until a signal. needs: what readiness depends on; knows: whatever else `/health` tells."""

    def __init__(self, settings: Settings, needs: Health, knows: Health) -> None:
        self.stop = asyncio.Event()
        self._settings, self._needs, self._knows = settings, needs, knows
        self._in_flight = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self.app = web.Application(middlewares=[self._each_request], client_max_size=LARGEST_BODY)
        get = self.app.router.add_get
        get("/health", self._health)
        get("/health/live", self._live)
        get("/health/ready", self._ready)
        get("/metrics", self._metrics)

    async def run(self, *background: Coroutine[Any, Any, None]) -> int:
        """Serves, with this going on beside it, until SIGTERM or SIGINT; then requests under way are answered. The exit status."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop.set)
        runner = web.AppRunner(self.app, access_log=None, handle_signals=False)
        await runner.setup()
        # Not as a site of the runner's: one that stops takes the requests with it that are under way.
        listener = await loop.create_server(_protocol_of(runner), self._settings.host, self._settings.port, backlog=1024)
        log.write("started", port=listener.sockets[0].getsockname()[1], version=self._settings.version)
        tasks = [asyncio.create_task(each) for each in background]
        stopped = asyncio.create_task(self.stop.wait())
        # A task that ends before the signal has failed: better to end, and be started again, than to serve without it.
        ended, _ = await asyncio.wait({stopped, *tasks}, return_when=asyncio.FIRST_COMPLETED)
        has_failed = not self.stop.is_set()
        for task in ended - {stopped}:
            if error := task.exception():
                log.write("failed", "error", reason=log.told(error))
        self.stop.set()
        log.write("draining", inFlight=self._in_flight)
        await self._drained()
        listener.close()
        await asyncio.gather(*tasks, return_exceptions=True)
        await runner.cleanup()
        log.write("stopped")
        return 1 if has_failed else 0

    async def _drained(self) -> None:
        """Clients that keep a connection have `linger` seconds to come once more, and are told to let it go then."""
        await asyncio.sleep(self._settings.linger)
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._idle.wait(), max(0.0, self._settings.drain - self._settings.linger))

    @web.middleware
    async def _each_request(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        began, given = monotonic(), log.request_id_of(request.headers.get("X-Request-ID"))
        log.request_id.set(given)
        self._in_flight += 1
        self._idle.clear()
        IN_FLIGHT.inc()
        try:
            response = await _answered(request, handler)
        finally:
            self._in_flight -= 1
            if not self._in_flight:
                self._idle.set()
            IN_FLIGHT.dec()
        response.headers["X-Request-ID"] = given
        if self.stop.is_set():
            response.force_close()
        self._count(request, response.status, monotonic() - began)
        return response

    def _count(self, request: web.Request, status: int, seconds: float) -> None:
        resource = request.match_info.route.resource
        route = resource.canonical if resource else "none"
        REQUESTS.labels(request.method, route, status).inc()
        DURATION.labels(request.method, route).observe(seconds)
        if not route.startswith(("/health", "/metrics")):
            level = "error" if status >= 500 else "info"
            log.write("request", level, method=request.method, route=route, status=status, ms=round(seconds * 1000, 1))

    async def _live(self, request: web.Request) -> web.Response:
        return web.json_response({"status": "alive"})

    async def _ready(self, request: web.Request) -> web.Response:
        lacks = {name: why for name, why in self._needs().items() if why}
        if self.stop.is_set():
            lacks["process"] = "it is ending"
        return web.json_response({"status": "not ready" if lacks else "ready", "lacks": lacks}, status=503 if lacks else 200)

    async def _health(self, request: web.Request) -> web.Response:
        needs, all_of_it = self._needs(), {**self._needs(), **self._knows()}
        status = "unhealthy" if any(needs.values()) else "degraded" if any(all_of_it.values()) else "healthy"
        parts = {name: {"status": "unhealthy", "reason": why} if why else {"status": "healthy"} for name, why in all_of_it.items()}
        body = {"status": status, "version": self._settings.version, "parts": parts}
        return web.json_response(body, status=503 if status == "unhealthy" else 200)

    async def _metrics(self, request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})


def problem(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> web.Response:
    """An error, as all of them are told."""
    body = {"error": {"code": code, "message": message, "requestId": log.request_id.get()}}
    return web.json_response(body, status=status, headers=headers)


def _protocol_of(runner: web.AppRunner) -> Callable[[], asyncio.Protocol]:
    assert runner.server, "set up"
    return runner.server


async def _answered(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except ValueError as error:
        return problem(400, "invalid", str(error))
    except Away as error:
        log.write("unavailable", "warning", reason=str(error))
        return problem(503, "unavailable", "the database cannot be used now: try again", {"Retry-After": "1"})
    except web.HTTPException as error:
        return problem(error.status, error.reason.lower().replace(" ", "-"), error.reason)
    except Exception as error:  # noqa: BLE001 - the last line: whatever it is, the client gets an answer and the log says what it was
        log.write("failed", "error", reason=log.told(error))
        return problem(500, "internal", "this is our fault, and the log has it under the request's id")
