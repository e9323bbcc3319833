"""Ports for what a test starts."""

from __future__ import annotations

import contextlib
import itertools
import os
import socket

#: Ports that the kernel gives to nobody who asks for any: what is free there stays free until it is bound, a second or more later.
_PORTS = range(15_000, 30_000)
_next_port = itertools.count(os.getpid() * 128)


def free_port() -> int:
    """A port of 127.0.0.1 that is free, another one each time. Processes side by side begin at places of their own."""
    while True:
        port = _PORTS[next(_next_port) % len(_PORTS)]
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
