"""A backup, with real restic and repositories in folders."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.runner.locks import leave_lock
from tests.runner.pods import SOURCES, TAG, Pod, Service, small_disk, unprivileged

from e2e.ports import free_port
from hardened.runner.report import Report
from hardened.runner.repository import before_restore
from hardened.runner.task import VerifyTask
from hardened.runner.verify import verify

pytestmark = [pytest.mark.servers, pytest.mark.sampled(8)]
MB = 2**20


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """What is backed up: files, one of them in a folder."""
    folder = tmp_path / "data"
    (folder / "deep").mkdir(parents=True)
    (folder / "a").write_text("first")
    (folder / "deep/b").write_text("second")
    return folder


@pytest.fixture
def service(repository_pod: Pod, data: Path) -> Service:
    return Service(repository_pod, data)


def test_a_folder_is_stored_and_reported(service: Service, tmp_path: Path) -> None:
    report = service.back_up(extra_tags=("revision-3",))
    assert (report.outcome.result, report.outcome.reason, report.bytes, report.files) == ("Succeeded", "", 11, 2)
    assert (report.forget, report.prune) == (report.prune, report.forget)
    assert report.forget
    assert report.forget.result == "Skipped"
    (stored,) = service.snapshots()
    assert (stored["id"], stored["hostname"], stored["tags"]) == (report.snapshot, "shop/db", [TAG, "revision-3"])
    service.restic("restore", f"{stored['id']}:{stored['paths'][0]}", f"--target={tmp_path / 'back'}")
    assert [(tmp_path / "back" / name).read_text() for name in ("a", "deep/b")] == ["first", "second"]
    assert service.restic("list", "locks").stdout == ""


def test_an_empty_volume_is_stored_as_it_is(service: Service) -> None:
    """As that of a service which has not written anything yet, and is to be backed up before its next release."""
    (service.data / "empty").mkdir()
    report = service.back_up(path=service.data / "empty")
    assert (report.outcome.result, report.outcome.reason, report.bytes, report.files) == ("Succeeded", "", 0, 0)
    task = VerifyTask("volume", service.pod.scratch / "restored", TAG, "latest", "", (), 20)
    verified = verify(task, service.repository(), service.pod.programs())
    assert (verified.outcome.result, verified.snapshot) == ("Succeeded", report.snapshot)


@pytest.mark.parametrize(
    ("made_before", "env", "more", "reason"),
    [
        pytest.param(False, {}, {"init": False}, "RepositoryMissing", id="no repository"),
        pytest.param(True, {"RESTIC_PASSWORD": "another"}, {}, "WrongPassword", id="another password"),
        pytest.param(True, {"RESTIC_PASSWORD": ""}, {}, "WrongPassword", id="no password"),
        pytest.param(False, {"RESTIC_REPOSITORY": "s3:http://127.0.0.1:{closed}/bucket"}, {}, "RepositoryUnreachable", id="nobody there"),
        pytest.param(False, {"RESTIC_REPOSITORY": "s3:http://no-such-host.invalid/bucket"}, {}, "RepositoryUnreachable", id="no such host"),
        pytest.param(False, {"RESTIC_REPOSITORY": "rest:http://me:hunter2@127.0.0.1:{closed}/"}, {}, "RepositoryUnreachable", id="a login"),
        pytest.param(False, {"RESTIC_REPOSITORY": ""}, {}, "RepositoryUnreachable", id="no address"),
    ],
)  # fmt: skip
def test_a_repository_that_cannot_be_used_has_a_reason(
    made_before: bool, env: dict[str, str], more: dict[str, Any], reason: str, service: Service
) -> None:
    if made_before:
        assert service.back_up().outcome.result == "Succeeded"
    env = {name: value.format(closed=free_port()) for name, value in env.items()}
    keys = {"AWS_ACCESS_KEY_ID": "the-key-id", "AWS_SECRET_ACCESS_KEY": "the-secret"}
    report = service.back_up(reach=5, env=keys | env, **more)
    assert (report.outcome.result, report.outcome.reason, report.snapshot) == ("Failed", reason, None)
    assert report.outcome.message
    assert not any(secret in report.outcome.message for secret in ("hunter2", "the-key-id", "the-secret"))
    if made_before:
        assert len(service.snapshots()) == 1


def test_a_full_repository_has_a_reason_and_can_be_used_again_once_there_is_room(service: Service) -> None:
    with small_disk(service.folder, "4m"):
        assert service.back_up().outcome.result == "Succeeded"
        (service.data / "large").write_bytes(os.urandom(8 * MB))
        assert service.back_up().outcome.reason == "RepositoryFull"
        assert len(service.snapshots()) == 1
        (service.data / "large").unlink()
        assert service.back_up().outcome.result == "Succeeded"


def test_a_full_scratch_volume_is_not_taken_for_a_full_repository(service: Service) -> None:
    (service.data / "large").write_bytes(os.urandom(32 * MB))
    with small_disk(service.pod.scratch, "2m"):
        assert service.back_up().outcome.reason == "ScratchFull"


def test_files_that_cannot_be_read_leave_a_snapshot_that_does_not_count(service: Service) -> None:
    for name in "cdefghi":
        (service.data / name).write_text("hidden")
        (service.data / name).chmod(0)
    with unprivileged():
        report = service.back_up(retention={"last": 1})
    (stored,) = service.snapshots()
    assert (report.outcome.result, report.outcome.reason, report.snapshot) == ("Failed", "UnreadableFiles", stored["id"])
    assert stored["tags"] == [TAG, "pending"]
    assert report.outcome.message == (
        "7 files could not be read: " + ", ".join(f"{service.data}/{name} (permission denied)" for name in "cdefg") + ", 2 more"
    )
    assert (report.forget, report.prune) == (report.prune, report.forget)
    for name in "cdefghi":
        (service.data / name).chmod(0o600)
    good = service.back_up(retention={"last": 2})
    assert [one["id"] for one in service.snapshots()] == [good.snapshot]


def locks(service: Service) -> set[str]:
    """Those that are whole."""
    return {name for name in os.listdir(service.folder / "locks") if len(name) == 64}


@contextmanager
def held(service: Service, *words: str) -> Iterator[subprocess.Popen[str]]:
    """restic that has its lock, and stands still."""
    process = stopped(service, *words)
    while process is None:  # it was too quick
        process = stopped(service, *words)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def stopped(service: Service, *words: str) -> subprocess.Popen[str] | None:
    before = locks(service)
    process = subprocess.Popen(["restic", *words], env=dict(service.pod.programs().env), stdout=subprocess.DEVNULL, text=True)
    while locks(service) <= before and process.poll() is None:
        pass
    process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
    if locks(service) > before:
        return process
    process.kill()
    process.wait()
    return None


def test_a_repository_that_others_hold_is_waited_for_and_their_lock_stays(service: Service) -> None:
    service.back_up()
    with held(service, "prune") as other:
        before = locks(service)
        report = service.back_up(patience=1)
        assert (report.outcome.reason, report.snapshot) == ("RepositoryLocked", None)
        assert locks(service) == before
        timer = threading.Timer(3, other.send_signal, [signal.SIGCONT])
        timer.start()
        assert service.back_up(patience=60).outcome.result == "Succeeded"
        timer.join()


def test_a_backup_counts_where_others_keep_it_from_forgetting(service: Service) -> None:
    for _ in range(2):
        service.back_up()
    with held(service, "snapshots"):
        report = service.back_up(patience=1, retention={"last": 1})
        assert report.forget
        assert report.prune
        assert (report.outcome.result, report.forget.reason, report.prune.result) == ("Succeeded", "RepositoryLocked", "Skipped")
        assert len(service.snapshots()) == 3
    report = service.back_up(retention={"last": 1})
    assert report.forget
    assert report.forget.message == "3 removed"
    assert [one["id"] for one in service.snapshots()] == [report.snapshot]


@pytest.mark.parametrize("runs", [pytest.param(3), pytest.param(10, marks=pytest.mark.full)])
def test_services_that_share_a_repository_keep_what_each_of_them_wants(runs: int, service: Service, tmp_path: Path) -> None:
    """Two with retentions of their own, and one that keeps everything."""
    wanted = {"shop/db/nightly": 1, "shop/db/hourly": 2, "market/db/nightly": None}
    stored: dict[str, list[str]] = {tag: [] for tag in wanted}
    for turn, (tag, last) in itertools.product(range(runs), wanted.items()):
        (service.data / "turn").write_text(f"{turn} of {tag}")
        report = service.back_up(tag=tag, host=tag.rpartition("/")[0], retention=last and {"last": last})
        assert (report.outcome.result, report.forget and report.forget.reason) == ("Succeeded", "")
        stored[tag].append(str(report.snapshot))
        for each, kept in wanted.items():
            assert [one["id"] for one in service.snapshots(each)] == (stored[each][-kept:] if kept else stored[each]), (turn, each)
    assert service.restic("check", "--read-data").returncode == 0


def test_a_snapshot_of_a_revision_is_kept_as_long_as_it_is_asked_for(service: Service) -> None:
    first = service.back_up(extra_tags=("revision-1",)).snapshot
    second = service.back_up(retention={"last": 1}, keep_tags=("revision-1",)).snapshot
    assert [one["id"] for one in service.snapshots()] == [first, second]
    third = service.back_up(retention={"last": 1}).snapshot
    assert [one["id"] for one in service.snapshots()] == [third]


def test_what_was_there_before_a_restore_takes_no_place_among_backups(service: Service) -> None:
    first = service.back_up().snapshot
    for _ in range(7):
        service.back_up(tag=before_restore(TAG))
    second = service.back_up(retention={"last": 2}).snapshot
    assert [one["id"] for one in service.snapshots()] == [first, second]
    assert len(service.snapshots(before_restore(TAG))) == 5


def test_two_first_runs_at_a_time_make_one_repository(service: Service) -> None:
    """Left to themselves, two of three such pairs make one that nobody can open."""
    reports: list[Report] = []
    threads = [threading.Thread(target=lambda: reports.append(service.back_up())) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [report.outcome.result for report in reports] == ["Succeeded"] * 3
    assert len(service.snapshots()) == 3


def test_a_repository_that_two_have_made_at_once_is_told_with_what_to_do(service: Service, tmp_path: Path) -> None:
    """A restic that another one comes upon just before it is done."""
    real = (Path(service.pod.env["PATH"].split(":")[0]) / "restic").resolve()
    for _ in range(20):
        link = wrapped(service, f'[ "$2" = init ] && {{ {real} "$@" & {real} "$@"; wait; exit 0; }}')
        report = service.back_up()
        if report.outcome.result == "Failed":
            break
        link.unlink()
        link.symlink_to(real)
        shutil.rmtree(service.folder)
    assert (report.outcome.reason, report.outcome.message[:73]) == (
        "RepositoryFailed", "two first runs have made it at the same time: empty it, and run again: co",
    )  # fmt: skip


# ---- ends that nobody wished for


@pytest.mark.parametrize(
    ("minutes", "reason"),
    [
        pytest.param(29, "RepositoryLocked", id="it may still be alive"),
        pytest.param(31, "", id="it is dead"),
    ],
)
def test_the_lock_of_a_pod_that_was_killed_goes_by_its_age(minutes: int, reason: str, service: Service) -> None:
    """A pod has a host name of its own, so that nothing but its age says that it is no more."""
    service.back_up()
    name = leave_lock(service.folder, "of-the-repository", timedelta(minutes=minutes))
    report = service.back_up(patience=1, retention={"last": 1})
    assert (report.outcome.reason, report.forget and report.forget.reason) == (reason, "")
    assert locks(service) == ({name} if reason else set())


@contextmanager
def running(service: Service, report: Path, **more: Any) -> Iterator[subprocess.Popen[bytes]]:
    """The program as a pod runs it, with all that it runs in a process group of its own."""
    task = {"kind": "backup", "source": "volume", "path": str(service.data), "host": "shop/db", "tag": TAG, "init": True, **more}
    own = {"HARDENED_TASK": json.dumps(task), "HARDENED_REPORT": str(report), "HARDENED_SCRATCH": str(service.pod.scratch)}
    env = {**service.pod.env, **own, "PYTHONPATH": str(SOURCES), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "hardened.runner", "backup"]
    with subprocess.Popen(command, env=env, start_new_session=True, stderr=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def kill(process: subprocess.Popen[bytes]) -> None:
    """With all that it runs, until nothing is left: to restic the lock of a process that nobody has reaped is a live one."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    end = time.monotonic() + 120
    with suppress(ProcessLookupError):
        while True:
            os.killpg(process.pid, 0)
            assert time.monotonic() < end


