"""What Prometheus can know about the operator, and the small server that tells it."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import choose_encoder

from hardened.shell.backup_metrics import BackupMetrics
from hardened.shell.listener import HttpAnswer, Listener, Reply
from hardened.shell.release_metrics import ReleaseMetrics
from hardened.shell.workqueue import Key

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
        self.queue_depth = Gauge("hardened_queue_depth", "Services that wait to be reconciled.", registry=registry)
        self.queue_oldest_seconds = Gauge("hardened_queue_oldest_seconds", "Seconds that the first in line has waited.", registry=registry)
        self.api_requests = Counter(
            "hardened_api_requests", "Calls to the API server; code 0: no reply.", ["verb", "resource", "code"], registry=registry
        )
        self.writes = Counter("hardened_writes", "Writes that the API server took.", ["verb", "resource"], registry=registry)
        self.repairs = Counter(
            "hardened_repairs", "Children that somebody else changed or removed, and that were repaired.", ["kind"], registry=registry
        )
        self.unreadable = Gauge(
            "hardened_unreadable_objects", "Objects that cannot be read and are left out; the log names them.", ["kind"], registry=registry
        )
        self.leader = Gauge("hardened_leader", "1 while this process leads.", registry=registry)
        self.services = Gauge("hardened_services", "Services by phase.", ["phase"], registry=registry)
        self.releases = ReleaseMetrics(registry)
        self.backups = BackupMetrics(registry)
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

    def watch_unread(self, kinds: Iterable[str], count: Callable[[str], int]) -> None:
        """Asks at each scrape how many objects of each kind are left out."""

        def counted(kind: str) -> Callable[[], float]:
            return _steady(lambda: float(count(kind)))

        for kind in kinds:
            self.unreadable.labels(kind).set_function(counted(kind))

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
    """Serves /metrics until `close()`. host "": every address, IPv6 too; port 0: any free one, see `server_port`.

    Raises OSError when the port is taken.
    """
    return MetricsServer(registry, port, host)


class MetricsServer:
    """In a thread with a loop of its own: how late the operator's loop is is told also while it is late."""

    def __init__(self, registry: CollectorRegistry, port: int, host: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="metrics", daemon=True)
        self._thread.start()
        self._listener = Listener(_answer(registry))
        try:
            self._run(self._listener.open(port, host))
        except OSError:
            self._end()
            raise
        self.server_port = self._listener.port

    def close(self) -> None:
        """Hangs up on everybody."""
        self._run(self._listener.close())
        self._end()

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def _answer(registry: CollectorRegistry) -> HttpAnswer:
    def answer(path: str, headers: Mapping[str, str]) -> Reply | None:
        if path != "/metrics":
            return None
        encode, content_type = choose_encoder(headers.get("accept", ""))
        return Reply(encode(registry), content_type=content_type)

    return answer
