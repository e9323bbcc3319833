"""Requests at a fixed pace to a Service, from within a node's network, and what became of them."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import dataclass
from typing import Any

from e2e.cluster.local.cluster import LocalCluster
from e2e.kube import Kube


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
    """Sends to port 80 of a Service. connections: kept alive and used in turn; 0: a new one for each request."""
    service = await kube.get("Service", "web", namespace)
    assert service, "there is no Service web"
    argv = [
        sys.executable, "-m", "hardened.load", "--host", service["spec"]["clusterIP"], "--port", "80", "--rate", rate,
        "--duration", f"{seconds:g}s", "--mark-json", "version", "--connections", connections, "--timeout", "5s", "--brief",
    ]  # fmt: skip
    if connections:
        # As HTTP has it: a kept connection that is closed without an answer tells nothing of the request.
        argv.append("--retry-idle-close")
    done = await asyncio.to_thread(local.run_in_node, 0, [str(arg) for arg in argv], timeout=seconds + 60)
    found = json.loads(done.stdout)
    figures = found["figures"]
    assert figures is not None, found["reasons"]
    return Sent(figures["requests"], figures["failed"], figures["marks"], figures)
