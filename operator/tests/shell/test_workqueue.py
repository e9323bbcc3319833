"""Which keys the work queue hands out, and when: by a clock that stands still unless it is moved."""

import random

import pytest

from hardened.shell.workqueue import BURST, CONFLICT_BACKOFF, LEAST_INTERVAL, MOST_CONFLICTS, MOST_COUNTED, Key, WorkQueue

A, B = (Key("shop", name) for name in "ab")


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


def test_what_changed_meanwhile_is_looked_at_at_once_unless_it_goes_on_changing(queue: WorkQueue) -> None:
    delays = [queue.retry_conflict(A) for _ in range(8)]
    assert max(delays[:MOST_CONFLICTS]) <= 2 * CONFLICT_BACKOFF
    assert min(delays[MOST_CONFLICTS:]) >= 0.2
    assert delays[-1] >= 0.8
    queue.forget(A)
    assert queue.retry_conflict(A) <= 2 * CONFLICT_BACKOFF


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


def test_a_busy_key_has_its_looks_at_once_then_one_each_interval_and_keeps_no_other_waiting(queue: WorkQueue, clock: Clock) -> None:
    looks: list[Key] = []
    for _ in range(3000):  # ten changes a second, for five minutes
        queue.add(A)
        looks += (keys := taken(queue))
        for key in keys:
            queue.done(key)
        clock.now += 0.1
    assert looks.count(A) == pytest.approx(BURST + 300 / LEAST_INTERVAL, abs=2)
    queue.add(B)
    assert taken(queue) == [B]
    assert len(queue) == 0, "who waits for its next look is not in line"
    queue.done(B)
    clock.now += LEAST_INTERVAL
    assert taken(queue) == [A], "the last change is looked at, too"


def test_a_key_that_was_left_alone_has_its_looks_again(queue: WorkQueue, clock: Clock) -> None:
    for _ in range(2):
        for _ in range(BURST):
            queue.add(A)
            assert taken(queue) == [A]
            queue.done(A)
        queue.add(A)
        assert taken(queue) == []
        clock.now += BURST * LEAST_INTERVAL + 1
        assert taken(queue) == [A]
        queue.done(A)
        clock.now += 2 * LEAST_INTERVAL


def test_keys_whose_looks_are_counted_are_bounded(queue: WorkQueue, clock: Clock) -> None:
    for number in range(3 * MOST_COUNTED):
        queue.add(Key("shop", str(number)))
        (key,) = taken(queue)
        queue.done(key)
        clock.now += 0.01
    assert len(queue._full_at) <= MOST_COUNTED + 1
