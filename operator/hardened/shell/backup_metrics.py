"""What Prometheus can know about backups, read from the statuses that this process sees and writes."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from prometheus_client import CollectorRegistry, Gauge

from hardened.core.model.run import Record, Verification
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
        self.verification_age = Gauge(
            "hardened_backup_verification_age_seconds", "Time since the end of the last verification.", _LABELS, registry=registry
        )
        self.is_verified = Gauge(
            "hardened_backup_last_verification_succeeded",
            "1 if the last verification has succeeded, 0 if it failed.",
            _LABELS,
            registry=registry,
        )
        self.verification_seconds = Gauge(
            "hardened_backup_last_verification_seconds", "Seconds that the last verification took.", _LABELS, registry=registry
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
                self._set_verification(key, name, record.verification)
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

    def _set_verification(self, key: Key, name: str, found: Verification | None) -> None:
        whose = (key.namespace, key.name, name)
        if found is None:
            for gauge in (self.verification_age, self.is_verified, self.verification_seconds):
                gauge.remove(*whose)
            return
        at = found.at
        self.verification_age.labels(*whose).set_function(lambda: (self._now() - at).total_seconds())
        self.is_verified.labels(*whose).set(0 if found.has_failed else 1)
        self.verification_seconds.labels(*whose).set(found.seconds)

    def _drop(self, key: Key, name: str) -> None:
        for gauge in (self.age, self.has_succeeded, self.bytes, self.seconds):
            gauge.remove(key.namespace, key.name, name)
        self._set_verification(key, name, None)
