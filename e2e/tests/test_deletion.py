"""Deleting needs no operator: nothing waits for it, nothing is left behind, and data outlives its service."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from e2e.damage import CLAIM, child
from e2e.figures import figures
from e2e.kube import Kube
from e2e.rig import CHILDREN, MERCY, Run, operator_behind, running, serve, web

#: Seconds until the garbage collector has taken all children, pods with a grace period of 5 s among them.
GONE_SECONDS = 20.0
OWNED = tuple(kind for kind in CHILDREN if kind != "PersistentVolumeClaim")

pytestmark = pytest.mark.usefixtures("rights")


async def finalizers(run: Run) -> dict[str, list[str]]:
    """The finalizers of the service and of its children, but for the one that Kubernetes itself puts on claims."""
    found = {}
    for kind in ("HardenedService", *CHILDREN):
        for live in await run.kube.list(kind, run.namespace):
            if names := set(live["metadata"].get("finalizers", [])) - {"kubernetes.io/pvc-protection"}:
                found[f"{kind} {live['metadata']['name']}"] = sorted(names)
    return found


async def until_no_orphan(kube: Kube, namespace: str) -> None:
    """Waits until nothing owned by a service `web`, or by its Deployment, is left."""
    for kind in (*OWNED, "ReplicaSet", "Pod"):
        for live in await kube.list(kind, namespace, "hardened.dev/service=web"):
            await kube.until(kind, live["metadata"]["name"], namespace, lambda found: found is None, within=MERCY * GONE_SECONDS)


async def volume_of(run: Run) -> str:
    """The uid of the volume that the service's claim is bound to."""
    claim = await child(run.kube, run.namespace, "PersistentVolumeClaim")
    volume = await run.kube.get("PersistentVolume", claim["spec"]["volumeName"])
    assert volume
    assert volume["status"]["phase"] == "Bound"
    return str(volume["metadata"]["uid"])


@pytest.mark.cluster
def test_with_the_operator_gone_a_service_goes_its_claim_stays_and_is_taken_again(kubeconfig: Path, tmp_path: Path) -> None:
    async def all_of_it() -> None:
        async with running(kubeconfig, tmp_path, name="delete") as run:
            await serve(run, web(run.namespace, volumes=[CLAIM]))
            assert await finalizers(run) == {}
            claim, volume = await child(run.kube, run.namespace, "PersistentVolumeClaim"), await volume_of(run)
            await run.operator.stop()
            begun = time.monotonic()
            await run.kube.delete("HardenedService", "web", run.namespace)
            await run.kube.until("HardenedService", "web", run.namespace, lambda live: live is None, within=MERCY)
            await until_no_orphan(run.kube, run.namespace)
            seconds = time.monotonic() - begun
            assert await volume_of(run) == volume
            async with operator_behind(run.kube, kubeconfig, tmp_path, namespace=run.namespace):
                await serve(run, web(run.namespace, "v2", volumes=[CLAIM]))
            again = await child(run.kube, run.namespace, "PersistentVolumeClaim")
            assert again["metadata"]["uid"] == claim["metadata"]["uid"]
            assert await volume_of(run) == volume
            figures("service deleted without operator", seconds=seconds)

    asyncio.run(all_of_it())


@pytest.mark.cluster
def test_with_the_operator_gone_a_namespace_goes_with_all_that_is_in_it(kubeconfig: Path, tmp_path: Path) -> None:
    async def all_of_it() -> None:
        async with running(kubeconfig, tmp_path, name="delete") as run:
            await serve(run, web(run.namespace))
            await run.operator.stop()
            await run.kube.delete("Namespace", run.namespace)
            _, seconds = await run.kube.until("Namespace", run.namespace, None, lambda live: live is None, within=MERCY * GONE_SECONDS)
            figures("namespace deleted without operator", seconds=seconds)

    asyncio.run(all_of_it())


@pytest.mark.full
def test_deleted_while_the_operator_works_on_it_nothing_is_made_anew(kubeconfig: Path, tmp_path: Path) -> None:
    async def all_of_it() -> None:
        async with running(kubeconfig, tmp_path, name="delete") as run:
            for propagation in ("Background", "Foreground"):
                await run.kube.apply(web(run.namespace))
                # In the middle of its first writes.
                await run.kube.until("ServiceAccount", "web", run.namespace, lambda live: live is not None, within=MERCY * 5)
                await run.kube.delete("HardenedService", "web", run.namespace, propagation=propagation)
                await run.kube.until("HardenedService", "web", run.namespace, lambda live: live is None, within=MERCY * GONE_SECONDS)
                await run.proxy.until_quiet(2, within=30)
                await until_no_orphan(run.kube, run.namespace)
            assert not run.operator.exits

    asyncio.run(all_of_it())
