"""When a check and a probe ask, and what they say of the answers, in virtual time."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

import pytest

from hardened.verifier.checks import run_check
from hardened.verifier.probe import run_probe
from hardened.verifier.report import Result
from hardened.verifier.requests import Request
from hardened.verifier.task import CheckTask, ProbeTask, RequestTarget

Virtually = Callable[[Coroutine[Any, Any, Any]], Any]
TARGET = RequestTarget("tcp", "shop", 80)


class Service:
    """Answers by the time that has passed since it was made: each span is (seconds it lasts, seconds an answer takes, failure)."""

    def __init__(self, *spans: tuple[float, float, str]) -> None:
        self.spans = spans
        self.asked_at: list[float] = []
        self.begin = asyncio.get_running_loop().time()

    async def ask(self, target: RequestTarget, within: float) -> str:
        now = asyncio.get_running_loop().time() - self.begin
        self.asked_at.append(round(now, 3))
        for lasts, takes, failure in self.spans:
            if now < lasts or (lasts, takes, failure) == self.spans[-1]:
                await asyncio.sleep(min(takes, within))
                return "no answer in time" if takes > within else failure
            now -= lasts
        raise AssertionError("the last span has no end")


def check(**changes: Any) -> CheckTask:
    return CheckTask(**{"name": "smoke", "target": TARGET, "count": 5, "interval": 1.0, "failure_limit": 0, **changes})


def probe(**changes: Any) -> ProbeTask:
    return ProbeTask(
        **{"name": "zero-loss", "target": TARGET, "rate": 20, "duration": 10.0, "burst_failures": 10, "burst_seconds": 2.0, **changes}
    )


async def run(
    what: CheckTask | ProbeTask, *spans: tuple[float, float, str], stop_after: float | None = None
) -> tuple[Result | None, list[float], float]:
    """The result, when it asked, and how long all of it took."""
    loop, stop, service = asyncio.get_running_loop(), asyncio.Event(), Service(*spans)
    ask: Request = service.ask
    if stop_after is not None:
        loop.call_later(stop_after, stop.set)
    result = await (run_check(what, ask, stop) if isinstance(what, CheckTask) else run_probe(what, ask, stop))
    return result, service.asked_at, round(loop.time() - service.begin, 3)


def slow(seconds: float) -> tuple[float, float, str]:
    return (100.0, seconds, "")


FINE = (100.0, 0.01, "")
BAD = (100.0, 0.0, "HTTP 503")
REFUSED = "nobody accepts connections on port 80"


@pytest.mark.parametrize(
    ("what", "spans", "has_passed", "message", "asked_at"),
    [
        pytest.param(check(), [FINE], True, "5 of 5 requests passed, the slowest took 10 ms", [0, 1, 2, 3, 4], id="all pass"),
        pytest.param(check(), [BAD], False, "1 of 1 requests failed (0 allowed): HTTP 503", [0], id="sure at the first failure"),
        pytest.param(check(failure_limit=1), [(1.5, 0, "no connection"), FINE], False, f"2 of 2 requests failed (1 allowed): 2 x {REFUSED}",
                     [0, 1], id="sure at the second"),
        pytest.param(check(failure_limit=2), [(1.5, 0, "no connection"), FINE], True, f"2 of 5 requests failed (2 allowed): 2 x {REFUSED}",
                     [0, 1, 2, 3, 4], id="as many failures as may be"),
        pytest.param(check(count=3), [slow(1.5)], True, "3 of 3 requests passed, the slowest took 1500 ms", [0, 1.5, 3],
                     id="never two at a time"),
        pytest.param(check(count=4), [(0.5, 1.5, ""), FINE], True, "4 of 4 requests passed, the slowest took 1500 ms", [0, 1.5, 2.5, 3.5],
                     id="what one answer delayed is not caught up"),
        pytest.param(check(count=3, interval=0), [FINE], True, "3 of 3 requests passed, the slowest took 10 ms", [0, 0.01, 0.02],
                     id="one after the other"),
    ],
)  # fmt: skip
def test_a_check_asks_in_turn(
    what: CheckTask, spans: list[Any], has_passed: bool, message: str, asked_at: list[float], virtually: Virtually
) -> None:
    result, asked, _ = virtually(run(what, *spans))
    assert (result.has_passed, result.message.removeprefix("TCP port 80: "), asked) == (has_passed, message, asked_at)
    assert result.requests == len(asked)


def test_a_check_that_is_stopped_has_no_verdict(virtually: Virtually) -> None:
    result, asked, took = virtually(run(check(), FINE, stop_after=2.5))
    assert (result, asked, took) == (None, [0, 1, 2], 2.5)


@pytest.mark.parametrize("takes", [0.0, 0.01, 1.9])
def test_a_probe_asks_at_its_rate_however_slow_the_answers_are(takes: float, virtually: Virtually) -> None:
    result, asked, took = virtually(run(probe(duration=1.0), slow(takes)))
    assert asked == [round(n / 20, 3) for n in range(20)]
    assert (result.has_passed, result.requests, result.failed) == (True, 20, 0)
    assert result.details == {"slowestSeconds": takes, "missed": 0}
    assert took == round(0.95 + takes, 3)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        pytest.param({"kind": "http", "path": "/healthz"}, "GET /healthz: 1 of 1", id="http"),
        pytest.param({"kind": "http", "path": "/" + 200 * "x"}, f"GET /{99 * 'x'}: 1 of 1", id="a long path leaves room for the cause"),
        pytest.param({"kind": "grpc", "service": "db"}, "gRPC health of db: 1 of 1", id="grpc"),
        pytest.param({"kind": "grpc"}, "gRPC health of the server: 1 of 1", id="grpc, of no service"),
        pytest.param({"kind": "tcp"}, "TCP port 80: 1 of 1", id="tcp"),
    ],
)
def test_a_check_that_fails_names_what_it_asked_for(asked: dict[str, Any], says: str, virtually: Virtually) -> None:
    result, _, _ = virtually(run(check(target=replace(TARGET, **asked)), BAD))
    assert result.message == f"{says} requests failed (0 allowed): HTTP 503"


def test_a_probe_counts_every_loss(virtually: Virtually) -> None:
    result, asked, took = virtually(run(probe(), (3.99, 0, ""), (0.2, 0, "connection cut"), (2.0, 0, ""), (0.1, 0, "HTTP 502"), FINE))
    assert (len(asked), took) == (200, 9.96)
    assert (result.has_passed, result.requests, result.failed) == (True, 200, 6)
    assert result.message == "TCP port 80: 6 of 200 requests failed: 4 x connection cut, 2 x HTTP 502"
    assert result.details["failures"] == {"connection cut": 4, "HTTP 502": 2}
    first, last = result.details["firstFailureAt"], result.details["lastFailureAt"]
    assert float(last[17:-1]) - float(first[17:-1]) == pytest.approx(2.25) or last[:16] != first[:16]


@pytest.mark.parametrize(
    ("failure", "known_at"),
    [pytest.param(BAD, 1.45, id="at the tenth failure"), pytest.param(slow(5), 3.45, id="at the tenth that takes too long")],
)
def test_a_burst_of_failures_ends_a_probe_at_once(failure: tuple[float, float, str], known_at: float, virtually: Virtually) -> None:
    result, _, took = virtually(run(probe(), (1.0, 0, ""), failure))
    assert (result.has_passed, result.failed, took) == (False, 10, known_at)


def test_failures_far_from_each_other_are_no_burst(virtually: Virtually) -> None:
    spans = [span for _ in range(10) for span in ((0.95, 0.0, ""), (0.05, 0.0, "HTTP 500"))]
    result, _, _ = virtually(run(probe(duration=11.0), (0.02, 0.0, ""), *spans, FINE))
    assert (result.has_passed, result.failed, result.requests) == (True, 10, 220)


def test_a_probe_that_is_stopped_says_what_it_has(virtually: Virtually) -> None:
    result, asked, took = virtually(run(probe(), slow(0.5), stop_after=2.02))
    assert (result.has_passed, result.requests, len(asked)) == (True, 41, 41)
    assert took == 2.5, "answers that are under way are waited for"


def test_what_the_verifier_was_too_late_to_send_is_no_failure(virtually: Virtually) -> None:
    async def scenario() -> Result | None:
        loop, selector = asyncio.get_running_loop(), asyncio.get_running_loop()._virtual  # type: ignore[attr-defined]
        loop.call_later(1.0, lambda: setattr(selector, "now", selector.now + 4))
        return await run_probe(probe(), Service(FINE).ask, asyncio.Event())

    result = virtually(scenario())
    assert (result.failed, result.requests + result.details["missed"]) == (0, 200)
    assert 69 <= result.details["missed"] <= 71


def test_a_probe_without_a_request_proves_nothing(virtually: Virtually) -> None:
    assert virtually(run(probe(), FINE, stop_after=0.0))[0] is None
