"""What passes, what fails and what says nothing, as tables."""

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.load.measured import distribution, figures, refused

from hardened.load.errors import BadLoad
from hardened.load.figures import Failure, Figures, Stop
from hardened.load.verdict import Invalid, LoadFailed, LoadPassed, Thresholds, judge

#: All limits, none of which the good run is near.
WIDE = Thresholds(max_error_ratio=0.5, max_mean=1, max_p50=1, max_p95=1, max_p99=1, min_rate=1)


@pytest.mark.parametrize(
    ("seen", "limits"),
    [
        pytest.param(figures(), Thresholds(), id="without limits"),
        pytest.param(figures(), WIDE, id="within all limits"),
        pytest.param(refused(1), Thresholds(max_error_ratio=0.001), id="as many errors as may be"),
        pytest.param(figures(requests=100, failed=29), Thresholds(max_error_ratio=0.29), id="the same, where the product is rounded down"),
        pytest.param(figures(latency=distribution(0.5)), Thresholds(max_p95=0.5, max_mean=0.5), id="as slow as it may be"),
        pytest.param(figures(rate=99.0), Thresholds(min_rate=99), id="as few replies as may be"),
        pytest.param(refused(1000), Thresholds(), id="errors without a limit"),
        pytest.param(figures(stopped=Stop.ASKED, seconds=3.0), WIDE, id="the caller had enough"),
        pytest.param(figures(lag=distribution(1.0)), Thresholds(max_error_ratio=0), id="a lag of a second where no latency is limited"),
        pytest.param(figures(lag=distribution(0.01, max=3)), Thresholds(max_p95=0.1), id="a rare lag"),
        pytest.param(figures(shed=10, statuses={200: 990, 429: 10}), Thresholds(max_error_ratio=0.01), id="a hundredth is shed"),
        pytest.param(figures(shed=900), replace(WIDE, expects_shed=True, max_error_ratio=0), id="shed as expected"),
    ],
)
def test_what_passes(seen: Figures, limits: Thresholds) -> None:
    assert judge(seen, limits) == LoadPassed()


@pytest.mark.parametrize(
    ("seen", "limits", "says"),
    [
        pytest.param(
            refused(2),
            Thresholds(max_error_ratio=0.001),
            "2 of 1000 requests failed (0.200%; at most 0.100% allowed)",
            id="too many errors",
        ),
        pytest.param(refused(1000), Thresholds(max_error_ratio=1), "no request was answered", id="none was answered"),
        pytest.param(
            figures(shed=10),
            Thresholds(max_error_ratio=0),
            "10 of 1000 requests failed (1.000%; at most 0.000% allowed)",
            id="few were shed",
        ),
        pytest.param(
            figures(unfinished=900, failed=1, stopped=Stop.ASKED),
            Thresholds(max_error_ratio=0.005),
            "1 of 100 requests failed (1.000%; at most 0.500% allowed)",
            id="what did not end is not counted",
        ),
        pytest.param(
            figures(latency=distribution(mean=0.2)),
            Thresholds(max_mean=0.1),
            "the mean was 200.0 ms (at most 100.0 ms allowed)",
            id="mean",
        ),
        pytest.param(
            figures(latency=distribution(p50=0.2)), Thresholds(max_p50=0.1), "the p50 was 200.0 ms (at most 100.0 ms allowed)", id="p50"
        ),
        pytest.param(
            figures(latency=distribution(p95=0.2)), Thresholds(max_p95=0.1), "the p95 was 200.0 ms (at most 100.0 ms allowed)", id="p95"
        ),
        pytest.param(
            figures(latency=distribution(p99=0.2)), Thresholds(max_p99=0.1), "the p99 was 200.0 ms (at most 100.0 ms allowed)", id="p99"
        ),
        pytest.param(
            figures(latency=None),
            Thresholds(max_p95=0.1),
            "no reply came, so the p95 is unknown (limit 100.0 ms)",
            id="no reply at all",
        ),
        pytest.param(figures(), Thresholds(min_rate=101), "100.0 replies came per second (at least 101 required)", id="too few replies"),
        pytest.param(
            figures(stopped=Stop.BURST, seconds=2.0),
            Thresholds(),
            "a burst of failures ended it after 2.0 of 10 s",
            id="a burst, without limits",
        ),
        pytest.param(
            replace(refused(500), stopped=Stop.TERMINATED),
            Thresholds(max_error_ratio=0),
            "500 of 1000 requests failed (50.000%; at most 0.000% allowed)",
            id="violated before a signal came",
        ),
    ],
)
def test_what_fails_and_how_it_is_said(seen: Figures, limits: Thresholds, says: str) -> None:
    assert judge(seen, limits) == LoadFailed((says,))


