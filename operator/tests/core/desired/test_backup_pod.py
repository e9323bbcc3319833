"""The Jobs of backups: what their containers are told, what they may, and where they run."""

import json
from typing import Any

import pytest
from tests.core.runs.backups import NIGHTLY, backup
from tests.core.worlds import WEB, service

from hardened.core.desired.cron_job import cron_job, cron_job_name, hand_job, hand_job_name, lateness
from hardened.core.desired.restic_pod import BackupRun
from hardened.core.model.kit import BackupKit
from hardened.core.model.manifest import Manifest
from hardened.core.revisions.pod_standard import RESTRICTED, violations
from hardened.core.revisions.revision import render

CLAIM = {"name": "data", "mountPath": "/data", "claim": {"size": "1Gi"}}
SHARED = {"name": "shared", "mountPath": "/shared", "claim": {"size": "1Gi", "accessModes": ["ReadWriteMany"]}}
ALONE = {"name": "alone", "mountPath": "/alone", "claim": {"size": "1Gi", "accessModes": ["ReadWriteOncePod"]}}


def job(
    source: Manifest | None = None, *, has_pods: bool = True, may_init: bool = True, spec: Manifest | None = None, **more: Any
) -> Manifest:
    """The spec of the Job of a backup."""
    given = backup(**({"source": source} if source else {}), **more)
    svc = service({**WEB, "release": {"strategy": "Recreate"}, "volumes": [CLAIM], **(spec or {}), "backups": [given]})
    (found,) = svc.spec.backups or ()
    run = BackupRun(found, BackupKit("backup:1", ("pull",)), render(svc), has_pods, may_init)
    made: Manifest = cron_job(svc, run, is_suspended=False, makes_up=True)["spec"]["jobTemplate"]["spec"]
    return made


def pod(*args: Any, **more: Any) -> Manifest:
    found: Manifest = job(*args, **more)["template"]["spec"]
    return found


def task(found: Manifest) -> Manifest:
    told: Manifest = json.loads(env(found["containers"][0])["HARDENED_TASK"]["value"])
    return told


def env(container: Manifest) -> dict[str, Manifest]:
    return {each["name"]: each for each in container["env"]}


def test_the_runner_is_told_all_that_it_needs_and_nothing_that_is_secret() -> None:
    found = pod(retention={"last": 3, "daily": 7})
    assert task(found) == {
        "kind": "backup", "source": "postgres", "path": "/scratch/dump", "host": "market/shop", "tag": "market/shop/nightly",
        "min_bytes": 1024, "retention": {"last": 3, "daily": 7}, "keep_tags": [], "extra_tags": [], "init": True,
    }  # fmt: skip
    (runner,) = found["containers"]
    assert runner["envFrom"] == [{"secretRef": {"name": "restic"}}]
    assert env(runner)["RESTIC_REPOSITORY"]["value"] == "/repository"
    assert {"name": "writable-repository", "persistentVolumeClaim": {"claimName": "backups"}} in found["volumes"]


def test_the_runner_takes_the_task_as_it_is_given() -> None:
    """What stands on the other side of the contract, see hardened.runner."""
    from hardened.runner.task import backup_task

    sources = [
        {"postgres": {"secretName": "db"}},
        {"redis": {"secretName": "db"}},
        {"volume": {"name": "data"}},
        {"command": {"command": ["a"]}},
    ]
    for source in sources:
        for retention in ({}, {"retention": {"yearly": 1}}):
            text = env(pod(source, **retention)["containers"][0])["HARDENED_TASK"]["value"]
            assert backup_task(text).source == next(iter(source))


def test_a_repository_elsewhere_is_named_by_its_secret_alone() -> None:
    found = pod(repository={"secretName": "s3"})
    assert "RESTIC_REPOSITORY" not in env(found["containers"][0])
    assert not any("persistentVolumeClaim" in volume for volume in found["volumes"])


