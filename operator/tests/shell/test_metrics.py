import http.client
import socket
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest
from prometheus_client import generate_latest

from hardened.shell.metrics import Metrics, MetricsServer, serve
from hardened.shell.workqueue import Key


def text(metrics: Metrics) -> str:
    return generate_latest(metrics.registry).decode()


def test_the_names_are_those_that_are_promised() -> None:
    metrics = Metrics()
    metrics.count_call("apply", "deployments", "200")
    metrics.set_phase(Key("shop", "web"), "Healthy")
    metrics.repairs.labels("Service").inc()
    metrics.reconcile_errors.labels("Refused").inc()
    metrics.reconcile_seconds.observe(0.1)
    metrics.releases.releases.labels("promoted").inc()
    metrics.releases.probe_requests.labels("cutover").inc(812)
    metrics.releases.probe_failures.labels("cutover").inc(0)
    metrics.watch_unread(["ConfigMap", "Pod"], {"ConfigMap": 3, "Pod": 0}.__getitem__)
    said = text(metrics)
    for name in (
        'hardened_unreadable_objects{kind="ConfigMap"} 3.0',
        'hardened_unreadable_objects{kind="Pod"} 0.0',
        "hardened_reconcile_seconds_bucket{",
        'hardened_reconcile_errors_total{reason="Refused"} 1.0',
        "hardened_queue_depth 0.0",
        "hardened_queue_oldest_seconds 0.0",
        'hardened_api_requests_total{code="200",resource="deployments",verb="apply"} 1.0',
        'hardened_writes_total{resource="deployments",verb="apply"} 1.0',
        'hardened_repairs_total{kind="Service"} 1.0',
        "hardened_leader 0.0",
        'hardened_services{phase="Healthy"} 1.0',
        'hardened_releases_total{result="promoted"} 1.0',
        "hardened_release_seconds_bucket{",
        "hardened_cutover_seconds_bucket{",
        'hardened_probe_requests_total{probe="cutover"} 812.0',
        'hardened_probe_failures_total{probe="cutover"} 0.0',
        "hardened_releases_at_work 0.0",
    ):
        assert name in said


@pytest.mark.parametrize(
    ("verb", "code", "written"),
    [
        ("apply", "201", True),
        ("delete", "200", True),
        ("get", "200", False),
        ("list", "200", False),
        ("apply", "409", False),
        ("try", "201", False),
        ("apply", "0", False),
    ],
)
def test_a_write_counts_when_it_was_taken(verb: str, code: str, written: bool) -> None:
    metrics = Metrics()
    metrics.count_call(verb, "pods", code)
    assert ("hardened_writes_total{" in text(metrics)) is written
    assert f'hardened_api_requests_total{{code="{code}",resource="pods",verb="{verb}"}} 1.0' in text(metrics)


def test_a_service_is_in_one_phase() -> None:
    metrics = Metrics()
    web, api = Key("shop", "web"), Key("shop", "api")
    for key, phase in [(web, "Pending"), (api, "Pending"), (web, "Healthy"), (web, "Healthy"), (api, None), (api, None)]:
        metrics.set_phase(key, phase)
    assert 'hardened_services{phase="Pending"} 0.0' in text(metrics)
    assert 'hardened_services{phase="Healthy"} 1.0' in text(metrics)


def test_queue_and_leadership_are_asked_at_each_scrape() -> None:
    metrics = Metrics()
    calls = iter([RuntimeError("dictionary changed size during iteration"), 7.5, 8.5])

    def oldest() -> float:
        answer = next(calls)
        if isinstance(answer, Exception):
            raise answer
        return answer

    metrics.watch_queue(lambda: 3, oldest)
    metrics.watch_leader(lambda: True)
    assert "hardened_queue_oldest_seconds 7.5" in (said := text(metrics))
    assert "hardened_queue_depth 3.0" in said
    assert "hardened_leader 1.0" in said
    assert "hardened_queue_oldest_seconds 8.5" in text(metrics)


@pytest.fixture(scope="module")
def server() -> Iterator[MetricsServer]:
    server = serve(Metrics().registry, 0, "127.0.0.1")
    yield server
    server.close()


@pytest.mark.parametrize(
    ("method", "path", "code", "has_body"),
    [
        ("GET", "/metrics", 200, True),
        ("GET", "/metrics?x=y", 200, True),
        ("HEAD", "/metrics", 200, False),
        ("GET", "/", 404, True),
        ("POST", "/metrics", 405, True),
        ("DELETE", "/metrics", 405, True),
    ],
)
def test_only_reading_metrics_is_answered(server: MetricsServer, method: str, path: str, code: int, has_body: bool) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=5)
    connection.request(method, path)
    response = connection.getresponse()
    body = response.read()
    assert (response.status, bool(body)) == (code, has_body)
    if code == 200:
        assert response.getheader("Content-Type", "").startswith("text/plain")
        assert has_body is (b"hardened_leader" in body)
    connection.close()


def test_its_end_waits_for_nobody_and_a_port_that_is_taken_is_said() -> None:
    server = serve(Metrics().registry, 0)
    with pytest.raises(OSError, match="in use"):
        serve(Metrics().registry, server.server_port)
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=5) as connection:
        connection.sendall(b"GET /met")
        while not server._listener._open:
            time.sleep(0.01)
        server.close()
        with suppress(ConnectionError):
            assert connection.recv(100) == b""
