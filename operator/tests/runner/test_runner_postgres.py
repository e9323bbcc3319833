"""PostgreSQL is dumped, looked at and brought back: with real servers."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.runner.pods import Pod, heeding_sigterm, small_disk, task_of

from e2e.servers import POSTGRES, Postgres
from hardened.runner import postgres, swap
from hardened.runner.backup import back_up
from hardened.runner.dump import dump as make_dump
from hardened.runner.dump import dump_postgres
from hardened.runner.failures import Failed, Reason
from hardened.runner.postgres import Database
from hardened.runner.programs import Programs
from hardened.runner.repository import Repository

pytestmark = [pytest.mark.servers, pytest.mark.sampled(8)]
RUN = "20260102_030405"
ROWS = 20_000


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with Postgres() as postgres:
        yield postgres


@pytest.fixture
def live(server: Postgres, pod: Pod) -> Iterator[Database]:
    """A database of a name that needs quotes, with rows, and a foreign key between two tables."""
    server.run('create database "my-App"', database="postgres")
    database = Database(pod.programs(**server.environment | {"PGDATABASE": "my-App"}))
    database.ask(
        "create table orders (id int primary key, note text);"
        "create table lines (id int references orders);"
        f"insert into orders select n, 'note ' || n from generate_series(1, {ROWS}) n; insert into lines select id from orders"
    )
    yield database
    for (name,) in database.named("postgres").ask("SELECT datname FROM pg_database WHERE datname ~ 'my-App|other'"):
        server.run(f'drop database "{name}" with (force)', database="postgres")


@pytest.fixture
def dump(live: Database, scratch: Path) -> Path:
    dump_postgres(scratch / "database.pgdump", live.programs)
    return scratch / "database.pgdump"


def rows(database: Database) -> int:
    return int(database.ask("SELECT count(*) FROM orders")[0][0])


def names(database: Database) -> set[str]:
    return {name for (name,) in database.named("postgres").ask("SELECT datname FROM pg_database WHERE datname ~ 'my-App|other'")}


def spoil(database: Database) -> None:
    """What a bad release does: rows are gone, a column is gone, a newer table refers to an older one."""
    database.ask(
        "delete from lines; delete from orders where id > 10; alter table orders drop column note;"
        "create table newer (id int references orders); insert into newer values (1)"
    )


def test_a_dump_brings_back_every_row_and_what_was_there_stays(live: Database, dump: Path) -> None:
    spoil(live)
    said = swap.replace(live, dump, RUN)
    assert (rows(live), live.content()[0]) == (ROWS, 2)
    assert live.ask("SELECT note FROM orders WHERE id = 7") == [["note 7"]]
    assert rows(live.named(f"my-App_before_{RUN}")) == 10
    assert said == f"my-App is restored; what it was is my-App_before_{RUN}"
    assert names(live) == {"my-App", f"my-App_before_{RUN}"}


def test_a_restore_that_is_done_is_not_done_again(live: Database, dump: Path) -> None:
    swap.replace(live, dump, RUN)
    live.ask("insert into orders values (-1, 'written since')")
    assert "restored before" in swap.replace(live, dump, RUN)
    assert rows(live) == ROWS + 1
    assert swap.is_replaced(live, RUN)


def test_clients_that_stay_connected_do_not_hinder_the_swap(live: Database, dump: Path, server: Postgres) -> None:
    env = {**server.environment, "PGDATABASE": "my-App"}
    with subprocess.Popen(["psql", "-Xqc", "select pg_sleep(600)"], env={"PATH": "/usr/bin", **env}, stderr=subprocess.PIPE) as client:
        while not live.named("postgres").ask("SELECT 1 FROM pg_stat_activity WHERE query ~ 'pg_sleep' AND pid <> pg_backend_pid()"):
            pass
        swap.replace(live, dump, RUN)
        _, complaint = client.communicate(timeout=60)
    assert b"terminating connection due to administrator command" in complaint
    assert rows(live) == ROWS


def test_a_database_that_is_gone_is_made(live: Database, dump: Path, server: Postgres) -> None:
    server.run('drop database "my-App" with (force)', database="postgres")
    assert swap.replace(live, dump, RUN) == "my-App is restored; there was none before"
    assert (rows(live), names(live)) == (ROWS, {"my-App"})


def test_a_dump_that_was_cut_changes_nothing(live: Database, dump: Path) -> None:
    """pg_restore can still list it."""
    dump.write_bytes(dump.read_bytes()[: dump.stat().st_size * 2 // 3])
    assert subprocess.run(["pg_restore", "--list", dump], capture_output=True).returncode == 0
    live.ask("delete from lines; delete from orders where id > 10")
    with pytest.raises(Failed) as caught:
        swap.replace(live, dump, RUN)
    assert caught.value.reason == Reason.RESTORE_FAILED
    assert rows(live) == 10
    assert not swap.is_replaced(live, RUN)
    assert names(live) == {"my-App"}, "half of a database takes room that the one that serves needs"


def test_a_restore_that_is_told_to_end_leaves_no_half_of_a_database(live: Database, scratch: Path) -> None:
    live.ask(
        "create function waits(int) returns bool language plpgsql as $$begin "
        "if current_database() <> 'my-App' then perform pg_sleep(600); end if; return true; end$$;"
        "create table slow (id int check (waits(id))); insert into slow values (1)"
    )
    dump_postgres(scratch / "database.pgdump", live.programs)
    told, stop = Programs(live.programs.env, scratch), threading.Timer(3, os.kill, (os.getpid(), signal.SIGTERM))
    stop.start()
    with heeding_sigterm(told), pytest.raises(Failed) as caught:
        swap.beside(Database(told), "other", scratch / "database.pgdump", RUN)
    assert caught.value.reason == Reason.INTERRUPTED
    assert (rows(live), names(live)) == (ROWS, {"my-App"})


def test_half_of_a_database_that_cannot_be_dropped_is_named(live: Database, dump: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dump.write_bytes(dump.read_bytes()[: dump.stat().st_size * 2 // 3])
    kept = 'ALTER DATABASE :"name" IS_TEMPLATE true; SELECT 1 / 0'
    monkeypatch.setattr(Database, "restore", lambda self, *_: self.named("postgres").ask(kept, name=self.name))
    with pytest.raises(Failed) as caught:
        swap.replace(live, dump, RUN)
    live.named("postgres").ask(f'ALTER DATABASE "my-App_restored_{RUN}" IS_TEMPLATE false')
    assert f"database my-App_restored_{RUN} is left, and takes room: drop it" in caught.value.message
    assert "division by zero" in caught.value.message


def test_what_a_killed_restore_has_left_is_made_anew(live: Database, dump: Path) -> None:
    live.named("postgres").ask(f'CREATE DATABASE "my-App_restored_{RUN}"')
    live.named(f"my-App_restored_{RUN}").ask("create table orders (half int)")
    swap.replace(live, dump, RUN)
    assert (rows(live), names(live)) == (ROWS, {"my-App", f"my-App_before_{RUN}"})


def test_owner_rights_and_settings_of_the_database_are_those_that_it_had(live: Database, dump: Path, server: Postgres) -> None:
    server.run(
        "create role owner login; create role reader login;"
        'alter database "my-App" owner to owner; alter database "my-App" connection limit 77;'
        'revoke all on database "my-App" from public; grant connect on database "my-App" to reader;'
        "alter database \"my-App\" set search_path to public, \"Odd one\"; alter role reader in database \"my-App\" set work_mem to '9MB'",
        database="postgres",
    )  # fmt: skip
    properties = (
        "SELECT pg_get_userbyid(datdba), datconnlimit, datacl, encoding, datcollate, (SELECT array_agg(setconfig ORDER BY setrole)::text "
        "FROM pg_db_role_setting WHERE setdatabase = oid) FROM pg_database WHERE datname = 'my-App'"
    )
    before = live.ask(properties)
    try:
        swap.replace(live, dump, RUN)
        assert live.ask(properties) == before
        assert "Odd one" in before[0][-1]
    finally:
        server.run(f'drop database "my-App_before_{RUN}" with (force); ', database="postgres")
        server.run('drop database "my-App" with (force)', database="postgres")
        server.run("drop role owner; drop role reader", database="postgres")


def test_a_database_beside_the_other_leaves_that_one_alone(live: Database, dump: Path) -> None:
    spoil(live)
    assert swap.beside(live, "other", dump, RUN) == "other is restored"
    assert (rows(live), rows(live.named("other"))) == (10, ROWS)
    assert swap.beside(live, "other", dump, RUN) == "other was restored before"
    with pytest.raises(Failed, match="there is a database other"):
        swap.beside(live, "other", dump, "another_run")


def test_a_dump_is_restored_into_a_server_of_our_own(live: Database, dump: Path, pod: Pod) -> None:
    live.ask("create role app_role; create policy own on orders to app_role using (true); alter table orders enable row level security")
    try:
        dump_postgres(dump, live.programs)
        with postgres.scratch_server(pod.programs()) as database:
            postgres.add_roles(database, dump)
            database.restore(dump, "--no-owner", "--no-privileges")
            assert (database.content()[0], rows(database)) == (2, ROWS)
    finally:
        live.ask("drop policy own on orders; drop role app_role")
    assert not (pod.scratch / "pg/data/postmaster.pid").exists()


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        pytest.param("select true", "", id="true"),
        pytest.param("select count(*) > 3 from orders;", "", id="a comparison"),
        pytest.param("select false", "the sql gave false", id="false"),
        pytest.param("select null::bool", "the sql gave null", id="null"),
        pytest.param("select true where false", "the sql gave no row", id="no row"),
        pytest.param("select true from orders", f"the sql gave {ROWS} rows", id="many rows"),
        pytest.param("select true, true", "the sql gave 2 columns", id="many columns"),
        pytest.param("select note from orders where id = 7", "the sql gave a value that is neither true nor false", id="a secret"),
        pytest.param("select tru", 'the sql failed: ERROR: column "tru" does not exist', id="an error"),
        pytest.param("select true from pg_sleep(600)", "the sql gave no answer within 2 s", id="no answer"),
        pytest.param("\\! echo", "the sql begins with a backslash", id="no SQL"),
    ],
)
def test_an_assertion_is_one_true_value(sql: str, said: str, live: Database) -> None:
    if not said:
        postgres.assert_true(live, sql, 30)
        return
    with pytest.raises(Failed) as caught:
        postgres.assert_true(live, sql, 2)
    assert caught.value.reason == Reason.ASSERTION_FAILED
    assert caught.value.message.startswith(said)
    assert "note 7" not in caught.value.message


# ---- dumps that are none


def dump_by(script: str, live: Database, pod: Pod) -> Failed:
    """Why a dump fails where pg_dump is called through this, with a real pg_dump at hand as $real."""
    own = pod.scratch / "bin"
    own.mkdir()
    (own / "pg_dump").write_text(f"#!/bin/sh\nreal={POSTGRES}/pg_dump\n{script}\n")
    (own / "pg_dump").chmod(0o755)
    env = dict(live.programs.env)
    with pytest.raises(Failed) as caught:
        make_dump(task_of(pod.scratch / "dump", source="postgres"), Programs(env | {"PATH": f"{own}:{env['PATH']}"}, pod.scratch))
    return caught.value


def test_a_dump_that_is_killed_half_way_is_never_taken_for_one(live: Database, pod: Pod) -> None:
    failed = dump_by('case $1 in --version) ;; *) ulimit -f 200;; esac; exec $real "$@"', live, pod)
    assert failed.reason == Reason.DUMP_FAILED
    (left,) = (pod.scratch / "dump").iterdir()
    assert (left.name, left.stat().st_size > 50_000) == ("database.pgdump.partial", True)
    assert (
        back_up(task_of(pod.scratch / "dump", source="postgres"), Repository(pod.programs()), pod.programs()).outcome.reason == "DumpEmpty"
    )


def test_a_newer_server_is_refused_before_anything_is_dumped(live: Database, pod: Pod) -> None:
    """There is no newer one here: it is pg_dump that says that it is older."""
    failed = dump_by('case $1 in --version) echo "pg_dump (PostgreSQL) 14.2";; *) exec $real "$@";; esac', live, pod)
    assert failed.reason == Reason.SERVER_IS_NEWER
    assert failed.message.startswith("the server is PostgreSQL 15, and pg_dump is 14: ")
    assert list((pod.scratch / "dump").iterdir()) == []


def test_a_scratch_volume_that_is_too_small_for_a_dump_has_a_reason(live: Database, pod: Pod) -> None:
    with small_disk(pod.scratch / "dump", "200k"):
        failed = dump_by('exec $real "$@"', live, pod)
    assert failed.reason == Reason.SCRATCH_FULL


@pytest.mark.parametrize(
    ("env", "said"),
    [
        pytest.param({"PGDATABASE": "no-such"}, 'database "no-such" does not exist', id="no such database"),
        pytest.param({"PGHOST": "127.0.0.1", "PGPORT": "1"}, "Connection refused", id="nobody there"),
    ],
)
def test_a_dump_that_cannot_be_had_says_why(env: dict[str, str], said: str, server: Postgres, pod: Pod, scratch: Path) -> None:
    with pytest.raises(Failed) as caught:
        dump_postgres(scratch / "database.pgdump", pod.programs(**server.environment | env))
    assert caught.value.reason == Reason.DUMP_FAILED
    assert said in caught.value.message


def test_names_of_databases_fit(live: Database) -> None:
    long = "a" * 63
    assert swap.kept_name("app", "run_1") == "app_before_run_1"
    assert (len(swap.kept_name(long, RUN)), swap.kept_name(long, RUN) != swap.kept_name("a" * 62, RUN)) == (63, True)
    assert len(swap.kept_name("ä" * 31, RUN).encode()) <= 63