@pytest.mark.parametrize(
    ("source", "variables"),
    [
        pytest.param(
            {"postgres": {"secretName": "db"}},
            {
                "PGHOST": ("host", None), "PGUSER": ("user", None), "PGPASSWORD": ("password", None), "PGPORT": ("port", True),
                "PGDATABASE": ("dbname", True),
            },
            id="postgres",
        ),
        pytest.param(
            {"redis": {"secretName": "db"}},
            {"REDIS_HOST": ("host", None), "REDIS_PORT": ("port", True), "REDISCLI_AUTH": ("password", True)},
            id="redis",
        ),
    ],
)  # fmt: skip
def test_a_database_is_dumped_with_what_its_secret_says(source: Manifest, variables: dict[str, Any]) -> None:
    (dump,) = pod(source)["initContainers"]
    keys = {name: each["valueFrom"]["secretKeyRef"] for name, each in env(dump).items() if "valueFrom" in each}
    assert {name: (ref["key"], ref.get("optional")) for name, ref in keys.items()} == variables
    assert {ref["name"] for ref in keys.values()} == {"db"}
    assert (dump["image"], dump["command"][-1]) == ("backup:1", "dump")


@pytest.mark.parametrize("source", [{"postgres": {"secretName": "db", "image": "postgres:17"}}, {"redis": {"secretName": "db"}}])
def test_what_a_restore_has_replaced_is_dropped_by_who_knows_that_the_backup_has_succeeded(source: Manifest) -> None:
    (runner,) = pod(source)["containers"]
    assert ({"PGHOST", "PGUSER", "PGPASSWORD"} <= env(runner).keys()) == ("postgres" in source)
    assert "REDIS_HOST" not in env(runner)


def test_another_image_dumps_by_pg_dump_alone() -> None:
    (dump,) = pod({"postgres": {"secretName": "db", "image": "postgres:17"}})["initContainers"]
    assert dump["image"] == "postgres:17"
    assert dump["command"][:2] == ["sh", "-c"]
    assert "--file=/scratch/dump/database.pgdump" in dump["command"][2]
    assert "HARDENED_TASK" not in env(dump)


def test_a_command_has_what_the_application_has() -> None:
    spec = {
        "env": [{"name": "A", "value": "1"}],
        "envFrom": [{"secretRef": {"name": "keys"}}],
        "files": [{"mountPath": "/etc/shop", "data": {"a": "b"}}],
        "volumes": [CLAIM, ALONE],
        "security": {"runAsUser": 1234, "fsGroup": 55},
    }
    found = pod({"command": {"command": ["dump-all"]}}, spec=spec)
    (dump,) = found["initContainers"]
    assert (dump["image"], dump["command"]) == ("registry.example/shop:1", ["dump-all"])
    assert {name: each["value"] for name, each in env(dump).items()} == {"A": "1", "HARDENED_BACKUP_DIR": "/scratch/dump"}
    assert dump["envFrom"] == [{"secretRef": {"name": "keys"}}]
    paths = {mount["mountPath"] for mount in dump["volumeMounts"]}
    assert {"/etc/shop/a", "/data", "/scratch/dump", "/tmp"} <= paths
    assert "/alone" not in paths, "nobody else can mount it"
    assert dump["securityContext"]["runAsUser"] == found["containers"][0]["securityContext"]["runAsUser"] == 1234
    assert found["securityContext"]["fsGroup"] == 55
    assert "terminationMessagePolicy" not in dump, "what it prints may be secret"


def test_a_volume_is_read_where_it_is_by_the_applications_user() -> None:
    found = pod({"volume": {"name": "data"}}, spec={"security": {"runAsUser": 1234, "fsGroup": 55}})
    assert "initContainers" not in found
    assert {"name": "writable-data", "mountPath": "/data", "readOnly": True} in found["containers"][0]["volumeMounts"]
    assert {"name": "writable-data", "persistentVolumeClaim": {"claimName": "shop-data"}} in found["volumes"]
    assert (found["securityContext"]["runAsUser"], found["securityContext"]["fsGroup"]) == (1234, 55)
    assert (task(found)["path"], task(found)["min_bytes"]) == ("/data", 0)


