"""When requests are due."""

import math
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardened.load.errors import BadLoad
from hardened.load.schedule import Schedule, Stage

STAGES = st.lists(st.builds(Stage, st.floats(0, 200), st.floats(0.01, 5)), min_size=1, max_size=5).map(tuple)


@pytest.mark.parametrize(
    ("stages", "expected"),
    [
        pytest.param([(4, 1)], [0, 0.25, 0.5, 0.75], id="a constant rate, the first at once"),
        pytest.param([(2, 1), (4, 0.5)], [0, 0.5, 1, 1.25], id="a step"),
        pytest.param([(2, 1), (0, 3), (2, 1)], [0, 0.5, 4, 4.5], id="a pause"),
        pytest.param([(0.5, 1), (1, 2)], [0, 1.5, 2.5], id="half a request goes over to the next stage"),
        pytest.param([(0, 2)], [], id="nothing at all"),
    ],
)
def test_arrivals(stages: list[tuple[float, float]], expected: list[float]) -> None:
    assert list(Schedule(tuple(Stage(*stage) for stage in stages)).arrivals()) == expected


@given(STAGES, st.one_of(st.none(), st.integers()))
def test_arrivals_are_in_order_and_within_the_stages(stages: tuple[Stage, ...], seed: int | None) -> None:
    schedule = Schedule(stages)
    found = list(schedule.arrivals(None if seed is None else Random(seed)))
    assert all(before <= after for before, after in pairwise(found))
    assert all(0 <= moment <= schedule.seconds + 1e-9 for moment in found)
    if seed is None:
        assert abs(len(found) - math.ceil(schedule.requests - 1e-9)) <= 1


@given(st.integers())
def test_random_arrivals_are_those_of_their_seed(seed: int) -> None:
    schedule = Schedule.constant(50, 2)
    assert list(schedule.arrivals(Random(seed))) == list(schedule.arrivals(Random(seed)))


def test_random_arrivals_are_a_poisson_process_at_the_rate_of_each_stage() -> None:
    found = list(Schedule((Stage(1000, 10), Stage(4000, 10))).arrivals(Random(1)))
    first = [moment for moment in found if moment < 10]
    # Standard deviations are 100 and 200; gaps of a Poisson process have a deviation of their mean.
    assert abs(len(first) - 10_000) < 400
    assert abs(len(found) - len(first) - 40_000) < 800
    gaps = [after - before for before, after in pairwise(first)]
    mean = sum(gaps) / len(gaps)
    deviation = math.sqrt(sum((gap - mean) ** 2 for gap in gaps) / len(gaps))
    assert 0.9 < deviation / mean < 1.1


def test_an_hour_at_a_crooked_rate_ends_where_it_should() -> None:
    *_, last = Schedule.constant(33.3, 3600).arrivals()
    assert last == pytest.approx((math.ceil(33.3 * 3600) - 1) / 33.3, abs=1e-6)


@pytest.mark.parametrize(
    ("stages", "says"),
    [
        pytest.param([(-1, 1)], "rate", id="a negative rate"),
        pytest.param([(math.nan, 1)], "rate", id="no number"),
        pytest.param([(1, math.inf)], "seconds", id="for ever"),
        pytest.param([(1, 50_000), (1, 50_000)], "duration", id="more than a day in all"),
        pytest.param([(100_000, 1000)], "number of requests", id="too many"),
        pytest.param([], "a stage that lasts", id="no stage"),
        pytest.param([(5, 0)], "a stage that lasts", id="no time"),
    ],
)
def test_what_no_run_may_be(stages: list[tuple[float, float]], says: str) -> None:
    with pytest.raises(BadLoad, match=says):
        Schedule(tuple(Stage(*stage) for stage in stages))
