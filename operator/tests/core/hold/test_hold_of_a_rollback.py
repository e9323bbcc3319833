"""What a rollback with data goes by: which data belongs to its target, and what its hold lets run in which phase."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.core.worlds import WEB, service

from hardened.api import names
from hardened.core.actions.log import LogEntry
from hardened.core.actions.restores import replacing, stops_abort
from hardened.core.actions.with_data import DataOf, data_of
from hardened.core.desired.autoscaler import autoscaler
from hardened.core.desired.children import signed
from hardened.core.hold.children import as_held
from hardened.core.model.hold import Hold, HoldPhase, hold_of, hold_written
from hardened.core.model.manifest import Manifest
from hardened.core.revisions.history import RevisionBackup, backup_of
from hardened.core.status.holds import failed_hold

NOW = datetime(2030, 1, 1, tzinfo=UTC)
TARGET, LEFT = "0123456789ab", "ba9876543210"
AT = "2030-01-01T00:00:00Z"
FOUND = RevisionBackup("nightly", "ab" * 32, AT)
BACKUP: Manifest = {
    "name": "nightly",
    "schedule": "0 3 * * *",
    "repository": {"secretName": "restic"},
    "source": {"postgres": {"secretName": "db"}},
}
RUNNING = LogEntry("r", "u", "Rollback", "Running", "", NOW, revision=TARGET, backup="nightly", snapshot="ab" * 32)


def hold(phase: HoldPhase, **more: Any) -> Hold:
    return Hold(
        **{
            "action": "r",
            "uid": "u",
            "backup": "nightly",
            "snapshot": "ab" * 32,
            "stops": "Self",
            "phase": phase,
            "since": NOW,
            "replicas": 2,
            "revision": TARGET,
            **more,
        }
    )


def deployment(revision: str) -> Manifest:
    template = {"metadata": {"labels": {names.REVISION_LABEL: revision}}, "spec": {"containers": []}}
    meta = {"name": revision, "namespace": "shop", "labels": {}}
    return signed({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": {"replicas": 2, "template": template}})


@pytest.mark.parametrize("phase", HoldPhase)
def test_only_once_the_data_is_back_the_pods_of_the_target_may_run_and_never_any_others(phase: HoldPhase) -> None:
    svc = service(WEB, autoscale={"maxReplicas": 4, "cpu": 70})
    scaler = autoscaler(svc)
    assert scaler
    children = [deployment(TARGET), deployment(LEFT), signed(scaler)]
    target, left, frozen = as_held(svc, children, hold(phase))
    assert (target == children[0]) is (phase is HoldPhase.STARTING)
    assert left["spec"]["replicas"] == 0
    assert left["spec"]["template"]["spec"]["schedulingGates"] == [{"name": names.HOLD_GATE}]
    assert left["metadata"]["annotations"][names.HOLD_ANNOTATION] == "u"
    assert frozen["spec"]["behavior"]["scaleUp"] == {"selectPolicy": "Disabled"}


@pytest.mark.parametrize("phase", HoldPhase)
@pytest.mark.parametrize("more", [{}, {"revision": ""}, {"service": "db", "revision": ""}])
def test_a_hold_is_read_as_it_was_written(phase: HoldPhase, more: dict[str, str]) -> None:
    found = hold(phase, message="why", **more)
    assert hold_of({"hold": hold_written(found)}) == found


@pytest.mark.parametrize(
    ("found", "stops", "obstacle", "expected"),
    [
        pytest.param(FOUND, "Self", "", DataOf("nightly", "ab" * 32, AT), id="it is there"),
        pytest.param(None, "Self", "", "no snapshot belongs to revision", id="no snapshot"),
        pytest.param(FOUND, "Self", "no image", "no image", id="it cannot be restored now"),
        pytest.param(FOUND, "Dependents", "", "would run on the restored data", id="the service itself goes on"),
        pytest.param(FOUND, "Nothing", "", "would run on the restored data", id="all go on"),
    ],
)
def test_which_data_belongs_to_a_revision(found: RevisionBackup | None, stops: str, obstacle: str, expected: DataOf | str) -> None:
    (backup,) = service(WEB, backups=[{**BACKUP, "stops": stops}]).spec.backups or ()
    told = data_of(TARGET, found, backup, obstacle)
    assert told == expected if isinstance(expected, DataOf) else expected in told.lacks


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        pytest.param([{"revision": TARGET, "backup": {"name": "nightly", "snapshot": "ab" * 32, "at": AT}}], FOUND, id="its own"),
        pytest.param([{"revision": LEFT, "backup": {"name": "nightly", "snapshot": "ab" * 32, "at": AT}}], None, id="another's"),
        pytest.param([{"revision": TARGET}], None, id="none"),
        pytest.param([{"revision": TARGET, "backup": {"name": "nightly"}}, "x"], None, id="half of one"),
        pytest.param("x", None, id="no list"),
    ],
)
def test_what_a_history_names(history: Any, expected: RevisionBackup | None) -> None:
    assert backup_of({"history": history}, TARGET) == expected


@pytest.mark.parametrize(
    ("entry", "is_replacing"),
    [
        pytest.param(replace(RUNNING, recovery_point=AT), True, id="a rollback with data"),
        pytest.param(RUNNING, False, id="one whose snapshot is looked up"),
        pytest.param(LogEntry("r", "u", "Rollback", "Running", "", NOW, revision=TARGET), False, id="one without"),
        pytest.param(RUNNING.ended("Failed", "", NOW), False, id="one that has ended"),
        pytest.param(LogEntry("r", "u", "Restore", "Running", "", NOW, backup="nightly", into="b"), False, id="a restore beside"),
    ],
)
def test_what_keeps_a_service_in_its_hold(entry: LogEntry, is_replacing: bool) -> None:
    assert replacing([entry]) == (entry if is_replacing else None)


@pytest.mark.parametrize("phase", HoldPhase)
def test_it_is_given_up_only_while_the_data_is_not_back_and_is_not_being_replaced(phase: HoldPhase) -> None:
    may_end = phase in (HoldPhase.STOPPING, HoldPhase.FAILED)
    assert (stops_abort(hold(phase), None, "nightly") == "") is may_end


@pytest.mark.parametrize(
    ("phase", "before", "reason", "commands"),
    [
        (
            HoldPhase.FAILED,
            "",
            "RestoreFailed",
            [f"hardenctl rollback web --with-data --to-revision {TARGET} -n shop", "hardenctl abort web -n shop"],
        ),
        (
            HoldPhase.NOT_STARTED,
            "cd" * 32,
            "RollbackFailed",
            [
                f"hardenctl rollback web --with-data --to-revision {TARGET} -n shop",
                f"hardenctl restore web --backup nightly --snapshot {'cd' * 32} -n shop",
            ],
        ),
        (HoldPhase.NOT_STARTED, "", "RollbackFailed", [f"hardenctl rollback web --with-data --to-revision {TARGET} -n shop"]),
    ],
)
def test_what_has_failed_names_each_command_that_goes_on(phase: HoldPhase, before: str, reason: str, commands: list[str]) -> None:
    found = failed_hold(hold(phase, message="why"), "shop", "web", before)
    assert (found.reason, found.is_final) == (reason, True)
    assert all(command in found.message for command in commands)
    assert ("hardenctl abort" in found.message) is (phase is HoldPhase.FAILED)
