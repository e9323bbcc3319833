"""Runs against targets that behave well or badly: in virtual time, where nothing waits and everything is on time."""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

import pytest
from tests.load.target_server import OK, TargetServer, close, frozen, hang, reply, reset, say, then_close, then_later
from tests.shell import virtual_time

from hardened.load.engine import TICK, Engine, Load
from hardened.load.errors import BadLoad, CannotStart
from hardened.load.figures import Failure, Figures, Outcome, Stop
from hardened.load.recorder import Burst
from hardened.load.schedule import Schedule, Stage
from hardened.load.target import LoadTarget

TEN = Schedule.constant(10, 1)  # ten requests, 0.1 s between them


class Run:
    """A finished run: what it measured, what was told on the way, and what the target saw."""

    def __init__(self, figures: Figures, outcomes: list[Outcome], server: TargetServer) -> None:
        self.figures = figures
        self.outcomes = outcomes
        self.requests = server.requests
        self.most_open, self.open_afterwards = server.most_open, server.open_now

    @property
    def told(self) -> list[tuple[int, Failure | None]]:
        return [(outcome.status, outcome.failure) for outcome in self.outcomes]


def run(*answers: Any, schedule: Schedule = TEN, during: Callable[[Engine], Awaitable[Any]] | None = None, **more: Any) -> Run:
    """One run against a target that answers so. during: happens beside it."""

    async def main() -> Run:
        load = {name: more.pop(name) for name in list(more) if name in Load.__dataclass_fields__}
        outcomes: list[Outcome] = []
        async with TargetServer(*answers or [OK]) as server:
            clocks = {"clock": virtual_time.now, "cpu_clock": lambda: 0.0}
            target = LoadTarget("127.0.0.1", server.port)
            engine = Engine(target, Load(schedule=schedule, **load), **({"observe": outcomes.append} | clocks | more))
            beside = asyncio.ensure_future(during(engine)) if during else None
            figures = await engine.run()
            if beside:
                await beside
            await asyncio.sleep(1)  # what is late would still be told, and what is closed is seen to be
            return Run(figures, outcomes, server)

    return virtual_time.run(main())


# ---- the schedule is kept


@pytest.mark.parametrize("connections", [0, 5])
def test_a_target_that_freezes_is_seen_to(connections: int) -> None:
    # A fifth of all requests wait, for up to 0.2 s, so one in ten for more than 0.1 s. At full size: test_load_program.
    found = run(frozen(0.3, 0.5), schedule=Schedule.constant(250, 1), connections=connections).figures
    assert found.latency is not None
    assert found.replies == 250
    assert found.latency.p90 == pytest.approx(0.1, abs=0.01)
    assert found.latency.p50 < 0.01
    assert found.latency.max == pytest.approx(0.2, abs=0.01)


def test_requests_are_sent_when_they_are_due_whatever_became_of_others() -> None:
    found = run(hang, schedule=Schedule((Stage(50, 1), Stage(150, 1))), timeout=5)
    assert len(found.outcomes) == 200
    assert all(0 <= outcome.started - outcome.scheduled <= 2 * TICK for outcome in found.outcomes)
    assert found.figures.lag is not None
    assert found.figures.lag.max <= 2 * TICK
    assert found.figures.due_by_second == (50, 150)


def test_requests_at_random_are_those_of_the_seed() -> None:
    schedule = Schedule.constant(50, 1)
    found = run(schedule=schedule, rng=Random(7))
    due = list(schedule.arrivals(Random(7)))
    assert [outcome.scheduled - found.outcomes[0].scheduled for outcome in found.outcomes] == pytest.approx([at - due[0] for at in due])


def test_latency_counts_from_when_a_request_was_due() -> None:
    behind = 0.25

    async def block(_: Engine) -> None:
        await asyncio.sleep(0.45)
        asyncio.get_running_loop()._virtual.now += behind  # type: ignore[attr-defined]

    late = [outcome for outcome in run(during=block).outcomes if outcome.started - outcome.scheduled > 0.01]
    assert len(late) == 2 or len(late) == 3
    assert all(outcome.latency >= outcome.started - outcome.scheduled for outcome in late)
    assert late[0].latency == pytest.approx(0.2, abs=0.01)


def test_more_than_may_be_in_flight_is_not_sent_and_counts() -> None:
    found = run(hang, max_in_flight=4, timeout=0.65)
    assert found.told[:3] == [(0, Failure.OVERLOAD)] * 3  # the requests at 0.4, 0.5 and 0.6 s; the first gives up at 0.65 s
    assert found.figures.requests == 10
    assert found.figures.failures == {Failure.OVERLOAD: 3, Failure.TIMEOUT: 7}
    assert len(found.requests) == 7
    assert found.figures.latency is not None
    assert found.figures.latency.mean == pytest.approx(0.65, abs=0.01)


def test_a_request_is_given_up_after_its_timeout_and_takes_its_connection_along() -> None:
    found = run(hang, timeout=0.25)
    assert found.told == [(0, Failure.TIMEOUT)] * 10
    assert found.most_open == 3
    assert run(hang, OK, timeout=0.25, connections=1).told.count((200, None)) == 9


