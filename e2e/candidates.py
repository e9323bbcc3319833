"""Several operators for the same services, of which one leads."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from itertools import groupby
from pathlib import Path

from e2e.faults import Call
from e2e.kube import Body, Kube
from e2e.rig import ACCOUNT, MERCY, SYSTEM, Run, operator_behind, subfolder

#: Seconds without a leader after SIGKILL (or a pause).
TAKEOVER_SECONDS = 20.0


@contextlib.asynccontextmanager
async def candidate(kube: Kube, kubeconfig: Path, folder: Path, namespace: str, name: str, *, restarts: int = 5) -> AsyncIterator[Run]:
    """One of several operators for a namespace, with the real Lease and a proxy of its own."""
    settings = {"HARDENED_LEADER_ELECT": "true", "HARDENED_IDENTITY": name, "HARDENED_LEASE_NAMESPACE": SYSTEM}
    async with operator_behind(kube, kubeconfig, subfolder(folder, name), namespace=namespace, settings=settings, restarts=restarts) as run:
        yield run


def holds(name: str) -> Callable[[Body | None], bool]:
    """Whether the Lease names this candidate."""
    return lambda lease: lease is not None and lease["spec"].get("holderIdentity") == name


async def until_leads(kube: Kube, name: str) -> None:
    await kube.until("Lease", ACCOUNT, SYSTEM, holds(name), within=MERCY * TAKEOVER_SECONDS)


def terms(runs: Mapping[str, Run]) -> list[str]:
    """Who wrote, in the order of the writes that took effect, each unbroken row of writes as one name. Events and Leases do not count."""
    return terms_in({name: run.proxy.writes for name, run in runs.items()})


def terms_in(writes: Mapping[str, Iterable[Call]]) -> list[str]:
    """The same, of these calls of each. One that was held on its way took effect when it ended, and not when it was sent."""
    found = [(call, name) for name, calls in writes.items() for call in calls if call.took_effect]
    return [name for name, _ in groupby(writer for _, writer in sorted(found, key=lambda write: write[0].finished or write[0].started))]
