"""A restore brings data back, whoever is killed meanwhile: with real restic, PostgreSQL and Redis."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.runner.pods import TAG, Pod, Service, bare_pod, dumped, programs_of_another_image, unprivileged

from e2e.ports import free_port
from e2e.servers import POSTGRES, Postgres, Redis
from hardened.runner.failures import Failed
from hardened.runner.programs import Programs
from hardened.runner.redis_server import live
from hardened.runner.report import Outcome, Report
from hardened.runner.repository import Repository, before_restore
from hardened.runner.restore import find, restore
from hardened.runner.task import RestoreTask

pytestmark = [pytest.mark.servers, pytest.mark.sampled(4)]
RUN = "20260102_030405"


def of(service: Service, source: str, programs: Programs | None = None, **more: Any) -> Report:
    programs = programs or service.pod.programs()
    plain = RestoreTask(source, service.pod.scratch / "restored", "shop/db", TAG, "latest", False, RUN, None, True)
    return restore(replace(plain, **more), Repository(programs, reach=60, patience=60, less_patience=60), programs)


def looked_up(service: Service, source: str, **more: Any) -> Report:
    task = replace(RestoreTask(source, service.pod.scratch / "restored", "shop/db", TAG, "latest", False, RUN, None, True), **more)
    with pytest.raises(Failed) as caught:
        find(task, service.repository(), service.pod.programs())
    return Report("restore", Outcome.of(caught.value), 0.0)


# ---- volumes and files


@pytest.fixture
def volume(repository_pod: Pod, tmp_path: Path) -> Service:
    (tmp_path / "data/deep").mkdir(parents=True)
    (tmp_path / "data/lost+found").mkdir(mode=0o700)
    (tmp_path / "data/a").write_text("first")
    (tmp_path / "data/deep/b").write_text("second")
    return Service(repository_pod, tmp_path / "data")


def content(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_a_volume_is_as_it_was_and_what_it_was_since_is_stored(volume: Service, tmp_path: Path) -> None:
    stored = volume.back_up()
    wanted = content(volume.data)
    (volume.data / "deep/b").unlink()
    (volume.data / "a").write_text("spoilt")
    (volume.data / "newer").write_text("written since")
    report = of(volume, "volume", path=volume.data, snapshot=str(stored.snapshot)[:8])
    assert (report.outcome.result, report.outcome.reason, report.snapshot) == ("Succeeded", "", stored.snapshot)
    assert content(volume.data) == wanted
    assert (volume.data / "lost+found").is_dir()
    (before,) = volume.snapshots(before_restore(TAG))
    assert before["id"] == report.before
    volume.restic("restore", f"{before['id']}:{volume.data}", f"--target={tmp_path / 'before'}")
    assert content(tmp_path / "before") == {"a": "spoilt", "newer": "written since"}
    assert [one["id"] for one in volume.snapshots()] == [stored.snapshot]


def test_what_was_there_is_stored_once_for_a_restore_that_is_tried_again_and_comes_back_by_its_id(volume: Service) -> None:
    stored = volume.back_up()
    (volume.data / "a").write_text("spoilt")
    wanted = content(volume.data)
    asked = {"source": "volume", "path": volume.data, "snapshot": str(stored.snapshot)}
    killed = of(volume, **asked)
    (volume.data / "a").write_text("half of it")
    again = of(volume, **asked)
    assert again.before == killed.before, "what a killed one has left is not what was there"
    assert [one["id"] for one in volume.snapshots(before_restore(TAG))] == [killed.before]
    undone = of(volume, **{**asked, "snapshot": str(killed.before)}, run="another")
    assert (undone.outcome.result, undone.outcome.message) == ("Succeeded", "")
    assert content(volume.data) == wanted
    assert undone.before not in (None, killed.before)


def test_an_empty_volume_is_filled_and_has_nothing_to_be_stored(volume: Service, tmp_path: Path) -> None:
    volume.back_up()
    (tmp_path / "empty").mkdir()
    report = of(volume, "volume", path=tmp_path / "empty")
    assert (report.outcome.result, report.before) == ("Succeeded", None)
    assert content(tmp_path / "empty") == content(volume.data)


def test_a_volume_whose_root_is_another_users_is_restored(volume: Service) -> None:
    """A claim's root is root's, and its group may write: whose process that is cannot give it other times or another mode."""
    volume.back_up()
    wanted = content(volume.data)
    volume.data.chmod(0o777)
    (volume.data / "a").write_text("spoilt")
    if not os.geteuid():
        os.chown(volume.data, 1234, 1234)
    with unprivileged():
        report = of(volume, "volume", path=volume.data)
    assert (report.outcome.result, report.outcome.message) == ("Succeeded", "")
    assert content(volume.data) == wanted


def test_a_dump_takes_no_place_of_the_files_of_a_volume_nor_files_that_of_a_dump(volume: Service) -> None:
    """The backup of this name had another source once."""
    folder = volume.pod.scratch / "dump"
    folder.mkdir()
    (folder / "database.pgdump").write_text("a dump")
    dump = Service(volume.pod, folder).back_up(source="postgres")
    wanted = content(volume.data)
    for report in (of(volume, "volume", path=volume.data), looked_up(volume, "volume", path=volume.data)):
        assert (report.outcome.result, report.outcome.reason, report.written) == ("Failed", "RestoreFailed", False)
        assert f"{str(dump.snapshot)[:8]} holds a dump, and no files of a volume: the backup had another source" in report.outcome.message
    assert content(volume.data) == wanted
    files = volume.back_up()
    report = looked_up(volume, "redis")
    assert f"{str(files.snapshot)[:8]} holds files of a volume, and no dump: the backup had another source" in report.outcome.message


def test_files_for_a_command_are_put_where_it_looks(volume: Service) -> None:
    volume.back_up(source="command")
    folder = volume.pod.scratch / "dump"
    folder.mkdir()
    (folder / "left").write_text("of another run")
    report = of(volume, "command", path=folder)
    assert (report.outcome.result, report.before, report.files) == ("Succeeded", None, 2)
    assert content(folder) == content(volume.data)


def test_what_lacks_files_is_restored_only_where_that_is_wished(volume: Service) -> None:
    bad = volume.back_up(extra_tags=("pending",))
    wanted = {"source": "volume", "path": volume.data, "snapshot": str(bad.snapshot)}
    assert of(volume, **wanted).outcome.reason == "SnapshotPending"
    assert of(volume, **wanted, pending=True).outcome.result == "Succeeded"


# ---- PostgreSQL


ROWS = 100_000
TABLE = "create table orders (id int primary key, note text)"


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with Postgres() as postgres:
        yield postgres


@pytest.fixture
def database(repository_pod: Pod, server: Postgres) -> Iterator[Service]:
    server.run("create database shop", database="postgres")
    server.run(f"{TABLE}; insert into orders select n, 'note ' || n from generate_series(1, {ROWS}) n", database="shop")
    env = {**repository_pod.env, **server.environment, "PGDATABASE": "shop"}
    yield Service(Pod(repository_pod.scratch, env), repository_pod.scratch / "dump")
    for name in names(server):
        server.run(f'drop database "{name}" with (force)', database="postgres")


def names(server: Postgres) -> set[str]:
    return set(server.run("select datname from pg_database where datname ~ 'shop'", database="postgres").split())


def spoil(server: Postgres) -> None:
    server.run("delete from orders where id > 10; alter table orders drop column note", database="shop")
    server.run("create table newer (id int references orders); insert into newer values (1)", database="shop")


COUNT = "select count(*) || ' ' || coalesce((select string_agg(relname, ',') from pg_class where relname = 'newer'), '-') from orders"


def test_every_row_of_a_database_comes_back_and_what_was_there_is_kept_twice(database: Service, server: Postgres) -> None:
    stored = dumped(database, "postgres")
    spoil(server)
    report = of(database, "postgres")
    assert (report.outcome.result, report.outcome.reason, report.snapshot) == ("Succeeded", "", stored.snapshot)
    assert report.outcome.message == f"shop is restored; what it was is shop_before_{RUN}"
    assert server.run(COUNT, database="shop") == f"{ROWS} -"
    assert server.run(COUNT, database=f"shop_before_{RUN}") == "10 newer"
    assert [one["id"] for one in database.snapshots(before_restore(TAG))] == [report.before]
    undone = of(database, "postgres", snapshot=str(report.before), tag=before_restore(TAG), run="again", safety=False)
    assert undone.outcome.result == "Succeeded"
    assert server.run(COUNT, database="shop") == "10 newer"


def test_what_was_replaced_is_dropped_by_the_first_backup_that_succeeds_a_day_later(database: Service, server: Postgres) -> None:
    dumped(database, "postgres")
    now = datetime.now(UTC).strftime("%Y%m%d_%H%M%S")
    for run in (RUN, "20260103_030405", "of_nobody_knows_when", now):
        assert of(database, "postgres", run=run).outcome.result == "Succeeded"
    kept = {"shop", "shop_before_of_nobody_knows_when", f"shop_before_{now}"}
    all_of_them = kept | {f"shop_before_{RUN}", "shop_before_20260103_030405"}
    server.run("create database shop_before_20260104_030405", database="postgres")  # somebody's own
    assert database.back_up(source="postgres", min_bytes=2**40).outcome.result == "Failed"
    assert names(server) == all_of_them | {"shop_before_20260104_030405"}
    server.run("comment on database shop_before_20260103_030405 is 'ours'", database="postgres")
    report = dumped(database, "postgres")
    assert report.drop
    assert (report.drop.result, report.drop.message) == ("Succeeded", f"shop_before_{RUN} dropped")
    assert names(server) == kept | {"shop_before_20260103_030405", "shop_before_20260104_030405"}


def test_what_cannot_be_dropped_is_told_and_the_backup_counts(database: Service, server: Postgres) -> None:
    dumped(database, "postgres")
    of(database, "postgres")
    env = {"PATH": "/usr/bin", **server.environment, "PGDATABASE": f"shop_before_{RUN}"}
    is_there = "select count(*) from pg_stat_activity where query ~ 'pg_sleep' and pid <> pg_backend_pid()"
    with subprocess.Popen(["psql", "-Xqc", "select pg_sleep(600)"], env=env, stdout=subprocess.DEVNULL) as client:
        while server.run(is_there, database="postgres") == "0":
            pass
        report = dumped(database, "postgres")
        client.kill()
    assert report.drop
    assert report.drop.result == "Failed"
    assert "is being accessed by other users" in report.drop.message
    assert f"shop_before_{RUN}" in names(server)


def test_it_comes_back_by_the_programs_of_the_image_that_made_the_dump(database: Service, server: Postgres, tmp_path: Path) -> None:
    dumped(database, "postgres")
    spoil(server)
    calls = database.pod.scratch / "calls"
    bare = Service(bare_pod(database.pod, tmp_path / "own", calls), database.data)
    with programs_of_another_image(calls, f"{POSTGRES}:/usr/bin:/bin"):
        report = of(bare, "postgres")
    assert (report.outcome.result, report.outcome.reason, report.before is None) == ("Succeeded", "", False)
    assert server.run(COUNT, database="shop") == f"{ROWS} -"
    assert server.run(COUNT, database=f"shop_before_{RUN}") == "10 newer"


def test_a_database_beside_the_other_needs_nothing_stored(database: Service, server: Postgres) -> None:
    dumped(database, "postgres")
    spoil(server)
    report = of(database, "postgres", into="shop_then")
    assert (report.outcome.message, report.before) == ("shop_then is restored", None)
    assert (server.run(COUNT, database="shop"), server.run(COUNT, database="shop_then")) == ("10 newer", f"{ROWS} -")


class Killed(BaseException):
    """The process is no more."""


class Mortal(Programs):
    """Is killed after so many programs."""

    left: int

    def run(self, *args: Any, **more: Any) -> Any:
        if self.left <= 0:
            raise Killed
        self.left -= 1
        return super().run(*args, **more)


def mortal(service: Service, left: int) -> Mortal:
    programs = Mortal(service.pod.programs().env, service.pod.scratch)
    programs.left = left
    return programs


@pytest.mark.parametrize("offset", [pytest.param(3), *(pytest.param(offset, marks=pytest.mark.full) for offset in (0, 1, 2, 4, 5, 6))])
def test_a_restore_that_is_killed_between_any_two_programs_loses_nothing_and_is_done_again(
    offset: int, database: Service, server: Postgres
) -> None:
    """Each time a user can still read the old data or the new, and nothing else; at the end it is the new."""
    dumped(database, "postgres")
    spoil(server)
    ends = 0
    for left in range(offset, 100, 7):
        run = f"after_{left}"
        try:
            of(database, "postgres", mortal(database, left), run=run)
        except Killed:
            assert server.run(COUNT, database="shop") in ("10 newer", f"{ROWS} -")
        else:
            ends += 1
        report = of(database, "postgres", run=run)
        assert report.outcome.result == "Succeeded", left
        assert server.run(COUNT, database="shop") == f"{ROWS} -"
        assert names(server) == {"shop", f"shop_before_{run}"}
        if ends:
            return
        # As it was.
        server.run("drop database shop with (force)", database="postgres")
        server.run(f"alter database shop_before_{run} rename to shop", database="postgres")
    raise AssertionError("it never came to its end")


# ---- Redis


def test_redis_holds_what_the_snapshot_holds(repository_pod: Pod) -> None:
    with Redis(port := free_port(), "--repl-diskless-sync-delay", "0") as redis:
        env = {**repository_pod.env, "REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(port)}
        service = Service(Pod(repository_pod.scratch, env), repository_pod.scratch / "dump")
        redis.run("mset", "a", "1", "b", "2")
        stored = dumped(service, "redis")
        redis.run("mset", "a", "spoilt", "newer", "3")
        redis.run("del", "b")
        report = of(service, "redis")
        assert (report.outcome.result, report.outcome.message, report.snapshot) == ("Succeeded", "2 keys are restored", stored.snapshot)
        assert (redis.run("mget", "a", "b").split(), live(service.pod.programs()).keys()) == (["1", "2"], {"db0": 2})
        undone = of(service, "redis", snapshot=str(report.before), tag=before_restore(TAG), run="again")
        assert undone.outcome.result == "Succeeded"
        assert redis.run("mget", "a", "newer").split() == ["spoilt", "3"]
