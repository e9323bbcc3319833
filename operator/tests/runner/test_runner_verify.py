"""A verification restores, and only then says yes: with real restic, PostgreSQL and Redis."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.runner.pods import TAG, Pod, Service, bare_pod, dumped, programs_of_another_image

from e2e.ports import free_port
from e2e.servers import POSTGRES, Postgres, Redis, as_nobody
from hardened.runner.report import Report
from hardened.runner.task import VerifyTask
from hardened.runner.verify import verify

pytestmark = [pytest.mark.servers, pytest.mark.sampled(6)]
ROWS = 20_000


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with Postgres() as server:
        server.run("create table notes (id int primary key, note text)")
        server.run(f"insert into notes select n, md5(n::text) from generate_series(1, {ROWS}) n")
        server.run("create database nothing", database="postgres")
        server.run("create database no_rows", database="postgres")
        server.run("create table notes (id int primary key)", database="no_rows")
        yield server


@pytest.fixture
def files(repository_pod: Pod, tmp_path: Path) -> Service:
    """Of a volume."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data/a").write_text("first")
    (tmp_path / "data/large").write_bytes(os.urandom(2**22))
    return Service(repository_pod, tmp_path / "data")


def of(service: Service, source: str = "volume", **more: Any) -> Report:
    plain = VerifyTask(source, service.pod.scratch / "restored", TAG, "latest", "", (), 20)
    return verify(replace(plain, **more), service.repository(), service.pod.programs())


def test_the_newest_whole_snapshot_is_restored_and_looked_at(files: Service) -> None:
    files.back_up()
    (files.data / "a").write_text("second")
    newest = files.back_up()
    report = of(files, command=("sh", "-c", 'test "$(cat a)" = second'))
    assert (report.outcome.result, report.outcome.message, report.snapshot) == ("Succeeded", "", newest.snapshot)
    assert (report.bytes, report.files) == (2**22 + 6, 2)
    assert report.dumped_at
    assert newest.dumped_at
    assert abs((report.dumped_at - newest.dumped_at).total_seconds()) < 30


@pytest.mark.parametrize(
    ("command", "said"),
    [
        pytest.param(("sh", "-c", "echo wrong >&2; exit 3"), "the command ended with 3: wrong", id="it fails"),
        pytest.param(("sh", "-c", "echo $RESTIC_PASSWORD >&2; exit 3"), "the command ended with 3: ***", id="it tells a secret"),
        pytest.param(("sleep", "600"), "the command did not end within 1 s", id="it hangs"),
        pytest.param(("no-such",), "the command ended with 127: no-such: not found in this image", id="it is not there"),
    ],
)
def test_a_command_that_does_not_pass_says_why(command: tuple[str, ...], said: str, files: Service) -> None:
    files.back_up()
    report = of(files, command=command, deadline=1 if "sleep" in command else 20)
    assert (report.outcome.reason, report.outcome.message) == ("AssertionFailed", said)


def test_only_snapshots_of_this_backup_are_known(files: Service) -> None:
    other = files.back_up(tag="market/db/nightly")
    for wanted in ("latest", str(other.snapshot), "0123abcd"):
        report = of(files, snapshot=wanted)
        assert (report.outcome.reason, report.snapshot) == ("SnapshotUnknown", None)


def test_what_lacks_files_is_never_the_newest(files: Service) -> None:
    good, bad = files.back_up(), files.back_up(extra_tags=("pending",))
    assert of(files).snapshot == good.snapshot
    assert of(files, snapshot=str(bad.snapshot)[:8]).outcome.reason == "SnapshotPending"


def largest_pack(service: Service) -> Path:
    packs = (Path(folder) / name for folder, _, names in os.walk(service.folder / "data") for name in names)
    return max(packs, key=lambda pack: pack.stat().st_size)