def test_each_violation_has_its_sentence() -> None:
    seen = replace(refused(400), latency=distribution(2), rate=0.5, stopped=Stop.BURST)
    verdict = judge(seen, replace(WIDE, max_error_ratio=0.1))
    assert isinstance(verdict, LoadFailed)
    assert len(verdict.violations) == 7


@pytest.mark.parametrize(
    ("seen", "limits", "says"),
    [
        pytest.param(figures(requests=0, latency=None), Thresholds(), "no request was sent", id="nothing was sent"),
        pytest.param(figures(requests=5, unfinished=5), Thresholds(), "none of 5 requests was completed", id="nothing came to an end"),
        pytest.param(figures(failures={Failure.LOCAL: 1}), Thresholds(), "1 requests could not be sent", id="no more ports"),
        pytest.param(
            figures(lag=distribution(0.0101)),
            Thresholds(max_p95=0.1),
            "sent up to 10.1 ms late (p99; at most 10.0 ms allowed)",
            id="lag",
        ),
        pytest.param(figures(lag=distribution(1.1)), Thresholds(max_error_ratio=0), "at most 1000.0 ms allowed", id="lag without a limit"),
        pytest.param(
            figures(lag=distribution(0.0101)),
            Thresholds(max_p99=0.1, max_mean=0.2),
            "at most 10.0 ms allowed",
            id="lag, by the lowest limit where p95 has none",
        ),
        pytest.param(figures(cpu_ratio=0.9), Thresholds(), "busy for 90% of the time", id="bound by its CPU"),
        pytest.param(figures(shed=11), Thresholds(), "11 of 1000 replies were 429 or shed", id="more than a hundredth is shed"),
        pytest.param(figures(stopped=Stop.TERMINATED, seconds=3.0), WIDE, "ended after 3.0 of 10 s; nothing was violated", id="a signal"),
        pytest.param(
            replace(refused(1000), cpu_ratio=1.0), Thresholds(max_error_ratio=0), "busy", id="what says nothing does not fail either"
        ),
    ],
)
def test_what_says_nothing(seen: Figures, limits: Thresholds, says: str) -> None:
    verdict = judge(seen, limits)
    assert isinstance(verdict, Invalid)
    assert says in verdict.reason


def test_a_p95_limit_decides_on_the_lag_whatever_other_limits_say() -> None:
    assert judge(figures(lag=distribution(0.04)), Thresholds(max_p95=0.5, max_p50=0.1)) == LoadPassed()


@pytest.mark.parametrize(
    "wrong", [{"max_error_ratio": 1.1}, {"max_error_ratio": -0.1}, {"max_p95": -1}, {"min_rate": math.nan}, {"max_mean": math.inf}]
)
def test_a_limit_that_nothing_can_keep_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadLoad, match=next(iter(wrong))):
        Thresholds(**wrong)


TIMES = st.floats(0, 20)
RATIOS = st.none() | st.floats(0, 1)
LIMITS = st.builds(
    Thresholds,
    max_error_ratio=RATIOS,
    **{name: st.none() | TIMES for name in ("max_mean", "max_p50", "max_p95", "max_p99", "min_rate")},
    expects_shed=st.booleans(),
)


@st.composite
def runs(draw: st.DrawFn) -> Figures:
    replies, failed, unfinished = (draw(st.integers(0, 50)) for _ in range(3))
    local = draw(st.integers(0, failed))
    return figures(
        requests=replies + failed + unfinished,
        replies=replies,
        failed=failed,
        shed=draw(st.integers(0, replies)),
        unfinished=unfinished,
        failures={Failure.LOCAL: local, Failure.RESET: failed - local},
        latency=draw(st.none() | st.builds(distribution, TIMES)) if not replies else distribution(draw(TIMES)),
        lag=draw(st.none() | st.builds(distribution, TIMES)),
        rate=draw(st.floats(0, 200)),
        cpu_ratio=draw(st.floats(0, 1.2)),
        stopped=draw(st.none() | st.sampled_from(Stop)),
    )


@given(runs(), LIMITS)
def test_every_run_has_a_verdict_with_its_reasons(seen: Figures, limits: Thresholds) -> None:
    match judge(seen, limits):
        case LoadFailed(violations=violations):
            assert all(violations)
            assert violations
        case Invalid(reason=reason):
            assert reason
        case LoadPassed():
            assert seen.requests > seen.unfinished
            assert seen.stopped in (None, Stop.ASKED)


@given(runs(), LIMITS, st.sampled_from(["max_error_ratio", "max_mean", "max_p50", "max_p95", "max_p99", "min_rate"]))
def test_a_run_that_passes_does_so_without_any_one_of_its_limits(seen: Figures, limits: Thresholds, dropped: str) -> None:
    # The lag is held against another limit when this one is gone.
    seen = replace(seen, lag=None)
    if judge(seen, limits) == LoadPassed():
        assert judge(seen, replace(limits, **{dropped: None})) == LoadPassed()
