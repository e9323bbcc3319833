"""Pods that work for a release, beside the application: its namespace lets them be made, and they run where the application does."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from e2e.cluster.local.cluster import LocalCluster
from e2e.kube import Body
from e2e.releases import TERMS, pods_of, ready_reason, released
from e2e.rig import Run, running, serve

#: Neither what a pod of a check asks for by default, nor what a job does, fits into it.
SIZES: Body = {"type": "Container", "min": {"cpu": "25m"}, "maxLimitRequestRatio": {"cpu": "10"}}
OWN: dict[str, Any] = {"requests": {"cpu": "30m", "memory": "16Mi"}, "limits": {"cpu": "100m", "memory": "64Mi"}}
SMOKE = {"beforeCutover": [{"name": "smoke", "http": {"path": "/"}}], "afterCutover": {"window": "2s"}}

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("rights")]


async def working(run: Run, part: str) -> list[Body]:
    """The pods that work for a release with this part in their name."""
    return [pod for pod in await run.kube.list("Pod", run.namespace) if f"-verify-{part}-" in pod["metadata"]["name"]]


def test_no_release_waits_for_a_limit_range_that_the_application_fits_into(local: LocalCluster, tmp_path: Path) -> None:
    async def all_of_it() -> None:
        async with running(local.kubeconfig, tmp_path, name="limits") as run:
            meta = {"name": "sizes", "namespace": run.namespace}
            await run.kube.create({"apiVersion": "v1", "kind": "LimitRange", "metadata": meta, "spec": {"limits": [SIZES]}})
            for version in ("v1", "v2"):
                await serve(run, released(run.namespace, version, resources=OWN, verify=SMOKE))

    asyncio.run(all_of_it())


def test_a_migration_runs_on_the_node_of_the_application_with_its_files(local: LocalCluster, tmp_path: Path) -> None:
    async def all_of_it() -> None:
        async with running(local.kubeconfig, tmp_path, name="beside") as run:
            await serve(run, released(run.namespace, "v1"))
            node = (await pods_of(run, "blue"))[0]["spec"]["nodeName"]
            # It ends at once with an error, so that its pod is kept.
            release = {**TERMS["release"], "migrate": {"command": ["/web", "--no-such-option"], "deadline": "30s"}}
            where = {"nodeSelector": {"kubernetes.io/hostname": node}}
            await run.kube.apply(released(run.namespace, "v2", release=release, scheduling=where))
            await run.kube.until("HardenedService", "web", run.namespace, ready_reason("Rejected"), within=60)
            (pod,) = await working(run, "migrate")
            assert (pod["spec"]["nodeSelector"], pod["spec"]["nodeName"]) == (where["nodeSelector"], node)
            assert any(mount["mountPath"].startswith("/etc/web/") for mount in pod["spec"]["containers"][0]["volumeMounts"])
            (container,) = pod["status"]["containerStatuses"]
            assert container["state"]["terminated"]["exitCode"] != 0, "it did run"

    asyncio.run(all_of_it())
