"""`backup create` and `backup list`: what is asked for, and what is shown."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hardenctl_world import FakeCluster, healthy, service
from request_world import DONE, RUNNING, said

NOW = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
NIGHTLY = {
    "name": "nightly",
    "schedule": "30 3 * * *",
    "repository": {"secretName": "restic"},
    "source": {"postgres": {"secretName": "db"}},
}
SUCCESS = {"snapshot": "ab" * 32, "at": "2026-01-02T03:30:00Z", "bytes": 4096, "seconds": 4}
FAILURE = {"at": "2026-01-02T03:31:00Z", "reason": "WrongPassword", "message": "wrong password or no key found"}


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hardenctl.output.moments.now", lambda: NOW)


def world(*backups: dict[str, Any], told: list[dict[str, Any]] | None = None, answers: tuple[dict[str, Any], ...] = ()) -> FakeCluster:
    live = service(status={**healthy(), "backups": told or []})
    live["spec"] |= {"backups": list(backups)} if backups else {}
    cluster = FakeCluster(live)
    cluster.answers = list(answers)
    return cluster


def test_a_backup_is_asked_for_by_its_name_and_waited_for(run: Any) -> None:
    from hardened.api.parse_action import parse_action

    cluster = world(NIGHTLY, answers=(RUNNING, DONE))
    shown = run(cluster, "backup", "create", "api", "nightly", "-o", "json")
    answer = json.loads(shown.stdout)
    assert (shown.exit_code, answer["result"], answer["next"]) == (0, "ok", "hardenctl backup list api -n shop")
    (asked,) = cluster.asked
    assert asked["spec"] == {"service": "api", "action": "Backup", "backup": "nightly", "requestedBy": "bob@example"}
    assert parse_action(asked).spec.backup == "nightly"
    assert "on its way" in shown.stderr


@pytest.mark.parametrize(
    ("answers", "code", "expected"),
    [
        pytest.param((said("Failed", "WrongPassword: no key found"),), 1, "has failed: WrongPassword", id="it fails"),
        pytest.param(
            (said("Refused", "backup nightly is already under way"),), 4, "was refused: backup nightly is already", id="it is refused"
        ),
        pytest.param((RUNNING,), 124, "has not ended in time", id="it is late"),
    ],
)
def test_what_is_not_done_is_told_by_the_exit_code(run: Any, answers: tuple[dict[str, Any], ...], code: int, expected: str) -> None:
    shown = run(world(NIGHTLY, answers=answers), "backup", "create", "api", "nightly", "--timeout", "1s")
    assert shown.exit_code == code
    assert expected in shown.stderr


def test_a_backup_that_the_service_has_not_got_is_refused_without_asking(run: Any) -> None:
    cluster = world(NIGHTLY)
    shown = run(cluster, "backup", "create", "api", "weekly")
    assert shown.exit_code == 4
    assert "the service has no backup weekly; it has nightly" in shown.stderr
    assert cluster.asked == []


def test_backups_are_listed_with_their_age_and_what_may_be_lost(run: Any) -> None:
    told = [
        {"name": "nightly", "lastSuccess": SUCCESS, "lastFailure": FAILURE, "nextAt": "2026-01-03T03:30:00Z"},
        {"name": "hourly", "running": {"job": "api-hourly-1", "since": "2026-01-02T11:00:00Z"}, "nextAt": "2026-01-02T12:30:00Z"},
    ]
    hourly = {**NIGHTLY, "name": "hourly", "schedule": "30 * * * *", "timeZone": "Asia/Tokyo", "deadline": "10m"}
    shown = run(world(NIGHTLY, hourly, told=told), "backup", "list", "api", "-o", "wide")
    assert shown.stdout.splitlines() == [
        "NAME      SOURCE     SCHEDULE                SNAPSHOT   AGE   SIZE     NEXT   RPO     VERIFIED   STATE",
        "nightly   postgres   30 3 * * *              abababab   8h    4.0KiB   15h    25h     -          "
        "ok; last run failed: WrongPassword: wrong password or no key found",
        "hourly    postgres   30 * * * * Asia/Tokyo   -          -     -        30m    1h10m   -          no snapshot; running",
    ]
    assert shown.stderr == "Next: hardenctl backup create api hourly -n shop\n"


VERIFIED = {**NIGHTLY, "verify": {"schedule": "0 5 * * *"}}
GOOD = {"job": "a", "at": "2026-01-02T05:00:00Z", "result": "Succeeded", "snapshot": "ab" * 32, "message": "3 tables", "seconds": 7}
BAD = {**GOOD, "result": "Failed", "reason": "AssertionFailed", "message": "the sql gave false"}


@pytest.mark.parametrize(
    ("verification", "verified", "state", "next_verb"),
    [
        pytest.param(None, "none yet", "ok", "", id="none"),
        pytest.param(GOOD, "7h Succeeded", "ok", "", id="a good one"),
        pytest.param(BAD, "7h Failed", "ok; verification failed: AssertionFailed: the sql gave false", "verify", id="a bad one"),
        pytest.param({**GOOD, "at": "2026-01-01T10:00:00Z"}, "1d Succeeded", "ok; verification overdue", "verify", id="an old one"),
    ],
)
def test_the_last_verification_is_listed(run: Any, verification: dict[str, Any] | None, verified: str, state: str, next_verb: str) -> None:
    told = [{"name": "nightly", "lastSuccess": SUCCESS, **({"lastVerification": verification} if verification else {})}]
    shown = run(world(VERIFIED, told=told), "backup", "list", "api", "-o", "wide")
    row = shown.stdout.splitlines()[1]
    assert row.endswith(f"   {verified}   {state}"), row
    assert shown.stderr == (f"Next: hardenctl backup {next_verb} api nightly -n shop\n" if next_verb else "")


def test_a_backup_is_verified_by_its_name_and_waited_for(run: Any) -> None:
    from hardened.api.parse_action import parse_action

    cluster = world(VERIFIED, answers=(RUNNING, DONE))
    shown = run(cluster, "backup", "verify", "api", "nightly", "-o", "json")
    answer = json.loads(shown.stdout)
    assert (shown.exit_code, answer["result"], answer["next"]) == (0, "ok", "hardenctl backup list api -n shop")
    (asked,) = cluster.asked
    assert asked["spec"] == {"service": "api", "action": "VerifyBackup", "backup": "nightly", "requestedBy": "bob@example"}
    assert parse_action(asked).spec.backup == "nightly"
    assert "verification of" in shown.stderr


@pytest.mark.parametrize(
    ("spec", "answers", "code", "expected"),
    [
        pytest.param(VERIFIED, (said("Failed", "AssertionFailed: no"),), 1, "verification has failed: AssertionFailed", id="it fails"),
        pytest.param(VERIFIED, (said("Refused", "it is under way"),), 4, "was refused: it is under way", id="it is refused"),
        pytest.param(VERIFIED, (RUNNING,), 124, "has not ended in time", id="it is late"),
        pytest.param(NIGHTLY, (), 4, "backup nightly does not say how it is verified", id="it is not said how"),
    ],
)
def test_what_was_not_verified_is_told_by_the_exit_code(run: Any, spec: Any, answers: tuple[Any, ...], code: int, expected: str) -> None:
    shown = run(world(spec, answers=answers), "backup", "verify", "api", "nightly", "--timeout", "1s")
    assert shown.exit_code == code
    assert expected in shown.stderr


def test_scripts_get_seconds(run: Any) -> None:
    told = [{"name": "nightly", "lastSuccess": {**SUCCESS, "at": "2025-12-31T03:30:00Z"}, "nextAt": "2026-01-03T03:30:00Z"}]
    answer = json.loads(run(world({**NIGHTLY, "maxAge": "26h"}, told=told), "backup", "list", "api", "-o", "json").stdout)
    (found,) = answer["backups"]
    assert (found["ageSeconds"], found["maxAgeSeconds"], found["recoveryPointSeconds"], found["good"]) == (203400, 93600, 90000, False)
    assert found["lastSuccess"]["snapshot"] == "ab" * 32
    assert answer["next"] == "hardenctl backup create api nightly -n shop"


def test_a_service_without_backups_says_so(run: Any) -> None:
    shown = run(world(), "backup", "list", "api")
    assert (shown.exit_code, shown.stdout) == (0, "the service has no backups: add them to spec.backups\n")
