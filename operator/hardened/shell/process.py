"""The operator's process: makes the parts, runs them, and ends them in an order that loses nothing."""

import asyncio
import functools
import logging
import os
import random
import signal
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import AsyncExitStack, closing, contextmanager, suppress
from datetime import UTC, datetime
from typing import Any, Final

from hardened import __version__
from hardened.errors import ApiFailure
from hardened.shell import credentials, logs, metrics, probes, watcher, watches
from hardened.shell.cache import Cache
from hardened.shell.client import Client, Count, connect
from hardened.shell.health import TICK, Liveness
from hardened.shell.leader import Leader
from hardened.shell.listener import Listener
from hardened.shell.metrics import Metrics, MetricsServer
from hardened.shell.prometheus import Access, Prometheus
from hardened.shell.reconciler import Reconciler
from hardened.shell.recorder import Recorder
from hardened.shell.settings import BadSetting, Settings
from hardened.shell.sync import Sync
from hardened.shell.workqueue import WorkQueue

logger = logging.getLogger(__name__)

#: A graceful stop waits this long for reconciles in work, then cancels them and waits once more, before the Lease is given up: with the
#: 1.2 s within which a standby looks, less than the 3 s of a handover.
DRAIN_SECONDS: Final = 1.2
CANCEL_SECONDS: Final = 0.3
#: Then the Events that wait to be sent have so long: by then the next leader is at work.
TELL_SECONDS: Final = 0.3
#: Between two attempts of a new leader to list what it is to work on; with jitter.
TAKEOVER_PAUSE: Final = 1.0


