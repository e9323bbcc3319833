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


async def allow_leaders(kube: Kube, namespace: str) -> None:
    """Gives the operator's account the rights to a Lease in this namespace that it has in its own: each namespace can have a leader of its
    own, then."""
    for kind in ("Role", "RoleBinding"):
        for live in await kube.list(kind, SYSTEM):
            meta = {"name": live["metadata"]["name"], "namespace": namespace}
            rest = {key: value for key, value in live.items() if key in ("rules", "roleRef", "subjects")}
            await kube.create({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": meta, **rest})


@contextlib.asynccontextmanager
async def candidate(
    kube: Kube, kubeconfig: Path, folder: Path, namespace: str, name: str, *, restarts: int = 5, settings: Mapping[str, str] | None = None
) -> AsyncIterator[Run]:
    """One of several operators for a namespace that they are allowed to lead in, each with a proxy of its own. settings: more of them."""
    own = {"HARDENED_LEADER_ELECT": "true", "HARDENED_IDENTITY": name, "HARDENED_LEASE_NAMESPACE": namespace}
    settings = {**own, **(settings or {})}
    async with operator_behind(kube, kubeconfig, subfolder(folder, name), namespace=namespace, settings=settings, restarts=restarts) as run:
        yield run


def holds(name: str) -> Callable[[Body | None], bool]:
    """Whether the Lease names this candidate."""
    return lambda lease: lease is not None and lease["spec"].get("holderIdentity") == name


async def until_leads(kube: Kube, namespace: str, name: str) -> None:
    """Waits until this candidate leads in the namespace."""
    await kube.until("Lease", ACCOUNT, namespace, holds(name), within=MERCY * TAKEOVER_SECONDS)


def terms(runs: Mapping[str, Run]) -> list[str]:
    """Who wrote, in the order of the writes that took effect, each unbroken row of writes as one name. Events and Leases do not count."""
    return terms_in({name: run.proxy.writes for name, run in runs.items()})


def terms_in(writes: Mapping[str, Iterable[Call]]) -> list[str]:
    """The same, of these calls of each. One that was held on its way took effect when it ended, and not when it was sent."""
    found = [(call, name) for name, calls in writes.items() for call in calls if call.took_effect]
    return [name for name, _ in groupby(writer for _, writer in sorted(found, key=lambda write: write[0].finished or write[0].started))]
