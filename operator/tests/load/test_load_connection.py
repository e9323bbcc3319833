"""The kinds of failure, as this machine and the event loop of the program tell them."""

import asyncio
import errno
from typing import Any

import pytest
import uvloop
from tests.load.target_server import OK, TargetServer, close, hang, reply, reset, then_close

from hardened.load.connection import failure_of
from hardened.load.engine import Engine, Load
from hardened.load.figures import Failure, Figures
from hardened.load.schedule import Schedule
from hardened.load.target import LoadTarget


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ConnectionRefusedError(), Failure.REFUSED),
        (ConnectionResetError(), Failure.RESET),
        (BrokenPipeError(), Failure.RESET),
        (ConnectionAbortedError(), Failure.RESET),
        (OSError(errno.EADDRNOTAVAIL, "no port is left"), Failure.LOCAL),
        (OSError(errno.EMFILE, "too many open files"), Failure.LOCAL),
        (OSError(errno.EHOSTUNREACH, "no route"), Failure.UNREACHABLE),
        (TimeoutError(errno.ETIMEDOUT, "the kernel gave up"), Failure.UNREACHABLE),
    ],
)
def test_what_the_operating_system_says(error: Exception, expected: Failure) -> None:
    assert failure_of(error) is expected


def on_uvloop(*answers: Any, is_listening: bool = True, **more: Any) -> tuple[Figures, TargetServer]:
    async def main() -> tuple[Figures, TargetServer]:
        server = TargetServer(*answers)
        async with server:
            if not is_listening:
                server._server.close()
                await server._server.wait_closed()
            load = Load(**({"schedule": Schedule.constant(100, 0.05), "timeout": 30} | more))
            return await Engine(LoadTarget("127.0.0.1", server.port), load).run(), server

    return asyncio.Runner(loop_factory=uvloop.new_event_loop).run(main())


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        pytest.param(close, Failure.CLOSED, id="the end"),
        pytest.param(then_close(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"), Failure.CLOSED, id="half a reply"),
        pytest.param(reset, Failure.RESET, id="a reset"),
        pytest.param(b"SSH-2.0-close\r\n", Failure.BAD_REPLY, id="another protocol"),
    ],
)
def test_bad_endings_on_uvloop(answer: Any, failure: Failure) -> None:
    assert on_uvloop(answer)[0].failures == {failure: 5}


def test_nobody_listens_on_uvloop() -> None:
    assert on_uvloop(OK, is_listening=False)[0].failures == {Failure.REFUSED: 5}


def test_silence_on_uvloop() -> None:
    assert on_uvloop(hang, timeout=0.05)[0].failures == {Failure.TIMEOUT: 5}


#: Five requests, each long after the reply to the one before: what is due while a connection is busy takes another one.
ONE_BY_ONE = Schedule.constant(5, 1.0)


@pytest.mark.parametrize("ending", [close, reset])
def test_a_kept_connection_that_swallows_a_request_on_uvloop(ending: Any) -> None:
    assert on_uvloop(OK, ending, OK, schedule=ONE_BY_ONE, connections=1)[0].failures == {Failure.IDLE_CLOSE: 1}
    found, server = on_uvloop(OK, ending, OK, schedule=ONE_BY_ONE, connections=1, retry_idle_close=True)
    assert (found.replies, found.retries) == (5, 1)
    assert sum(map(len, server.requests)) == 6


def test_connections_are_used_again_on_uvloop_until_the_server_closes_them() -> None:
    found, server = on_uvloop(OK, reply(b"", "Connection: close"), OK, schedule=ONE_BY_ONE, connections=1)
    assert (found.replies, [len(requests) for requests in server.requests]) == (5, [2, 3])
