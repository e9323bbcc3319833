import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.memory.api_server import Call, MemoryApiServer

from hardened.errors import Refused, TryAgain
from hardened.shell.kinds import EVENT
from hardened.shell.recorder import BURST, Recorder

OWNER = {
    "apiVersion": "hardened.dev/v1alpha1",
    "kind": "HardenedService",
    "metadata": {"namespace": "shop", "name": "web", "uid": "u1", "resourceVersion": "5"},
}


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


Scenario = Callable[[Recorder, MemoryApiServer, Clock], Awaitable[None]]


def play(scenario: Scenario, **more: Any) -> MemoryApiServer:
    api = MemoryApiServer(["shop"])

    async def main() -> None:
        clock = Clock()
        recorder = Recorder(api, "operator-1", clock=clock, **more)
        running = asyncio.create_task(recorder.run())
        await scenario(recorder, api, clock)
        await recorder.flush()
        running.cancel()

    asyncio.run(main())
    return api


def test_an_event_is_made_once_and_then_counted() -> None:
    async def scenario(recorder: Recorder, api: MemoryApiServer, clock: Clock) -> None:
        for _ in range(3):
            recorder.record(OWNER, "Warning", "RolledBack", "p99 was too high")
        recorder.record(OWNER, "Normal", "Promoted", "7f3a serves")

    api = play(scenario)
    first, second = sorted(api.all(EVENT), key=lambda event: event["count"], reverse=True)
    assert (first["count"], second["count"]) == (3, 1)
    assert first["metadata"]["name"].startswith("web.")
    assert first["involvedObject"] == {
        "apiVersion": "hardened.dev/v1alpha1",
        "kind": "HardenedService",
        "namespace": "shop",
        "name": "web",
        "uid": "u1",
        "resourceVersion": "5",
    }
    assert (first["type"], first["reason"], first["message"]) == ("Warning", "RolledBack", "p99 was too high")
    assert first["source"] == {"component": "hardened-operator"}


def test_an_event_holds_nothing_that_drives_a_terminal() -> None:
    async def scenario(recorder: Recorder, api: MemoryApiServer, clock: Clock) -> None:
        recorder.record(OWNER, "Warning", "Refused", "a webhook said \x9b31m\u202e\x1b[2J")

    (event,) = play(scenario).all(EVENT)
    assert event["message"] == "a webhook said �31m��[2J"


def test_another_process_counts_on() -> None:
    async def scenario(recorder: Recorder, api: MemoryApiServer, clock: Clock) -> None:
        other = Recorder(api, "operator-2", clock=clock)
        running = asyncio.create_task(other.run())
        for one in (other, other, recorder, recorder):
            one.record(OWNER, "Normal", "Promoted", "7f3a serves")
            await one.flush()
        running.cancel()

    (event,) = play(scenario).all(EVENT)
    assert event["count"] == 4


def test_an_event_that_the_server_forgot_is_made_anew() -> None:
    async def scenario(recorder: Recorder, api: MemoryApiServer, clock: Clock) -> None:
        recorder.record(OWNER, "Normal", "Promoted", "x")
        await recorder.flush()
        meta = api.all(EVENT)[0]["metadata"]
        await api.outsider("ttl").delete(EVENT, "shop", meta["name"], uid=meta["uid"])
        recorder.record(OWNER, "Normal", "Promoted", "x")

    (event,) = play(scenario).all(EVENT)
    assert event["count"] == 1


def test_an_object_has_a_burst_and_then_one_each_five_minutes() -> None:
    async def scenario(recorder: Recorder, api: MemoryApiServer, clock: Clock) -> None:
        other = OWNER | {"metadata": OWNER["metadata"] | {"name": "api", "uid": "u2"}}  # type: ignore[operator]
        for number in range(BURST + 10):
            recorder.record(OWNER, "Normal", "Looping", str(number))
        assert recorder.dropped == 10
        recorder.record(other, "Normal", "Looping", "of another object")
        clock.now += 299
        recorder.record(OWNER, "Normal", "Looping", "too early")
        clock.now += 1
        recorder.record(OWNER, "Normal", "Looping", "again")
        assert recorder.dropped == 11

    assert len(play(scenario).all(EVENT)) == BURST + 2


def test_when_the_line_is_full_events_are_dropped() -> None:
    async def scenario(recorder: Recorder, api: MemoryApiServer, clock: Clock) -> None:
        for number in range(5):
            recorder.record(OWNER, "Normal", "Looping", str(number))
        assert recorder.dropped == 3

    assert len(play(scenario, capacity=2).all(EVENT)) == 2


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(TryAgain("x"), id="no reply"),
        pytest.param(Refused("x", status=403), id="a refusal"),
        pytest.param(KeyError("a bug"), id="a bug"),
    ],
)
def test_a_failure_costs_one_event_and_nothing_else(error: Exception) -> None:
    async def scenario(recorder: Recorder, api: MemoryApiServer, clock: Clock) -> None:
        def fail(call: Call) -> None:
            api.before = None
            raise error

        api.before = fail
        recorder.record(OWNER, "Normal", "First", "x")
        recorder.record(OWNER, "Normal", "Second", "x")
        await recorder.flush()
        assert recorder.dropped == 1

    assert [event["reason"] for event in play(scenario).all(EVENT)] == ["Second"]


@pytest.mark.parametrize("owner", [{}, {"metadata": {}}, {"metadata": None, "kind": "x", "apiVersion": "y"}])
def test_a_body_of_whatever_shape_raises_nothing(owner: dict[str, Any]) -> None:
    async def scenario(recorder: Recorder, api: MemoryApiServer, clock: Clock) -> None:
        recorder.record(owner, "Normal", "First", "x")
        assert recorder.dropped == 1

    play(scenario)


def test_texts_are_cut_to_what_the_server_takes() -> None:
    async def scenario(recorder: Recorder, api: MemoryApiServer, clock: Clock) -> None:
        recorder.record(OWNER, "Normal", "R" * 500, "m" * 5000)

    (event,) = play(scenario).all(EVENT)
    assert (len(event["reason"]), len(event["message"])) == (128, 1024)
