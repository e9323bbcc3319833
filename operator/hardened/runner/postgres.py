"""PostgreSQL: what psql, pg_dump and pg_restore are called with, and a server of our own for as long as a verification lasts."""

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from hardened.runner.failures import Failed, Reason
from hardened.runner.programs import Ended, OutOfTime, Programs

#: Seconds that a server of our own may take to start.
START = 180.0
#: A connection may take so many seconds.
CONNECT: Mapping[str, str | None] = {"PGCONNECT_TIMEOUT": "15"}
#: What psql prints for null.
NULL = "\x1e"
_FIELD, _RECORD = "\x1f", "\x1d"
#: PostgreSQL refuses to run as root; who does nevertheless is nobody for it.
_NOBODY = 65534
_MISSING_ROLES = re.compile(r"^CREATE POLICY .* TO ([^;(]+?)(?: USING| WITH CHECK|;)", re.MULTILINE)


@dataclass(frozen=True)
class Database:
    """A database that is reached by these PG* variables, over those of the environment."""

    programs: Programs
    env: Mapping[str, str | None] = field(default_factory=dict)

    @property
    def name(self) -> str:
        env = {**self.programs.env, **self.env}
        return env.get("PGDATABASE") or env.get("PGUSER") or "postgres"

    def named(self, name: str) -> "Database":
        """Another database of the same server."""
        return Database(self.programs, {**self.env, "PGDATABASE": name})

    def ask(self, sql: str, **values: str) -> list[list[str]]:
        """The rows that the SQL gives; `:'name'` and `:"name"` in it are `values`, as a literal and as a name. Raises Failed."""
        ended = self.psql(*(f"--set={name}={value}" for name, value in values.items()), "--file=-", stdin=sql)
        if ended.code:
            raise Failed(Reason.RESTORE_FAILED, f"psql: {said_by(ended)}")
        return rows_of(ended)

    def psql(
        self, *options: str, stdin: str | None = None, within: float | None = None, env: Mapping[str, str | None] | None = None
    ) -> Ended:
        """psql as programs want it: no questions, no settings of users, and separators that no value has."""
        plain = ["psql", "-XAtq", "--no-password", "--set=ON_ERROR_STOP=1", f"--pset=null={NULL}"]
        separators = [f"--field-separator={_FIELD}", f"--record-separator={_RECORD}"]
        words = [*plain, *separators, *options]
        return self.programs.run(words, env={**CONNECT, **self.env, **(env or {})}, stdin=stdin, within=within)

    def restore(self, dump: Path, *options: str) -> None:
        """pg_restore of this file into the database, which is empty. Raises Failed with RestoreFailed."""
        words = ["pg_restore", "--no-password", "--exit-on-error", f"--dbname={self.name}", *options, str(dump)]
        ended = self.programs.run(words, env={**CONNECT, **self.env})
        if ended.code:
            raise Failed(Reason.RESTORE_FAILED, f"pg_restore: {said_by(ended)}")

    def content(self) -> tuple[int, int]:
        """How many tables there are, and the bytes of their rows."""
        sql = (
            "SELECT count(*), coalesce(sum(pg_relation_size(c.oid)), 0) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE c.relkind IN ('r', 'p') AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'"
        )
        ((tables, size),) = self.ask(sql)
        return int(tables), int(size)


def rows_of(ended: Ended) -> list[list[str]]:
    """The rows that psql printed."""
    return [row.split(_FIELD) for row in ended.out.split(_RECORD)] if ended.out else []


def said_by(ended: Ended) -> str:
    """The last words of a program of PostgreSQL, on one line."""
    return " ".join(ended.err.split())[-1200:] or f"it ended with {ended.code} and said nothing"


@contextmanager
def scratch_server(programs: Programs) -> Iterator[Database]:
    """A server of our own in the scratch volume, reached by a socket there, and its empty database `verify`."""
    folder = programs.scratch / "pg"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    prefix: tuple[str, ...] = ()
    if os.geteuid() == 0:
        os.chown(folder, _NOBODY, _NOBODY)
    if os.geteuid() == 0 and not programs.has_postgres_elsewhere:
        prefix = ("setpriv", f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups", "--")
    data = folder / "data"
    made = programs.run(
        [*prefix, "initdb", "--username=verify", "--auth=trust", "--no-locale", "--encoding=UTF8", "--no-sync", f"--pgdata={data}"]
    )
    if made.code:
        hint = "; the image of the source needs PostgreSQL's server, too" if made.code == 127 and programs.has_postgres_elsewhere else ""
        raise Failed(Reason.RESTORE_FAILED, f"initdb: {said_by(made)}{hint}")
    # What is lost when it dies is made again.
    settings = {"listen_addresses": "", "unix_socket_directories": folder, "fsync": "off", "full_page_writes": "off", "autovacuum": "off"}
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    nothing = {name: None for name in programs.env if name.startswith("PG")}
    there: dict[str, str | None] = {**nothing, "PGHOST": str(folder), "PGPORT": "5432", "PGUSER": "verify", "PGDATABASE": "postgres"}
    database = Database(programs, there)
    with programs.serving(
        [*prefix, "postgres", "-D", data, *options],
        programs.scratch / "postgres.log",
        lambda: database.psql("--command=SELECT 1").code == 0,
        START,
    ):
        database.ask("CREATE DATABASE verify TEMPLATE template0")
        yield database.named("verify")


def add_roles(database: Database, dump: Path) -> None:
    """Makes the roles that policies in the dump name: it cannot be restored without them, and does not hold them."""
    listed = database.programs.run(["pg_restore", "--schema-only", "--file=-", dump])
    names = {name.strip().strip('"') for found in _MISSING_ROLES.findall(listed.out) for name in found.split(",")}
    for name in sorted(names - {"PUBLIC", "CURRENT_USER", "CURRENT_ROLE", "SESSION_USER"}):
        database.ask('CREATE ROLE :"role"', role=name)


def assert_true(database: Database, sql: str, within: float) -> None:
    """Raises Failed with AssertionFailed unless the SQL gives one row of one true value within seconds."""
    if sql.lstrip().startswith("\\"):
        raise _not_true("the sql begins with a backslash: it is a command of psql, and no SQL")
    late = f"the sql gave no answer within {within:.0f} s"
    try:
        ended = database.psql(f"--command={sql}", within=within + 10, env={"PGOPTIONS": f"-c statement_timeout={within * 1000:.0f}"})
    except OutOfTime:
        raise _not_true(late) from None
    if "statement timeout" in ended.err:
        raise _not_true(late)
    if ended.code:
        raise _not_true(f"the sql failed: {said_by(ended)}")
    if wrong := _not_one_truth(rows_of(ended)):
        raise _not_true(f"the sql gave {wrong}: one row with one true value passes")


def _not_one_truth(rows: list[list[str]]) -> str:
    """What the rows are instead of a single true value; "" where they are that. A value may be anything, and is not said."""
    if len(rows) != 1:
        return f"{len(rows)} rows" if rows else "no row"
    if len(rows[0]) != 1:
        return f"{len(rows[0])} columns"
    return {"t": "", "f": "false", NULL: "null"}.get(rows[0][0], "a value that is neither true nor false")


def _not_true(message: str) -> Failed:
    return Failed(Reason.ASSERTION_FAILED, message)
