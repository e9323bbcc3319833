"""A port that nobody listens on fails its check once the stack is there; a stack that is not there yet says nothing."""

import asyncio
import json
import socket
from collections.abc import Awaitable
from typing import Any

import pytest

from hardened.verifier import doors
from hardened.verifier.program import verify
from hardened.verifier.task import parse


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seconds are tenths of them."""
    monkeypatch.setattr(doors, "SETTLE", 0.3)
    monkeypatch.setattr(doors, "HEARD", 0.6)


def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


async def listening(port: int) -> asyncio.Server:
    return await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", port)


def check(name: str, port: int, host: str = "127.0.0.1", **more: Any) -> dict[str, Any]:
    return {"name": name, "kind": "tcp", "host": host, "port": port, "intervalSeconds": 0, **more}


def probe(port: int) -> dict[str, Any]:
    return check("zero-loss", port, rate=100, durationSeconds=0.1, burst={"failures": 5, "seconds": 1}) | {"intervalSeconds": None}


async def reported(*checks: dict[str, Any], wait: float, probes: tuple[dict[str, Any], ...] = (), stop: asyncio.Event | None = None) -> Any:
    found = [{key: value for key, value in each.items() if value is not None} for each in probes]
    task = parse(json.dumps({"authority": "shop", "waitSeconds": wait, "checks": checks, "probes": found}))
    return {entry["name"]: entry for entry in json.loads(await verify(task, stop or asyncio.Event()))["results"]}


def run(scenario: Awaitable[Any]) -> Any:
    async def bounded() -> Any:
        async with asyncio.timeout(20):
            return await scenario

    return asyncio.run(bounded())


@pytest.mark.parametrize("wait", [0, 3600], ids=["the stack is there", "it is waited for"])
def test_a_port_that_nobody_listens_on_fails_once_another_one_of_the_host_is_open(wait: float) -> None:
    async def scenario() -> None:
        port, closed = unused_port(), unused_port()
        async with await listening(port):
            found = await reported(check("fine", port), check("closed", closed, count=3, failureLimit=2), wait=wait)
        assert found["fine"]["result"] == "Passed"
        assert (found["closed"]["result"], found["closed"]["requests"]) == ("Failed", 3), "its own count, and no more"
        assert (
            found["closed"]["message"]
            == f"TCP port {closed}: 3 of 3 requests failed (2 allowed): 3 x nobody accepts connections on port {closed}"
        )

    run(scenario())


def test_a_port_that_opens_a_moment_after_the_others_passes() -> None:
    async def scenario() -> None:
        first, second = unused_port(), unused_port()
        async with await listening(first):
            asked = asyncio.create_task(reported(check("fine", first), check("late", second), wait=3600))
            await asyncio.sleep(0.1)  # what is tested is a port that opens after this time
            async with await listening(second):
                assert {name: entry["result"] for name, entry in (await asked).items()} == {"fine": "Passed", "late": "Passed"}

    run(scenario())


def test_a_stack_that_is_not_there_within_the_wait_says_nothing() -> None:
    assert run(reported(check("gone", unused_port()), wait=0.2, probes=(probe(unused_port()),))) == {}


def test_where_the_stack_is_said_to_be_there_and_nothing_is_that_is_a_failure() -> None:
    found = run(reported(check("gone", unused_port()), wait=0, probes=(probe(unused_port()),)))
    assert {name: entry["result"] for name, entry in found.items()} == {"gone": "Failed", "zero-loss": "Failed"}


def test_the_port_of_another_host_says_nothing_of_this_one() -> None:
    async def scenario() -> None:
        port = unused_port()
        async with await listening(port):
            found = await reported(check("fine", port), check("other", unused_port(), host="localhost"), wait=0.5)
        assert list(found) == ["fine"]

    run(scenario())


@pytest.mark.parametrize("wait", [0, 3600])
def test_what_is_stopped_while_it_waits_says_nothing(wait: float) -> None:
    async def scenario() -> None:
        stop = asyncio.Event()
        asyncio.get_running_loop().call_later(0.1, stop.set)
        assert await reported(check("gone", unused_port()), wait=wait, stop=stop) == {}

    run(scenario())
