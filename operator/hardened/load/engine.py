"""A run: sends requests when they are due, whatever became of earlier ones."""

import asyncio
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from random import Random
from typing import Final

from hardened.load.connection import Exchange
from hardened.load.errors import CannotStart, check_bounds
from hardened.load.figures import Failure, Figures, Outcome, Stop
from hardened.load.pool import Address, Pool
from hardened.load.recorder import Burst, LatencyRecorder
from hardened.load.reply import ServerReply
from hardened.load.schedule import Schedule
from hardened.load.target import LoadTarget

#: Seconds between two looks at the schedule, at least: so much a request may be late, and without it a high rate would be a busy loop.
TICK: Final = 0.001
#: The header by which the guard says that a 503 is load shed on purpose, not a failure.
SHED_HEADER: Final = b"x-hardened-shed"
#: Bytes of a body that a mark can be read from.
KEPT_BODY: Final = 4096


@dataclass(frozen=True, kw_only=True)
class Load:
    """How a run goes.

    timeout: seconds from when a request is sent to its whole reply, connecting included.
    connections: at least so many are kept alive and used in turn; while all are busy more are opened, and kept. 0: a new one for each
    request. max_in_flight: further requests are not sent, and fail as OVERLOAD. burst: ends the run early.
    retry_idle_close: a request that a kept connection swallowed, closing without a byte in reply, is sent once more on a new one, as
    browsers and proxies do (RFC 9112, section 9.3.1); it is late since it was first due, and counted in `retries`. Off: it has failed.
    Raises BadLoad outside the bounds.
    """

    schedule: Schedule
    timeout: float = 10.0
    connections: int = 0
    max_in_flight: int = 2000
    retry_idle_close: bool = False
    burst: Burst | None = None

    def __post_init__(self) -> None:
        check_bounds("timeout", self.timeout, 0.001, 3600)
        check_bounds("connections", self.connections, 0, 20_000)
        check_bounds("max_in_flight", self.max_in_flight, 1, 50_000)


