"""Both workloads keep the same contract: every test runs once against each real process."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from served import PATIENCE, Served, serve

from e2e.workloads.build import build_static_binary

pytestmark = pytest.mark.one_of(12)

PYTHON = [sys.executable, str(Path(__file__).parents[1] / "python" / "web.py")]


@pytest.fixture(scope="module")
def static_binary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not shutil.which("go"):
        pytest.skip("needs the Go compiler")
    binary = tmp_path_factory.mktemp("static") / "web"
    build_static_binary(binary)
    return binary


@pytest.fixture(params=["python", "static"])
def argv(request: pytest.FixtureRequest) -> list[str]:
    return PYTHON if request.param == "python" else [str(request.getfixturevalue("static_binary"))]


@pytest.fixture
def web(argv: list[str]) -> Iterator[Served]:
    with serve(argv) as served:
        yield served


def test_the_root_tells_version_and_pod(web: Served) -> None:
    assert web.ask("/") == (200, {"version": "v1", "pod": socket.gethostname()})


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        pytest.param("GET", "/?a=b", 200, id="a query string is ignored"),
        pytest.param("POST", "/", 200, id="the application takes POST"),
        pytest.param("HEAD", "/", 200, id="HEAD has no body"),
        pytest.param("GET", "/health/live", 200, id="live"),
        pytest.param("GET", "/health/ready", 200, id="ready"),
        pytest.param("GET", "/nothing", 404, id="an unknown path"),
        pytest.param("GET", "/crash", 405, id="a crash is not a GET"),
        pytest.param("POST", "/health/live", 405, id="a probe is not a POST"),
    ],
)
def test_the_routes_answer(web: Served, method: str, path: str, code: int) -> None:
    assert web.ask(path, method)[0] == code


def test_one_connection_carries_many_requests(web: Served) -> None:
    with contextlib.closing(web.connect()) as connection:
        sockets = set()
        for body in (None, "{}", "x" * 1000, None):
            connection.request("POST" if body else "GET", "/", body)
            answer = connection.getresponse()
            assert (answer.status, answer.getheader("Connection")) == (200, None)
            answer.read()
            sockets.add(connection.sock)
        assert len(sockets) == 1


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        pytest.param({"Transfer-Encoding": "chunked"}, 411, id="no length"),
        pytest.param({"Content-Length": "70000"}, 413, id="more than 64 KiB"),
    ],
)
def test_a_body_that_cannot_be_bounded_is_refused_and_the_connection_ends(web: Served, headers: dict[str, str], code: int) -> None:
    with contextlib.closing(web.connect()) as connection:
        connection.putrequest("POST", "/switch")
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        assert (answer.status, answer.getheader("Connection")) == (code, "close")


def test_a_new_process_is_live_at_once_and_ready_only_after_its_start_delay(argv: list[str]) -> None:
    with serve(argv, START_DELAY="3600") as web:
        assert web.ask("/health/live") == (200, {"live": True})
        assert web.ask("/health/ready") == (503, {"ready": False})
        assert web.ask("/")[0] == 200


def test_readiness_comes_when_the_start_delay_is_over(argv: list[str]) -> None:
    with serve(argv, START_DELAY="0.2") as web:
        web.until("/health/ready", 200)


@pytest.mark.parametrize(
    ("env", "path", "expected"),
    [
        pytest.param({"READY": "false"}, "/health/ready", 503, id="not ready"),
        pytest.param({"LIVE": "false"}, "/health/live", 503, id="not live"),
        pytest.param({"ERROR_RATIO": "1"}, "/", 500, id="all errors"),
        pytest.param({"ERROR_RATIO": "1"}, "/health/ready", 200, id="errors spare the probes"),
    ],
)
def test_switches_can_be_set_by_the_environment(argv: list[str], env: dict[str, str], path: str, expected: int) -> None:
    with serve(argv, **env) as web:
        assert web.ask(path)[0] == expected


def test_a_flag_wins_over_the_environment(argv: list[str]) -> None:
    with serve([*argv, "--version", "v2", "--ready=false"], READY="true") as web:
        assert web.ask("/")[1]["version"] == "v2"
        assert web.ask("/health/ready")[0] == 503


def test_a_bad_setting_ends_the_start_and_names_itself(argv: list[str]) -> None:
    ended = subprocess.run([*argv, "--error-ratio", "2"], capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert ended.returncode == 2
    assert "error-ratio" in ended.stderr


def test_switches_change_at_run_time_one_by_one(web: Served) -> None:
    code, state = web.ask("/switch", "POST", {"ready": False, "latency_ms": 1})
    assert (code, state) == (
        200,
        {"latency_ms": 1, "error_ratio": 0, "leak_bytes_per_request": 0, "ready": False, "live": True, "in_flight": 0},
    )
    assert web.ask("/health/ready")[0] == 503
    web.ask("/switch", "POST", {"live": False})
    assert web.ask("/health/live")[0] == 503
    assert web.ask("/switch")[1]["latency_ms"] == 1


@pytest.mark.parametrize(
    ("body", "named"),
    [
        pytest.param({"error_ratio": 1.5}, "error_ratio", id="a ratio above one"),
        pytest.param({"latency_ms": -1}, "latency_ms", id="a negative latency"),
        pytest.param({"latency_ms": None}, "latency_ms", id="null"),
        pytest.param({"leak_bytes_per_request": 0.5}, "leak_bytes_per_request", id="half a byte"),
        pytest.param({"ready": 1}, "ready", id="a number for a bool"),
        pytest.param({"colour": "green"}, "colour", id="an unknown switch"),
        pytest.param([], "JSON object", id="a list"),
    ],
)
def test_a_bad_switch_is_refused_by_name_and_changes_nothing(web: Served, body: Any, named: str) -> None:
    code, answer = web.ask("/switch", "POST", body)
    assert code == 400
    assert named in answer["error"]
    assert web.ask("/")[0] == 200
    assert web.ask("/health/ready")[0] == 200


@pytest.mark.parametrize(("ratio", "failures"), [(0, 0), (0.1, 10), (0.25, 25), (0.5, 50), (1, 100)])
def test_the_error_ratio_is_exact(web: Served, ratio: float, failures: int) -> None:
    web.ask("/switch", "POST", {"error_ratio": ratio})
    with contextlib.closing(web.connect()) as connection:
        codes = []
        for _ in range(100):
            connection.request("GET", "/")
            answer = connection.getresponse()
            answer.read()
            codes.append(answer.status)
    assert (codes.count(500), codes.count(200)) == (failures, 100 - failures)


def test_a_leak_is_resident_memory(web: Served) -> None:
    before = resident_bytes(web.process.pid)
    web.ask("/switch", "POST", {"leak_bytes_per_request": 8 * 1024 * 1024})
    for _ in range(8):
        web.ask("/")
    assert resident_bytes(web.process.pid) - before > 48 * 1024 * 1024


def resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_a_crash_is_answered_and_exits_with_1(web: Served) -> None:
    assert web.ask("/crash", "POST")[0] == 202
    assert web.wait_exit() == 1
    assert web.wait_for("crashed")["code"] == 1


def test_a_hung_process_accepts_and_never_answers_and_its_drain_ends_with_1(argv: list[str]) -> None:
    with serve(argv, DRAIN="0.5") as web:
        assert web.ask("/hang", "POST")[0] == 202
        with contextlib.closing(web.connect(timeout=0.3)) as connection:
            connection.request("GET", "/health/live")
            with pytest.raises(TimeoutError):
                connection.getresponse()
            web.terminate()
            assert web.wait_exit() == 1
            assert web.wait_for("stopped")["connections_cut"] == 1


def test_an_idle_process_exits_with_0_on_sigterm(web: Served) -> None:
    web.terminate()
    assert web.wait_exit() == 0
    stopped = web.wait_for("stopped")
    assert (stopped["code"], stopped["connections_cut"]) == (0, 0)


def test_a_request_in_flight_at_sigterm_is_answered_and_closes_its_connection(web: Served) -> None:
    web.ask("/switch", "POST", {"latency_ms": 1500})
    with contextlib.closing(web.connect()) as connection:
        connection.request("GET", "/")
        web.until_in_flight(1)
        web.terminate()
        answer = connection.getresponse()
        assert (answer.status, answer.getheader("Connection")) == (200, "close")
        assert json.loads(answer.read())["version"] == "v1"
    assert web.wait_exit() == 0


def test_a_request_longer_than_the_drain_is_cut_and_the_exit_says_so(argv: list[str]) -> None:
    with serve(argv, DRAIN="0.3", LATENCY_MS="60000") as web, contextlib.closing(web.connect()) as connection:
        connection.request("GET", "/")
        web.until_in_flight(1)
        web.terminate()
        with pytest.raises((ConnectionError, http.client.HTTPException)):
            connection.getresponse()
        assert web.wait_exit() == 1


def test_a_kept_connection_gets_one_more_answer_with_connection_close_while_it_lingers(argv: list[str]) -> None:
    with serve(argv, LINGER="2") as web, contextlib.closing(web.connect()) as connection:
        connection.request("GET", "/")
        connection.getresponse().read()
        kept = connection.sock
        web.terminate()
        connection.request("GET", "/health/ready")
        assert connection.sock is kept
        answer = connection.getresponse()
        assert (answer.status, answer.getheader("Connection")) == (503, "close")
        assert web.wait_exit() == 0


def test_new_connections_are_served_while_it_lingers(argv: list[str]) -> None:
    with serve(argv, LINGER="2") as web:
        web.terminate()
        with contextlib.closing(web.connect()) as connection:
            connection.request("GET", "/")
            answer = connection.getresponse()
            assert (answer.status, answer.getheader("Connection")) == (200, "close")
        assert web.wait_exit() == 0


def test_an_idle_kept_connection_ends_without_a_reset(web: Served) -> None:
    with contextlib.closing(web.connect()) as connection:
        connection.request("GET", "/")
        connection.getresponse().read()
        assert connection.sock
        web.terminate()
        assert connection.sock.recv(1) == b"", "an orderly end, not ECONNRESET"
        assert web.wait_exit() == 0


def test_a_steady_stream_of_requests_loses_none_over_a_drain_with_linger(argv: list[str]) -> None:
    """Clients that follow `Connection: close` and leave when readiness fails see no failed request."""
    with serve(argv, LINGER="2") as web:
        failures: list[Exception] = []
        answered = [0] * 4
        clients = [threading.Thread(target=stream, args=(web, answered, number, failures)) for number in range(4)]
        for client in clients:
            client.start()
        web.until("/health/ready", 200)
        web.terminate()
        for client in clients:
            client.join(PATIENCE)
        assert failures == []
        assert min(answered) > 0
        assert web.wait_exit() == 0


def stream(web: Served, answered: list[int], number: int, failures: list[Exception]) -> None:
    """Requests until the readiness probe fails, as a load balancer would stop."""
    connection = web.connect()
    try:
        while True:
            connection.request("GET", "/")
            assert connection.getresponse().read()
            answered[number] += 1
            connection.request("GET", "/health/ready")
            answer = connection.getresponse()
            answer.read()
            if answer.status == 503:
                return
    except (OSError, http.client.HTTPException, AssertionError) as error:
        failures.append(error)
    finally:
        connection.close()


@pytest.mark.skipif(not shutil.which("prlimit"), reason="needs prlimit")
def test_it_runs_where_no_file_can_be_written(argv: list[str]) -> None:
    """With a file size limit of 0 any write to a file ends the process."""
    with serve(["prlimit", "--fsize=0", "--", *argv]) as web:
        assert web.ask("/")[0] == 200
        web.terminate()
        assert web.wait_exit() == 0


def test_the_log_is_json_lines_for_start_and_stop_only(web: Served) -> None:
    for _ in range(3):
        web.ask("/")
    web.terminate()
    web.wait_for("stopped")
    assert [line["event"] for line in web.lines] == ["started", "draining", "stopped"]
    assert all(line["version"] == "v1" for line in web.lines)
