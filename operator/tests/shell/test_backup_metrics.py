"""What Prometheus is told of backups."""

from datetime import UTC, datetime, timedelta
from typing import Any

from prometheus_client import CollectorRegistry

from hardened.shell.backup_metrics import BackupMetrics
from hardened.shell.workqueue import Key

NOW = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
WEB, LABELS = Key("shop", "web"), {"namespace": "shop", "service": "web", "backup": "nightly"}
SUCCESS = {"snapshot": "ab" * 32, "at": "2026-01-02T03:30:00Z", "bytes": 4096, "seconds": 4}


def status(**more: Any) -> dict[str, Any]:
    return {"backups": [{"name": "nightly", **more}]}


def test_a_backup_is_told_as_long_as_it_is_there() -> None:
    registry = CollectorRegistry()
    clock = [NOW]
    metrics = BackupMetrics(registry, lambda: clock[0])

    def told() -> tuple[float | None, ...]:
        names = ("age_seconds", "last_run_succeeded", "last_success_bytes", "last_success_seconds")
        return tuple(registry.get_sample_value(f"hardened_backup_{name}", LABELS) for name in names)

    metrics.saw(WEB, status())
    assert told() == (None, None, None, None), "nothing has run"
    metrics.saw(WEB, status(lastSuccess=SUCCESS))
    assert told() == (8.5 * 3600, 1, 4096, 4)
    clock[0] += timedelta(hours=1)
    failure = {"at": "2026-01-02T12:30:00Z", "reason": "WrongPassword", "message": "no key found"}
    metrics.saw(WEB, status(lastSuccess=SUCCESS, lastFailure=failure))
    assert told() == (9.5 * 3600, 0, 4096, 4), "it ages by itself"
    metrics.saw(WEB, {})
    assert told() == (None, None, None, None)
    metrics.saw(WEB, status(lastFailure=failure))
    assert told() == (None, 0, None, None)
    metrics.forget(WEB)
    assert told() == (None, None, None, None)


def test_a_verification_is_told_as_long_as_there_is_one() -> None:
    registry = CollectorRegistry()
    metrics = BackupMetrics(registry, lambda: NOW)

    def told() -> tuple[float | None, ...]:
        names = ("verification_age_seconds", "last_verification_succeeded", "last_verification_seconds")
        return tuple(registry.get_sample_value(f"hardened_backup_{name}", LABELS) for name in names)

    good = {"job": "a", "at": "2026-01-02T11:00:00Z", "result": "Succeeded", "seconds": 7}
    bad = {**good, "job": "b", "at": "2026-01-02T11:30:00Z", "result": "Failed", "reason": "AssertionFailed", "message": "no"}
    metrics.saw(WEB, status())
    assert told() == (None, None, None)
    metrics.saw(WEB, status(lastVerification=good))
    assert told() == (3600, 1, 7)
    metrics.saw(WEB, status(lastVerification=bad))
    assert told() == (1800, 0, 7)
    metrics.saw(WEB, status(lastSuccess=SUCCESS))
    assert told() == (None, None, None), "the spec asks for none any more"
