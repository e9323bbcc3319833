"""The Jobs of verifications: what the runner is told, and what its pod has."""

import json
from typing import Any

import pytest
from tests.core.runs.backups import backup
from tests.core.worlds import WEB, service

from hardened.api import names
from hardened.core.desired.cron_job import verify_cron_job, verify_cron_job_name, verify_hand_job, verify_hand_job_name
from hardened.core.desired.restic_pod import BackupRun
from hardened.core.desired.restore_pod import Restoring, restore_job
from hardened.core.model.kit import BackupKit
from hardened.core.model.manifest import Manifest
from hardened.core.revisions.pod_standard import RESTRICTED, violations
from hardened.core.revisions.revision import render
from hardened.runner.task import VerifyTask, verify_task

CLAIM = {"name": "data", "mountPath": "/data", "claim": {"size": "1Gi"}}
SOURCES: dict[str, Manifest] = {
    "postgres": {"secretName": "db", "image": "postgres:17"}, "redis": {"secretName": "db"}, "volume": {"name": "data"},
    "command": {"command": ["dump-all"]},
}  # fmt: skip
each_source = pytest.mark.parametrize("source", SOURCES)


def made(source: str, verify: Manifest | None = None, **more: Any) -> tuple[Manifest, Manifest]:
    """The CronJob of a verification, and the Job of one by hand."""
    given = backup(source={source: SOURCES[source]}, verify={"schedule": "0 5 * * *", **(verify or {})}, **more)
    svc = service({**WEB, "release": {"strategy": "Recreate"}, "volumes": [CLAIM], "backups": [given]})
    (found,) = svc.spec.backups or ()
    run = BackupRun(found, BackupKit("backup:1", ("pull",)), render(svc), True, False)
    schedule, job = verify_cron_job(svc, run, is_suspended=False, makes_up=True), verify_hand_job(svc, run, "uid")
    assert schedule
    assert job
    return schedule, job


