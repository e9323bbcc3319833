"""The Jobs of restores: what the runner is told, and what its pod has."""

import json
from typing import Any

import pytest
from tests.core.runs.backups import SNAPSHOT, backup
from tests.core.worlds import WEB, service

from hardened.core.desired.cron_job import restore_hand_job
from hardened.core.desired.restic_pod import BackupRun
from hardened.core.desired.restore_pod import Restoring
from hardened.core.model.kit import BackupKit
from hardened.core.model.manifest import Manifest
from hardened.core.revisions.pod_standard import RESTRICTED, violations
from hardened.core.revisions.revision import render
from hardened.runner.task import RestoreTask, restore_task

CLAIM = {"name": "data", "mountPath": "/data", "claim": {"size": "1Gi"}}
SOURCES: dict[str, Manifest] = {
    "postgres": {"secretName": "db", "scratch": "5Gi", "image": "postgres:17"},
    "redis": {"secretName": "db", "image": "redis:8"},
    "volume": {"name": "data"},
}  # fmt: skip
each_source = pytest.mark.parametrize("source", SOURCES)


def made(source: str, **more: Any) -> Manifest:
    """The Job of a restore."""
    given = backup(source={source: SOURCES[source]}, deadline="30m")
    svc = service({**WEB, "release": {"strategy": "Recreate"}, "volumes": [CLAIM], "backups": [given]})
    assert svc.spec.backups
    run = BackupRun(svc.spec.backups[0], BackupKit("backup:1", ("pull",)), render(svc), has_pods=False, may_init=False)
    return restore_hand_job(svc, run, Restoring(SNAPSHOT, "20260102_030405", **more), "uid")


def pod(source: str, **more: Any) -> Manifest:
    found: Manifest = made(source, **more)["spec"]["template"]["spec"]
    return found


def told(container: Manifest, verb: str) -> RestoreTask:
    """What stands on the other side of the contract, see hardened.runner."""
    assert container["command"][-1] == verb
    return restore_task(next(each["value"] for each in container["env"] if each["name"] == "HARDENED_TASK"))


@each_source
def test_the_runner_takes_the_task_and_stores_what_is_there_first(source: str) -> None:
    (runner,) = pod(source)["containers"]
    task = told(runner, "restore")
    assert (task.source, task.tag, task.host, task.snapshot) == (source, "market/shop/nightly", "market/shop", SNAPSHOT)
    assert (task.run, task.safety, task.pending, task.into) == ("20260102_030405", True, False, None)
    assert str(task.path) == ("/data" if source == "volume" else "/scratch/restored")


@each_source
def test_its_pod_passes_the_restricted_standard_and_is_tried_once(source: str) -> None:
    job = made(source)
    assert violations(job["spec"]["template"], RESTRICTED) == []
    assert (job["spec"]["backoffLimit"], job["spec"]["activeDeadlineSeconds"]) == (0, 7200)
    labels = job["spec"]["template"]["metadata"]["labels"]
    assert (labels["hardened.dev/backup"], labels["hardened.dev/run"]) == ("nightly", "restore")
    assert "affinity" not in job["spec"]["template"]["spec"], "no pod of the application is left to be beside"


def test_a_volume_is_mounted_to_be_written_and_databases_are_reached_by_their_secret() -> None:
    (runner,) = pod("volume")["containers"]
    assert {"name": "writable-data", "mountPath": "/data"} in runner["volumeMounts"]
    (runner,) = pod("postgres")["containers"]
    assert {"PGHOST", "PGUSER", "PGPASSWORD"} <= {each["name"] for each in runner["env"]}
    scratch = next(each for each in pod("postgres")["volumes"] if each["name"] == "writable-scratch")
    assert scratch["emptyDir"]["sizeLimit"] == "12Gi", "two dumps of 5Gi, and restic's cache"


def test_a_database_beside_the_one_that_serves_is_named() -> None:
    (runner,) = pod("postgres", into="orders_then")["containers"]
    assert told(runner, "restore").into == "orders_then"


def test_a_dump_of_redis_is_loaded_by_the_image_of_its_own_version() -> None:
    fetch, server = pod("redis")["initContainers"]
    (runner,) = pod("redis")["containers"]
    assert told(fetch, "fetch") == told(runner, "restore")
    assert (server["image"], server["restartPolicy"], "envFrom" in server) == ("redis:8", "Always", False)
    port = told(runner, "restore").scratch_port
    assert server["command"][server["command"].index("--port") + 1] == str(port)
    assert "RESTIC" not in json.dumps(server)


def test_a_dump_of_another_postgresql_is_restored_by_the_programs_of_its_image() -> None:
    (programs,), (runner,) = pod("postgres")["initContainers"], pod("postgres")["containers"]
    assert (programs["image"], programs["restartPolicy"], "envFrom" in programs) == ("postgres:17", "Always", False)
    folder = next(each["value"] for each in runner["env"] if each["name"] == "HARDENED_POSTGRES")
    assert programs["command"][-1] == folder
