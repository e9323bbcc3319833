"""A real PostgreSQL and a real Redis for tests, without a cluster: from Debian's packages, in a new folder, on Unix sockets alone.

with Postgres() as postgres:
    postgres.run("create table t (n int)")
    postgres.stop(kill=True)
    postgres.start()

As root, they run as the user nobody: PostgreSQL refuses to run as root. They end with the thread that started them.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from e2e.cluster.command import Argument, run
from e2e.cluster.packages import ensure_files

POSTGRES = Path("/usr/lib/postgresql/15/bin")
#: Debian's redis-server is this program under another name, in a package without a service.
REDIS = Path("/usr/bin/redis-check-rdb")
PACKAGES = {POSTGRES / "postgres": "postgresql-15", REDIS: "redis-tools"}
_NOBODY = 65534
PATIENCE_S = 30.0


def as_nobody() -> tuple[str, ...]:
    """What a command begins with so that it ends with whoever called it, and runs as nobody where this process is root's."""
    user = (f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups") if os.geteuid() == 0 else ()
    return ("setpriv", *user, "--pdeathsig", "KILL", "--")


class Server:
    """One server and its folder, which is removed at the end. It is started on entering; `stop` and `start` are for the test."""

    name: str

    def __init__(self) -> None:
        ensure_files(PACKAGES)
        self.folder = Path(tempfile.mkdtemp(prefix=f"{self.name}-"))
        if os.geteuid() == 0:
            os.chown(self.folder, _NOBODY, _NOBODY)
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Ends the server, and removes its folder."""
        self.stop(kill=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self) -> None:
        """Starts it with the data that it had, and returns when it answers."""
        raise NotImplementedError

    def stop(self, *, kill: bool = False) -> None:
        """Ends it: as it ends by itself, or at once and without a last word. Its data stays."""
        if self.process is None:
            return
        if kill:
            os.killpg(self.process.pid, signal.SIGKILL)
        else:
            self.process.send_signal(signal.SIGINT)
        self.process.wait(PATIENCE_S)
        self.process = None

    def _spawn(self, *argv: Argument) -> None:
        words = [*as_nobody(), *map(str, argv)]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(words, cwd=self.folder, stdout=log, stderr=log, start_new_session=True)

    def _answered(self, argv: Sequence[Argument]) -> None:
        """Calls a client until it succeeds."""
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            assert self.process
            if self.process.poll() is not None:
                break
            if subprocess.run([str(word) for word in argv], check=False, capture_output=True).returncode == 0:
                return
            # A process that ends is noticed at once, and nothing else says that a socket accepts.
            try:
                self.process.wait(0.1)
            except subprocess.TimeoutExpired:
                continue
        raise AssertionError(f"{self.name} does not answer: {(self.folder / 'log').read_text(errors='replace')[-2000:]}")


class Postgres(Server):
    """PostgreSQL 15 with a superuser `app` and a database `app`; the socket is in `folder`, and needs no password.

    Its data is written through (`fsync`) as in production; `environment` is what libpq and its kin read.
    """

    name = "postgres"

    @property
    def environment(self) -> dict[str, str]:
        return {"PGHOST": str(self.folder), "PGPORT": "5432", "PGUSER": "app", "PGDATABASE": "app"}

    def start(self) -> None:
        data = self.folder / "data"
        if not data.exists():
            options = ("--username=app", "--auth=trust", "--locale=C.UTF-8", "--encoding=UTF8", f"--pgdata={data}")
            run([*as_nobody(), POSTGRES / "initdb", *options], cwd=self.folder)
        is_new = not (self.folder / "log").exists()
        settings = ("listen_addresses=", f"unix_socket_directories={self.folder}", "max_connections=60", "shared_buffers=32MB")
        self._spawn(POSTGRES / "postgres", "-D", data, *(word for setting in settings for word in ("-c", setting)))
        self._answered([POSTGRES / "pg_isready", "--host", self.folder, "--username=app", "--dbname=postgres", "--timeout=1"])
        if is_new:
            self.run("create database app", database="postgres")

    def run(self, sql: str, database: str = "app") -> str:
        """What psql prints for this, without headers, columns apart by `|`. Raises ClusterError with what the server says."""
        plain = ("--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1")
        return run([POSTGRES / "psql", *plain, "--command", sql], env=self.environment | {"PGDATABASE": database}).strip()


class Redis(Server):
    """Redis 7, which writes each change through to its append-only file; its socket is `socket`.

    port: where it listens on 127.0.0.1, too; 0 for nowhere. options: more words for redis-server.
    """

    name = "redis"

    def __init__(self, port: int = 0, *options: str) -> None:
        self.port = port
        self.options = options
        super().__init__()

    @property
    def socket(self) -> Path:
        return self.folder / "redis.sock"

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    def start(self) -> None:
        settings = {
            "port": str(self.port),
            "bind": "127.0.0.1",
            "unixsocket": str(self.socket),
            "unixsocketperm": "777",
            "dir": str(self.folder),
            "save": "",
        }
        durable = {"appendonly": "yes", "appendfsync": "always"}
        options = [word for name, value in {**settings, **durable}.items() for word in (f"--{name}", value)]
        program = self.folder / "redis-server"
        if not program.exists():
            program.symlink_to(REDIS)
        self._spawn(program, *options, *self.options)
        # One that needs a password answers, too: -e would take its refusal for none.
        self._answered(["redis-cli", "-s", self.socket, "ping"])

    def lose_everything(self) -> None:
        """Ends it as a lost disk would: it starts again empty."""
        self.stop(kill=True)
        shutil.rmtree(self.folder / "appendonlydir", ignore_errors=True)
        self.start()

    def run(self, *words: str) -> str:
        """What redis-cli prints for this command. Raises ClusterError."""
        return run(["redis-cli", "-s", self.socket, "-e", *words]).strip()
