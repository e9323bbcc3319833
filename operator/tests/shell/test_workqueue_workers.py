"""The workers of a running queue, in virtual time."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable

import pytest
from tests.shell import virtual_time

from hardened.shell.workqueue import Key, Worker, WorkQueue

A, B, C = (Key("shop", name) for name in "abc")


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
