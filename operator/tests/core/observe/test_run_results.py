"""What a Job and its pod say of a run: every way in which one can end."""

from datetime import timedelta
from typing import Any

import pytest
from tests.core.runs.backups import NIGHTLY, SNAPSHOT, begin, end, ended, pod_status, report
from tests.core.worlds import NOW, WEB, running, settle

from hardened.api import names
from hardened.api.parse import parse
from hardened.core.model.manifest import Manifest
from hardened.core.model.run import Active, Failure, Restoration, Snapshot
from hardened.core.observe.facts import Facts
from hardened.core.observe.run_results import RUNNER_REASONS

BACKED_UP = {**WEB, "backups": [NIGHTLY]}


def outcome(status: Manifest | None, condition: tuple[str, str] | None = None, **pod: Any) -> Snapshot | Failure | Active:
    """What is made of the one run. status: of its pod, None where that is gone; condition: of the Job, with its reason."""
    cr, world = running(BACKED_UP)
    settle(cr, world, NOW)
    job, key = begin(world, NOW)
    if status is None:
        del world.objects[key]
    else:
        found = world.objects[key]
        found["status"] = status
        found["spec"] = {**found["spec"], **pod}
    if condition:
        end(world, job, condition[0], NOW + timedelta(minutes=1), condition[1])
    (run,) = Facts(parse(cr), cr["status"], world.seen()).runs
    assert (run.backup, run.job, run.is_by_hand) == ("nightly", job.name, False)
    return run.outcome


@pytest.mark.parametrize("phase", ["Running", "Succeeded"])
@pytest.mark.parametrize("snapshot", [SNAPSHOT, None], ids=["this pod did it", "the pod before it had done all of it"])
def test_a_restore_has_succeeded_as_soon_as_its_container_has_and_its_pod_says_so_a_moment_later(phase: str, snapshot: str | None) -> None:
    cr, world = running(BACKED_UP)
    settle(cr, world, NOW)
    job, pod = begin(world, NOW)
    world.objects[job]["metadata"]["labels"][names.RUN_LABEL] = names.RESTORE
    world.objects[pod]["status"] = {"phase": phase, "containerStatuses": [ended("runner", NOW, report(kind="restore", snapshot=snapshot))]}
    (run,) = Facts(parse(cr), cr["status"], world.seen()).runs
    assert isinstance(run.outcome, Restoration)
    assert not run.outcome.has_failed, run.outcome


def failed(step: str, **more: Any) -> Manifest:
    return {step: {"result": "Failed", "reason": "RepositoryLocked", "message": "locked by another", **more}}


def test_a_good_one_is_a_snapshot_from_the_begin_of_its_dump() -> None:
    assert outcome(pod_status(NOW, report())) == Snapshot(SNAPSHOT, NOW, 4096, 4)
    assert outcome(pod_status(NOW, report(), code=0), ("Complete", "")) == Snapshot(SNAPSHOT, NOW, 4096, 4)


def test_what_fails_after_the_snapshot_is_told_beside_it() -> None:
    found = outcome(pod_status(NOW, report(**failed("forget"), **failed("prune"), **failed("drop", message="it is in use"))))
    assert isinstance(found, Snapshot)
    why = "RepositoryLocked: locked by another"
    beside = "the database of before a restore is not dropped: RepositoryLocked: it is in use"
    assert found.message == f"old snapshots are not forgotten: {why}; the repository is not pruned: {why}; {beside}"


@pytest.mark.parametrize("reason", sorted(RUNNER_REASONS))
def test_each_reason_of_the_runner_is_the_operators_too(reason: str) -> None:
    found = outcome(pod_status(NOW, report("Failed", reason=reason, message="no", snapshot=None), code=1))
    assert found == Failure(NOW + timedelta(seconds=4), reason, "no")


def test_those_of_the_runner_that_a_backup_can_have_are_all_known() -> None:
    from hardened.runner.failures import Reason

    others = {"SnapshotUnknown", "SnapshotPending", "SnapshotDamaged", "AssertionFailed", "RestoreFailed", "RestoreDelayed"}
    assert {str(each) for each in Reason} - others <= RUNNER_REASONS


KILLED = {"name": "runner", "state": {"terminated": {"exitCode": 137, "reason": "OOMKilled", "finishedAt": "2026-01-02T03:05:05Z"}}}
ODD = report("Failed", reason="Odd", message="x" * 5000)
TOLD = report("Failed", reason="Interrupted", message="it was told to end", snapshot=None)
DISRUPTED = {"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"}


def dumped(message: str = "", **more: Any) -> Manifest:
    """The status of a pod whose dump has failed."""
    return pod_status(NOW, "", dump=ended("dump", NOW, message, **more))


