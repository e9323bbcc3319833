"""The work queue: each key once, one worker per key at a time, back-off with jitter, nothing polled."""

import asyncio
import heapq
import logging
import random
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Final, NamedTuple

logger = logging.getLogger(__name__)

#: Back-off of a failing key, in seconds: 0.2 to 0.4 after the first failure, doubled each time, 30 to 60 in the end.
FIRST_BACKOFF: Final = 0.2
LAST_BACKOFF: Final = 60.0
#: Seconds until the next look at a key that changed while it was being looked at, the first few times in a row, as client-go retries
#: conflicts (util/retry.DefaultRetry): a failure it is only if it goes on. What changes often is caught by looking sooner, not later.
CONFLICT_BACKOFF: Final = 0.01
MOST_CONFLICTS: Final = 5
#: Seconds after which a worker that has not come back is cancelled and its key retried. 20 calls of 15 s: more than any reconcile makes.
WORK_DEADLINE: Final = 300.0
#: Looks at one key: so many at once, as a release needs them; then one each LEAST_INTERVAL seconds, however often anything of it changes.
BURST: Final = 60
LEAST_INTERVAL: Final = 0.5
#: Keys whose looks are counted, before those that have all their looks left are forgotten.
MOST_COUNTED: Final = 4096


class Key(NamedTuple):
    """Which HardenedService to look at."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


Worker = Callable[[Key], Awaitable[None]]
_Timer = tuple[float, int, Key]  # when it is due, a number that orders equals, whom to look at


class WorkQueue:
    """Level-triggered: a key says `look at it`, never what happened.

    A key waits in one place only: ready, or in work (and again ready after it, if it was added meanwhile). Besides, it can have one timer,
    the earliest that was asked for; taking the key into work clears it, since whoever looks now decides anew when to look next.
    A key that has used up its looks, see BURST, waits for the next one by its timer: one busy object leaves time to all others.
    clock: monotonic seconds; when the queue runs, the same clock as the event loop's. Not thread-safe: call it on the loop's thread.
    """

    def __init__(self, clock: Callable[[], float], rng: random.Random) -> None:
        self._clock = clock
        self._rng = rng
        self._ready: dict[Key, float] = {}  # in the order of arrival -> since when
        self._working: dict[Key, float] = {}
        self._again: set[Key] = set()  # added while in work
        self._due: dict[Key, _Timer] = {}
        self._timers: list[_Timer] = []  # a heap; timers that `_due` does not hold are stale
        self._order = count()
        self._failures: dict[Key, int] = {}
        self._conflicts: dict[Key, int] = {}
        self._full_at: dict[Key, float] = {}  # when it will have all its looks left again
        self._paused = False
        self._progress_at = clock()
        self._wake: asyncio.Event | None = None  # set while `run` runs
        self._alarm: asyncio.TimerHandle | None = None
        self._tasks: dict[asyncio.Task[None], Key] = {}

    # ---- putting keys in

    def add(self, key: Key) -> None:
        """Look at `key` as soon as a worker is free; after the present look, if it is in work."""
        if key in self._working:
            self._again.add(key)
        else:
            self._ready.setdefault(key, self._clock())
            self._notify()

    def add_after(self, key: Key, seconds: float) -> None:
        """Look at `key` in `seconds`, unless a look before that clears it. Of several such wishes the earliest wins."""
        if seconds <= 0:
            self.add(key)
            return
        timer = (self._clock() + seconds, next(self._order), key)
        if key not in self._due or timer < self._due[key]:
            self._due[key] = timer
            heapq.heappush(self._timers, timer)
            if len(self._timers) > 2 * len(self._due) + 64:
                # A busy key leaves one stale timer per look behind: at a resync of 300 s they would pile up.
                self._timers = [timer for timer in self._timers if self._due.get(timer[2]) is timer]
                heapq.heapify(self._timers)
            self._arm()

    def retry_conflict(self, key: Key) -> float:
        """Look at `key` again at once, since it changed meanwhile; as `retry` where it goes on changing. The seconds until then."""
        conflicts = self._conflicts.get(key, 0)
        if conflicts == MOST_CONFLICTS:
            return self.retry(key)
        self._conflicts[key] = conflicts + 1
        delay = self._rng.uniform(CONFLICT_BACKOFF, 2 * CONFLICT_BACKOFF)
        self.add_after(key, delay)
        return delay

    def retry(self, key: Key, at_least: float | None = None) -> float:
        """Look at `key` again after a failure: back-off, but not before `at_least` seconds. The seconds until then.

        The n-th failure in a row waits between b and 2b, b = 0.2 * 2^(n-1), at most 60 s: the spread keeps failing keys out of step.
        """
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        # 2**9 * 0.2 is above the bound already; more would overflow in the end.
        low = min(FIRST_BACKOFF * 2 ** min(failures, 9), LAST_BACKOFF / 2)
        delay = self._rng.uniform(low, 2 * low)
        if at_least is not None and at_least > delay:
            delay = at_least * self._rng.uniform(1.0, 1.1)
        self.add_after(key, delay)
        return delay

    def forget(self, key: Key) -> None:
        """The look went well: the next failure is the first one again."""
        self._failures.pop(key, None)
        self._conflicts.pop(key, None)

    # ---- taking keys out

    def take(self) -> Key | None:
        """The key that has waited longest, now in work; None when nothing is ready, or while paused. Give it back by `done`."""
        self._move_due()
        if self._paused or not self._ready:
            return None
        now = self._clock()
        while self._ready:
            key = next(iter(self._ready))
            del self._ready[key]
            full_at = max(self._full_at.get(key, now), now)
            if (wait := full_at - now - (BURST - 1) * LEAST_INTERVAL) > 0:
                self.add_after(key, wait)
                continue
            self._full_at[key] = full_at + LEAST_INTERVAL
            if len(self._full_at) > MOST_COUNTED:
                self._full_at = {key: at for key, at in self._full_at.items() if at > now}
            self._due.pop(key, None)
            self._working[key] = self._progress_at = now
            return key
        return None

    def done(self, key: Key) -> None:
        """The worker is through with `key`. If it was added meanwhile it is ready again; its back-off stays as it is."""
        self._working.pop(key, None)
        self._progress_at = self._clock()
        if key in self._again:
            self._again.discard(key)
            self._ready.setdefault(key, self._clock())
        self._notify()

    # ---- leadership

    @property
    def is_paused(self) -> bool:
        return self._paused

    def pause(self) -> None:
        """Hands out no more keys and cancels what is in work: who no longer leads may not write. Keys are still collected."""
        self._paused = True
        for task, key in self._tasks.items():
            self._again.add(key)
            task.cancel()

    def resume(self) -> None:
        self._paused = False
        self._progress_at = self._clock()
        self._notify()

    async def drain(self, seconds: float) -> bool:
        """Hands out no more keys and lets what is in work come to its end, at most `seconds`; True when all did. For a graceful stop."""
        self._paused = True
        if not self._tasks:
            return True
        _, pending = await asyncio.wait(list(self._tasks), timeout=seconds)
        return not pending

    # ---- what metrics and probes ask

    def __len__(self) -> int:
        """How many keys are ready and wait for a worker."""
        return len(self._ready)

    @property
    def in_work(self) -> int:
        return len(self._working)

    def oldest_seconds(self) -> float:
        """How long the first key in line has waited; 0 when none does."""
        since = next(iter(self._ready.values()), None)
        return 0.0 if since is None else max(0.0, self._clock() - since)

    def heartbeat(self) -> float:
        """The time, on the queue's clock, of its last sign of life: now when nothing waits or it is paused, else when a key was last taken
        or done (or when the first key in line began to wait, if that is later)."""
        if self._paused or not self._ready:
            return self._clock()
        return max(self._progress_at, next(iter(self._ready.values())))

    # ---- running

    async def run(self, worker: Worker, concurrency: int, *, deadline: float = WORK_DEADLINE) -> None:
        """Works keys until cancelled, at most `concurrency` at a time, each at most `deadline` seconds.

        A worker calls add_after, retry and forget as it sees fit. One that raises, or that overruns, is logged with its traceback and its
        key retried. On the way out, workers are cancelled and waited for.
        """
        self._wake = asyncio.Event()
        self._arm()
        try:
            while True:
                self._wake.clear()
                while len(self._tasks) < concurrency and (key := self.take()) is not None:
                    self._start(worker, key, deadline)
                await self._wake.wait()
        finally:
            self._wake = None
            if self._alarm is not None:
                self._alarm.cancel()
                self._alarm = None
            tasks = list(self._tasks)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _start(self, worker: Worker, key: Key, deadline: float) -> None:
        task = asyncio.create_task(self._work(worker, key, deadline), name=f"reconcile {key}")
        self._tasks[task] = key
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        # A callback, not a `finally` in the task: a task that is cancelled before its first step runs no line of its own.
        self.done(self._tasks.pop(task))

    async def _work(self, worker: Worker, key: Key, deadline: float) -> None:
        try:
            async with asyncio.timeout(deadline):
                await worker(key)
        except Exception:
            # Every class, since this is the last line of defence: one broken key must not stop the others.
            logger.exception("%s: the look at it failed unexpectedly; it is retried", key)
            self.retry(key)

    def _move_due(self) -> None:
        now = self._clock()
        while self._timers and self._timers[0][0] <= now:
            timer = heapq.heappop(self._timers)
            if self._due.get(timer[2]) is timer:
                del self._due[timer[2]]
                self.add(timer[2])

    def _notify(self) -> None:
        if self._wake is not None:
            self._wake.set()

    def _arm(self) -> None:
        """Sets the one alarm of the event loop to the first timer."""
        if self._wake is None:
            return
        while self._timers and self._due.get(self._timers[0][2]) is not self._timers[0]:
            heapq.heappop(self._timers)
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if self._timers:
            self._alarm = asyncio.get_running_loop().call_later(max(0.0, self._timers[0][0] - self._clock()), self._ring)

    def _ring(self) -> None:
        self._alarm = None
        self._move_due()
        self._arm()
