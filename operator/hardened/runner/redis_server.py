"""Redis: a server of our own that has loaded a dump."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from hardened.runner.failures import Failed, Reason
from hardened.runner.programs import Ended, OutOfTime, Programs

#: Seconds that a server may take to load a dump.
LOADING = 900.0
#: Seconds that a command may take.
_ANSWER = 60.0


class Client:
    """One server, by redis-cli. where: the options that name it; env: REDISCLI_AUTH where it is not that of the environment; socket: of a
    server of our own."""

    def __init__(self, programs: Programs, where: Sequence[str], env: Mapping[str, str | None], socket: str = "") -> None:
        self._programs = programs
        self._where = where
        self._env = env
        self.socket = socket

    def use_password(self, password: str) -> None:
        """From now on."""
        self._env = {"REDISCLI_AUTH": password}

    def call(self, *words: str) -> Ended:
        """One command. An error of the server is an exit status."""
        try:
            return self._programs.run(["redis-cli", *self._where, "--no-auth-warning", "-e", *words], env=self._env, within=_ANSWER)
        except OutOfTime:
            return Ended(1, "", f"no answer within {_ANSWER:.0f} s")

    def ask(self, *words: str) -> str:
        """What it answers. Raises Failed with RestoreFailed."""
        ended = self.call(*words)
        if ended.code:
            said = " ".join(f"{ended.err} {self._programs.redacted(ended.out)}".split())[-600:]
            raise Failed(Reason.RESTORE_FAILED, f"redis-cli {words[0]}: {said}")
        return ended.out

    def info(self, section: str) -> dict[str, str]:
        lines = self.ask("INFO", section).splitlines()
        return dict(line.split(":", 1) for line in lines if ":" in line)

    def keys(self) -> dict[str, int]:
        """How many keys each of its databases has. Example: {"db0": 12}."""
        return {name: int(value.split("keys=")[1].split(",")[0]) for name, value in self.info("keyspace").items()}


def live(programs: Programs) -> Client:
    """The server that the environment names."""
    return Client(programs, where_it_is(programs), password_of(programs))


def where_it_is(programs: Programs) -> list[str]:
    """The options of redis-cli for the server that the environment names."""
    env = programs.env
    user = ["--user", env["REDIS_USER"]] if env.get("REDIS_USER") else []
    return ["-h", env.get("REDIS_HOST", "127.0.0.1"), "-p", env.get("REDIS_PORT", "6379"), *user]


def password_of(programs: Programs) -> dict[str, str | None]:
    """What redis-cli reads for it. An empty password is none: it would be refused by a server without one."""
    return {"REDISCLI_AUTH": programs.env.get("REDISCLI_AUTH") or None}


@contextmanager
def scratch_server(programs: Programs, dump: Path, *options: str) -> Iterator[Client]:
    """A server of our own that has loaded the dump; it cannot be reached by the network unless the options say so."""
    folder = programs.scratch / "redis"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shutil.copyfile(dump, folder / "dump.rdb")
    socket = folder / "redis.sock"
    settings = ["--dir", str(folder), "--dbfilename", "dump.rdb", "--save", "", "--appendonly", "no", "--unixsocket", str(socket)]
    client = Client(programs, ["-s", str(socket)], {"REDISCLI_AUTH": None}, str(socket))
    with programs.serving(
        ["redis-server", "--port", "0", *settings, *options],
        programs.scratch / "redis.log",
        lambda: client.call("PING").out == "PONG",
        LOADING,
    ):
        yield client