def until(true: Callable[[], object], process: subprocess.Popen[bytes]) -> None:
    """Until it is true, or the process has ended."""
    end = time.monotonic() + 120
    while not true() and process.poll() is None:
        assert time.monotonic() < end


def packs(service: Service) -> int:
    return sum(len(files) for _, _, files in os.walk(service.folder / "data"))


def test_a_run_that_is_told_to_end_lets_go_of_the_repository(service: Service, tmp_path: Path) -> None:
    (service.data / "large").write_bytes(os.urandom(256 * MB))
    service.restic("init")
    with running(service, tmp_path / "report") as process:
        until(lambda: packs(service), process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 1
    report = json.loads((tmp_path / "report").read_text())
    assert (report["reason"], report["snapshot"]) == ("Interrupted", None)
    assert (service.snapshots(), locks(service)) == ([], set())


def test_a_run_that_is_killed_while_it_stores_needs_no_hand(service: Service, tmp_path: Path) -> None:
    (service.data / "large").write_bytes(os.urandom(256 * MB))
    service.restic("init")
    with running(service, tmp_path / "report") as process:
        until(lambda: packs(service), process)
        kill(process)
    assert not (tmp_path / "report").exists()
    assert len(locks(service)) == 1
    report = service.back_up(retention={"last": 1})
    assert (report.outcome.result, report.forget and report.forget.result, report.prune and report.prune.result) == ("Succeeded",) * 3
    assert locks(service) == set()
    assert service.restic("check", "--read-data").returncode == 0


@pytest.mark.parametrize("what", ["forget", "prune"])
def test_a_run_that_is_killed_while_it_forgets_needs_no_hand(what: str, service: Service, tmp_path: Path) -> None:
    """It is killed when restic has just got the lock for it, whichever call that is."""
    for turn in range(3):
        (service.data / "turn").write_bytes(os.urandom(MB) * (turn + 1))
        service.back_up()
    wrapped(service, f'case "$*" in *" {what}"*) touch {tmp_path}/begun;; esac')
    with running(service, tmp_path / "report", retention={"last": 1}) as process:
        until((tmp_path / "begun").exists, process)
        until(lambda: locks(service), process)
        kill(process)
    assert not (tmp_path / "report").exists()
    assert len(service.snapshots()) >= 1
    report = service.back_up(retention={"last": 1})
    assert (report.outcome.result, report.forget and report.forget.result, report.prune and report.prune.result) == ("Succeeded",) * 3
    assert [one["id"] for one in service.snapshots()] == [report.snapshot]
    assert service.restic("check", "--read-data").returncode == 0


def wrapped(service: Service, script: str) -> Path:
    """restic is called through a script that does this first."""
    link = Path(service.pod.env["PATH"].split(":")[0]) / "restic"
    real = link.resolve()
    link.unlink()
    link.write_text(f'#!/bin/sh\n{script}\nexec {real} "$@"\n')
    link.chmod(0o755)
    return link
