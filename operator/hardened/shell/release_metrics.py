"""What Prometheus can know about releases, read from the statuses that this process sees and writes."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from hardened.api.steps import Step
from hardened.core.model.proof import Counts, Proof
from hardened.core.model.state import ReleaseState
from hardened.core.model.written import proof_of, state_of
from hardened.core.release.end import end_of
from hardened.shell.workqueue import Key

_RELEASE_SECONDS: Final = (5, 10, 30, 60, 120, 300, 600, 1800, 3600, 14400, 86400)
_CUTOVER_SECONDS: Final = (0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 5, 10, 30, 60, 300)


@dataclass(frozen=True)
class _Seen:
    """What a status said."""

    record: ReleaseState | None
    proof: Proof | None


class ReleaseMetrics:
    """Counts what differs between two statuses of a service, as the API server holds them.

    Every release and every probe is counted once: what a process finds when it first sees a service was counted by the one before it. A
    process that is killed after such a write, and before the next scrape, takes the count with it. So a kill may lose a count, and never
    makes two of one; the cutover in which it falls is not timed.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.releases = Counter("hardened_releases", "Releases that have ended, by how.", ["result"], registry=registry)
        self.release_seconds = Histogram(
            "hardened_release_seconds", "Seconds from the start of a release to its end.", buckets=_RELEASE_SECONDS, registry=registry
        )
        self.cutover_seconds = Histogram(
            "hardened_cutover_seconds", "Seconds until all endpoints followed a switch.", buckets=_CUTOVER_SECONDS, registry=registry
        )
        self.probe_requests = Counter("hardened_probe_requests", "Requests of zero-loss probes.", ["probe"], registry=registry)
        self.probe_failures = Counter("hardened_probe_failures", "Requests of zero-loss probes that failed.", ["probe"], registry=registry)
        self.at_work = Gauge("hardened_releases_at_work", "Releases that hold a slot.", registry=registry)
        self._seen: dict[Key, _Seen] = {}
        self._counted: dict[Key, datetime] = {}  # the begin of the last release that was counted
        self._switching: dict[Key, datetime] = {}  # since when

    def saw(self, key: Key, status: Mapping[str, Any], now: datetime) -> None:
        """Takes the status of a service."""
        before, after = self._seen.get(key), _Seen(state_of(status), proof_of(status))
        self._seen[key] = after
        self.at_work.set(sum(each.record is not None and each.record.holds_slot for each in self._seen.values()))
        if before is None:
            return
        self._count_end(key, before.record, status, now)
        self._time_cutover(key, before.record, after.record, now)
        self._count_probes(before.proof, after.proof)

    def forget(self, key: Key, now: datetime) -> None:
        """The service is gone, and a release of it with it."""
        self.saw(key, {}, now)
        for known in (self._seen, self._counted, self._switching):
            known.pop(key, None)

    def _count_end(self, key: Key, record: ReleaseState | None, status: Mapping[str, Any], now: datetime) -> None:
        end = end_of(record, status) if record else None
        # A status that is older than one seen before may come again, with a release that was counted.
        if record and end and self._counted.get(key) != record.started_at:
            self._counted[key] = record.started_at
            self.releases.labels(end).inc()
            self.release_seconds.observe((now - record.started_at).total_seconds())

    def _time_cutover(self, key: Key, before: ReleaseState | None, after: ReleaseState | None, now: datetime) -> None:
        if after and after.step is Step.CUTOVER:
            if before is None or before.step is not Step.CUTOVER:
                self._switching[key] = now
            return
        since = self._switching.pop(key, None)
        if since and before and after and after.started_at == before.started_at and after.cutover_at and not before.cutover_at:
            self.cutover_seconds.observe((after.cutover_at - since).total_seconds())

    def _count_probes(self, before: Proof | None, after: Proof | None) -> None:
        if after is None:
            return
        known = before if before and before.started_at == after.started_at else Proof(after.target, after.started_at)
        self._count_probe("cutover", known.cutover, after.cutover)
        self._count_probe("removal", known.removal, after.removal)

    def _count_probe(self, probe: str, before: Counts | None, after: Counts | None) -> None:
        if after and not before:
            self.probe_requests.labels(probe).inc(after.requests)
            self.probe_failures.labels(probe).inc(after.failed)
