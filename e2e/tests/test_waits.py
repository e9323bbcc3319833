"""Whoever waits for a service with the usual tools waits for the real thing: kubectl, Helm, an autoscaler."""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from e2e.cluster import tools
from e2e.figures import figures
from e2e.kube import Body, is_ready
from e2e.rig import Run, running, serve, web

CHART = Path(__file__).resolve().parents[2] / "charts/hardened-service"
COLUMNS = ["NAME", "READY", "PHASE", "REVISION", "COLOR", "AVAILABLE", "AGE"]

pytestmark = pytest.mark.usefixtures("rights")


async def run_tool(*argv: object, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Runs a program beside the event loop, which an operator's proxy lives on."""

    def call() -> subprocess.CompletedProcess[str]:
        return subprocess.run([str(arg) for arg in argv], capture_output=True, text=True, check=False, timeout=180)

    done = await asyncio.to_thread(call)
    assert not check or done.returncode == 0, f"{argv}: {done.stdout}{done.stderr}"
    return done


def kubectl(kubeconfig: Path, namespace: str) -> Callable[..., Awaitable[str]]:
    """kubectl for one namespace: what it prints."""

    async def run(*argv: str) -> str:
        done = await run_tool(tools.kubectl(), "--kubeconfig", kubeconfig, "--namespace", namespace, *argv)
        return done.stdout

    return run


def run_check(kubeconfig: Path, folder: Path, check: Callable[[Run, Any], Awaitable[None]]) -> None:
    """Runs one check with an operator, and kubectl for its namespace."""

    async def all_of_it() -> None:
        async with running(kubeconfig, folder, name="wait") as run:
            await check(run, kubectl(kubeconfig, run.namespace))

    asyncio.run(all_of_it())


async def what_runs(run: Run) -> set[tuple[str, bool]]:
    """(image, is ready) of each of the application's pods that is not ending."""
    found = await run.kube.list("Pod", run.namespace, "hardened.dev/service=web,app.kubernetes.io/component=app")
    return {
        (pod["spec"]["containers"][0]["image"].rpartition(":")[2], bool(pod["status"].get("containerStatuses", [{}])[0].get("ready")))
        for pod in found
        if not pod["metadata"].get("deletionTimestamp")
    }


@pytest.mark.cluster
def test_kubectl_wait_right_after_a_change_returns_when_the_change_runs(kubeconfig: Path, tmp_path: Path) -> None:
    async def check(run: Run, kubectl: Any) -> None:
        await serve(run)
        early = []
        for version in ("v2", "v1"):
            await run.kube.apply(web(run.namespace, version))
            await kubectl("wait", "--for=condition=Ready", "hs/web", "--timeout=90s")
            if (found := await what_runs(run)) != {(version, True)}:
                early.append(f"{version}: {found}")
        assert not early
        await kubectl("wait", "--for=jsonpath={.status.phase}=Healthy", "hs/web", "--timeout=10s")

    run_check(kubeconfig, tmp_path, check)


@pytest.mark.cluster
def test_helm_waits_for_a_service_and_fails_on_one_that_cannot_start(kubeconfig: Path, tmp_path: Path) -> None:
    async def check(run: Run, kubectl: Any) -> None:
        target = ("--kubeconfig", kubeconfig, "--namespace", run.namespace, "--wait", "--set=replicas=1", "--set=probePath=/health/ready")

        def upgrade(version: str, timeout: str) -> Awaitable[subprocess.CompletedProcess[str]]:
            image = f"--set=image=docker.io/hardened/web-static:{version}"
            return run_tool(tools.helm(), "upgrade", "--install", "web", CHART, *target, image, f"--timeout={timeout}", check=False)

        begun = time.monotonic()
        installed = await upgrade("v1", "90s")
        seconds = time.monotonic() - begun
        assert installed.returncode == 0, installed.stderr
        assert is_ready(await run.kube.get("HardenedService", "web", run.namespace))
        assert await what_runs(run) == {("v1", True)}
        failed = await upgrade("no-such-version", "12s")
        assert failed.returncode != 0, "it must not take a service for ready whose image is not there"
        assert ("v1", True) in await what_runs(run), "and what ran before still serves"
        assert (await upgrade("v2", "90s")).returncode == 0
        live = await run.kube.get("HardenedService", "web", run.namespace)
        assert live
        assert live["status"]["serving"]["image"].endswith(":v2"), "the previous version is only kept"
        assert ("v2", True) in await what_runs(run)
        figures("helm install with --wait", seconds=seconds)

    run_check(kubeconfig, tmp_path, check)


def has_replicas(count: int) -> Callable[[Body | None], bool]:
    """Ready, with so many pods."""
    return lambda live: is_ready(live) and live is not None and live["status"]["availableReplicas"] == count


@pytest.mark.cluster
def test_kubectl_scale_and_an_autoscaler_scale_a_service(kubeconfig: Path, tmp_path: Path) -> None:
    async def check(run: Run, kubectl: Any) -> None:
        async def until_scaled(count: int) -> None:
            await run.kube.until("HardenedService", "web", run.namespace, has_replicas(count), within=90)

        unsized = web(run.namespace)
        del unsized["spec"]["replicas"]
        await run.kube.apply(unsized)
        await until_scaled(2)
        await kubectl("scale", "hs/web", "--replicas=1")
        await until_scaled(1)
        await run.kube.apply(unsized)
        scale = json.loads(
            await kubectl("get", "--raw", f"/apis/hardened.dev/v1alpha1/namespaces/{run.namespace}/hardenedservices/web/scale")
        )
        assert scale["spec"]["replicas"] == 1, "who does not say how many does not change how many"
        assert scale["status"]["replicas"] == 1
        selected = await run.kube.list("Pod", run.namespace, scale["status"]["selector"])
        assert {pod["metadata"]["labels"]["hardened.dev/service"] for pod in selected} == {"web"}
        await run.kube.create(autoscaler(run.namespace))
        begun = time.monotonic()
        await until_scaled(3)
        figures("scaled by an autoscaler", seconds=time.monotonic() - begun)
        await run.proxy.until_quiet(5, within=60)
        live = await run.kube.get("HardenedService", "web", run.namespace)
        assert live
        assert live["spec"]["replicas"] == 3, "nobody fights the autoscaler"

    run_check(kubeconfig, tmp_path, check)


def autoscaler(namespace: str) -> Body:
    """Wants three pods at least: it acts without having to measure anything."""
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web", "namespace": namespace},
        "spec": {
            "minReplicas": 3,
            "maxReplicas": 4,
            "scaleTargetRef": {"apiVersion": "hardened.dev/v1alpha1", "kind": "HardenedService", "name": "web"},
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}}],
        },
    }


@pytest.mark.cluster
def test_kubectl_get_shows_how_a_service_is(kubeconfig: Path, tmp_path: Path) -> None:
    async def check(run: Run, kubectl: Any) -> None:
        live = await serve(run)
        head, row = (await kubectl("get", "hs")).splitlines()
        assert head.split() == COLUMNS
        assert row.split()[:6] == ["web", "True", "Healthy", live["status"]["serving"]["revision"], "blue", "1"]
        wide = (await kubectl("get", "hs", "--output=wide")).splitlines()
        assert wide[0].split() == [*COLUMNS, "IMAGE", "MESSAGE"]
        assert "docker.io/hardened/web-static:v1" in wide[1]
        assert "web" in await kubectl("get", "hardened", "--output=name")

    run_check(kubeconfig, tmp_path, check)
