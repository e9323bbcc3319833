import asyncio
import logging
import random
from collections.abc import Awaitable, Callable

import pytest
from tests.shell import virtual_time

from hardened.shell.workqueue import Key, Worker, WorkQueue

A, B, C = (Key("shop", name) for name in "abc")


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def queue(clock: Clock) -> WorkQueue:
    return WorkQueue(clock, random.Random(1))


def taken(queue: WorkQueue) -> list[Key]:
    """Everything that is ready, in its order; left in work."""
    keys = []
    while (key := queue.take()) is not None:
        keys.append(key)
    return keys


# ---- without running


def test_a_key_is_ready_once_however_often_it_is_added(queue: WorkQueue) -> None:
    for key in (A, B, A, A):
        queue.add(key)
    assert taken(queue) == [A, B]


def test_a_key_in_work_is_ready_again_only_after_it(queue: WorkQueue) -> None:
    queue.add(A)
    assert queue.take() == A
    queue.add(A)
    queue.add(A)
    assert queue.take() is None
    queue.done(A)
    assert taken(queue) == [A]
    queue.done(A)
    assert taken(queue) == []


def test_of_several_times_the_earliest_wins(queue: WorkQueue, clock: Clock) -> None:
    for seconds in (30, 10, 20):
        queue.add_after(A, seconds)
    clock.now += 9.9
    assert taken(queue) == []
    clock.now += 0.2
    assert taken(queue) == [A]
    queue.done(A)
    clock.now += 100
    assert taken(queue) == []


def test_a_look_clears_the_timer(queue: WorkQueue, clock: Clock) -> None:
    queue.add_after(A, 10)
    queue.add(A)
    assert taken(queue) == [A]
    queue.done(A)
    clock.now += 11
    assert taken(queue) == []


def test_a_timer_set_while_in_work_is_kept(queue: WorkQueue, clock: Clock) -> None:
    queue.add(A)
    queue.take()
    queue.add_after(A, 10)
    queue.done(A)
    clock.now += 11
    assert taken(queue) == [A]


def test_a_timer_of_no_time_is_at_once(queue: WorkQueue) -> None:
    queue.add_after(A, 0)
    queue.add_after(B, -3)
    assert taken(queue) == [A, B]


def test_stale_timers_do_not_pile_up(queue: WorkQueue) -> None:
    for _ in range(10_000):
        queue.add_after(A, 300)
        queue.add(A)
        queue.take()
        queue.done(A)
    assert len(queue._timers) < 100


@pytest.mark.parametrize(
    ("failures", "low", "high"),
    [(1, 0.2, 0.4), (2, 0.4, 0.8), (3, 0.8, 1.6), (8, 25.6, 51.2), (9, 30, 60), (50, 30, 60), (2000, 30, 60)],
)
def test_back_off_doubles_up_to_a_minute(clock: Clock, failures: int, low: float, high: float) -> None:
    delays = []
    for seed in range(50):
        queue = WorkQueue(clock, random.Random(seed))
        delays.append([queue.retry(A) for _ in range(failures)][-1])
    assert low <= min(delays) < max(delays) <= high


def test_a_retry_waits_as_long_as_the_server_asks(queue: WorkQueue) -> None:
    assert 30 <= queue.retry(A, at_least=30) <= 33
    assert 0.2 <= WorkQueue(Clock(), random.Random(1)).retry(A, at_least=0.1) <= 0.4


def test_done_leaves_the_back_off_and_forget_resets_it(queue: WorkQueue) -> None:
    for _ in range(5):
        queue.retry(A)
    queue.done(A)
    assert queue.retry(A) > 6
    queue.forget(A)
    assert queue.retry(A) <= 0.4


def test_a_paused_queue_collects_and_hands_out_nothing(queue: WorkQueue, clock: Clock) -> None:
    queue.pause()
    queue.add(A)
    queue.add_after(B, 5)
    clock.now += 6
    assert taken(queue) == []
    assert len(queue) == 2
    queue.resume()
    assert taken(queue) == [A, B]


def test_depth_and_age(queue: WorkQueue, clock: Clock) -> None:
    assert (len(queue), queue.oldest_seconds()) == (0, 0)
    queue.add(A)
    clock.now += 3
    queue.add(B)
    clock.now += 1
    assert (len(queue), queue.oldest_seconds(), queue.in_work) == (2, 4, 0)
    queue.take()
    assert (len(queue), queue.oldest_seconds(), queue.in_work) == (1, 1, 1)


def test_the_heartbeat_stops_only_while_something_waits_and_nothing_moves(queue: WorkQueue, clock: Clock) -> None:
    clock.now += 500
    assert queue.heartbeat() == clock.now  # idle
    queue.add(A)
    assert queue.heartbeat() == clock.now  # has only just begun to wait
    clock.now += 70
    assert queue.heartbeat() == clock.now - 70
    queue.take()
    queue.add(B)
    clock.now += 10
    assert queue.heartbeat() == clock.now - 10
    queue.done(A)
    assert queue.heartbeat() == clock.now
    queue.pause()
    clock.now += 100
    assert queue.heartbeat() == clock.now  # a standby is well


# ---- running


