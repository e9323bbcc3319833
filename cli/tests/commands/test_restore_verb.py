"""`restore`, `rollback --with-data`, and `abort` of a restore: what is agreed to, what is asked for, and how it ends."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from io import StringIO
from typing import Any

import pytest
from hardenctl_world import NEW, REVISION, SERVICES, FakeCluster, condition, healthy, kept, service, state
from request_world import OLD_IMAGE, RUNNING, said, world

from hardened.errors import Refused

NOW = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
SNAPSHOT, OLDER = "ab" * 32, "cd" * 32
DATABASE = {
    "name": "nightly",
    "schedule": "30 3 * * *",
    "repository": {"secretName": "restic"},
    "source": {"postgres": {"secretName": "db"}},
}
VOLUME = {**DATABASE, "source": {"volume": {"name": "data"}}}
TOLD = {"name": "nightly", "lastSuccess": {"snapshot": SNAPSHOT, "at": "2026-01-02T03:30:00Z", "bytes": 4096, "seconds": 4}}
DONE = {
    "phase": "Succeeded",
    "message": "snapshot abababab is restored",
    "startedAt": "2026-01-02T11:59:00Z",
    "finishedAt": "2026-01-02T11:59:42Z",
    "result": {"backup": "nightly", "snapshot": SNAPSHOT, "recoveryPoint": "2026-01-02T03:30:00Z"},
}
CTRL_C = "\x03"
LATEST = ("restore", "api", "--backup", "nightly", "--snapshot", "latest")


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hardenctl.output.moments.now", lambda: NOW)


def backed_up(*answers: dict[str, Any], told: list[dict[str, Any]] | None = None, backup: Any = DATABASE, **status: Any) -> FakeCluster:
    live = service(status={**healthy(), "backups": [TOLD] if told is None else told, **status}, backups=[backup])
    cluster = FakeCluster(live)
    cluster.answers = list(answers)
    return cluster


def held(phase: str, message: str, **more: Any) -> dict[str, Any]:
    """The status while a restore replaces the data, or has failed to. more: of the hold."""
    words = {"Failed": ("RestoreFailed", "True"), "NotStarted": ("RollbackFailed", "True")}
    word, is_stalled = words.get(phase, ("Restoring", "False"))
    found = state("Degraded", condition("Ready", "False", word, message), condition("Stalled", is_stalled, word, message), available=0)
    hold = {"action": "api-restore-1", "uid": "u", "backup": "nightly", "snapshot": SNAPSHOT, "stops": "Self", "phase": phase}
    return {**found, "hold": {**hold, "since": "2026-01-02T11:59:48Z", "message": message, **more}}


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch, run: Any) -> Any:
    """typed(text, cluster, *arguments): the result on a terminal where somebody types this."""

    class Terminal(StringIO):
        def isatty(self) -> bool:
            return True

        def readline(self, size: int = -1, /) -> str:
            if self.getvalue() == CTRL_C:
                raise KeyboardInterrupt
            return super().readline(size)

    def invoke(text: str, cluster: FakeCluster, *arguments: str) -> Any:
        monkeypatch.setattr("hardenctl.output.console.stdin", lambda: Terminal(text))
        return run(cluster, *arguments)

    return invoke


def test_a_restore_is_agreed_to_by_the_name_and_told_to_its_end(typed: Any) -> None:
    cluster = backed_up(said("Running", "Stopping: 1 pod is left"), said("Running", "Restoring: Job api-restore is at work"), DONE)
    shown = typed("api\n", cluster, *LATEST)
    assert shown.exit_code == 0, shown.stderr
    (asked,) = cluster.asked
    wanted = {"service": "api", "action": "Restore", "backup": "nightly", "snapshot": SNAPSHOT, "requestedBy": "bob@example"}
    assert asked["spec"] == wanted
    when = "2026-01-02 03:30:00 UTC (8h ago)"
    assert shown.stderr.splitlines() == [
        f"restore of shop/api: backup nightly; snapshot abababab, of {when}",
        f"  replaced: the database that Secret db leads to, by snapshot abababab, of {when}",
        "  lost: what was written since then; what is there now is stored in the repository first",
        "  stopped meanwhile: all pods of shop/api",
        f"Type api to go on:     0s  requested as {asked['metadata']['name']} by bob@example",
        "    0s  waiting for the operator",
        "    0s  Running: Stopping: 1 pod is left",
        "    0s  Running: Restoring: Job api-restore is at work",
        "    0s  Succeeded: snapshot abababab is restored",
    ]
    assert shown.stdout == (
        "√ shop/api: snapshot abababab is restored\n"
        f"  recovery point: snapshot abababab, of {when}; it took 42s\n"
        "Next: hardenctl status api -n shop -w\n"
    )


@pytest.mark.parametrize(
    ("text", "code", "expected"),
    [
        pytest.param("web\n", 4, "'web' is not api: nothing was requested", id="another name"),
        pytest.param("", 4, "'' is not api: nothing was requested", id="nothing"),
        pytest.param(CTRL_C, 130, "interrupted; nothing was requested", id="Ctrl-C"),
    ],
)
def test_who_does_not_agree_has_asked_for_nothing(typed: Any, text: Any, code: int, expected: str) -> None:
    cluster = backed_up()
    shown = typed(text, cluster, *LATEST)
    assert (shown.exit_code, cluster.asked) == (code, [])
    assert expected in shown.stderr


def test_without_a_terminal_it_needs_yes(run: Any) -> None:
    cluster = backed_up()
    shown = run(cluster, *LATEST)
    assert (shown.exit_code, cluster.asked) == (2, [])
    assert "error: nobody is there to agree to it: no terminal, and no --yes\nhint: run it on a terminal, or add --yes" in shown.stderr


def test_scripts_get_the_recovery_point_and_how_long_it_took(run: Any) -> None:
    answer = json.loads(run(backed_up(RUNNING, DONE), *LATEST, "--yes", "-o", "json").stdout)
    assert (answer["result"], answer["verb"], answer["seconds"]) == ("ok", "restore", 42)
    assert answer["recoveryPoint"] == {"snapshot": SNAPSHOT, "at": "2026-01-02T03:30:00Z", "ageSeconds": 30600}
    asked = json.loads(run(backed_up(), *LATEST, "--yes", "--no-wait", "-o", "json").stdout)
    assert (asked["result"], asked["seconds"]) == ("requested", None)


@pytest.mark.parametrize(
    ("backup", "expected"),
    [
        pytest.param(
            {**DATABASE, "stops": "Dependents"}, "stopped meanwhile: all pods of shop/web, shop/worker; shop/api goes on", id="them"
        ),
        pytest.param({**DATABASE, "stops": "Nothing"}, "stopped meanwhile: nobody; clients see the data change under them", id="nobody"),
        pytest.param(VOLUME, "replaced: all files of volume data, by snapshot abababab", id="a volume"),
    ],
)
def test_what_is_overwritten_and_who_is_stopped_is_said(run: Any, backup: dict[str, Any], expected: str) -> None:
    cluster = backed_up(DONE, backup=backup)
    for name, on in (("worker", "api"), ("web", "api"), ("other", "cache")):
        cluster.objects[f"{SERVICES}/{name}"] = service(name, dependsOn=[{"service": on}, {"tcp": "redis:6379"}])
    assert expected in run(cluster, *LATEST, "--yes").stderr


def test_who_may_not_list_services_learns_of_the_dependents_in_words(run: Any) -> None:
    cluster = backed_up(DONE, backup={**DATABASE, "stops": "Dependents"})
    cluster.objects[f"{SERVICES}/locked"] = Refused("forbidden", status=403)
    assert "all pods of each service that depends on it; shop/api goes on" in run(cluster, *LATEST, "--yes").stderr


def test_into_a_new_database_nothing_is_agreed_to(run: Any) -> None:
    cluster = backed_up(DONE)
    shown = run(cluster, *LATEST, "--into", "api_then")
    assert (shown.exit_code, cluster.asked[0]["spec"]["into"]) == (0, "api_then")
    assert "replaced:" not in shown.stderr


@pytest.mark.parametrize("text", [OLDER[:8], OLDER])
def test_a_snapshot_that_the_status_knows_is_named_in_full(run: Any, text: str) -> None:
    history = [{"revision": REVISION, "backup": {"name": "nightly", "snapshot": OLDER, "at": "2026-01-01T03:30:00Z"}}]
    cluster = backed_up(DONE, history=history)
    shown = run(cluster, "restore", "api", "--backup", "nightly", "--snapshot", text, "--yes")
    assert cluster.asked[0]["spec"]["snapshot"] == OLDER
    assert "snapshot cdcdcdcd, of 2026-01-01 03:30:00 UTC (1d ago)" in shown.stderr


def test_in_a_new_cluster_the_newest_is_what_was_verified(run: Any) -> None:
    verified = {"job": "j", "at": "2026-01-02T11:00:00Z", "result": "Succeeded", "snapshot": OLDER, "seconds": 4}
    cluster = backed_up(DONE, told=[{"name": "nightly", "lastVerification": verified}])
    shown = run(cluster, *LATEST, "--yes")
    assert cluster.asked[0]["spec"]["snapshot"] == OLDER
    assert "snapshot cdcdcdcd, whose time only the repository knows" in shown.stderr
    bad = backed_up(told=[{"name": "nightly", "lastVerification": {**verified, "result": "Failed"}}])
    refused = run(bad, *LATEST, "--yes")
    assert (refused.exit_code, bad.asked) == (4, [])
    assert "Next: hardenctl backup verify api nightly -n shop\n" in refused.stderr


def test_a_snapshot_that_only_the_repository_knows_is_named_as_it_is(run: Any) -> None:
    cluster = backed_up(DONE)
    shown = run(cluster, "restore", "api", "--backup", "nightly", "--snapshot", "0123456789", "--yes")
    assert cluster.asked[0]["spec"]["snapshot"] == "0123456789"
    assert "snapshot 01234567, whose time only the repository knows" in shown.stderr
    assert "unknown: the status does not name this snapshot; if the repository has none" in shown.stderr
    assert "snapshot 01234567, of 2026-01-02 03:30:00 UTC" in shown.stdout, "once it is restored, the operator knows"


@pytest.mark.parametrize(
    ("arguments", "cluster", "code", "expected"),
    [
        pytest.param(["--backup", "nightly"], backed_up(), 2, "--snapshot is missing", id="no snapshot"),
        pytest.param(["--snapshot", "latest"], backed_up(), 2, "--backup is missing", id="no backup"),
        pytest.param(["--backup", "nightly", "--snapshot", "v1"], backed_up(), 2, "--snapshot 'v1' is not a snapshot", id="not an id"),
        pytest.param(["--backup", "n", "--snapshot", "latest"], backed_up(), 4, "no backup n; it has nightly", id="unknown backup"),
        pytest.param(
            ["--backup", "nightly", "--snapshot", "latest"], backed_up(told=[]), 4, "no good snapshot of backup nightly", id="no good one"
        ),
        pytest.param(
            ["--backup", "nightly", "--snapshot", "latest", "--into", "b"],
            backed_up(backup=VOLUME),
            2,
            "--into is not for a backup of volume",
            id="a volume beside",
        ),
        pytest.param(
            ["--backup", "nightly", "--snapshot", "latest", "--into", "a b"], backed_up(), 2, "'a b' is not the name", id="no name"
        ),
        pytest.param(
            ["--backup", "nightly", "--snapshot", "latest"],
            backed_up(**held("Restoring", "Job api-restore is at work")),
            4,
            "the restore of snapshot abababab of backup nightly is under way: wait for its end\nNext: hardenctl status api -n shop -w",
            id="one is under way",
        ),
    ],
)
def test_what_cannot_be_asked_for_says_what_to_do(run: Any, arguments: list[str], cluster: FakeCluster, code: int, expected: str) -> None:
    shown = run(cluster, "restore", "api", *arguments, "--yes")
    assert (shown.exit_code, cluster.asked) == (code, [])
    assert expected in shown.stderr


def test_ctrl_c_ends_the_waiting_and_says_how_the_restore_is_given_up(run: Any) -> None:
    class Interrupted(FakeCluster):
        def _answered(self) -> Iterator[dict[str, Any]]:
            raise KeyboardInterrupt
            yield

    shown = run(Interrupted(service(status={**healthy(), "backups": [TOLD]}, backups=[DATABASE])), *LATEST, "--yes")
    assert shown.exit_code == 130
    assert "stopped waiting; the restore was requested, and goes on" in shown.stderr
    assert "hint: as long as it stops pods, it can be given up: hardenctl abort api -n shop" in shown.stderr
    assert shown.stderr.endswith("Next: hardenctl status api -n shop -w\n")


@pytest.mark.parametrize(
    ("phase", "result", "code", "step"),
    [
        pytest.param("Restoring", "progressing", 0, "hardenctl status api -n shop -w", id="at work"),
        pytest.param("Failed", "failed", 1, f"hardenctl restore api -n shop --backup nightly --snapshot {SNAPSHOT[:8]}", id="failed"),
    ],
)
def test_status_shows_the_hold(run: Any, phase: str, result: str, code: int, step: str) -> None:
    cluster = backed_up(**held(phase, "WrongPassword: no key found"))
    shown = run(cluster, "status", "api")
    assert shown.exit_code == code
    assert f"Restore        {phase}, snapshot abababab of backup nightly, for 12s: WrongPassword: no key found\n" in shown.stdout
    assert f"Next: {step}\n" in shown.stderr
    answer = json.loads(run(cluster, "status", "api", "-o", "json").stdout)
    assert (answer["result"], answer["hold"]["phase"], answer["next"]) == (result, phase, step)


def test_a_snapshot_that_there_is_none_of_is_not_what_is_tried_next(run: Any) -> None:
    shown = run(backed_up(**held("Failed", "SnapshotUnknown: the repository has no snapshot abababab")), "status", "api")
    assert shown.stderr == "Next: hardenctl restore api -n shop --backup nightly --snapshot latest\n"


def test_a_failed_restore_whose_backup_left_the_spec_is_repeated_once_it_is_back(run: Any) -> None:
    shown = run(backed_up(backup={**DATABASE, "name": "hourly"}, **held("Failed", "WrongPassword: no key found")), "status", "api")
    assert shown.stderr == "Next: kubectl edit hardenedservice api -n shop\n"


def test_of_a_service_that_another_ones_restore_stops_the_next_step_is_over_there(run: Any) -> None:
    status = held("Restoring", "the restore of the data of service db is under way")
    status["hold"]["service"] = "db"
    shown = run(backed_up(**status), "status", "api")
    assert shown.stderr == "Next: hardenctl status db -n shop\n"


def test_a_restore_whose_snapshot_is_looked_up_is_given_up_like_any_other(run: Any) -> None:
    begun = {"name": "r", "uid": "u", "action": "Restore", "phase": "Running", "backup": "nightly", "snapshot": SNAPSHOT}
    given_up = {**DONE, "message": "the restore of backup nightly is given up: nothing was stopped, nor changed", "result": {}}
    cluster = backed_up(RUNNING, given_up, actions=[begun])
    shown = run(cluster, "abort", "api")
    assert shown.exit_code == 0
    assert cluster.asked[0]["spec"]["backup"] == "nightly"
    assert "abort of shop/api: the restore of backup nightly" in shown.stderr
    later = backed_up(actions=[{**begun, "into": "orders_then"}])
    assert run(later, "abort", "api").exit_code != 0, "beside what serves there is nothing to give up"


@pytest.mark.parametrize("phase", ["Stopping", "Restoring", "Failed"])
def test_a_restore_that_replaces_nothing_is_given_up_by_its_backup(run: Any, phase: str) -> None:
    cluster = backed_up(said("Succeeded", "the restore is given up"), **held(phase, "why"))
    shown = run(cluster, "abort", "api")
    assert shown.exit_code == 0
    assert cluster.asked[0]["spec"] == {"service": "api", "action": "Abort", "backup": "nightly", "requestedBy": "bob@example"}
    assert "abort of shop/api: the restore of snapshot abababab of backup nightly" in shown.stderr
    assert "Next: hardenctl status api -n shop -w" in shown.stdout


def test_a_restore_that_replaces_data_is_not_given_up(run: Any) -> None:
    cluster = backed_up(said("Refused", "the data is being replaced: wait for the end of it"), **held("Restoring", ""))
    shown = run(cluster, "abort", "api")
    assert shown.exit_code == 4
    assert len(cluster.asked) == 1, "whether its Job is at work, the operator knows"
    assert "the data is being replaced: wait for the end of it" in shown.stderr


def with_history(*answers: dict[str, Any], backups: Any = (VOLUME,), serves: str = NEW, **status: Any) -> FakeCluster:
    """NEW serves; a snapshot was taken when it replaced REVISION."""
    history = [{"revision": REVISION, "image": OLD_IMAGE, "backup": {"name": "nightly", "snapshot": OLDER, "at": "2026-01-01T03:30:00Z"}}]
    found = {**kept(), **status, "history": history}
    cluster = world({**found, "serving": {**found["serving"], "revision": serves}}, *answers)
    cluster.objects[f"{SERVICES}/api"]["spec"]["backups"] = list(backups)
    return cluster


def test_a_rollback_with_data_names_its_target_and_what_it_replaces(typed: Any) -> None:
    cluster = with_history(RUNNING, DONE)
    shown = typed("api\n", cluster, "rollback", "api", "--with-data")
    assert shown.exit_code == 0, shown.stderr
    spec = cluster.asked[0]["spec"]
    assert spec == {"service": "api", "action": "Rollback", "revision": REVISION, "withData": True, "requestedBy": "bob@example"}
    assert "replaced: all files of volume data, by snapshot cdcdcdcd, of 2026-01-01 03:30:00 UTC (1d ago)" in shown.stderr
    assert f"starts then: revision {REVISION} alone" in shown.stderr
    assert "not rolled back: Secret cert, Secret db, ConfigMap flags\n" in shown.stdout, "the claim is"
    assert "recovery point: snapshot cdcdcdcd, of 2026-01-01 03:30:00 UTC (1d ago); it took 42s\n" in shown.stdout


def test_for_scripts_a_rollback_with_data_tells_its_recovery_point(run: Any) -> None:
    shown = run(with_history(RUNNING, DONE), "rollback", "api", "--with-data", "--yes", "-o", "json")
    answer = json.loads(shown.stdout)
    assert (shown.exit_code, answer["result"], answer["seconds"]) == (0, "ok", 42.0)
    assert answer["recoveryPoint"] == {"snapshot": OLDER, "at": "2026-01-01T03:30:00Z", "ageSeconds": 117000}


@pytest.mark.parametrize(
    ("phase", "shown", "code", "step"),
    [
        pytest.param("Starting", "the data is that of then", 0, "hardenctl status api -n shop -w", id="it starts"),
        pytest.param(
            "NotStarted",
            "its pods crash",
            1,
            f"hardenctl rollback api -n shop --with-data --to-revision {REVISION}",
            id="it has not started",
        ),
        pytest.param(
            "Failed",
            "WrongPassword: no key found",
            1,
            f"hardenctl rollback api -n shop --with-data --to-revision {REVISION}",
            id="its restore has failed",
        ),
    ],
)
def test_status_shows_how_far_a_rollback_with_data_is(run: Any, phase: str, shown: str, code: int, step: str) -> None:
    cluster = backed_up(**held(phase, shown, revision=REVISION))
    found = run(cluster, "status", "api")
    assert found.exit_code == code
    assert f"Restore        {phase}, revision {REVISION}, snapshot abababab of backup nightly, for 12s: {shown}\n" in found.stdout
    assert f"Next: {step}\n" in found.stderr


@pytest.mark.parametrize(
    ("phase", "said"), [("Starting", "cannot be aborted: wait for its end"), ("NotStarted", "repeat it, or restore what was there")]
)
def test_once_its_data_is_back_a_rollback_with_data_is_not_given_up(run: Any, phase: str, said: str) -> None:
    cluster = backed_up(**held(phase, "", revision=REVISION))
    shown = run(cluster, "abort", "api")
    assert (shown.exit_code, cluster.asked) == (4, [])
    assert f"the rollback to revision {REVISION} with its data has brought the data back" in shown.stderr
    assert said in shown.stderr


def test_a_rollback_with_data_that_has_failed_is_repeated_and_another_one_is_not_begun(run: Any) -> None:
    again = ("rollback", "api", "--with-data", "--yes")
    failed = with_history(RUNNING, DONE, **held("NotStarted", "", revision=REVISION))
    assert run(failed, *again).exit_code == 0
    assert failed.asked[0]["spec"]["withData"] is True
    busy = with_history(**held("Starting", "", revision=REVISION))
    shown = run(busy, *again)
    assert (shown.exit_code, busy.asked) == (4, [])
    assert f"the rollback to revision {REVISION} with its data is under way: wait for its end" in shown.stderr


@pytest.mark.parametrize(
    ("arguments", "backups", "code", "expected"),
    [
        pytest.param([], (VOLUME,), 2, "no terminal, and no --yes", id="nobody agrees"),
        pytest.param(["--yes", "--to-revision", NEW], (VOLUME,), 4, f"no snapshot belongs to revision {NEW}", id="without a snapshot"),
        pytest.param(["--yes"], (), 4, "which spec.backups does not name any more", id="its backup is gone"),
        pytest.param(
            ["--yes"],
            ({**DATABASE, "stops": "Dependents"},),
            4,
            "would run on the restored data: roll back without",
            id="it would run on it",
        ),
        pytest.param(["--yes"], ({**DATABASE, "source": {"command": {}}},), 4, "is restored by hand", id="a command"),
    ],
)
def test_a_rollback_without_data_to_go_back_to_is_not_asked_for(
    run: Any, arguments: list[str], backups: Any, code: int, expected: str
) -> None:
    cluster = with_history(backups=backups)
    shown = run(cluster, "rollback", "api", "--with-data", *arguments)
    assert (shown.exit_code, cluster.asked) == (code, [])
    assert expected in shown.stderr


def test_of_a_revision_that_serves_the_data_alone_is_brought_back(run: Any) -> None:
    cluster = with_history(serves=REVISION)
    shown = run(cluster, "rollback", "api", "--with-data", "--to-revision", REVISION, "--yes")
    assert (shown.exit_code, cluster.asked) == (4, [])
    assert "Next: hardenctl restore api --backup nightly --snapshot cdcdcdcd -n shop\n" in shown.stderr