# ---- connections


def test_each_request_has_a_connection_of_its_own_unless_some_are_kept() -> None:
    found = run()
    assert [len(requests) for requests in found.requests] == [1] * 10
    assert found.figures.connections == 10
    assert "Connection: close\r\n" in found.requests[0][0]


def test_kept_connections_are_used_in_turn() -> None:
    found = run(connections=3)
    assert [len(requests) for requests in found.requests] == [4, 3, 3]
    assert found.figures.connections == 3
    assert "Connection" not in found.requests[0][0]


@pytest.mark.parametrize("connections", [0, 3])
def test_no_connection_outlives_its_use(connections: int) -> None:
    # This target closes none of them, whatever it is told.
    found = run(connections=connections)
    assert found.open_afterwards == 0
    assert found.most_open <= (connections or 2)


def test_a_request_does_not_wait_for_a_busy_connection() -> None:
    found = run(hang, OK, connections=1, timeout=5)
    assert found.told.count((200, None)) == 9
    assert [len(requests) for requests in found.requests] == [1, 9]


@pytest.mark.parametrize(
    "last",
    [
        pytest.param(reply(b"ok", "Connection: close"), id="said so"),
        pytest.param(then_close(b"HTTP/1.1 200 OK\r\n\r\nok"), id="by its end"),
    ],
)
def test_a_connection_that_the_server_closes_after_a_reply_is_not_used_again(last: Any) -> None:
    found = run(last, OK, connections=1)
    assert found.told == [(200, None)] * 10
    assert [len(requests) for requests in found.requests] == [1, 9]


@pytest.mark.parametrize(
    "last",
    [
        pytest.param(OK + reply(status=408), id="at once"),
        pytest.param(then_later(OK, say(reply(status=408))), id="later"),
        pytest.param(then_later(OK, then_close(reply(status=408))), id="before it closes it"),
        pytest.param(then_later(OK, close), id="by closing it"),
    ],
)
def test_an_idle_connection_on_which_the_server_speaks_is_not_used_again(last: Any) -> None:
    found = run(last, OK, connections=1)
    assert found.told == [(200, None)] * 10
    assert [len(requests) for requests in found.requests] == [1, 9]


@pytest.mark.parametrize("ending", [close, reset])
def test_a_kept_connection_that_swallows_a_request_is_a_failure_of_its_own_kind(ending: Any) -> None:
    found = run(OK, ending, OK, connections=1)
    assert found.told == [(200, None), (0, Failure.IDLE_CLOSE)] + [(200, None)] * 8
    assert (found.figures.failed, found.figures.retries, found.figures.connections) == (1, 0, 2)


@pytest.mark.parametrize("ending", [close, reset])
def test_when_asked_to_it_is_sent_again_on_a_new_connection_and_counted(ending: Any) -> None:
    found = run(OK, ending, OK, connections=1, retry_idle_close=True)
    assert found.told == [(200, None)] * 10
    assert (found.figures.failed, found.figures.retries, found.figures.connections) == (0, 1, 2)
    assert [outcome.is_retry for outcome in found.outcomes] == [False, True] + [False] * 8
    assert sum(map(len, found.requests)) == 11


def test_it_is_sent_again_once_and_never_after_a_first_byte() -> None:
    assert run(OK, close, close, OK, connections=1, retry_idle_close=True).told[1] == (0, Failure.CLOSED)
    found = run(OK, then_close(b"H"), OK, connections=1, retry_idle_close=True)
    assert found.told[1] == (0, Failure.CLOSED)
    assert found.figures.retries == 0


# ---- what comes back


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param(OK, (200, None), id="a reply"),
        pytest.param(reply(b"", "Location: /other", status=302), (302, None), id="a redirect, which is not followed"),
        pytest.param(reply(status=503), (503, None), id="an error"),
        pytest.param(close, (0, Failure.CLOSED), id="the end"),
        pytest.param(then_close(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"), (0, Failure.CLOSED), id="half a reply"),
        pytest.param(reset, (0, Failure.RESET), id="a reset"),
        pytest.param(b"SSH-2.0-close\r\n", (0, Failure.BAD_REPLY), id="another protocol"),
        pytest.param(then_later(b"HTTP/1.1 200 OK\r\n\r\nhalf", reset), (0, Failure.RESET), id="a reset where the end would be the body's"),
        pytest.param(hang, (0, Failure.TIMEOUT), id="nothing"),
    ],
)
def test_what_comes_back(answer: Any, expected: tuple[int, Failure | None]) -> None:
    found = run(answer, timeout=0.5)
    assert found.told == [expected] * 10
    assert len(found.requests) == 10


def test_whoever_speaks_no_http_is_left() -> None:
    assert run(b"SSH-2.0-x\r\n").most_open == 1


def test_a_port_where_nobody_listens() -> None:
    async def main() -> Figures:
        async with TargetServer(OK) as server:
            port = server.port
        return await Engine(LoadTarget("127.0.0.1", port), Load(schedule=TEN), clock=virtual_time.now).run()

    assert virtual_time.run(main()).failures == {Failure.REFUSED: 10}