def run(scenario: Callable[[WorkQueue], Awaitable[None]], worker: Callable[[WorkQueue], Worker], concurrency: int = 2) -> None:
    """The scenario beside a running queue, in virtual time."""

    async def main() -> None:
        queue = WorkQueue(virtual_time.now, random.Random(1))
        running = asyncio.create_task(queue.run(worker(queue), concurrency))
        await scenario(queue)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    virtual_time.run(main())


class Work:
    """Notes when each key was begun; lasts some seconds; fails as told."""

    def __init__(self, seconds: float = 1.0, fail: int = 0) -> None:
        self.seconds = seconds
        self.fail = fail
        self.begun: list[tuple[str, float]] = []
        self.at_once: dict[Key, int] = {}
        self.peak = 0
        self.cancelled: list[str] = []

    def __call__(self, queue: WorkQueue) -> Worker:
        async def work(key: Key) -> None:
            self.begun.append((key.name, round(virtual_time.now() - 1000, 3)))
            self.at_once[key] = self.at_once.get(key, 0) + 1
            assert self.at_once[key] == 1, "two workers on one key"
            self.peak = max(self.peak, sum(self.at_once.values()))
            try:
                await asyncio.sleep(self.seconds)
                if self.fail:
                    self.fail -= 1
                    raise RuntimeError("boom")
            except asyncio.CancelledError:
                self.cancelled.append(key.name)
                raise
            finally:
                self.at_once[key] -= 1

        return work


def test_as_many_keys_as_allowed_are_worked_at_once_and_each_by_one() -> None:
    work = Work()

    async def scenario(queue: WorkQueue) -> None:
        for key in (A, B, C, A):
            queue.add(key)
        await asyncio.sleep(0.5)
        queue.add(A)
        await asyncio.sleep(10)

    run(scenario, work)
    assert work.begun == [("a", 0), ("b", 0), ("c", 1), ("a", 1)]
    assert work.peak == 2


def test_timers_ring_without_polling() -> None:
    work = Work(0)

    async def scenario(queue: WorkQueue) -> None:
        queue.add_after(A, 7)
        queue.add_after(B, 3)
        queue.add_after(A, 5)
        await asyncio.sleep(100)

    run(scenario, work)
    assert work.begun == [("b", 3), ("a", 5)]


def test_a_worker_that_raises_is_logged_and_its_key_retried(caplog: pytest.LogCaptureFixture) -> None:
    work = Work(0, fail=2)

    async def scenario(queue: WorkQueue) -> None:
        queue.add(A)
        await asyncio.sleep(100)
        queue.add(B)
        await asyncio.sleep(1)

    with caplog.at_level(logging.ERROR):
        run(scenario, work)
    names = [name for name, _ in work.begun]
    assert names == ["a", "a", "a", "b"]
    first, second, third = (at for _, at in work.begun[:3])
    assert first == 0
    assert 0.2 <= second <= 0.4
    assert 0.4 <= third - second <= 0.8
    assert [record.exc_info is not None for record in caplog.records] == [True, True]


def test_a_worker_that_hangs_is_ended_and_its_key_retried() -> None:
    work = Work(1e9)

    async def scenario(queue: WorkQueue) -> None:
        queue.add(A)
        await asyncio.sleep(301)

    run(scenario, work)
    assert [name for name, _ in work.begun] == ["a", "a"]
    assert 300.2 <= work.begun[1][1] <= 300.4


def test_a_pause_ends_what_is_in_work_and_it_is_worked_again_after_it() -> None:
    work = Work(10)

    async def scenario(queue: WorkQueue) -> None:
        queue.add(A)
        await asyncio.sleep(1)
        queue.pause()
        await asyncio.sleep(5)
        assert work.cancelled == ["a"]
        queue.resume()
        await asyncio.sleep(20)

    run(scenario, work)
    assert work.begun == [("a", 0), ("a", 6)]


def test_a_pause_before_the_first_step_of_a_worker_loses_no_key() -> None:
    work = Work(0)

    async def scenario(queue: WorkQueue) -> None:
        queue.add(A)
        await asyncio.sleep(0)  # the queue begins, and hands the key to a worker that has not begun yet
        assert (queue.in_work, work.begun) == (1, [])
        queue.pause()
        await asyncio.sleep(1)
        assert (len(queue), queue.in_work) == (1, 0)
        queue.resume()
        await asyncio.sleep(1)

    run(scenario, work)
    assert "a" in {name for name, _ in work.begun}


def test_a_drain_waits_for_what_is_in_work() -> None:
    work = Work(3)

    async def scenario(queue: WorkQueue) -> None:
        for key in (A, B, C):
            queue.add(key)
        await asyncio.sleep(1)
        assert await queue.drain(10)
        assert virtual_time.now() == 1003
        assert len(queue) == 1

    run(scenario, work)
    assert work.cancelled == []


def test_a_drain_gives_up_after_its_time() -> None:
    async def scenario(queue: WorkQueue) -> None:
        queue.add(A)
        await asyncio.sleep(1)
        assert not await queue.drain(2)
        assert virtual_time.now() == 1003

    run(scenario, Work(50))


def test_when_the_queue_is_ended_so_are_its_workers() -> None:
    work = Work(50)

    async def scenario(queue: WorkQueue) -> None:
        queue.add(A)
        await asyncio.sleep(1)

    run(scenario, work)
    assert work.cancelled == ["a"]
