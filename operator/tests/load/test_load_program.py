"""`python -m hardened.load`, as a process of its own: its exit status, and what it prints where."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.load.measured import figures
from tests.load.target_server import OK, TargetServer, frozen, reply

from hardened.load.__main__ import exit_status, main
from hardened.load.arguments import arguments, load_of, mark_of, target_of, thresholds_of
from hardened.load.engine import Load
from hardened.load.figures import Failure, Seen
from hardened.load.recorder import Burst
from hardened.load.reply import ServerReply
from hardened.load.report import report
from hardened.load.schedule import Schedule, Stage
from hardened.load.target import LoadTarget
from hardened.load.verdict import Invalid, LoadFailed, LoadPassed, Thresholds

OPERATOR = Path(__file__).parents[2]
RUN = ("--rate", "50", "--duration", "200ms")


class Ended:
    def __init__(self, status: int | None, out: bytes, err: bytes) -> None:
        self.status, self.err = status, err.decode()
        self.report: dict[str, Any] = json.loads(out) if out else {}


async def program(port: int, *words: str, send: signal.Signals | None = None, server: TargetServer | None = None) -> Ended:
    """Its whole life. send: to it, once the server has been asked."""
    argv = (sys.executable, "-m", "hardened.load", "--host", "127.0.0.1", "--port", str(port), *words)
    env = {**os.environ, "PYTHONPATH": str(OPERATOR)}
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*argv, stdout=pipe, stderr=pipe, env=env)
    if send and server:
        await server.was_asked.wait()
        process.send_signal(send)
    out, err = await process.communicate()
    return Ended(process.returncode, out, err)


def against(answer: Any, *words: str, send: signal.Signals | None = None) -> Ended:
    async def main() -> Ended:
        async with TargetServer(answer) as server:
            return await program(server.port, *words, send=send, server=server)

    return asyncio.run(main())


def test_a_pass_and_its_report() -> None:
    ended = against(reply(b'{"version": "v7"}'), *RUN, "--max-error-ratio", "0", "--mark-json", "version", "--connections", "2")
    assert ended.status == 0
    assert (ended.report["verdict"], ended.report["reasons"]) == ("Passed", [])
    measured = ended.report["figures"]
    assert (measured["requests"], measured["statuses"]) == (10, {"200": 10})
    assert measured["connections"] >= 2, "more are opened while all are busy"
    assert measured["marks"]["v7"]["replies"] == 10
    assert (measured["dueBySecond"], measured["failedBySecond"], len(measured["slowest"])) == ([10], [0], 10)
    assert "10 requests in 0.2 s" in ended.err
    assert ended.err.endswith("Passed\n")


def test_it_waits_for_the_first_connection_where_it_is_told_to() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):  # the first one asks nothing
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    async def main() -> tuple[Ended, Ended]:
        taken = socket.create_server(("127.0.0.1", 0))
        port = int(taken.getsockname()[1])
        taken.close()
        never = await program(port, *RUN, "--wait", "300ms")
        later = asyncio.create_task(program(port, *RUN, "--wait", "30s", "--max-error-ratio", "0"))
        await asyncio.sleep(1)
        async with await asyncio.start_server(answer, "127.0.0.1", port):
            return never, await later

    never, later = asyncio.run(main())
    assert (never.status, never.report["verdict"]) == (2, "Invalid")
    assert "accepted no connection within 0.3 s" in never.err
    assert later.report["verdict"] == "Passed"


def test_thresholds_that_are_not_kept() -> None:
    ended = against(reply(status=500), *RUN, "--max-error-ratio", "0.5", "--brief")
    assert (ended.status, ended.report["verdict"]) == (99, "Failed")
    assert ended.report["reasons"] == ["10 of 10 requests failed (100.000%; at most 50.000% allowed)"]
    assert "slowest" not in ended.report["figures"]


def test_a_signal_ends_it_with_a_report() -> None:
    ended = against(OK, "--rate", "10", "--duration", "10m", send=signal.SIGTERM)
    assert (ended.status, ended.report["verdict"]) == (2, "Invalid")
    assert ended.report["figures"]["stopped"] == "terminated"
    assert ended.report["figures"]["seconds"] < 60


def test_a_host_without_an_address_is_invalid() -> None:
    ended = against(OK, "--host", "a..b", *RUN)
    assert (ended.status, ended.report["verdict"], ended.report["figures"]) == (2, "Invalid", None)
    assert "did not start" in ended.report["reasons"][0]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--rate", "5"], "belong together"),
        ([], "either --rate and --duration, or --stage"),
        ([*RUN, "--stage", "5:1s"], "either --rate and --duration, or --stage"),
        ([*RUN, "--timeout", "5"], "500ms, 30s, 10m or 1h"),
        ([*RUN, "--max-error-ratio", "2"], "max_error_ratio must be from 0 to 1"),
        ([*RUN, "--header", "no colon"], "header"),
        ([*RUN, "--path", "x"], "path"),
        ([*RUN, "--stop-after", "3"], "--stop-after"),
        (["--stage", "5"], "--stage"),
        (["--stage", "x:5s"], "--stage"),
        (["--unknown"], "--unknown"),
    ],
)
def test_wrong_arguments_are_an_error_and_not_an_invalid_run(words: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        status: Any = main(["--host", "127.0.0.1", "--port", "1", *words])
    except SystemExit as ended:
        status = ended.code
    assert status == 1
    captured = capsys.readouterr()
    assert says in captured.err
    assert captured.out == ""


def test_arguments_say_what_a_run_is() -> None:
    words = "--host web --port 80 --path /x --header A:b --stage 5:1m --stage 0.5:500ms --timeout 2s --connections 3 --max-in-flight 9"
    limits = "--retry-idle-close --stop-after 4/1.5s --max-p95 250ms --max-mean 1s --max-error-ratio 0.1 --min-rate 3 --expect-shed"
    found = arguments(f"{words} {limits}".split())
    assert target_of(found) == LoadTarget("web", 80, "/x", {"A": "b"})
    assert load_of(found) == Load(
        schedule=Schedule((Stage(5, 60), Stage(0.5, 0.5))),
        timeout=2,
        connections=3,
        max_in_flight=9,
        retry_idle_close=True,
        burst=Burst(4, 1.5),
    )
    assert thresholds_of(found) == Thresholds(max_p95=0.25, max_mean=1, max_error_ratio=0.1, min_rate=3, expects_shed=True)


@pytest.mark.parametrize(
    ("words", "mark"),
    [
        (["--mark-header", "X-Version"], "v1"),
        (["--mark-header", "X-Other"], ""),
        (["--mark-json", "version"], "v2"),
        (["--mark-json", "other"], ""),
    ],
)
def test_marks_come_from_a_header_or_from_the_body(words: list[str], mark: str) -> None:
    function = mark_of(arguments(["--host", "web", "--port", "80", *words]))
    assert function is not None
    assert function(ServerReply(200, {b"x-version": b"v1"}, b'{"version": "v2"}')) == mark


@pytest.mark.parametrize("body", [b"", b"<html>", b"[1]", b'"x"', b"\xff", b"[" * 4096])
def test_a_body_without_the_field_has_no_mark(body: bytes) -> None:
    function = mark_of(arguments(["--host", "web", "--port", "80", "--mark-json", "version"]))
    assert function is not None
    assert function(ServerReply(500, {}, body)) == ""


def test_each_verdict_has_its_exit_status() -> None:
    assert [exit_status(verdict) for verdict in (LoadPassed(), Invalid("x"), LoadFailed(("x",)))] == [0, 2, 99]


def test_a_brief_report_fits_into_a_termination_message() -> None:
    seen = Seen(replies=10**8, first=86399.123456, last=86399.123456)
    worst = figures(
        failures=dict.fromkeys(Failure, 10**8),
        statuses=dict.fromkeys(range(200, 240), 10**8),
        marks={f"{n:040d}": seen for n in range(11)},
        due_by_second=(1,) * 10_000,
    )
    said = LoadFailed(("a limit that was violated, said in a sentence that is longer than any " * 2,) * 7)
    assert len(json.dumps(report(said, worst, is_brief=True))) < 4096


@pytest.mark.full
@pytest.mark.parametrize("connections", ["0", "50"])
def test_a_freeze_of_two_seconds_at_full_size(connections: str) -> None:
    # 2 of 10 s are silent: a fifth of all requests wait, for up to 2 s, so one in ten for more than a second.
    ended = against(frozen(4, 6), "--rate", "500", "--duration", "10s", "--connections", connections)
    measured = ended.report["figures"]
    assert ended.status == 0
    assert (measured["requests"], measured["replies"]) == (5000, 5000)
    assert measured["latency"]["p90"] == pytest.approx(1.0, abs=0.15)
    assert measured["latency"]["max"] > 1.9
