"""The dump of a database, made beside its name and given it once it is whole: a dump that was cut is none."""

import os
import re
import time
from collections.abc import Mapping, Sequence
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
#: Seconds within which a server may begin to answer. Where a cluster enforces NetworkPolicies, it knows the address of a new pod only a
#: moment after that has begun to run (2.5 s by kube-router), and refuses its connections until then.
PATIENCE = 20.0
_UNREACHED = (
    "connection refused",
    "could not connect",
    "could not translate host name",
    "no route to host",
    "timeout expired",
    "starting up",
)


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
    asked = _patiently(programs, ["psql", "-XAtq", "--no-password", "--command=SHOW server_version_num"], patience)
    if asked.code:
        raise _failure(asked, "psql")
    own = programs.run(["pg_dump", "--version"])
    refuse_newer(int(asked.out), own.out)
    # Not compressed: restic does that, and finds again what has not changed since the last dump.
    made = programs.run(["pg_dump", "--no-password", "--format=custom", "--compress=0", "--no-owner", f"--file={file}"], env=patience)
    if made.code:
        raise _failure(made, "pg_dump")


def reach(source: str, programs: Programs) -> None:
    """Waits until the server of a source answers, whatever it says, for PATIENCE at most. Who asks it next is told why it does not."""
    if source == "postgres":
        asked = ["psql", "-XAtq", "--no-password", "--command=SELECT 1"]
        _patiently(programs, asked, {"PGCONNECT_TIMEOUT": programs.env.get("PGCONNECT_TIMEOUT", "15")})
    elif source == "redis":
        _patiently(programs, ["redis-cli", *where_it_is(programs), "--no-auth-warning", "PING"], password_of(programs))


def _patiently(programs: Programs, command: Sequence[str], env: Mapping[str, str | None]) -> Ended:
    """How it ended; begun anew each second, for PATIENCE, as long as it could not reach the server."""
    until = time.monotonic() + PATIENCE
    while True:
        ended = programs.run(command, env=env)
        said = f"{ended.err}\n{ended.out}".lower()
        if not ended.code or time.monotonic() > until or not any(words in said for words in _UNREACHED):
            return ended
        programs.pause(1.0)


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
    made = _patiently(programs, command, password_of(programs))
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
