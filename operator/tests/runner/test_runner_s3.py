"""A repository in a bucket: with a real S3 server, on this machine alone."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.runner.pods import TAG, Pod, Service

from e2e.cluster import tools
from e2e.ports import free_port
from hardened.runner.task import VerifyTask
from hardened.runner.verify import verify

pytestmark = [pytest.mark.servers, pytest.mark.sampled(2)]
KEYS = {"AWS_ACCESS_KEY_ID": "the-key-id", "AWS_SECRET_ACCESS_KEY": "the-secret-key"}


@pytest.fixture
def bucket(repository_pod: Pod, tmp_path: Path) -> Iterator[Service]:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/a").write_text("first")
    (tmp_path / "s3").mkdir()
    port = free_port()
    env = {"ROOT_ACCESS_KEY": KEYS["AWS_ACCESS_KEY_ID"], "ROOT_SECRET_KEY": KEYS["AWS_SECRET_ACCESS_KEY"], "PATH": "/usr/bin"}
    command = ["setpriv", "--pdeathsig", "KILL", "--", tools.s3_server(), "--port", f"127.0.0.1:{port}", "posix", tmp_path / "s3"]
    with subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL) as process:
        address = {"RESTIC_REPOSITORY": f"s3:http://127.0.0.1:{port}/backups"}
        yield Service(Pod(repository_pod.scratch, {**repository_pod.env, **address, **KEYS}), tmp_path / "data")
        process.kill()


def test_a_bucket_is_made_used_and_thinned_out(bucket: Service) -> None:
    """restic itself waits for the server to be there."""
    first = bucket.back_up()
    assert (first.outcome.result, first.outcome.message) == ("Succeeded", "")
    (bucket.data / "a").write_text("second")
    second = bucket.back_up(init=False, retention={"last": 1})
    assert second.forget
    assert second.prune
    assert (second.outcome.result, second.forget.message, second.prune.result) == ("Succeeded", "1 removed", "Succeeded")
    assert [one["id"] for one in bucket.snapshots()] == [second.snapshot]
    task = VerifyTask("volume", bucket.pod.scratch / "restored", TAG, "latest", "", ("grep", "second", "a"), 20)
    assert verify(task, bucket.repository(), bucket.pod.programs()).outcome.result == "Succeeded"


@pytest.mark.parametrize(
    ("env", "reason"),
    [
        pytest.param({"AWS_SECRET_ACCESS_KEY": "another-secret"}, "RepositoryUnreachable", id="another key"),
        pytest.param({"RESTIC_PASSWORD": "another-password"}, "WrongPassword", id="another password"),
    ],
)
def test_a_bucket_that_cannot_be_used_has_a_reason_and_no_secret_in_it(env: dict[str, str], reason: str, bucket: Service) -> None:
    assert bucket.back_up().outcome.result == "Succeeded"
    report = bucket.back_up(reach=10, env=env)
    assert (report.outcome.result, report.outcome.reason) == ("Failed", reason)
    assert not any(value in report.outcome.message for value in (*KEYS.values(), *env.values()))


def test_a_bucket_that_is_not_there_is_missing(bucket: Service) -> None:
    assert bucket.back_up(init=False).outcome.reason == "RepositoryMissing"
