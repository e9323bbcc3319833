"""Requests at a fixed pace to a Service, from within a node's network, and what became of them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from e2e.cluster.local.cluster import LocalCluster
from e2e.kube import Kube

#: Seconds that a generator may take to begin, and that it goes on at most: as long as a pytest run of this machine may.
START_S, MOST_S = 30, 7200
#: Seconds after which a request has failed: so long before the end of the sending it is known of all of them.
TIMEOUT_S = 5


@dataclass(frozen=True)
class Sent:
    """began: when the first was due, on the monotonic clock; requests: all that were due; failed: those without a whole reply, or with a
    status of 400 and above. What was under way at the end is neither.

    versions: by the version in the reply, {replies, first, last}: seconds since the first request until the first reply was there, and
    until the last request was sent that got it.
    """

    began: float
    requests: int
    failed: int
    versions: dict[str, dict[str, Any]]
    figures: dict[str, Any]

    def failed_between(self, since: float, until: float) -> int:
        """Those that failed of what was due in the whole seconds between two moments of the monotonic clock."""
        first, last = math.ceil(since - self.began), math.floor(until - self.began)
        return sum(self.figures["failedBySecond"][max(0, first) : max(0, last)])

    def last_of(self, version: str) -> float:
        """When the last request was sent that this version answered, on the monotonic clock."""
        return self.began + float(self.versions[version]["last"])


@dataclass
class Sending:
    """Requests on their way. began: as in Sent."""

    began: float
    _sent: Sent | None = None

    @property
    def sent(self) -> Sent:
        """What became of them, once the block is over."""
        assert self._sent, "the requests are still being sent"
        return self._sent


@contextlib.asynccontextmanager
async def sending(
    local: LocalCluster, kube: Kube, namespace: str, *, rate: float, connections: int = 0, name: str = "web"
) -> AsyncIterator[Sending]:
    """Sends to port 80 of a Service for the block, from before it begins. connections: kept alive and used in turn; 0: always new ones."""
    service = await kube.get("Service", name, namespace)
    assert service, f"there is no Service {name}"
    argv = [
        sys.executable, "-m", "hardened.load", "--host", service["spec"]["clusterIP"], "--port", "80", "--rate", str(rate),
        "--duration", f"{MOST_S}s", "--mark-json", "version", "--connections", str(connections), "--timeout", f"{TIMEOUT_S}s",
    ]  # fmt: skip
    if connections:
        # As HTTP has it: a kept connection that is closed without an answer tells nothing of the request.
        argv.append("--retry-idle-close")
    process = await asyncio.create_subprocess_exec(*local.argv_in_node(0, argv), stdout=PIPE, stderr=PIPE)
    try:
        found = Sending(await _begun(process))
        yield found
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        said, complaint = await process.communicate()
    assert said, f"the generator ended without a word: {complaint.decode(errors='replace')}"
    found._sent = sent_of(json.loads(said), found.began)


async def _begun(process: Process) -> float:
    """The moment at which it says that it begins: it does so with its first request."""
    assert process.stderr
    line = await asyncio.wait_for(process.stderr.readline(), START_S)
    assert b"requests in" in line, f"the generator did not begin: {line.decode(errors='replace')}"
    return time.monotonic()


def sent_of(report: dict[str, Any], began: float) -> Sent:
    """A report of the generator. A run that was stopped has figures as any other."""
    figures = report["figures"]
    assert figures is not None, report["reasons"]
    return Sent(began, figures["requests"], figures["failed"], figures["marks"], figures)


@contextlib.asynccontextmanager
async def load(local: LocalCluster, kube: Kube, namespace: str, *, rate: float) -> AsyncIterator[tuple[Sending, Sending]]:
    """So many requests a second for the block, half of them on new connections and half on kept ones."""
    async with (
        sending(local, kube, namespace, rate=rate / 2) as new,
        sending(local, kube, namespace, rate=rate / 2, connections=20) as kept,
    ):
        yield new, kept