def test_a_damaged_pack_is_seen_that_a_check_does_not_see(files: Service) -> None:
    files.back_up()
    pack = max(
        (Path(folder) / name for folder, _, names in os.walk(files.folder / "data") for name in names), key=lambda p: p.stat().st_size
    )
    content = bytearray(pack.read_bytes())
    content[len(content) // 2] ^= 1
    pack.chmod(0o600)
    pack.write_bytes(content)
    assert files.restic("check").returncode == 0
    report = of(files)
    assert (report.outcome.result, report.outcome.reason) == ("Failed", "SnapshotDamaged")
    assert report.outcome.message


def test_a_pack_that_is_gone_is_seen(files: Service) -> None:
    files.back_up()
    pack = max(
        (Path(folder) / name for folder, _, names in os.walk(files.folder / "data") for name in names), key=lambda p: p.stat().st_size
    )
    pack.unlink()
    assert of(files).outcome.reason == "SnapshotDamaged"


@pytest.fixture
def database(repository_pod: Pod, postgres: Postgres) -> Service:
    return Service(Pod(repository_pod.scratch, {**repository_pod.env, **postgres.environment}), repository_pod.scratch / "dump")


def test_a_dump_of_postgres_is_restored_and_asked(database: Service) -> None:
    stored = dumped(database, "postgres")
    report = of(database, "postgres")
    assert (report.outcome.result, report.outcome.reason, report.snapshot) == ("Succeeded", "", stored.snapshot)
    assert report.outcome.message.startswith("1 tables, ")
    assert of(database, "postgres", sql=f"select count(*) = {ROWS} from notes").outcome.result == "Succeeded"
    assert of(database, "postgres", sql=f"select count(*) > {ROWS} from notes").outcome.reason == "AssertionFailed"


def test_a_dump_of_another_version_is_restored_by_the_programs_of_its_image(database: Service, tmp_path: Path) -> None:
    """Here psql alone is there. OTHER_POSTGRES: a folder with programs of a later version; by default those of this one."""
    other = os.environ.get("OTHER_POSTGRES", str(POSTGRES))
    maker = Pod(database.pod.scratch, {**database.pod.env, "PATH": f"{other}:{database.pod.env['PATH']}"})
    stored = dumped(Service(maker, database.data), "postgres")
    calls = database.pod.scratch / "calls"
    bare = Service(bare_pod(database.pod, tmp_path / "own", calls), database.data)
    with programs_of_another_image(calls, f"{other}:/usr/bin:/bin", *as_nobody()):
        report = of(bare, "postgres", sql=f"select count(*) = {ROWS} from notes")
    assert (report.outcome.result, report.outcome.reason, report.snapshot) == ("Succeeded", "", stored.snapshot)
    shutil.rmtree(calls)
    with programs_of_another_image(calls, "/usr/bin:/bin", *as_nobody()):
        report = of(bare, "postgres")
    assert report.outcome.reason == "RestoreFailed"
    assert report.outcome.message.endswith("not found; the image of the source needs PostgreSQL's server, too")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        pytest.param("nothing", "the database has no table", id="no table"),
        pytest.param("no_rows", "no table of 1 has a row", id="no row"),
    ],
)
def test_an_empty_database_dumps_fine_and_does_not_pass(name: str, said: str, database: Service) -> None:
    dumped(database, "postgres", PGDATABASE=name)
    report = of(database, "postgres")
    assert (report.outcome.reason, report.outcome.message) == ("AssertionFailed", said)


def test_a_dump_that_was_cut_is_seen_that_a_listing_does_not_see(database: Service) -> None:
    dumped(database, "postgres")
    dump = database.data / "database.pgdump"
    dump.write_bytes(dump.read_bytes()[: dump.stat().st_size * 2 // 3])
    assert database.back_up(source="postgres").outcome.result == "Succeeded"
    assert subprocess.run(["pg_restore", "--list", dump], capture_output=True).returncode == 0
    report = of(database, "postgres")
    assert report.outcome.reason == "RestoreFailed"
    assert report.outcome.message.startswith("pg_restore: ")


def test_a_snapshot_of_another_source_is_said(files: Service) -> None:
    files.back_up()
    assert of(files, "postgres").outcome.message == "the snapshot has no database.pgdump: it is none of a postgres"


def test_a_dump_of_redis_is_loaded(repository_pod: Pod, tmp_path: Path) -> None:
    with Redis(port := free_port(), "--repl-diskless-sync-delay", "0") as server:
        env = {"REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(port)}
        redis = Service(Pod(repository_pod.scratch, {**repository_pod.env, **env}), repository_pod.scratch / "dump")
        dumped(redis, "redis")
        assert of(redis, "redis").outcome.message == "the database has no key"
        server.run("set", "a", "1")
        dumped(redis, "redis")
        report = of(redis, "redis", command=("sh", "-c", 'test "$(redis-cli -s $REDIS_SOCKET get a)" = 1'))
        assert (report.outcome.result, report.outcome.message) == ("Succeeded", "1 keys")
