"""What a restore looks up, and what it says of the data when it fails: with a real restic repository."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.runner.locks import leave_lock
from tests.runner.pods import TAG, Pod, Service

from hardened.runner.failures import Failed
from hardened.runner.report import rendered
from hardened.runner.repository import LATEST, Repository, before_restore
from hardened.runner.restore import find, restore
from hardened.runner.task import RestoreTask

pytestmark = [pytest.mark.servers, pytest.mark.sampled(4)]


@pytest.fixture
def volume(repository_pod: Pod, tmp_path: Path) -> Service:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/a").write_bytes(os.urandom(65536))
    return Service(repository_pod, tmp_path / "data")


def task(volume: Service, snapshot: str, **more: Any) -> RestoreTask:
    return replace(RestoreTask("volume", volume.data, "shop/db", TAG, snapshot, False, "20260102_030405"), **more)


def repository(volume: Service) -> Repository:
    return Repository(volume.pod.programs(), reach=60, patience=1, less_patience=1)


def told(volume: Service, snapshot: str, **more: Any) -> dict[str, Any]:
    """What a restore reports, as it is written down."""
    found: dict[str, Any] = json.loads(rendered(restore(task(volume, snapshot, **more), repository(volume), volume.pod.programs())))
    return found


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_snapshot_is_found_by_its_id_the_beginning_of_it_and_as_the_newest_while_another_has_the_repository(volume: Service) -> None:
    stored = [volume.back_up().snapshot for _ in range(2)]
    leave_lock(volume.folder, "of-the-repository", timedelta(minutes=1))
    before = content(volume.data), content(volume.folder)
    for wanted, expected in ((str(stored[0]), stored[0]), (str(stored[0])[:8], stored[0]), (LATEST, stored[1])):
        found = find(task(volume, wanted), repository(volume), volume.pod.programs())
        assert (found.outcome.result, found.snapshot, found.files) == ("Succeeded", expected, 0)
        assert found.dumped_at is not None, "when it was made"
    assert (content(volume.data), content(volume.folder)) == before, "it changes nothing, and takes no lock"


@pytest.mark.parametrize(
    ("wanted", "more", "reason"),
    [
        pytest.param("0" * 64, {}, "SnapshotUnknown", id="none has that id"),
        pytest.param("", {}, "SnapshotUnknown", id="all begin like that"),
        pytest.param(LATEST, {"tag": "shop/db/other"}, "SnapshotUnknown", id="that of another backup is none"),
    ],
)
def test_what_is_not_there_is_not_found_and_a_restore_of_it_has_changed_nothing(
    wanted: str, more: dict[str, Any], reason: str, volume: Service
) -> None:
    for _ in range(2):
        volume.back_up()
    before = content(volume.data)
    with pytest.raises(Failed) as failed:
        find(task(volume, wanted, **more), repository(volume), volume.pod.programs())
    assert failed.value.reason == reason
    report = told(volume, wanted, **more)
    assert (report["reason"], report["written"]) == (reason, False)
    assert content(volume.data) == before
    assert volume.snapshots(before_restore(TAG)) == [], "nothing was to be stored first"


def test_one_that_lacks_files_is_found_only_where_that_is_wished(volume: Service) -> None:
    bad = str(volume.back_up(extra_tags=("pending",)).snapshot)
    with pytest.raises(Failed) as failed:
        find(task(volume, bad), repository(volume), volume.pod.programs())
    assert failed.value.reason == "SnapshotPending"
    assert find(task(volume, bad, pending=True), repository(volume), volume.pod.programs()).snapshot == bad


def test_a_restore_says_whether_it_may_have_written_when_it_fails(volume: Service) -> None:
    """Another has the repository when what is there is to be stored; then a pack is gone when its files are to come back."""
    stored = str(volume.back_up().snapshot)
    lock = volume.folder / "locks" / leave_lock(volume.folder, "of-the-repository", timedelta(minutes=1))
    before = content(volume.data)
    locked = told(volume, stored)
    assert (locked["reason"], locked["written"], content(volume.data)) == ("RepositoryLocked", False, before)
    lock.unlink()
    (volume.data / "a").write_text("newer")
    pack = max(((volume.folder / "data").rglob("*")), key=lambda path: path.stat().st_size if path.is_file() else 0)
    pack.unlink()
    damaged = told(volume, stored)
    assert (damaged["reason"], damaged["written"]) == ("SnapshotDamaged", True)
    (kept,) = volume.snapshots(before_restore(TAG))
    assert kept["id"] == damaged["before"], "what was there can be restored"


def test_a_restore_that_ends_well_has_written(volume: Service) -> None:
    stored = str(volume.back_up().snapshot)
    assert told(volume, stored)["written"] is True
