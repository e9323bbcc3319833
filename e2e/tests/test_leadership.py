"""Of several operators exactly one works, whatever happens to it, and the next one takes over in time."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from pathlib import Path

import pytest

from e2e.candidates import TAKEOVER_SECONDS, allow_leaders, candidate, terms, until_leads
from e2e.cluster.local.cluster import LocalCluster
from e2e.figures import figures
from e2e.install import install
from e2e.kube import Body, Kube
from e2e.rig import ACCOUNT, MERCY, SYSTEM, canary, fresh_namespace

#: Seconds without a leader after SIGTERM.
HANDOVER_SECONDS = 3.0
#: Longer than a Lease lives.
PAUSE_SECONDS = 20.0

pytestmark = pytest.mark.usefixtures("rights")


@pytest.mark.cluster
def test_a_leader_that_is_paused_killed_or_ended_is_followed_by_one_other(kubeconfig: Path, tmp_path: Path) -> None:
    async def all_of_it() -> None:
        async with Kube(kubeconfig) as kube, fresh_namespace(kube, "lead") as namespace, contextlib.AsyncExitStack() as stack:
            await allow_leaders(kube, namespace)
            runs = {"a": await stack.enter_async_context(candidate(kube, kubeconfig, tmp_path, namespace, "a"))}
            await until_leads(kube, namespace, "a")
            runs["b"] = await stack.enter_async_context(candidate(kube, kubeconfig, tmp_path, namespace, "b", restarts=0))
            await canary(kube, namespace, within=MERCY * HANDOVER_SECONDS)
            a, b = runs["a"].operator, runs["b"].operator

            await a.pause()
            paused = await canary(kube, namespace, within=MERCY * TAKEOVER_SECONDS)
            await until_leads(kube, namespace, "b")
            await asyncio.sleep(max(0.0, PAUSE_SECONDS - paused))  # how long it is paused is the fault, not a wait
            await a.resume()
            ended = await a.wait_exit(within=MERCY * HANDOVER_SECONDS)
            assert ended.code == 1, "who lost the Lease ends, and begins anew as a candidate"
            await canary(kube, namespace, within=MERCY * HANDOVER_SECONDS)
            assert terms(runs) == ["a", "b"], "after its pause the old leader wrote nothing"

            await a.wait_log("starts in", count=2, within=MERCY * 5)
            await b.kill()
            killed = await canary(kube, namespace, within=MERCY * TAKEOVER_SECONDS)
            await until_leads(kube, namespace, "a")

            runs["c"] = await stack.enter_async_context(candidate(kube, kubeconfig, tmp_path, namespace, "c"))
            await runs["c"].proxy.until(lambda call: call.resource == "leases", within=MERCY * 10)
            begun, ending = time.monotonic(), asyncio.create_task(a.stop())
            while terms(runs)[-1] != "c":  # the old leader may still do what it has begun
                await canary(kube, namespace, within=MERCY * HANDOVER_SECONDS)
            ended_s = time.monotonic() - begun
            await ending
            assert ended_s < MERCY * HANDOVER_SECONDS
            assert terms(runs) == ["a", "b", "a", "c"]
            figures("leadership", paused_seconds=paused, killed_seconds=killed, ended_seconds=ended_s)

    asyncio.run(all_of_it())


def processes_of(identity: str) -> list[int]:
    """The processes on this machine whose environment says that they are this operator: a pod's, seen from outside of it."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if f"HARDENED_IDENTITY={identity}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
    return found


def metric(local: LocalCluster, address: str, name: str) -> float:
    """One figure of a pod's metrics, read over the cluster's network."""
    done = local.run_in_node(0, ["curl", "--silent", "--fail", f"http://{address}:9090/metrics"])
    return next(float(line.split()[1]) for line in done.stdout.splitlines() if line.startswith(f"{name} "))


async def pods(kube: Kube) -> list[Body]:
    found = await kube.list("Pod", SYSTEM, f"app.kubernetes.io/instance={ACCOUNT}")
    return [pod for pod in found if not pod["metadata"].get("deletionTimestamp")]


@pytest.mark.cluster
def test_of_two_installed_replicas_one_leads_and_the_other_takes_over(local: LocalCluster, kubeconfig: Path) -> None:
    async def leader(kube: Kube) -> str:
        lease, _ = await kube.until("Lease", ACCOUNT, SYSTEM, lambda found: bool(found and found["spec"].get("holderIdentity")), within=60)
        return str(lease["spec"]["holderIdentity"]) if lease else ""

    async def all_of_it() -> None:
        async with Kube(kubeconfig) as kube, fresh_namespace(kube, "lead") as namespace:
            await canary(kube, namespace, within=MERCY * TAKEOVER_SECONDS)
            running = await pods(kube)
            leads = {pod["metadata"]["name"]: metric(local, pod["status"]["podIP"], "hardened_leader") for pod in running}
            first = await leader(kube)
            assert sorted(leads.values()) == [0, 1]
            assert leads[first] == 1

            ended = processes_of(first)
            assert ended
            for pid in ended:
                os.kill(pid, signal.SIGKILL)
            killed = await canary(kube, namespace, within=MERCY * TAKEOVER_SECONDS)

            second = await leader(kube)
            begun = time.monotonic()
            await kube.call("DELETE", f"api/v1/namespaces/{SYSTEM}/pods/{second}")
            # It leads until it has been told to end: what it handles until then is no handover.
            await kube.until(
                "Lease",
                ACCOUNT,
                SYSTEM,
                lambda found: bool(found and found["spec"].get("holderIdentity") not in ("", None, second)),
                within=MERCY * HANDOVER_SECONDS,
            )
            deleted = time.monotonic() - begun
            await canary(kube, namespace, within=MERCY * HANDOVER_SECONDS)
            figures("leadership of installed replicas", killed_seconds=killed, deleted_seconds=deleted)

    install(local)
    try:
        asyncio.run(all_of_it())
    finally:
        install(local, helm_args=("--set", "replicas=0"))
