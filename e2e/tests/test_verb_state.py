"""`hardenctl state`: a service whose newest version was rolled back comes to another cluster, and goes on with the one that served."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import yaml

from e2e.kube import Body, is_ready
from e2e.releases import released, until_no_release
from e2e.rig import Run, running, serve

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("rights")]

OLD, NEW = (f"docker.io/hardened/web-static:{version}" for version in ("v1", "v2"))


async def hardenctl(kubeconfig: Path, *arguments: str) -> str:
    """What it prints. It has to end well."""
    environment = {**os.environ, "KUBECONFIG": str(kubeconfig)}
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "hardenctl", *arguments, stdout=PIPE, stderr=PIPE, env=environment)
    out, err = await process.communicate()
    assert process.returncode == 0, f"{arguments}: {process.returncode}: {err.decode()}"
    return out.decode()


@asynccontextmanager
async def images_that_ran(run: Run) -> AsyncIterator[set[str]]:
    """The images of all pods of the service that were made meanwhile."""
    seen: set[str] = set()
    version = (await run.kube.call("GET", f"api/v1/namespaces/{run.namespace}/pods"))["metadata"]["resourceVersion"]

    async def watch() -> None:
        async for change in run.kube.watch("Pod", run.namespace, version):
            if change["type"] == "ADDED":
                seen.update(each["image"] for each in change["object"]["spec"]["containers"] if each["name"] == "app")

    task = asyncio.create_task(watch())
    try:
        yield seen
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def lost(run: Run) -> None:
    """The service, and all that is its own, as in a cluster that there is no more."""
    await run.kube.delete("HardenedService", "web", run.namespace)
    for kind in ("HardenedService", "ControllerRevision", "Deployment", "Service"):
        async with asyncio.timeout(60):
            while found := await run.kube.list(kind, run.namespace):
                meta = found[0]["metadata"]
                await run.kube.until(kind, meta["name"], run.namespace, lambda live: live is None, within=60)


def is_back(live: Body | None) -> bool:
    """What served before serves again, and the spec's version is known to be rolled back."""
    status = (live or {}).get("status") or {}
    conditions = {each["type"]: each["status"] for each in status.get("conditions") or ()}
    is_serving = (status.get("serving") or {}).get("image") == OLD
    return is_serving and conditions.get("Available") == "True" and conditions.get("Stalled") == "True"


def is_released(live: Body | None) -> bool:
    """The version that was rolled back serves, and nothing of that is left."""
    status = (live or {}).get("status") or {}
    return (status.get("serving") or {}).get("image") == NEW and "pin" not in status and is_ready(live)


def test_in_a_new_cluster_what_served_serves_and_what_was_rolled_back_is_not_released(kubeconfig: Path, tmp_path: Path) -> None:
    async def act() -> None:
        async with running(kubeconfig, tmp_path, name="state") as run:
            here, saved = ("-n", run.namespace), tmp_path / "state.yaml"
            for version in ("v1", "v2"):
                await serve(run, released(run.namespace, version, replicas=1))
                await until_no_release(run)
            await hardenctl(kubeconfig, "rollback", "web", *here)
            before = await run.kube.get("HardenedService", "web", run.namespace)
            assert before
            assert before["spec"]["image"] == NEW
            await asyncio.to_thread(saved.write_text, await hardenctl(kubeconfig, "state", "export", *here))
            await lost(run)
            async with images_that_ran(run) as images:
                told = yaml.safe_load(await hardenctl(kubeconfig, "state", "import", *here, "-f", str(saved), "-o", "yaml"))
                assert (len(told["made"]), told["left"], told["failed"]) == (3, [], [])
                live, _ = await run.kube.until("HardenedService", "web", run.namespace, is_back, within=60)
            assert live
            assert live["spec"] == before["spec"]
            assert live["status"]["stable"]["revision"] == before["status"]["stable"]["revision"]
            assert live["status"]["pin"]["rejectedKey"] == before["status"]["pin"]["rejectedKey"]
            assert images == {OLD}
            await hardenctl(kubeconfig, "retry", "web", *here)
            await run.kube.until("HardenedService", "web", run.namespace, is_released, within=60)
            again = yaml.safe_load(await hardenctl(kubeconfig, "state", "import", *here, "-f", str(saved), "-o", "yaml"))
            assert (again["result"], again["made"]) == ("unchanged", [])

    asyncio.run(act())
