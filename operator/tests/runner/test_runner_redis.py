"""Redis is dumped, looked at and brought back: with real servers that write append-only files."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.runner.pods import Pod, heeding_sigterm

from e2e.ports import free_port
from e2e.servers import Redis
from hardened.runner import replication
from hardened.runner.dump import dump_redis
from hardened.runner.failures import Failed, Reason
from hardened.runner.programs import Ended, Programs
from hardened.runner.redis_server import live, scratch_server

pytestmark = [pytest.mark.servers, pytest.mark.sampled(4)]
KEYS = 5000


@pytest.fixture(params=["open", "guarded"])
def server(request: pytest.FixtureRequest) -> Iterator[Redis]:
    """One that anybody may use, and one with a password for clients and another for replication."""
    guarded = ("--requirepass", "hunter2", "--masterauth", "another") if request.param == "guarded" else ()
    with Redis(free_port(), "--repl-diskless-sync-delay", "0", *guarded) as redis:
        yield redis


@pytest.fixture
def programs(server: Redis, pod: Pod) -> Programs:
    password = {"REDISCLI_AUTH": "hunter2"} if "--requirepass" in server.options else {}
    return pod.programs(REDIS_HOST="127.0.0.1", REDIS_PORT=str(server.port), **password)


@pytest.fixture
def dump(programs: Programs, scratch: Path) -> Path:
    """Of many keys in the first database, and one in the fourth."""
    client = live(programs)
    client.ask("EVAL", f"for n = 1, {KEYS} do redis.call('SET', 'key-' .. n, 'value-' .. n) end", "0")
    client.ask("EVAL", "redis.call('SELECT', 3); redis.call('SET', 'other', 'there')", "0")
    dump_redis(scratch / "dump.rdb", programs)
    return scratch / "dump.rdb"


def test_a_dump_comes_back_alone_and_survives_a_restart(programs: Programs, dump: Path, server: Redis) -> None:
    client = live(programs)
    client.ask("FLUSHALL")
    client.ask("MSET", "key-1", "spoilt", "newer", "1")
    assert replication.replace(programs, dump) == f"{KEYS + 1} keys are restored"
    for _ in range(2):
        assert client.keys() == {"db0": KEYS, "db3": 1}
        assert (client.ask("GET", "key-1"), client.ask("EXISTS", "newer")) == ("value-1", "0")
        assert client.info("replication")["role"] == "master"
        server.stop(kill=True)
        server.start()
    assert client.ask("SET", "key-2", "written since") == "OK"


def test_a_server_of_another_image_gives_what_it_has_loaded_and_ends(programs: Programs, dump: Path) -> None:
    client = live(programs)
    client.ask("FLUSHALL")
    client.ask("SET", "newer", "1")
    port = free_port()
    command = ["setpriv", "--pdeathsig", "KILL", "redis-server", "--dir", str(dump.parent), "--port", str(port), "--save", ""]
    with subprocess.Popen([*command, "--protected-mode", "no"], env=dict(programs.env), stdout=subprocess.DEVNULL) as other:
        assert replication.replace_by(programs, port) == f"{KEYS + 1} keys are restored"
        assert other.wait(60) == 0
    assert client.keys() == {"db0": KEYS, "db3": 1}


def test_what_a_killed_restore_has_left_is_made_whole_by_the_next(programs: Programs, dump: Path) -> None:
    client = live(programs)
    client.ask("REPLICAOF", "127.0.0.1", str(free_port()))
    assert client.call("SET", "key-1", "x").code != 0
    replication.replace(programs, dump)
    assert (client.keys(), client.ask("SET", "key-1", "x")) == ({"db0": KEYS, "db3": 1}, "OK")


def test_a_restore_that_is_told_to_end_leaves_a_server_that_takes_writes(programs: Programs, dump: Path) -> None:
    """Nobody else ends the replication from a pod that is gone."""

    class Told(Programs):
        def run(self, argv: Sequence[str | Path], **more: Any) -> Ended:
            ended = super().run(argv, **more)
            if "REPLICAOF" in argv and "NO" not in argv:
                os.kill(os.getpid(), signal.SIGTERM)
            return ended

    with heeding_sigterm(told := Told(programs.env, programs.scratch)), pytest.raises(Failed) as caught:
        replication.replace(told, dump)
    assert caught.value.reason == Reason.INTERRUPTED
    assert (live(programs).info("replication")["role"], live(programs).ask("SET", "key-1", "x")) == ("master", "OK")


def test_a_dump_that_was_cut_changes_nothing(programs: Programs, dump: Path) -> None:
    dump.write_bytes(dump.read_bytes()[: dump.stat().st_size // 2])
    client = live(programs)
    client.ask("SET", "newer", "1")
    with pytest.raises(Failed) as caught:
        replication.replace(programs, dump)
    assert caught.value.reason == Reason.RESTORE_FAILED
    assert "Unexpected EOF" in caught.value.message or "Short read" in caught.value.message
    assert (client.keys()["db0"], client.info("replication")["role"]) == (KEYS + 1, "master")


def test_a_dump_is_loaded_by_a_server_of_our_own(programs: Programs, dump: Path) -> None:
    with scratch_server(programs, dump) as client:
        assert client.keys() == {"db0": KEYS, "db3": 1}


@pytest.mark.parametrize("server", ["guarded"], indirect=True)
@pytest.mark.parametrize(
    ("env", "said"),
    [
        pytest.param({"REDISCLI_AUTH": "wrong-one"}, "WRONGPASS", id="another password"),
        pytest.param({"REDISCLI_AUTH": ""}, "NOAUTH", id="no password"),
        pytest.param({"REDIS_PORT": "1"}, "refused", id="nobody there"),
    ],
)
def test_a_dump_that_cannot_be_had_says_why(env: dict[str, str], said: str, server: Redis, pod: Pod, scratch: Path) -> None:
    programs = pod.programs(**{"REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(server.port), "REDISCLI_AUTH": "hunter2"} | env)
    with pytest.raises(Failed) as caught:
        dump_redis(scratch / "dump.rdb", programs)
    assert caught.value.reason == Reason.DUMP_FAILED
    assert said in caught.value.message
    assert "wrong-one" not in caught.value.message