@pytest.mark.parametrize(
    ("status", "condition", "reason", "words"),
    [
        pytest.param(pod_status(NOW, "not json", code=1), None, "Interrupted", "exit code 1", id="no report"),
        pytest.param(pod_status(NOW, report(snapshot="ab")), None, "Interrupted", "names no snapshot", id="no snapshot"),
        pytest.param(pod_status(NOW, report(), code=1), None, "Interrupted", "names no snapshot", id="a good report with a bad end"),
        pytest.param(pod_status(NOW, ODD, code=1), None, "Interrupted", "xxx", id="an unknown reason"),
        pytest.param(dumped(code=2), None, "DumpFailed", "exit code 2 (Error); see", id="a dump of theirs"),
        pytest.param(
            dumped("password=geheim", code=2), None, "DumpFailed", "exit code 2", id="which says too much"
        ),
        pytest.param(
            dumped(code=137, reason="OOMKilled"), None, "DumpFailed", "OOMKilled", id="a dump is killed"
        ),
        pytest.param({"phase": "Failed", "containerStatuses": [KILLED]}, None, "Interrupted", "OOMKilled", id="restic is killed"),
        pytest.param(None, ("Failed", "DeadlineExceeded"), "DeadlineExceeded", "deadline of 1h", id="its time is over"),
        pytest.param(None, ("Failed", "BackoffLimitExceeded"), "Interrupted", "is gone", id="its pod was deleted"),
        pytest.param(None, ("Complete", ""), "Interrupted", "what came of it is unknown", id="and nobody saw what it said"),
        pytest.param(
            {"phase": "Failed", "reason": "Evicted", "message": 'Usage of EmptyDir volume "writable-dump" exceeds the limit "1Gi".'},
            ("Failed", "BackoffLimitExceeded"), "ScratchFull", "exceeds the limit", id="the dump is larger than its scratch space",
        ),
        pytest.param(
            {"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."},
            ("Failed", "BackoffLimitExceeded"), "Interrupted", "low on resource", id="it is evicted",
        ),
    ],
)  # fmt: skip
def test_what_is_no_snapshot_is_a_failure_with_its_cause(status: Manifest | None, condition: Any, reason: str, words: str) -> None:
    found = outcome(status, condition)
    assert isinstance(found, Failure)
    assert found.reason == reason
    assert words in found.message
    assert "geheim" not in found.message
    assert len(found.message) <= 512


REFUSED = 'pg_dump: error: connection to server at "db" failed: FATAL:  password authentication failed for user "shop"'
NEWER = "pg_dump: error: aborting because of server version mismatch\npg_dump: detail: server version: 18.6; pg_dump version: 15.14"


@pytest.mark.parametrize(
    ("said", "reason", "words"),
    [
        pytest.param(REFUSED, "DumpFailed", "password authentication failed", id="another password"),
        pytest.param(NEWER, "ServerIsNewer", "server version: 18.6; pg_dump version: 15.14", id="a newer server"),
    ],
)
def test_what_pg_dump_of_another_image_says_is_told(said: str, reason: str, words: str) -> None:
    dump = {"name": "dump", "terminationMessagePolicy": "FallbackToLogsOnError"}
    found = outcome(pod_status(NOW, "", dump=ended("dump", NOW, said, code=1)), initContainers=[dump])
    assert isinstance(found, Failure)
    assert found.reason == reason
    assert words in found.message


@pytest.mark.parametrize(
    "status",
    [
        pytest.param({"phase": "Pending"}, id="it has not begun"),
        pytest.param({"phase": "Running", "initContainerStatuses": [ended("dump", NOW)]}, id="it has dumped"),
        pytest.param(
            {"phase": "Failed", "conditions": [DISRUPTED], "containerStatuses": [KILLED]}, id="its node goes, and another pod comes"
        ),
        pytest.param({**pod_status(NOW, TOLD, code=1), "conditions": [DISRUPTED]}, id="which its runner told"),
        pytest.param(None, id="its pod is not there yet"),
    ],
)
def test_what_has_not_ended_is_at_work(status: Manifest | None) -> None:
    assert isinstance(outcome(status), Active)


def test_the_last_pod_counts_where_one_took_the_place_of_another() -> None:
    cr, world = running(BACKED_UP)
    settle(cr, world, NOW)
    job, first = begin(world, NOW)
    world.objects[first]["status"] = {"phase": "Failed", "conditions": [DISRUPTED], "containerStatuses": [KILLED]}
    _, second = begin(world, NOW + timedelta(minutes=5), name=job.name, pod="y")
    assert first != second
    world.objects[second]["status"] = pod_status(NOW + timedelta(minutes=5), report())
    (run,) = Facts(parse(cr), cr["status"], world.seen()).runs
    assert isinstance(run.outcome, Snapshot)
    assert run.outcome.at == NOW + timedelta(minutes=5)


def test_the_end_of_a_pod_that_seems_to_run_is_waited_for_though_its_job_is_complete() -> None:
    assert isinstance(outcome({"phase": "Running"}, ("Complete", "")), Active)


@pytest.mark.parametrize(
    ("reason", "message", "is_hinted"),
    [
        pytest.param(
            "DumpFailed", 'connection to server at "db" (10.0.0.1), port 5432 failed: Connection timed out', True, id="a database"
        ),
        pytest.param("DumpFailed", 'could not translate host name "db" to address: Name or service not known', True, id="DNS"),
        pytest.param("RepositoryUnreachable", "dial tcp 203.0.113.7:443: connect: connection refused", True, id="a repository"),
        pytest.param("RepositoryUnreachable", "Access Denied", False, id="keys"),
        pytest.param("DumpFailed", "permission denied for table orders", False, id="rights"),
        pytest.param("WrongPassword", "timed out", False, id="another reason"),
    ],
)
def test_who_reaches_nobody_is_told_what_may_keep_it_from_that(reason: str, message: str, is_hinted: bool) -> None:
    found = outcome(pod_status(NOW, report("Failed", reason=reason, message=message, snapshot=None), code=1))
    assert isinstance(found, Failure)
    assert found.message.startswith(message)
    assert ("a NetworkPolicy keeps these pods from it, or from DNS" in found.message) == is_hinted
    assert len(found.message) <= 512
