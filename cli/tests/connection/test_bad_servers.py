"""API servers that hang, are overloaded, or are none at all: one line, the exit code of what could not be asked, and what to do."""

import http.server
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from hardenctl.app import app

PAGE = b"<!DOCTYPE html><html><body>Sign in</body></html>"
LIVE = {
    "apiVersion": "hardened.dev/v1alpha1",
    "kind": "HardenedService",
    "metadata": {"name": "api", "namespace": "shop", "uid": "u", "generation": 1, "resourceVersion": "1"},
    "spec": {"image": "registry.example/api:1.0", "release": {"progressDeadline": "24h"}},
    "status": {"observedGeneration": -1},
}

DEPLOY = ["deploy", "api", "--image", "registry.example/api:2.0"]

Answer = Callable[[http.server.BaseHTTPRequestHandler], tuple[int, dict[str, str], bytes]]


class Server(http.server.ThreadingHTTPServer):
    """answer: gives code, headers and body; calls: how many came."""

    daemon_threads = True

    def __init__(self) -> None:
        self.answer: Answer = lambda _: (200, {}, json.dumps(LIVE).encode())
        self.calls = 0
        self.is_over = threading.Event()
        super().__init__(("127.0.0.1", 0), Handler)

    def hang(self, _: Any) -> tuple[int, dict[str, str], bytes]:
        self.is_over.wait(60)
        return 200, {}, b""


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.calls += 1
        code, headers, body = self.server.answer(self)
        self.send_response(code)
        for name, value in {**headers, "content-length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as found:
        threading.Thread(target=found.serve_forever, args=(0.01,), daemon=True).start()
        yield found
        found.is_over.set()
        found.shutdown()


@pytest.fixture
def asked(server: Server, kubeconfig_file: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """asked(*arguments): the end of `hardenctl <arguments>` on this server."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    path = kubeconfig_file(cluster={"server": f"http://127.0.0.1:{server.server_port}"}, context={"namespace": "shop"})
    return lambda *arguments: CliRunner().invoke(app, [*arguments, "--kubeconfig", str(path)], prog_name="hardenctl")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        pytest.param((200, {}, PAGE), "the answer is a web page: does a proxy or a login page stand before", id="a login page"),
        pytest.param((403, {}, PAGE), "the answer is HTTP 403, with a web page", id="a proxy that refuses"),
        pytest.param((404, {}, PAGE), "the answer is HTTP 404, with a web page", id="a web server"),
        pytest.param((302, {"location": "https://login.example"}, b""), "the answer is HTTP 302, a redirection", id="sent elsewhere"),
        pytest.param((503, {}, PAGE), "the API server failed: HTTP 503 with a web page, from a proxy before it", id="no server behind"),
        pytest.param((503, {}, b""), "the API server failed: HTTP 503", id="unavailable"),
        pytest.param((429, {"retry-after": "0"}, b"{}"), "the API server answers too many requests (HTTP 429)", id="overloaded"),
        pytest.param((401, {}, b"{}"), "the API server does not accept your credentials", id="nobody"),
        pytest.param((200, {}, b"ok"), "the reply is not JSON: is this the URL of a Kubernetes API server?", id="another service"),
    ],
)
@pytest.mark.parametrize(
    "verb", [["status", "api"], ["get"], ["deploy", "api", "--image", "registry.example/api:2.0"], ["rollback", "api"]]
)
def test_what_could_not_be_asked_is_one_line_and_code_5(
    server: Server, asked: Any, verb: list[str], answer: tuple[int, dict[str, str], bytes], said: str
) -> None:
    server.answer = lambda _: answer
    shown = asked(*verb)
    assert shown.exit_code == 5
    errors = [line for line in shown.stderr.splitlines() if line.startswith("error:")]
    assert len(errors) == 1
    assert said in errors[0]
    assert "hint: " in shown.stderr or errors[0].endswith("?")
    assert "html" not in shown.output.lower()


@pytest.mark.parametrize("verb", [["status", "api", "-w"], DEPLOY, ["retry", "api"]])
def test_the_timeout_is_for_all_that_a_server_may_do(server: Server, asked: Any, verb: list[str]) -> None:
    server.answer = server.hang
    began = time.monotonic()
    shown = asked(*verb, "--timeout", "1s")
    assert time.monotonic() - began < 10
    assert shown.exit_code == 5
    assert "cannot reach the cluster: " in shown.stderr
    assert "no reply in time" in shown.stderr


def test_one_that_asks_to_wait_longer_than_the_timeout_is_not_waited_for(server: Server, asked: Any) -> None:
    server.answer = lambda _: (429, {"retry-after": "25"}, b"{}")
    began = time.monotonic()
    shown = asked("status", "api", "-w", "--timeout", "2s")
    assert time.monotonic() - began < 10
    assert (shown.exit_code, server.calls) == (5, 1)
    assert "hint: try again in 25 s; it is overloaded" in shown.stderr


def test_one_that_was_there_and_stays_away_is_no_timeout(server: Server, asked: Any) -> None:
    def answer(request: http.server.BaseHTTPRequestHandler) -> tuple[int, dict[str, str], bytes]:
        return (200, {}, json.dumps(LIVE).encode()) if "?" not in request.path else server.hang(request)

    server.answer = answer
    shown = asked("status", "api", "-w", "--timeout", "4s", "-o", "json")
    said = json.loads(shown.stdout)
    assert (shown.exit_code, said["result"]) == (5, "unanswered")
    assert said["message"].startswith("shop/api can no longer be followed, and continues: cannot reach the cluster")
    assert said["next"] == f"hardenctl status api -n shop -w --kubeconfig {said['next'].rpartition(' ')[2]}"


def test_one_that_answers_until_the_end_is_a_timeout(server: Server, asked: Any) -> None:
    def answer(request: http.server.BaseHTTPRequestHandler) -> tuple[int, dict[str, str], bytes]:
        found = LIVE if "?" not in request.path else {"metadata": {"resourceVersion": "1"}, "items": [LIVE]}
        return 200, {}, b"" if "watch" in request.path else json.dumps(found).encode()

    server.answer = answer
    assert asked("status", "api", "-w", "--timeout", "2s").exit_code == 124
