"""What Prometheus can know about the operator, and the small server that tells it."""

import socket
import socketserver
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import choose_encoder

from hardened.shell.release_metrics import ReleaseMetrics
from hardened.shell.workqueue import Key

#: Seconds a scraper may take to send its request, or to read the answer.
SOCKET_TIMEOUT: Final = 5.0
#: Scrapes at the same time; more are turned away.
CONNECTIONS: Final = 8
#: The verbs of ApiServer that change something.
WRITES: Final = frozenset({"apply", "status", "scale", "delete", "create", "update", "patch"})
_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)


class Metrics:
    """A registry of its own: two of them in one process do not meet."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        registry = self.registry
        self.reconcile_seconds = Histogram("hardened_reconcile_seconds", "Seconds of one reconcile.", buckets=_SECONDS, registry=registry)
        self.reconcile_errors = Counter("hardened_reconcile_errors", "Reconciles that failed, by reason.", ["reason"], registry=registry)
        self.queue_depth = Gauge("hardened_queue_depth", "Services that wait for a reconcile.", registry=registry)
        self.queue_oldest_seconds = Gauge("hardened_queue_oldest_seconds", "Seconds that the first in line has waited.", registry=registry)
        self.api_requests = Counter(
            "hardened_api_requests", "Calls to the API server; code 0: no reply.", ["verb", "resource", "code"], registry=registry
        )
        self.writes = Counter("hardened_writes", "Writes that the API server took.", ["verb", "resource"], registry=registry)
        self.repairs = Counter("hardened_repairs", "Children put right that somebody else changed or removed.", ["kind"], registry=registry)
        self.leader = Gauge("hardened_leader", "1 while this process leads.", registry=registry)
        self.services = Gauge("hardened_services", "Services by phase.", ["phase"], registry=registry)
        self.releases = ReleaseMetrics(registry)
        self._phases: dict[Key, str] = {}

    def count_call(self, verb: str, resource: str, code: str) -> None:
        """Takes what Client tells about each call."""
        self.api_requests.labels(verb, resource, code).inc()
        if verb in WRITES and code.startswith("2"):
            self.writes.labels(verb, resource).inc()

    def set_phase(self, key: Key, phase: str | None) -> None:
        """The service is in this phase now; None: it is gone."""
        before = self._phases.get(key)
        if before == phase:
            return
        if before is not None:
            del self._phases[key]
            self.services.labels(before).dec()
        if phase is not None:
            self._phases[key] = phase
            self.services.labels(phase).inc()

    def watch_queue(self, depth: Callable[[], int], oldest_seconds: Callable[[], float]) -> None:
        """Asks the queue at each scrape."""
        self.queue_depth.set_function(lambda: float(depth()))
        self.queue_oldest_seconds.set_function(_steady(oldest_seconds))

    def watch_leader(self, is_leader: Callable[[], bool]) -> None:
        self.leader.set_function(lambda: float(is_leader()))


def _steady(ask: Callable[[], float]) -> Callable[[], float]:
    """`ask`, from the scraper's thread: the loop's thread can change the queue between two steps of it; then it is asked again."""

    def asked() -> float:
        for _ in range(3):
            try:
                return ask()
            except RuntimeError:  # dictionary changed size during iteration
                continue
        return 0.0

    return asked


def serve(registry: CollectorRegistry, port: int, host: str = "") -> "MetricsServer":
    """Serves /metrics in daemon threads until `close()`. host "": every address, IPv6 too; port 0: any free one, see `server_port`.

    Raises OSError when the port is taken.
    """
    server = MetricsServer((host, port), registry)
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    return server


class MetricsServer(ThreadingHTTPServer):
    """prometheus_client's own server has no time-outs and no bound on its threads: ten slow readers would be ten threads for good."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], registry: CollectorRegistry) -> None:
        self.registry = registry
        self._slots = threading.BoundedSemaphore(CONNECTIONS)
        if not address[0] and socket.has_dualstack_ipv6():
            self.address_family = socket.AF_INET6
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        # Not HTTPServer's: it asks the DNS for our own name, and can wait for it long.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "metrics", self.server_address[1]

    def close(self) -> None:
        self.shutdown()
        self.server_close()

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._slots.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except RuntimeError:  # no thread could be started
            self._slots.release()
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._slots.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A scraper that hangs up is no news; the traceback that the base class prints would be."""


class _Handler(BaseHTTPRequestHandler):
    timeout = SOCKET_TIMEOUT
    server: MetricsServer
    server_version = "hardened"
    sys_version = ""

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def _answer(self, *, with_body: bool) -> None:
        if self.path.partition("?")[0] != "/metrics":
            self.send_error(404)
            return
        encode, content_type = choose_encoder(self.headers.get("Accept") or "")
        body = encode(self.server.registry)
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name for it
        """Scrapes are not logged."""