@pytest.mark.parametrize(
    ("answer", "shed", "failed"),
    [
        (reply(status=429), 10, 0),
        (reply(b"", "X-Hardened-Shed: memory", status=503), 10, 0),
        (reply(status=503), 0, 10),
        (reply(b"", "X-Hardened-Shed: memory", status=500), 0, 10),
    ],
)
def test_what_is_shed_is_counted_apart(answer: bytes, shed: int, failed: int) -> None:
    found = run(answer).figures
    assert (found.shed, found.failed, found.replies) == (shed, failed, 10)


def test_marks_tell_which_version_answered() -> None:
    found = run(*[reply(b"v1")] * 4, reply(b"v2"), mark=lambda answer: answer.body.decode())
    assert {mark: seen.replies for mark, seen in found.figures.marks.items()} == {"v1": 4, "v2": 6}
    assert found.figures.marks["v1"].last == pytest.approx(0.3, abs=0.01)
    assert found.figures.marks["v2"].first == pytest.approx(0.4, abs=0.01)
    assert [outcome.mark for outcome in found.outcomes] == ["v1"] * 4 + ["v2"] * 6


# ---- how it ends


def test_a_whole_run_lasts_as_long_as_its_schedule_or_its_last_reply() -> None:
    found = run().figures
    assert (found.seconds, found.rate, found.stopped, found.unfinished) == (1.0, 10.0, None, 0)
    assert run(frozen(0.85, 3)).figures.seconds == pytest.approx(3, abs=0.01)


def test_a_burst_of_failures_ends_it_early() -> None:
    found = run(OK, OK, hang, hang, reset, burst=Burst(3, 0.5))
    assert found.figures.stopped is Stop.BURST
    assert (found.figures.failed, found.figures.unfinished, found.figures.requests) == (3, 2, 7)
    assert found.figures.seconds == pytest.approx(0.6, abs=0.01)


def test_time_outs_are_a_burst_too() -> None:
    found = run(hang, schedule=Schedule.constant(2000, 0.1), timeout=0.05, burst=Burst(3, 0.5)).figures
    assert found.stopped is Stop.BURST
    assert 3 <= found.failures[Failure.TIMEOUT] <= 10
    assert found.seconds == pytest.approx(0.05, abs=0.01)


def test_an_observer_that_raises_ends_no_run(caplog: pytest.LogCaptureFixture) -> None:
    def broken(outcome: Outcome) -> None:
        raise RuntimeError(f"broken by {outcome.failure}")

    found = run(OK, hang, timeout=0.25, max_in_flight=1, observe=broken).figures
    assert found.requests == 10
    assert "broken by overload" in caplog.text


def test_a_caller_that_has_enough_gets_all_that_was_sent() -> None:
    async def stop(engine: Engine) -> None:
        await asyncio.sleep(0.45)
        engine.stop()

    found = run(frozen(0.25, 2), during=stop).figures
    assert (found.stopped, found.requests, found.replies, found.unfinished) == (Stop.ASKED, 5, 5, 0)
    assert found.seconds == pytest.approx(2, abs=0.01)

    async def stop_twice(engine: Engine) -> None:
        await stop(engine)
        engine.stop(Stop.TERMINATED)
        engine.stop()

    assert run(frozen(0.25, 2), during=stop_twice).figures.stopped is Stop.TERMINATED


def test_a_signal_ends_it_at_once() -> None:
    async def stop(engine: Engine) -> None:
        await asyncio.sleep(0.45)
        engine.stop(Stop.TERMINATED)

    found = run(frozen(0.25, 2), during=stop).figures
    assert (found.stopped, found.requests, found.replies, found.unfinished) == (Stop.TERMINATED, 5, 3, 2)
    assert found.seconds == pytest.approx(0.45, abs=0.01)


def test_a_cancelled_run_still_tells_what_it_measured() -> None:
    async def main() -> Figures:
        async with TargetServer(OK, OK, hang) as server:
            engine = Engine(LoadTarget("127.0.0.1", server.port), Load(schedule=TEN), clock=virtual_time.now)
            task = asyncio.create_task(engine.run())
            await asyncio.sleep(0.35)
            assert engine.figures().requests == 4
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await asyncio.sleep(5)
            return engine.figures()

    found = virtual_time.run(main())
    assert (found.stopped, found.replies, found.unfinished) == (Stop.TERMINATED, 2, 2)
    assert found.seconds == pytest.approx(0.35, abs=0.01)


def test_a_run_of_nothing_is_over_at_once() -> None:
    found = run(schedule=Schedule.constant(0, 5)).figures
    assert (found.requests, found.latency) == (0, None)


def test_a_host_without_an_address_is_no_start() -> None:
    # Two dots in a row are no name: it is refused here, and no name server is asked.
    with pytest.raises(CannotStart, match=r"a\.\.b"):
        asyncio.run(Engine(LoadTarget("a..b", 80), Load(schedule=TEN)).run())


@pytest.mark.parametrize("wrong", [{"timeout": 0}, {"connections": -1}, {"max_in_flight": 0}])
def test_a_load_out_of_bounds_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadLoad, match=next(iter(wrong))):
        Load(schedule=TEN, **wrong)
