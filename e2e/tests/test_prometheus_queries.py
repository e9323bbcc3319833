"""Checks by query are asked of a real Prometheus: a number, none, no series, a part of them, no PromQL, too slow, gone."""

from __future__ import annotations

import asyncio
import http.server
import math
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from e2e.cluster.local.cluster import LocalCluster
from e2e.kube import Body, condition
from e2e.ports import free_port
from e2e.releases import leads_to, ready_reason, released
from e2e.rig import running, serve
from e2e.workloads.build import build_prometheus
from hardened.core.model.measurement import Query, Sample
from hardened.shell import prometheus
from hardened.shell.prometheus import Prometheus

#: Seconds that the server may take to start, and to have asked its target.
START_S = 60
METRICS = b"# TYPE errors_ratio gauge\nerrors_ratio 0.25\n# TYPE latency_seconds gauge\nlatency_seconds NaN\n"
#: Millions of points: more than can be read within the server's own bound of 200 ms.
SLOW = "sum(sum_over_time(vector(1)[8h:1ms]))"

pytestmark = pytest.mark.cluster


class Target(http.server.BaseHTTPRequestHandler):
    """What is measured."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(METRICS)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name in the class above
        """Nothing: nobody reads it."""


@dataclass(frozen=True)
class Server:
    """A running Prometheus."""

    url: str
    process: subprocess.Popen[bytes]

    def asked(self, text: str) -> Sample:
        """What the operator's own client makes of its answer."""
        return asyncio.run(Prometheus(self.url).ask(Query("check", text)))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A Prometheus that has measured its target, and cannot reach another one that it is told to read from as well."""
    target = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Target)
    threading.Thread(target=target.serve_forever, daemon=True).start()
    folder, port = tmp_path_factory.mktemp("prometheus"), free_port()
    config = folder / "prometheus.yml"
    config.write_text(f"""
global: {{scrape_interval: 1s}}
scrape_configs: [{{job_name: target, static_configs: [{{targets: ["127.0.0.1:{target.server_port}"]}}]}}]
remote_read: [{{url: "http://127.0.0.1:{free_port()}/read", read_recent: true, required_matchers: {{remote: "yes"}}}}]
""")
    argv = [
        build_prometheus(), f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}", "--query.timeout=200ms", "--query.max-samples=500000000",
    ]  # fmt: skip
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(argv, stdout=log, stderr=log, cwd=folder)
    try:
        found = Server(f"http://127.0.0.1:{port}", process)
        _await_samples(found, folder / "log")
        yield found
    finally:
        process.kill()
        process.wait()
        target.shutdown()
        target.server_close()


def _await_samples(server: Server, log: Path) -> None:
    deadline = time.monotonic() + START_S
    while server.asked("errors_ratio").value is None:
        assert server.process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)  # the pace at which it is asked for again


def test_a_number_is_a_number(server: Server) -> None:
    assert server.asked("errors_ratio") == Sample(0.25)
    assert server.asked("sum(errors_ratio) * 2") == Sample(0.5)
    assert server.asked("scalar(errors_ratio)") == Sample(0.25)
    assert server.asked("errors_ratio / 0") == Sample(math.inf)


def test_not_a_number_is_no_data(server: Server) -> None:
    found = server.asked("latency_seconds")
    assert found.value is not None
    assert math.isnan(found.value)


def test_no_series_is_no_data(server: Server) -> None:
    assert server.asked("no_such_metric") == Sample(None, "the query returned no series")


@pytest.mark.parametrize(
    ("query", "says"),
    [
        pytest.param("errors_ratio{", "parse error", id="no PromQL"),
        pytest.param("errors_ratio[1m]", "a range of values", id="a range"),
        pytest.param('{__name__=~"errors_ratio|latency_seconds"}', "returned 2 series", id="two series"),
    ],
)
def test_a_query_that_can_never_work_is_final(server: Server, query: str, says: str) -> None:
    found = server.asked(query)
    assert (found.value, found.is_final) == (None, True)
    assert says in found.problem


def test_an_answer_without_the_part_that_could_not_be_read_is_no_data(server: Server) -> None:
    found = server.asked('sum(errors_ratio or errors_ratio{remote="yes"})')
    assert (found.value, found.is_final) == (None, False)
    assert "incomplete" in found.problem


def test_a_query_that_takes_too_long_is_no_data(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    # What the server says is to be heard: where both have much to do it notices its own bound only seconds later.
    monkeypatch.setattr(prometheus, "DEADLINE", 60.0)
    found = server.asked(SLOW)
    assert (found.value, found.is_final) == (None, False)
    assert "answered 503" in found.problem


def test_a_server_that_hangs_is_no_data_within_the_deadline(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prometheus, "DEADLINE", 1.0)
    os.kill(server.process.pid, signal.SIGSTOP)
    try:
        begun = time.monotonic()
        found = server.asked("errors_ratio")
    finally:
        os.kill(server.process.pid, signal.SIGCONT)
    assert (found.value, found.is_final) == (None, False)
    assert time.monotonic() - begun < 3
    assert server.asked("errors_ratio") == Sample(0.25)


def test_a_server_that_is_gone_is_no_data(server: Server) -> None:
    found = asyncio.run(Prometheus(f"http://127.0.0.1:{free_port()}").ask(Query("check", "errors_ratio")))
    assert (found.value, found.is_final) == (None, False)


@pytest.mark.usefixtures("rights")
def test_a_release_goes_by_its_numbers(server: Server, local: LocalCluster, tmp_path: Path) -> None:
    def measured(namespace: str, version: str, most: float) -> Body:
        before, after = (
            {"name": name, "prometheus": {"query": "errors_ratio", "max": most, "interval": "1s"}} for name in ("errors", "later")
        )
        return released(namespace, version, verify={"beforeCutover": [before], "afterCutover": {"window": "2s", "checks": [after]}})

    async def all_of_it() -> None:
        settings = {"HARDENED_PROMETHEUS_URL": server.url}
        async with running(local.kubeconfig, tmp_path, settings=settings, name="measured") as run:
            await serve(run, measured(run.namespace, "v1", most=0.5))
            await run.kube.apply(measured(run.namespace, "v2", most=0.1))
            live, _ = await run.kube.until("HardenedService", "web", run.namespace, ready_reason("Rejected"), within=60)
            assert live
            assert "check errors failed: 0.25, above 0.1" in condition(live, "Ready")["message"]
            assert leads_to("blue")(await run.kube.get("Service", "web", run.namespace))

    asyncio.run(all_of_it())