class Engine:
    """One run of one load. Not thread-safe: everything happens on the thread of the event loop that `run` runs on.

    rng: arrivals at random instead of evenly. observe: called with each request that has ended; must be quick, and not raise.
    mark: says in a few characters what a reply is, its version for instance; figures and outcomes carry it. It has the first 4096 bytes of
    the body. clock: seconds, never going back; the times of outcomes are on it. cpu_clock: processor seconds of this process.
    """

    def __init__(
        self,
        target: LoadTarget,
        load: Load,
        *,
        rng: Random | None = None,
        observe: Callable[[Outcome], None] | None = None,
        mark: Callable[[ServerReply], str] | None = None,
        clock: Callable[[], float] = time.monotonic,
        cpu_clock: Callable[[], float] = time.process_time,
    ) -> None:
        self._target = target
        self._load = load
        self._observe = observe
        self._mark = mark
        self._clock = clock
        self._cpu_clock = cpu_clock
        self._arrivals = load.schedule.arrivals(rng)
        self._next = next(self._arrivals, None)  # when the next request is due, in seconds from the beginning
        self._in_flight: dict[Exchange, None] = {}  # in the order in which they were sent
        self._pool: Pool | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._stopped: Stop | None = None
        self._over = asyncio.Event()
        self._began = self._ended = (clock(), cpu_clock())
        self._recorder = LatencyRecorder(self._began[0], load.burst)

    async def run(self) -> Figures:
        """Runs once, at most for the schedule's seconds and a timeout. When it is cancelled, `figures` still tells what was measured.

        Raises CannotStart, before any request, where the host has no address. It is looked up once, and the first address is used.
        """
        self._pool = await self._open_pool()
        self._began = (self._clock(), self._cpu_clock())
        self._recorder = LatencyRecorder(self._began[0], self._load.burst)
        try:
            self._tick()
            await self._over.wait()
        except asyncio.CancelledError:
            self.stop(Stop.TERMINATED)
            raise
        finally:
            self._over.set()
            self._ended = (self._clock(), self._cpu_clock())
            if self._timer is not None:
                self._timer.cancel()
            await self._pool.close()
        return self.figures()

    def stop(self, reason: Stop = Stop.ASKED) -> None:
        """Sends no more. What is in flight is waited for if that was ASKED, else given up; then `run` returns."""
        if self._over.is_set():
            return
        if not self._is_done:
            self._stopped = reason
        self._next = None
        if reason is not Stop.ASKED or self._is_done:
            self._over.set()

    def figures(self) -> Figures:
        """What has been measured so far."""
        now, cpu = self._ended if self._over.is_set() else (self._clock(), self._cpu_clock())
        wall, planned = now - self._began[0], self._load.schedule.seconds
        return self._recorder.figures(
            planned_seconds=planned,
            # A whole run ends with its last reply, which may come before the last second is over.
            seconds=max(wall, planned) if self._is_done and self._stopped is None else wall,
            unfinished=len(self._in_flight),
            connections=self._pool.opened_count if self._pool else 0,
            cpu_ratio=(cpu - self._began[1]) / wall if wall > 0 else 0.0,
            stopped=self._stopped,
        )

    @property
    def _is_done(self) -> bool:
        return self._next is None and not self._in_flight

    async def _open_pool(self) -> Pool:
        return Pool(
            await _address_of(self._target, self._load.timeout),
            self._load.connections,
            self._target.request(keeps_alive=self._load.connections > 0),
            KEPT_BODY if self._mark else 0,
            self._answered,
            self._failed,
        )

    # ---- sending

    def _tick(self) -> None:
        # One look at the clock: what becomes due while these are sent waits for the next tick, so that replies are read in between.
        now = self._clock()
        try:
            while self._next is not None and (scheduled := self._began[0] + self._next) <= now:
                self._next = next(self._arrivals, None)
                self._send(scheduled)
            self._give_up_late_ones(now)
        finally:
            # Whatever an observer raises is for the event loop to log: the run goes on, and ends.
            if self._is_done:
                self._over.set()
            else:
                self._timer = asyncio.get_running_loop().call_later(max(TICK, self._wait()), self._tick)

    def _send(self, scheduled: float) -> None:
        assert self._pool is not None
        exchange = Exchange(scheduled, self._clock())
        if len(self._in_flight) >= self._load.max_in_flight:
            self._record(exchange, exchange.started, failure=Failure.OVERLOAD)
        else:
            self._in_flight[exchange] = None
            self._pool.send(exchange)

    def _give_up_late_ones(self, now: float) -> None:
        while self._in_flight and (oldest := next(iter(self._in_flight))).started + self._load.timeout <= now:
            oldest.give_up()
            self._failed(oldest, Failure.TIMEOUT)

    def _wait(self) -> float:
        """Seconds until a request is due or times out."""
        moments = []
        if self._next is not None:
            moments.append(self._began[0] + self._next)
        if self._in_flight:
            moments.append(next(iter(self._in_flight)).started + self._load.timeout)
        return min(moments) - self._clock()

    # ---- what became of it

    def _answered(self, exchange: Exchange, reply: ServerReply) -> None:
        if exchange in self._in_flight:
            is_shed = reply.status == 429 or (reply.status == 503 and SHED_HEADER in reply.headers)
            mark = self._mark(reply) if self._mark else ""
            self._record(exchange, self._clock(), status=reply.status, is_shed=is_shed, mark=mark)

    def _failed(self, exchange: Exchange, failure: Failure) -> None:
        if exchange not in self._in_flight:
            return
        if failure is Failure.IDLE_CLOSE and self._load.retry_idle_close and self._pool is not None:
            exchange.is_retry = True
            self._pool.send_on_new(exchange)
        else:
            self._record(exchange, self._clock(), failure=failure)

    def _record(
        self, exchange: Exchange, ended: float, *, status: int = 0, failure: Failure | None = None, is_shed: bool = False, mark: str = ""
    ) -> None:
        self._in_flight.pop(exchange, None)
        outcome = Outcome(exchange.scheduled, exchange.started, ended, status, failure, is_shed, mark, exchange.is_retry)
        self._recorder.add(outcome)
        if self._observe is not None:
            self._observe(outcome)
        if self._recorder.sees_burst:
            self.stop(Stop.BURST)
        elif self._is_done:
            self._over.set()


async def _address_of(target: LoadTarget, within: float) -> Address:
    with suppress(ValueError):
        version = ip_address(target.host).version
        return Address(socket.AF_INET if version == 4 else socket.AF_INET6, target.host, target.port)
    try:
        async with asyncio.timeout(within):
            found = await asyncio.get_running_loop().getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise CannotStart(f"{target.host} has no address: {error or 'nobody answered in time'}") from error
    family, _, _, _, (address, *_) = found[0]
    return Address(family, str(address), target.port)