@pytest.mark.parametrize(
    ("source", "spec", "has_pods", "is_beside"),
    [
        pytest.param({"volume": {"name": "data"}}, {}, True, True, id="a claim of one node is where the application is"),
        pytest.param({"volume": {"name": "data"}}, {}, False, False, id="unless nothing runs"),
        pytest.param({"volume": {"name": "shared"}}, {"volumes": [CLAIM, SHARED]}, True, False, id="one of many nodes is anywhere"),
        pytest.param({"command": {"command": ["a"]}}, {}, True, True, id="so is a command's"),
        pytest.param({"postgres": {"secretName": "db"}}, {}, True, False, id="a dump needs none"),
    ],
)
def test_a_pod_runs_where_what_it_mounts_is(source: Manifest, spec: Manifest, has_pods: bool, is_beside: bool) -> None:
    found = pod(source, spec=spec, has_pods=has_pods)
    assert ("podAffinity" in found.get("affinity", {})) is is_beside


@pytest.mark.parametrize(
    "source",
    [{"postgres": {"secretName": "db"}}, {"redis": {"secretName": "db"}}, {"volume": {"name": "data"}}, {"command": {"command": ["a"]}}],
    ids=["postgres", "redis", "volume", "command"],
)
def test_each_pod_is_as_restricted_as_the_standard_demands_and_bounded(source: Manifest) -> None:
    made = job(source)
    found = made["template"]["spec"]
    assert violations(made["template"], RESTRICTED) == []
    assert found["automountServiceAccountToken"] is False
    assert found["restartPolicy"] == "Never"
    assert (made["backoffLimit"], made["activeDeadlineSeconds"]) == (0, 3600)
    for container in (*found.get("initContainers", ()), *found["containers"]):
        assert container["securityContext"]["readOnlyRootFilesystem"]
        for amounts in (container["resources"]["requests"], container["resources"]["limits"]):
            assert amounts.keys() >= {"cpu", "memory", "ephemeral-storage"}
    assert found["imagePullSecrets"] == [{"name": "pull"}]


def test_scratch_space_is_bounded_and_counted() -> None:
    found = pod({"postgres": {"secretName": "db", "scratch": "5Gi", "minBytes": "10Ki"}})
    assert {"name": "writable-dump", "emptyDir": {"sizeLimit": "5Gi"}} in found["volumes"]
    assert found["containers"][0]["resources"]["requests"]["ephemeral-storage"] == "5Gi"
    assert task(found)["min_bytes"] == 10240


def test_names_leave_room_for_what_kubernetes_appends() -> None:
    for name, each in (("a" * 40, "b" * 40), ("shop", "a-b"), ("shop", "nightly")):
        svc = service(NIGHTLY and WEB)
        svc = type(svc)(name, svc.namespace, svc.uid, svc.generation, svc.spec)
        assert len(cron_job_name(svc, each)) <= 52
        assert len(hand_job_name(svc, each, "11111111-1111-4111-8111-111111111111")) <= 63
    assert cron_job_name(service(), "nightly") == "shop-nightly"
    assert hand_job_name(service(), "nightly", "a") != hand_job_name(service(), "nightly", "b")


@pytest.mark.parametrize(
    ("schedule", "seconds"),
    [("30 3 * * *", 3600), ("0 * * * *", 1800), ("*/5 * * * *", 150), ("* * * * *", 30)],
)
def test_a_run_that_is_late_does_not_meet_the_next_one(schedule: str, seconds: int) -> None:
    (found,) = service({**WEB, "backups": [backup(schedule=schedule)]}).spec.backups or ()
    assert lateness(found).total_seconds() == seconds


def test_a_job_by_hand_is_as_one_of_the_schedule_and_goes_by_itself() -> None:
    svc = service({**WEB, "backups": [NIGHTLY]})
    (found,) = svc.spec.backups or ()
    run = BackupRun(found, BackupKit("backup:1"), render(svc), True, False)
    made, scheduled = hand_job(svc, run, "uid"), cron_job(svc, run, is_suspended=False, makes_up=True)
    assert made["spec"].pop("ttlSecondsAfterFinished") == 86400
    assert made["spec"] == scheduled["spec"]["jobTemplate"]["spec"]
    assert made["metadata"]["ownerReferences"][0]["uid"] == svc.uid
