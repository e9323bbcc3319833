"""What is counted, and how it is summed up."""

from collections.abc import Sequence
from random import Random

import pytest

from hardened.load.errors import BadLoad
from hardened.load.figures import Failure, Figures, Outcome, Seen, Slow
from hardened.load.recorder import MAX_MARKS, OTHER_MARKS, SLOWEST, Burst, LatencyRecorder

BEGAN = 1000.0


def ended(at: float, latency: float = 0.01, status: int = 200, failure: Failure | None = None, lag: float = 0.0, mark: str = "") -> Outcome:
    """A request that was due `at` seconds after the beginning."""
    due = BEGAN + at
    return Outcome(due, due + lag, due + latency, 0 if failure else status, failure, status in (429,), mark)


def summed_up(outcomes: Sequence[Outcome], seconds: float = 10, burst: Burst | None = None) -> Figures:
    recorder = LatencyRecorder(BEGAN, burst)
    for outcome in outcomes:
        recorder.add(outcome)
    return recorder.figures(planned_seconds=10, seconds=seconds, unfinished=2, connections=3, cpu_ratio=0.5, stopped=None)


def test_counts() -> None:
    found = summed_up(
        [ended(0), ended(1, status=302), ended(2, status=404), ended(3, status=500), ended(4, status=429), ended(5, failure=Failure.RESET)]
    )
    assert (found.requests, found.replies, found.failed, found.shed, found.unfinished) == (8, 5, 4, 1, 2)
    assert found.statuses == {200: 1, 302: 1, 404: 1, 429: 1, 500: 1}
    assert found.failures == {Failure.RESET: 1}
    assert found.rate == 0.5
    assert (found.first_failure, found.last_failure) == (pytest.approx(1.01), pytest.approx(5.01))


def test_an_empty_run() -> None:
    found = summed_up([], seconds=0)
    assert (found.requests, found.rate, found.latency, found.lag, found.first_failure) == (2, 0, None, None, None)
    assert (found.slowest, found.due_by_second) == ((), ())


def test_the_series_counts_by_when_requests_were_due() -> None:
    found = summed_up([ended(0.1), ended(0.9, latency=5, status=500), ended(3, failure=Failure.TIMEOUT)])
    assert found.due_by_second == (2, 0, 0, 1)
    assert found.failed_by_second == (1, 0, 0, 1)


def test_percentiles_are_exact_to_a_thousandth() -> None:
    values = [(n + 1) / 1000 for n in range(10_000)]  # 1 ms to 10 s
    Random(1).shuffle(values)
    found = summed_up([ended(0, latency=value) for value in values]).latency
    assert found is not None
    assert (found.p50, found.p90, found.p95, found.p99) == tuple(pytest.approx(p, rel=0.001) for p in (5, 9, 9.5, 9.9))
    assert (found.max, found.mean) == (pytest.approx(10), pytest.approx(5.0005))


def test_a_percentile_is_never_above_the_maximum() -> None:
    found = summed_up([ended(0, latency=7.3333331)]).latency
    assert found is not None
    assert found.p50 <= found.p99 <= found.max == pytest.approx(7.3333331)


def test_latency_is_of_replies_and_time_outs() -> None:
    found = summed_up([ended(0, latency=1), ended(0, latency=3, failure=Failure.TIMEOUT), ended(0, latency=99, failure=Failure.CLOSED)])
    assert found.latency is not None
    assert (found.latency.max, found.latency.mean) == (3, 2)


def test_lag_is_of_all() -> None:
    found = summed_up([ended(0, lag=0.002), ended(0, lag=0.004, failure=Failure.OVERLOAD)])
    assert found.lag is not None
    assert (found.lag.max, found.lag.mean) == (pytest.approx(0.004), pytest.approx(0.003))


def test_the_slowest_come_first_and_are_few() -> None:
    found = summed_up([ended(n, latency=n % 17) for n in range(34)])
    assert [slow.latency for slow in found.slowest] == [16, 16, 15, 15, 14, 14, 13, 13, 12, 12]
    assert len(found.slowest) == SLOWEST
    assert set(found.slowest[:2]) == {Slow(latency=16, due=due, status=200, failure=None) for due in (16, 33)}


def test_a_mark_is_seen_from_its_first_reply_to_its_last_request() -> None:
    # The second is sent before the first has ended, the last to end was not the last to be sent.
    found = summed_up([ended(1, latency=2, mark="v1"), ended(5, latency=1, lag=0.5, mark="v1"), ended(4, latency=3, mark="v1"), ended(9)])
    assert found.marks == {"v1": Seen(replies=3, first=3.0, last=5.5)}


def test_marks_are_bounded_in_number_and_length() -> None:
    marks = [f"m{n}" for n in range(MAX_MARKS)]
    found = summed_up([ended(0, mark=mark) for mark in [*marks, "x", "y", "m0"]]).marks
    assert list(found) == [*marks, OTHER_MARKS]
    assert (found[OTHER_MARKS].replies, found["m0"].replies) == (2, 2)
    (odd,) = summed_up([ended(0, mark="a\nü" + "b" * 100)]).marks
    assert odd == "a??" + "b" * 37


@pytest.mark.parametrize(
    ("times", "sees"),
    [
        pytest.param([1, 2], False, id="too few"),
        pytest.param([1, 2, 3.1], False, id="too far apart"),
        pytest.param([1, 2, 3], True, id="just close enough"),
        pytest.param([0, 5, 6, 6.5], True, id="the last three"),
    ],
)
def test_a_burst_is_so_many_failures_within_so_long(times: list[float], sees: bool) -> None:
    recorder = LatencyRecorder(BEGAN, Burst(3, 2.0))
    for at in times:
        recorder.add(ended(at, failure=Failure.REFUSED))
        recorder.add(ended(at))
    assert recorder.sees_burst is sees


@pytest.mark.parametrize("wrong", [(0, 1), (1, 0)])
def test_a_burst_of_nothing_is_refused(wrong: tuple[int, float]) -> None:
    with pytest.raises(BadLoad):
        Burst(*wrong)


def test_memory_does_not_grow_with_the_number_of_requests() -> None:
    recorder = LatencyRecorder(BEGAN)
    for n in range(5000):
        recorder.add(ended(0, latency=n / 777, lag=n / 3333))
    assert len(recorder._latency._recent) < 400
    assert len(recorder._slowest) == SLOWEST
