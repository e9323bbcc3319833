"""What Prometheus can know about backups, read from the statuses that this process sees and writes."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from prometheus_client import CollectorRegistry, Gauge

from hardened.core.runs.model import Record
from hardened.core.runs.record import records_of
from hardened.shell.workqueue import Key

_LABELS: Final = ("namespace", "service", "backup")


class BackupMetrics:
    """One series for each backup of each service. now: the wall clock, timezone-aware; it is asked at each scrape."""

    def __init__(self, registry: CollectorRegistry, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._now = now
        self.age = Gauge(
            "hardened_backup_age_seconds", "Age of the newest good snapshot, from the begin of its dump.", _LABELS, registry=registry
        )
        self.has_succeeded = Gauge(
            "hardened_backup_last_run_succeeded", "1 if the last run that ended has succeeded, 0 if it failed.", _LABELS, registry=registry
        )
        self.bytes = Gauge("hardened_backup_last_success_bytes", "Bytes of the newest good dump.", _LABELS, registry=registry)
        self.seconds = Gauge(
            "hardened_backup_last_success_seconds", "Seconds that the newest good backup took.", _LABELS, registry=registry
        )
        self._seen: dict[Key, dict[str, Record]] = {}

    def saw(self, key: Key, status: Mapping[str, Any]) -> None:
        """Takes the status of a service."""
        before, after = self._seen.get(key, {}), records_of(status)
        if before == after:
            return
        for name in before.keys() - after.keys():
            self._drop(key, name)
        for name, record in after.items():
            if record != before.get(name):
                self._set(key, name, record)
        if after:
            self._seen[key] = after
        else:
            self._seen.pop(key, None)

    def forget(self, key: Key) -> None:
        """The service is gone."""
        self.saw(key, {})

    def _set(self, key: Key, name: str, record: Record) -> None:
        whose = (key.namespace, key.name, name)
        if success := record.success:
            at = success.at
            self.age.labels(*whose).set_function(lambda: (self._now() - at).total_seconds())
            self.bytes.labels(*whose).set(success.bytes)
            self.seconds.labels(*whose).set(success.seconds)
        if record.success or record.failure:
            self.has_succeeded.labels(*whose).set(0 if record.has_failed_last else 1)

    def _drop(self, key: Key, name: str) -> None:
        for gauge in (self.age, self.has_succeeded, self.bytes, self.seconds):
            gauge.remove(key.namespace, key.name, name)
