"""Requests at a fixed pace to a Service, from within a node's network, and what became of them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from e2e.cluster.local.cluster import LocalCluster
from e2e.kube import Kube

#: Seconds after which traffic ends by itself that was to be sent until further notice.
MOST_SECONDS = 1800.0


@dataclass(frozen=True)
class Sent:
    """requests: all that were due; failed: those without a whole reply, or with a status of 400 and above.

    versions: by the version in the reply, {replies, first, last}: seconds since the first request until the first reply was there, and
    until the last request was sent that got it.
    """

    requests: int
    failed: int
    versions: dict[str, dict[str, Any]]
    figures: dict[str, Any]


async def send(
    local: LocalCluster, kube: Kube, namespace: str, *, rate: int, seconds: float, connections: int = 0, name: str = "web"
) -> Sent:
    """Sends to port 80 of the Service `web`. connections: kept alive and used in turn; 0: a new one for each request."""
    argv = await _arguments(kube, namespace, rate, seconds, connections)
    done = await asyncio.to_thread(local.run_in_node, 0, argv, timeout=seconds + 60)
    return _sent(done.stdout)


@contextlib.asynccontextmanager
async def sending(
    local: LocalCluster, kube: Kube, namespace: str, *, rate: int, connections: int = 0
) -> AsyncIterator[asyncio.Future[Sent]]:
    """Sends until the end of the block; then the future has what was sent. Connections as for `send`."""
    argv = local.in_node(0, await _arguments(kube, namespace, rate, MOST_SECONDS, connections))
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*argv, stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=pipe)
    sent: asyncio.Future[Sent] = asyncio.get_running_loop().create_future()
    try:
        assert process.stderr
        await process.stderr.readline()  # it says that it begins
        yield sent
        process.terminate()
        printed, said = await asyncio.wait_for(process.communicate(), 60)
        assert printed, f"the generator said: {said.decode()}"
        sent.set_result(_sent(printed.decode()))
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _arguments(kube: Kube, namespace: str, rate: int, seconds: float, connections: int) -> list[str]:
    service = await kube.get("Service", "web", namespace)
    assert service, "there is no Service web"
    argv = [
        sys.executable, "-m", "hardened.load", "--host", service["spec"]["clusterIP"], "--port", "80", "--rate", rate,
        "--duration", f"{seconds:g}s", "--mark-json", "version", "--connections", connections, "--timeout", "5s", "--brief",
    ]  # fmt: skip
    if connections:
        # As HTTP has it: a kept connection that is closed without an answer tells nothing of the request.
        argv.append("--retry-idle-close")
    return [str(arg) for arg in argv]


def _sent(report: str) -> Sent:
    found = json.loads(report)
    figures = found["figures"]
    assert figures is not None, found["reasons"]
    return Sent(figures["requests"], figures["failed"], figures["marks"], figures)