def pod(source: str, verify: Manifest | None = None, **more: Any) -> Manifest:
    found: Manifest = made(source, verify, **more)[0]["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    return found


def told(source: str, verify: Manifest | None = None) -> VerifyTask:
    """What stands on the other side of the contract, see hardened.runner."""
    (runner,) = pod(source, verify)["containers"]
    assert runner["command"][-1] == "verify"
    return verify_task(next(each["value"] for each in runner["env"] if each["name"] == "HARDENED_TASK"))


@each_source
def test_the_runner_takes_the_task_and_restores_the_newest_into_its_scratch_space(source: str) -> None:
    task = told(source, {"deadline": "30m"})
    assert (task.source, task.tag, task.snapshot, task.deadline) == (source, "market/shop/nightly", "latest", 1800)
    assert str(task.path) == "/scratch/restored"
    assert (task.sql, task.command) == ("", ())


def test_it_is_told_what_must_hold_as_it_is_written() -> None:
    sql = "select 'a$(b)' = 'a$(b)'"
    assert told("postgres", {"sql": sql}).sql == sql
    assert told("redis", {"command": ["sh", "-c", "test -s $(HOME)"]}).command == ("sh", "-c", "test -s $(HOME)")
    (runner,) = pod("postgres", {"sql": sql})["containers"]
    assert "$" not in json.dumps(runner["env"]), "Kubernetes would read it"


def restoring() -> Manifest:
    """The Job of a restore."""
    svc = service({**WEB, "backups": [backup(source={"postgres": SOURCES["postgres"]})]})
    (found,) = svc.spec.backups or ()
    return restore_job(svc, BackupRun(found, BackupKit("backup:1"), None, True, False), Restoring("0123abcd", "run"))


@pytest.mark.parametrize("spec", [pytest.param(made("postgres")[1]["spec"], id="verified"), pytest.param(restoring(), id="restored")])
def test_a_dump_of_another_image_is_restored_by_the_programs_of_that_image(spec: Manifest) -> None:
    job = spec["template"]
    (postgres,), (runner,) = job["spec"]["initContainers"], job["spec"]["containers"]
    assert (postgres["image"], postgres["restartPolicy"], "envFrom" in postgres) == ("postgres:17", "Always", False)
    calls = next(each["value"] for each in runner["env"] if each["name"] == "HARDENED_POSTGRES")
    assert postgres["command"][-1] == calls
    shared = {mount["mountPath"] for mount in runner["volumeMounts"]} & {mount["mountPath"] for mount in postgres["volumeMounts"]}
    assert any(calls.startswith(f"{path}/") for path in shared)
    assert "hardened:x:10001:" in job["metadata"]["annotations"][names.USERS_ANNOTATION]
    own = backup(source={"postgres": {"secretName": "db"}}, verify={"schedule": "0 5 * * *"})
    (found,) = service({**WEB, "backups": [own]}).spec.backups or ()
    plain = verify_hand_job(service(WEB), BackupRun(found, BackupKit("backup:1"), None, True, False), "uid")
    assert plain
    assert "initContainers" not in plain["spec"]["template"]["spec"]


@each_source
def test_its_pod_has_the_repository_and_nothing_of_the_application(source: str) -> None:
    found = pod(source, {"size": "5Gi"})
    (runner,) = found["containers"]
    assert (runner["image"], runner["envFrom"]) == ("backup:1", [{"secretRef": {"name": "restic"}}])
    volumes = {each["name"]: each for each in found["volumes"]}
    assert volumes["writable-repository"] == {"name": "writable-repository", "persistentVolumeClaim": {"claimName": "backups"}}
    assert volumes["writable-scratch"] == {"name": "writable-scratch", "emptyDir": {"sizeLimit": "5Gi"}}
    users = {"users"} if source == "postgres" else set()
    assert {name for name, each in volumes.items() if "emptyDir" not in each} == {"writable-repository"} | users
    assert {mount["name"] for mount in runner["volumeMounts"]} == volumes.keys() - users
    assert runner["resources"]["requests"]["ephemeral-storage"] == "5Gi"
    assert "podAffinity" not in found.get("affinity", {})


@each_source
def test_each_pod_is_as_restricted_as_the_standard_demands_and_bounded(source: str) -> None:
    job = made(source)[0]["spec"]["jobTemplate"]["spec"]
    assert violations(job["template"], RESTRICTED) == []
    assert job["template"]["spec"]["automountServiceAccountToken"] is False
    assert (job["backoffLimit"], job["activeDeadlineSeconds"]) == (0, 3600)
    (runner,) = job["template"]["spec"]["containers"]
    assert runner["securityContext"]["readOnlyRootFilesystem"]


def test_a_job_by_hand_is_as_one_of_the_schedule_and_both_are_known_by_their_labels() -> None:
    schedule, job = made("postgres")
    assert job["spec"].pop("ttlSecondsAfterFinished") == 86400
    template = schedule["spec"]["jobTemplate"]
    assert job["spec"] == template["spec"]
    for labels in (schedule["metadata"]["labels"], template["metadata"]["labels"], job["metadata"]["labels"]):
        assert (labels[names.BACKUP_LABEL], labels[names.RUN_LABEL], labels[names.COMPONENT_LABEL]) == ("nightly", "verify", "backup")


def test_names_leave_room_for_what_kubernetes_appends_and_are_those_of_no_backup() -> None:
    svc = service(WEB)
    for name, each in (("a" * 40, "b" * 40), ("shop", "a-b"), ("shop", "nightly")):
        one = type(svc)(name, svc.namespace, svc.uid, svc.generation, svc.spec)
        assert len(verify_cron_job_name(one, each)) <= 52
        assert len(verify_hand_job_name(one, each, "11111111-1111-4111-8111-111111111111")) <= 63
        assert verify_cron_job_name(one, each) != names.child_name(name, f"{each}-verify", limit=52)


def test_a_backup_that_does_not_ask_for_it_has_none() -> None:
    svc = service({**WEB, "backups": [backup()]})
    (found,) = svc.spec.backups or ()
    run = BackupRun(found, BackupKit("backup:1"), render(svc), True, False)
    assert verify_cron_job(svc, run, is_suspended=False, makes_up=True) is None
    assert verify_hand_job(svc, run, "uid") is None
