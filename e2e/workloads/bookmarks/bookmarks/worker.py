"""The worker: takes jobs from Redis and does them, offers what is due from the outbox, and takes over what dead workers had.

Each job is done at least once. Its effect and the word that it is done are one transaction, so that its effect is there once.
"""

import asyncio
import socket
import uuid
from collections.abc import Awaitable, Callable
from random import Random

from prometheus_client import Counter, Histogram

from . import backoff, jobqueue, jobs, log, schema
from .database import Away, Database
from .enrich import CannotEnrich, Found, enrich
from .settings import Settings
from .web import Server

DONE = Counter("bookmarks_jobs_total", "Attempts at jobs, by what came of them.", ["outcome"])
TIME = Histogram("bookmarks_job_duration_seconds", "Time that one attempt at a job took.")
_AT_ONCE = 200
#: More than this many are not handed to Redis: they wait in the outbox.
_MOST_READY = 10_000
_HOUSEKEEPING_S = 60
_RECONNECTED_WITHIN_S = 2

_AWAY = (Away, *jobqueue.AWAY)


class Broken(Exception):
    """The worker ends before the job does."""


class Worker:
    """One process's part. Its name is its own for ever: a container that is started again is another worker."""

    def __init__(self, settings: Settings, database: Database, queue: jobqueue.JobQueue, stop: asyncio.Event) -> None:
        self.name = f"{socket.gethostname()}-{uuid.uuid4().hex[:8]}"
        self._settings, self._database, self._queue, self._stop = settings, database, queue, stop
        self._enough = asyncio.Event()  # what is not done by now is given back
        self._rng = Random()
        self._at_work: set[int] = set()
        self._stray: set[int] = set()

    async def run(self) -> None:
        """Works until it is told to stop; then finishes what it has, or gives it back after `drain` seconds."""
        lease = self._settings.lease
        others = [
            self._again(self._beat, every=lease / 3, until=self._enough),
            self._again(self._reclaim, every=lease / 2),
            self._again(self._offer, every=self._settings.poll),
            self._again(self._mend, every=self._settings.lost_after),
            self._again(self._forget, every=_HOUSEKEEPING_S),
        ]
        loops = [asyncio.create_task(each) for each in others]
        hands = [asyncio.create_task(self._again(self._one, every=0)) for _ in range(self._settings.concurrency)]
        await self._stop.wait()
        await asyncio.wait(hands, timeout=self._settings.drain)
        self._enough.set()
        await asyncio.gather(*hands, *loops)
        await self._queue_left()

    async def _again(self, step: Callable[[], Awaitable[None]], *, every: float, until: asyncio.Event | None = None) -> None:
        """Does that again and again. While something is away it waits, longer each time, and never gives up."""
        stop, failures = until or self._stop, 0
        while not stop.is_set():
            try:
                await step()
                failures, pause = 0, every
            except Exception as error:  # noqa: BLE001 - a loop that ends would be a worker that lives and does not work
                if not isinstance(error, _AWAY):  # of those, the watches say so
                    log.write("failed", "error", step=step.__name__.strip("_"), reason=log.told(error))
                failures += 1
                pause = backoff.delay(failures, first=0.1, most=_RECONNECTED_WITHIN_S, rng=self._rng)
            if pause:
                await backoff.wait(stop, pause)

    async def _beat(self) -> None:
        await self._queue.beat(self.name, self._settings.lease)

    async def _reclaim(self) -> None:
        """What dead workers had; and what Redis says that this one has, and it does not know of, twice in a row: an answer was lost."""
        stray = await self._queue.taken(self.name) - self._at_work
        for number in stray & self._stray:
            await self._queue.give_back(self.name, number)
        self._stray = stray
        for worker in await self._queue.workers():
            if worker != self.name and (moved := await self._queue.reclaim(worker)) >= 0:
                log.write("reclaimed", "warning" if moved else "info", worker=worker, jobs=moved)

    async def _offer(self) -> None:
        """In the transaction that puts off their next offer: where Redis does not take them, they are due at once again."""
        if await self._queue.waiting() >= _MOST_READY:
            return
        async with self._database.transaction() as connection:
            if due := await jobs.due(connection, _AT_ONCE, self._settings.lost_after):
                await self._queue.offer(due)

    async def _mend(self) -> None:
        if lost := await self._queue.mend():
            log.write("mended", "warning", jobs=lost)

    async def _forget(self) -> None:
        async with self._database.use() as connection:
            await jobs.forget(connection, self._settings.keep_days)

    async def _one(self) -> None:
        number = await self._queue.take(self.name)
        if number is None:
            return
        self._at_work.add(number)
        try:
            await self._do(number)
        except Broken:
            await self._queue.give_back(self.name, number)
        except Exception:
            # What came of it was not recorded: whoever has the database again does it.
            await self._queue.give_back(self.name, number)
            raise
        else:
            await self._queue.done(self.name, number)
        finally:
            self._at_work.discard(number)

    async def _do(self, number: int) -> None:
        """One attempt. Returns once PostgreSQL knows what came of it. Raises Away where it could not be told, Broken where it is to end."""
        async with self._database.use() as connection:
            job = await jobs.begin(connection, number, self._settings.lost_after)
        if job is None:
            DONE.labels("nothing-to-do").inc()
            return
        log.request_id.set(job.request_id)
        try:
            with TIME.time():
                found = await self._work(job)
        except Broken:
            async with self._database.use() as connection:
                await jobs.give_back(connection, job)
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, this attempt failed, and the queue goes on
            await self._failed(job, error)
        else:
            async with self._database.transaction() as connection:
                is_ours = await jobs.finish(connection, job, found)
            DONE.labels("done" if is_ours else "done-by-another").inc()
            log.write("job", job=job.id, attempt=job.attempt, outcome="done" if is_ours else "done by another")
        finally:
            log.request_id.set("")

    async def _work(self, job: jobs.Job) -> Found:
        """What fetching the page would take, then what is made of it."""
        if job.attempt > self._settings.attempts:
            raise CannotEnrich("its workers have died of it, or with it")
        if self._settings.job_seconds:
            await backoff.wait(self._enough, self._settings.job_seconds)
        if self._enough.is_set():
            raise Broken
        return enrich(job.url)

    async def _failed(self, job: jobs.Job, error: Exception) -> None:
        is_last = job.attempt >= self._settings.attempts
        first, most = self._settings.retry_first, self._settings.retry_most
        again_in = None if is_last else backoff.delay(job.attempt, first=first, most=most, rng=self._rng)
        async with self._database.transaction() as connection:
            await jobs.fail(connection, job, log.told(error), again_in)
        outcome = "dead" if is_last else "failed"
        DONE.labels(outcome).inc()
        level = "warning" if isinstance(error, CannotEnrich) else "error"
        log.write("job", level, job=job.id, attempt=job.attempt, outcome=outcome, reason=log.told(error), againIn=again_in)

    async def _queue_left(self) -> None:
        try:
            await self._queue.leave(self.name)
        except jobqueue.AWAY as error:
            log.write("left", "warning", reason=f"{log.told(error)}; what it had is reclaimed after its lease")


async def run(settings: Settings) -> int:
    """Works until SIGTERM."""
    # A connection for each that waits for a job, and some for those that do not wait.
    database, queue = Database(settings, schema.NEWEST), jobqueue.JobQueue(settings, connections=settings.concurrency + 4)
    server = Server(settings, lambda: {"database": database.why_not, "redis": queue.why_not}, dict)
    worker = Worker(settings, database, queue, server.stop)
    await database.open()
    try:
        return await server.run(database.watch(server.stop), queue.watch(server.stop), worker.run())
    finally:
        await database.close()
        await queue.close()