class Process:
    """All parts of one operator process. Ends on SIGTERM, on lost leadership, and when any part ends that should not.

    clock: monotonic seconds, the same as the event loop's.
    """

    def __init__(
        self,
        settings: Settings,
        environ: Mapping[str, str],
        client: Client,
        measured: Metrics,
        signs: Liveness,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.rng = rng = random.Random()
        self.settings, self.environ, self.client, self.metrics, self.clock = settings, environ, client, measured, clock
        self.stop = asyncio.Event()
        self.leads, self.hears = asyncio.Event(), asyncio.Event()
        self.exit_code = 0
        self.cache = Cache()
        self.queue = WorkQueue(clock, rng)
        self.queue.pause()
        self.signs = signs
        self.recorder = Recorder(client, settings.identity or "hardened-operator", clock=clock)
        self.sync = Sync(client, self.cache, self.queue, namespaces=settings.namespaces, period=settings.resync_seconds, rng=rng)
        self.leader = Leader(client, settings, clock=clock, rng=rng, on_started=self.leads.set, on_lost=self._lost)
        self.reconciler = Reconciler(
            client,
            self.cache,
            self.queue,
            policy=settings.policy,
            metrics=measured,
            recorder=self.recorder,
            now=lambda: datetime.now(UTC),
            may_write=lambda: not settings.leader_elect or self.leader.is_leader,
            crd_schema=lambda: self.sync.crd_schema,
            is_known=self.sync.is_known,
            releases=settings.max_concurrent_releases,
            share=settings.namespace_share / 100,
            prometheus=Prometheus(
                settings.prometheus_url,
                Access(
                    settings.prometheus_ca_file,
                    settings.prometheus_token_file,
                    settings.prometheus_certificate_file,
                    settings.prometheus_key_file,
                ),
            ),
        )
        measured.watch_queue(self.queue.__len__, self.queue.oldest_seconds)
        measured.watch_unread((kind.name for kind in watches.WATCHED), self.cache.count_unread)
        measured.watch_leader(lambda: not settings.leader_elect or self.leader.is_leader)

    async def _take_over(self) -> None:
        """Begins to work once it leads, on the specs of then: a standby whose watch is silent would plan on old ones and undo a release."""
        await self.leads.wait()
        while True:
            try:
                await self.sync.services()
                break
            except ApiFailure as failure:
                logger.warning("%s leads, but does not work yet: %s", self.settings.identity, failure)
            await asyncio.sleep(TAKEOVER_PAUSE * self.rng.uniform(0.8, 1.2))
        self._work()
        await asyncio.Event().wait()

    def _work(self) -> None:
        if self.stop.is_set():
            return
        self.reconciler.resume()
        for key in self.cache.services():
            self.queue.add(key)
        self.queue.resume()

    def _lost(self) -> None:
        self.queue.pause()
        self.end(1)

    def end(self, code: int) -> None:
        """Begins the end of the process; the first code counts."""
        if not self.stop.is_set():
            self.exit_code = code
            self.stop.set()

    async def run(self) -> int:
        """Runs until told to end. The exit code: 0 after a signal, 1 when something ended that should not have.

        Raises BadSetting for a port that somebody else has.
        """
        self._hear_signals()
        server, asked = await self._listen()
        tasks = [self._spawn("ticker", self._tick())]
        try:
            tasks.append(self._spawn("start", self._start(tasks)))
            await self.stop.wait()
            if await self._finish_work():
                await self.leader.release()
                await self._finish_telling()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.client.close()
            await asked.close()
            server.close()
        logger.info("hardened operator %s ends with exit code %d", __version__, self.exit_code)
        return self.exit_code

    async def _listen(self) -> tuple[MetricsServer, Listener]:
        """The servers of the metrics and of the probes."""
        async with AsyncExitStack() as opened:
            opened.push_async_callback(self.client.close)
            with _opening("HARDENED_METRICS_PORT", self.settings.metrics_port):
                server = opened.enter_context(closing(metrics.serve(self.metrics.registry, self.settings.metrics_port)))
            with _opening("HARDENED_HEALTH_PORT", self.settings.health_port):
                asked = await probes.serve(self.settings.health_port, {"/healthz": self._problems, "/readyz": self._unready})
            opened.pop_all()
        return server, asked

    async def _finish_telling(self) -> None:
        """Sends the Events of what was done last: nobody else would."""
        with suppress(TimeoutError):
            async with asyncio.timeout(TELL_SECONDS):
                await self.recorder.flush()

    async def _finish_work(self) -> bool:
        """Whether nothing of ours can be written any more: only then another may lead."""
        if await self.queue.drain(DRAIN_SECONDS):
            return True
        self.queue.pause()
        if await self.queue.drain(CANCEL_SECONDS):
            return True
        logger.warning("a reconcile does not end: the lease is not released, it runs out by itself")
        return False

    async def _start(self, tasks: list[asyncio.Task[None]]) -> None:
        """The order matters: nothing is worked before every kind was listed, and a standby knows the world before it can lead."""
        saw = self._saw
        await self.sync.first(saw)
        tasks.append(self._spawn("watches", self._watch()))
        tasks.append(self._spawn("queue", self.queue.run(self.reconciler.reconcile, self.settings.workers)))
        tasks.append(self._spawn("recorder", self.recorder.run()))
        tasks.append(self._spawn("resync", self.sync.run(saw)))
        if self.settings.leader_elect:
            tasks.append(self._spawn("takeover", self._take_over()))
            tasks.append(self._spawn("leader", self.leader.run()))
        else:
            self._work()
        await asyncio.Event().wait()

    def _problems(self) -> list[str]:
        """What only a new process puts right."""
        self.signs.beat(self.queue.heartbeat())
        return self.signs.problems(self.clock())

    def _unready(self) -> list[str]:
        """Why changes are not heard of. Whether this process leads does not count: a standby is to be there, too."""
        if self.stop.is_set():
            return ["the process ends"]
        return self._problems() if self.hears.is_set() else ["not everything is watched yet"]

    def _hear(self) -> None:
        self.signs.begin(self.clock())
        self.hears.set()

    def _saw(self, plural: str) -> None:
        self.signs.saw(plural, self.clock())

    def _spawn(self, name: str, coro: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(coro, name=name)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if not self.stop.is_set():
            logger.error("%s ended: the process ends with it, to be started anew", task.get_name(), exc_info=error)
        self.end(1)

    async def _tick(self) -> None:
        while True:
            self.signs.ticked(self.clock())
            await asyncio.sleep(TICK)

    async def _watch(self) -> None:
        watching = watches.Watching(self.cache, self.queue, self.signs, self.clock)
        load = functools.partial(credentials.load, self.environ)
        await watcher.watch(watching, load, namespaces=self.settings.namespaces, spawned=self._hear_signals, complete=self._hear)

    def _hear_signals(self) -> None:
        """kopf puts signal handlers of its own in place; the order of our end is ours."""
        for signum in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(signum, self.end, 0)


def counted(measured: Metrics, signs: Liveness, clock: Callable[[], float] = time.monotonic) -> Count:
    """For the client, to tell of each call. That it lists is a sign of life, also when no reply comes: who starts in an outage is well."""

    def count(verb: str, resource: str, code: str) -> None:
        measured.count_call(verb, resource, code)
        if verb == "list":
            signs.saw(resource, clock())

    return count


def new_signs(now: float) -> Liveness:
    return Liveness((kind.plural for kind in watches.WATCHED), now)


@contextmanager
def _opening(setting: str, port: int) -> Iterator[None]:
    """Raises BadSetting where the port cannot be listened on in here."""
    try:
        yield
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else str(error)
        raise BadSetting(setting, f"port {port} cannot be listened on ({why}): set it to a free one, or end who has it") from error


async def main(environ: Mapping[str, str]) -> int:
    """Runs the operator by these environment variables. Raises BadSetting."""
    settings = Settings.from_environ(environ)
    logs.configure(settings.log_level)
    logger.info("hardened operator %s starts in %s", __version__, ", ".join(settings.namespaces) or "all namespaces")
    measured, signs = Metrics(), new_signs(time.monotonic())
    client = await connect(environ, counted(measured, signs))
    with suppress(asyncio.CancelledError):
        return await Process(settings, environ, client, measured, signs).run()
    return 1
