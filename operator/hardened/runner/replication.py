"""Redis: the live server takes over a dump by replicating from a server of our own that has loaded it.

A dump laid beside a server that writes an append-only file is ignored. A replica takes all, drops what it had, and writes it to its own
files. A restore that was killed at once leaves a replica of nobody, with the data that it had, or all of the new, which takes no writes
before it is done again.
"""

import socket
import time
from pathlib import Path

from hardened.runner.failures import Failed, Reason
from hardened.runner.programs import Programs
from hardened.runner.redis_server import LOADING, Client, live, scratch_server

#: Seconds that the live server may take to copy everything.
COPYING = 3600.0
#: Seconds until it must have come for it.
REACHING = 120.0
#: Times that the numbers of keys are compared.
_TRIES = 50


def replace(programs: Programs, dump: Path) -> str:
    """The live server holds what the dump holds, and nothing else; how much that is. Raises Failed."""
    server, port = live(programs), _free_port()
    with scratch_server(programs, dump, "--port", str(port), "--bind", _own_address(programs), "--protected-mode", "no") as scratch:
        return _copied(server, scratch, port, programs)


def replace_by(programs: Programs, port: int) -> str:
    """The same, from a server of this pod that is not ours, has the dump, and listens on that port. It is shut down at the end."""
    scratch = Client(programs, ["-p", str(port)], {"REDISCLI_AUTH": None})
    began = time.monotonic()
    while scratch.call("PING").out != "PONG":
        if time.monotonic() - began > LOADING:
            raise Failed(Reason.RESTORE_FAILED, f"the scratch server on port {port} does not answer")
        programs.pause(0.2)
    try:
        return _copied(live(programs), scratch, port, programs)
    finally:
        scratch.call("SHUTDOWN", "NOSAVE")


def _copied(server: Client, scratch: Client, port: int, programs: Programs) -> str:
    # The only password that the live server would give to the one that it copies.
    if password := _setting(server, "masterauth"):
        programs.hide(password)
        scratch.ask("CONFIG", "SET", "requirepass", password)
        scratch.use_password(password)
    # It would wait for more replicas.
    scratch.call("CONFIG", "SET", "repl-diskless-sync-delay", "0")
    server.ask("REPLICAOF", _own_address(programs), str(port))
    try:
        _wait_for_copy(server, scratch, programs)
        found = _compared(server, scratch, programs)
    finally:
        with programs.tidying():  # a replica takes no writes, and would follow whoever gets the address of this pod
            server.ask("REPLICAOF", "NO", "ONE")
    return f"{found} keys are restored"


def _compared(server: Client, scratch: Client, programs: Programs) -> int:
    """How many keys both have. One that expires meanwhile is missed by one of them for a moment."""
    for _ in range(_TRIES):
        found, wanted = server.keys(), scratch.keys()
        if found == wanted:
            return sum(found.values())
        programs.pause(0.2)
    raise Failed(Reason.RESTORE_FAILED, f"the server has {sum(found.values())} keys of {sum(wanted.values())}")


def _wait_for_copy(server: Client, scratch: Client, programs: Programs) -> None:
    began = time.monotonic()
    while (waited := time.monotonic() - began) < COPYING:
        seen = server.info("replication")
        if seen.get("role") != "slave":
            raise Failed(Reason.RESTORE_FAILED, "somebody else has ended the replication")
        is_up, is_copying = seen.get("master_link_status") == "up", seen.get("master_sync_in_progress") == "1"
        if is_up and not is_copying:
            # Read after the other one: it only grows.
            if int(seen.get("slave_repl_offset", "-1")) >= int(scratch.info("replication")["master_repl_offset"]):
                return
        elif not is_copying and waited > REACHING and scratch.info("replication").get("connected_slaves") == "0":
            raise Failed(Reason.RESTORE_FAILED, f"the server has not reached this pod within {REACHING:.0f} s to copy from it")
        programs.pause(0.2)
    raise Failed(Reason.RESTORE_FAILED, f"the server did not copy everything within {COPYING:.0f} s")


def _setting(server: Client, name: str) -> str:
    """A setting of the server, or "" where it has none, or may not be asked."""
    ended = server.call("CONFIG", "GET", name)
    lines = ended.out.splitlines()
    return lines[1] if ended.code == 0 and len(lines) > 1 else ""


def _own_address(programs: Programs) -> str:
    """The address of this pod on the way to the live server."""
    host, port = programs.env.get("REDIS_HOST", "127.0.0.1"), int(programs.env.get("REDIS_PORT", "6379"))
    family, kind, _, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, kind) as probe:
        probe.connect(where)  # sends nothing
        return str(probe.getsockname()[0])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("", 0))
        return int(probe.getsockname()[1])
