"""The dump of a database, made beside its name and given it once it is whole: a dump that was cut is none."""

import os
import re
import time
from datetime import UTC, datetime
from pathlib import Path

from hardened.runner.backup import DUMPED_AT
from hardened.runner.failures import Failed, Reason
from hardened.runner.fields import BadTask
from hardened.runner.programs import Ended, Programs
from hardened.runner.redis_server import password_of, where_it_is
from hardened.runner.report import Outcome, Report, stamp
from hardened.runner.task import BackupTask

_RDB = re.compile(rb"REDIS\d{4}")
_NEWER = ("server version mismatch",)
_FULL = "no space left on device"


def dump(task: BackupTask, programs: Programs) -> Report:
    """Writes the dump that the task's source asks for. Raises Failed, or BadTask where its source has none of ours."""
    if task.dump is None:
        raise BadTask(f"a {task.source} needs no dump")
    began, started_at = time.monotonic(), datetime.now(UTC)
    partial = task.dump.with_name(task.dump.name + ".partial")
    task.path.mkdir(parents=True, exist_ok=True)
    {"postgres": dump_postgres, "redis": dump_redis}[task.source](partial, programs)
    (programs.scratch / DUMPED_AT).write_text(stamp(started_at))
    os.replace(partial, task.dump)
    return Report("dump", Outcome("Succeeded"), seconds=time.monotonic() - began, dumped_at=started_at)


def dump_postgres(file: Path, programs: Programs) -> None:
    """The database that the environment names, into that file. Raises Failed."""
    patience = {"PGCONNECT_TIMEOUT": programs.env.get("PGCONNECT_TIMEOUT", "15")}
    asked = programs.run(["psql", "-XAtq", "--no-password", "--command=SHOW server_version_num"], env=patience)
    if asked.code:
        raise _failure(asked, "psql")
    own = programs.run(["pg_dump", "--version"])
    refuse_newer(int(asked.out), own.out)
    # Not compressed: restic does that, and finds again what has not changed since the last dump.
    made = programs.run(["pg_dump", "--no-password", "--format=custom", "--compress=0", "--no-owner", f"--file={file}"], env=patience)
    if made.code:
        raise _failure(made, "pg_dump")


def refuse_newer(server: int, own: str) -> None:
    """Raises Failed where the server is of a later major version than pg_dump.

    server: server_version_num, e.g. 160004; own: what `pg_dump --version` says, e.g. "pg_dump (PostgreSQL) 15.18 (Debian 15.18-0)".
    """
    found = re.search(r"(\d+)(\.|devel|beta|rc)", own)
    if not found:
        raise Failed(Reason.DUMP_FAILED, f"pg_dump does not say its version: {own[:100]}")
    if server // 10_000 > int(found[1]):
        message = (
            f"the server is PostgreSQL {server // 10_000}, and pg_dump is {found[1]}: it cannot dump a newer server; "
            f"use an image with pg_dump {server // 10_000}"
        )
        raise Failed(Reason.SERVER_IS_NEWER, message)


def dump_redis(file: Path, programs: Programs) -> None:
    """All databases of the server that the environment names, into that file. Raises Failed."""
    command = ["redis-cli", *where_it_is(programs), "--no-auth-warning", "--rdb", str(file)]
    made = programs.run(command, env=password_of(programs))
    if made.code or not file.is_file():
        raise _failure(Ended(made.code, "", f"{made.err}\n{programs.redacted(made.out)}"), "redis-cli")
    with file.open("rb") as stream:
        if not _RDB.match(stream.read(9)):
            raise Failed(Reason.DUMP_FAILED, "redis-cli wrote what is no RDB file")


def _failure(ended: Ended, program: str) -> Failed:
    said = " ".join(ended.err.split())[-1500:] or f"it ended with {ended.code} and said nothing"
    if _FULL in said.lower():
        return Failed(Reason.SCRATCH_FULL, f"{program}: {said}")
    if any(word in said for word in _NEWER):
        return Failed(Reason.SERVER_IS_NEWER, f"{program}: {said}")
    return Failed(Reason.DUMP_FAILED, f"{program}: {said}")
