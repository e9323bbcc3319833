"""Restores on a real cluster while what is around them is in the way: a paused Deployment, full quotas, drains, and what is deleted."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from e2e.actions import action
from e2e.backup_flow import BACKUP, JOB_SECONDS, is_over
from e2e.cluster.local.cluster import LocalCluster
from e2e.damage import REPAIR_SECONDS
from e2e.figures import figures
from e2e.install import backup_image_name, ensure_backup_image
from e2e.kube import Body, Kube, condition, is_ready, path_of
from e2e.restore_flow import files_in, is_backed_up_and_changed, locked_repository, with_volume
from e2e.rig import MERCY, Run, canary, fresh_namespace, operator_behind, running

pytestmark = [pytest.mark.full, pytest.mark.usefixtures("rights")]

SETTINGS = {"HARDENED_BACKUP_IMAGE": backup_image_name(), "HARDENED_ALLOW_RESTORE": "true"}
#: What the volume holds when it was restored, and before.
RESTORED = {"files": {"orders": "those of yesterday"}}
RUINED = {"files": {"orders": "ruined", "newer": "not in the snapshot"}}


def check(local: LocalCluster, folder: Path, act: Callable[[Run], Awaitable[None]]) -> None:
    """Does it with a service whose files have changed since they were backed up."""
    local.load([str(ensure_backup_image())])

    async def all_of_it() -> None:
        async with running(local.kubeconfig, folder, settings=SETTINGS, name="around") as run:
            await is_backed_up_and_changed(run)
            await act(run)
            assert not run.operator.exits

    asyncio.run(all_of_it())


async def asks(run: Run, verb: str, name: str) -> None:
    """For a Restore of the newest snapshot, or that one is given up."""
    live = await run.kube.get("HardenedService", "web", run.namespace)
    assert live
    snapshot = {"snapshot": live["status"]["backups"][0]["lastSuccess"]["snapshot"]} if verb == "Restore" else {}
    manifest = action(run.namespace, verb, by=await run.kube.username(), backup=BACKUP, **snapshot)
    await run.kube.create({**manifest, "metadata": {**manifest["metadata"], "name": name}})


async def until_web(run: Run, holds: Callable[[Body], Any], *, within: float = JOB_SECONDS) -> Body:
    """The service once it is so."""
    live, _ = await run.kube.until(
        "HardenedService", "web", run.namespace, lambda found: found is not None and bool(holds(found)), within=within
    )
    assert live
    return live


def hold_of(live: Body) -> Body:
    """{} for none."""
    found: Body = (live.get("status") or {}).get("hold") or {}
    return found


def ended(live: Body, name: str) -> tuple[str, str]:
    """How an action has ended, and what is said of it."""
    return next((entry["phase"], entry["message"]) for entry in live["status"]["actions"] if entry["name"] == name)


async def until_over(run: Run, name: str) -> tuple[str, str]:
    return ended(await until_web(run, is_over(name)), name)


async def running_pod(run: Run, selector: str, but: str = "") -> Body:
    """A pod that is at work, of another name."""
    async with asyncio.timeout(JOB_SECONDS):
        while True:
            for pod in await run.kube.list("Pod", run.namespace, selector):
                meta = pod["metadata"]
                if pod["status"].get("phase") == "Running" and meta["name"] != but and "deletionTimestamp" not in meta:
                    return pod
            await asyncio.sleep(0.2)  # the pace at which a list is asked for again


@contextlib.asynccontextmanager
async def at_work(run: Run, name: str = "r") -> AsyncIterator[None]:
    """For the block a Job restores, and does not come to its end."""
    async with locked_repository(run):
        await asks(run, "Restore", name)
        await running_pod(run, "hardened.dev/run=restore")
        yield


# ---- a Deployment that is paused


async def pause(run: Run) -> None:
    """As `kubectl rollout pause` does."""
    await run.kube.patch("Deployment", "web-blue", run.namespace, {"spec": {"paused": True}})


def goes_on(live: Body | None) -> bool:
    return live is not None and not live["spec"].get("paused")


def test_a_deployment_that_somebody_pauses_is_stopped_for_a_restore_and_comes_back(local: LocalCluster, tmp_path: Path) -> None:
    async def act(run: Run) -> None:
        await run.operator.pause()
        await pause(run)
        await asks(run, "Restore", "r")
        await run.operator.resume()
        assert (await until_over(run, "r"))[0] == "Succeeded"
        await until_web(run, is_ready)
        assert await files_in(run) == RESTORED

        async with at_work(run, "s"):
            await pause(run)
            _, seconds = await run.kube.until("Deployment", "web-blue", run.namespace, goes_on, within=MERCY * REPAIR_SECONDS)
        assert (await until_over(run, "s"))[0] == "Succeeded"
        await until_web(run, is_ready)
        figures("paused Deployment in a restore goes on", seconds=seconds)

        # A new version is rolled out, too.
        await run.operator.pause()
        await pause(run)
        await run.kube.apply(with_volume(run.namespace) | {"spec": with_volume(run.namespace)["spec"] | {"token": "another"}})
        await run.operator.resume()
        await until_web(run, lambda live: is_ready(live) and len(live["status"]["history"]) == 2)

    check(local, tmp_path, act)


# ---- quotas


async def set_quota(run: Run, hard: Body) -> None:
    """A ResourceQuota that counts from now on."""
    meta = {"name": "tight", "namespace": run.namespace}
    await run.kube.apply({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": meta, "spec": {"hard": hard}})
    await run.kube.until(
        "ResourceQuota", "tight", run.namespace, lambda live: bool(live and (live.get("status") or {}).get("hard") == hard), within=30
    )


def says(*words: str) -> Callable[[Body], bool]:
    """Whether all of it is said of the hold."""
    return lambda live: all(word in hold_of(live).get("message", "") for word in words)


def test_a_restore_waits_for_room_in_a_quota_and_can_be_given_up_and_pods_come_back_once_there_is_some(
    local: LocalCluster, tmp_path: Path
) -> None:
    async def act(run: Run) -> None:
        # Room for the Job that looks up, and not for the one that restores.
        await set_quota(run, {"count/jobs.batch": str(len(await run.kube.list("Job", run.namespace)) + 1)})
        await asks(run, "Restore", "r")
        await until_web(run, says("exceeded quota", "raise the ResourceQuota", "hardenctl abort web"))
        await asks(run, "Abort", "a")
        assert "nothing was changed" in (await until_over(run, "a"))[1]
        await until_web(run, is_ready)
        await set_quota(run, {"count/jobs.batch": "20"})

        # No room for its pod.
        await asks(run, "Restore", "s")
        await until_web(run, hold_of)
        await set_quota(run, {"pods": "0"})
        await until_web(run, says("exceeded quota", "raise the ResourceQuota"))
        await asks(run, "Abort", "b")
        assert (await until_over(run, "b"))[0] == "Succeeded"
        live = await until_web(run, lambda live: condition(live, "Ready").get("reason") == "QuotaExceeded")
        assert not hold_of(live)
        await set_quota(run, {"pods": "20"})
        await until_web(run, is_ready)
        assert await files_in(run) == RUINED

        # The same, and then there is; and none for the pods that are to come back.
        await asks(run, "Restore", "t")
        await until_web(run, hold_of)
        await set_quota(run, {"pods": "0"})
        await until_web(run, says("exceeded quota"))
        await set_quota(run, {"pods": "1"})
        await running_pod(run, "hardened.dev/run=restore")
        await set_quota(run, {"pods": "0"})
        assert (await until_over(run, "t"))[0] == "Succeeded"
        live = await until_web(run, lambda live: condition(live, "Ready").get("reason") == "QuotaExceeded")
        assert "raise the ResourceQuota" in condition(live, "Ready")["message"]
        began = asyncio.get_running_loop().time()
        await set_quota(run, {"pods": "20"})
        await until_web(run, is_ready)
        figures("pods come back once a quota has room", seconds=asyncio.get_running_loop().time() - began)
        assert await files_in(run) == RESTORED

    check(local, tmp_path, act)


# ---- drains


async def drain(run: Run, pod: Body) -> None:
    """What `kubectl drain` does to the node of a pod, and to that pod."""
    await cordon(run, pod["spec"]["nodeName"], True)
    meta = {"name": pod["metadata"]["name"], "namespace": run.namespace}
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": meta}
    await run.kube.call("POST", f"{path_of('Pod', run.namespace, meta['name'])}/eviction", body)


async def cordon(run: Run, node: str, is_closed: bool) -> None:
    patch = {"spec": {"unschedulable": is_closed}}
    await run.kube.call("PATCH", f"api/v1/nodes/{node}", patch, content_type="application/merge-patch+json")


def has_ended(pod: Body | None) -> bool:
    return pod is None or pod["status"].get("phase") == "Failed"


def test_a_backup_and_a_restore_whose_node_is_drained_in_the_middle_go_on_by_themselves(local: LocalCluster, tmp_path: Path) -> None:
    async def act(run: Run) -> None:
        for verb, selector in (("Backup", "app.kubernetes.io/component=backup,!hardened.dev/run"), ("Restore", "hardened.dev/run=restore")):
            async with locked_repository(run):
                await asks(run, verb, verb.lower())
                pod = await running_pod(run, selector)
                name = pod["metadata"]["name"]
                try:
                    await drain(run, pod)
                    await run.kube.until("Pod", name, run.namespace, has_ended, within=90)
                finally:
                    await cordon(run, pod["spec"]["nodeName"], False)
                again = await running_pod(run, selector, but=name)
                assert again["metadata"]["ownerReferences"] == pod["metadata"]["ownerReferences"], "the same Job goes on"
            assert (await until_over(run, verb.lower()))[0] == "Succeeded"
        await until_web(run, is_ready)

    check(local, tmp_path, act)


# ---- what is deleted


def test_a_claim_that_is_deleted_while_it_is_restored_starts_no_pod_without_its_data(local: LocalCluster, tmp_path: Path) -> None:
    async def act(run: Run) -> None:
        before = await run.kube.get("PersistentVolumeClaim", "web-data", run.namespace)
        assert before
        async with at_work(run):
            await run.kube.delete("PersistentVolumeClaim", "web-data", run.namespace)
        phase, said = await until_over(run, "r")
        assert (phase, "claim web-data was deleted meanwhile" in said) == ("Failed", True), said
        selector = "hardened.dev/service=web,hardened.dev/backup"
        assert f"kubectl delete jobs -n {run.namespace} -l {selector}" in said, "the claim stays as long as pods name it that have ended"
        for job in await run.kube.list("Job", run.namespace, selector):
            await run.kube.delete("Job", job["metadata"]["name"], run.namespace)
        await run.kube.until(
            "PersistentVolumeClaim", "web-data", run.namespace,
            lambda live: live is not None and live["metadata"]["uid"] != before["metadata"]["uid"], within=60,
        )  # fmt: skip
        live = await until_web(run, lambda live: condition(live, "Ready").get("reason") == "RestoreFailed")
        assert hold_of(live)["phase"] == "Failed"
        await asks(run, "Restore", "s")
        assert (await until_over(run, "s"))[0] == "Succeeded"
        await until_web(run, is_ready)
        assert await files_in(run) == RESTORED

    check(local, tmp_path, act)


def test_a_service_that_is_deleted_while_it_is_restored_goes_with_its_job_and_its_claim_tells_the_next_one(
    local: LocalCluster, tmp_path: Path
) -> None:
    async def act(run: Run) -> None:
        async with at_work(run):
            await run.kube.delete("HardenedService", "web", run.namespace)
            _, seconds = await run.kube.until("HardenedService", "web", run.namespace, lambda live: live is None, within=30)
            for kind in ("Deployment", "Job", "HardenedServiceAction"):
                for live in await run.kube.list(kind, run.namespace):
                    await run.kube.until(kind, live["metadata"]["name"], run.namespace, lambda found: found is None, within=60)
            await run.proxy.until_quiet(5, within=60)
            assert await run.kube.list("Deployment", run.namespace) == []
        figures("service deleted while it is restored", seconds=seconds)
        await run.kube.apply(with_volume(run.namespace))
        live = await until_web(run, lambda live: condition(live, "Ready").get("reason") == "RestoreFailed")
        assert "hardenctl abort web" in condition(live, "Ready")["message"]
        await asks(run, "Abort", "a")
        await until_web(run, is_ready)

    check(local, tmp_path, act)


def test_a_namespace_that_is_deleted_while_a_service_of_it_is_restored_goes_and_the_operator_goes_on(
    local: LocalCluster, tmp_path: Path
) -> None:
    local.load([str(ensure_backup_image())])

    async def all_of_it() -> None:
        async with Kube(local.kubeconfig) as kube, fresh_namespace(kube, "around") as one, fresh_namespace(kube, "around") as other:
            settings = {**SETTINGS, "HARDENED_NAMESPACES": f"{one},{other}"}
            async with operator_behind(kube, local.kubeconfig, tmp_path, namespace=one, settings=settings) as run:
                await is_backed_up_and_changed(run)
                async with at_work(run):
                    await kube.delete("Namespace", one)
                    looked = await canary(kube, other, within=MERCY * 5)
                    _, seconds = await kube.until("Namespace", one, None, lambda live: live is None, within=MERCY * 30)
                await run.proxy.until_quiet(5, within=60)
                later = await canary(kube, other, within=MERCY * 5)
                assert not run.operator.exits
                figures("namespace deleted while a service is restored", seconds=seconds, canary=looked, later=later)

    asyncio.run(all_of_it())
