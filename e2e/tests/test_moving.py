"""Services move in and out: what `init` makes of other sources serves, and what `eject` leaves behind goes on serving."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from e2e.cluster.local.cluster import LocalCluster
from e2e.figures import figures
from e2e.kube import Body, is_ready
from e2e.releases import pods_of, released, step_of, until_no_release
from e2e.rig import ROOT, Run, running, serve, side_by_side
from e2e.traffic import load
from hardenctl.converting.sources import converted as convert_all

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("rights")]

EXAMPLES = ROOT / "cli/tests/converting/examples"
IMAGE = "docker.io/hardened/web-static:v1"
#: One of each kind, by the name of its file.
ONE_OF_EACH = ("deployment-guestbook", "compose-web", "ingress-tls", "rollout-scaled")


async def start(kubeconfig: Path, *arguments: str) -> Process:
    environment = {**os.environ, "KUBECONFIG": str(kubeconfig)}
    command = [sys.executable, "-m", "hardenctl", *arguments]
    return await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE, env=environment)


async def hardenctl(kubeconfig: Path, *arguments: str) -> str:
    """What it prints. It has to end well."""
    process = await start(kubeconfig, *arguments)
    out, err = await process.communicate()
    assert process.returncode == 0, f"{arguments}: {process.returncode}: {err.decode()}"
    return out.decode()


async def answer(local: LocalCluster, service: Body) -> str:
    """What the Service answers on its first port, asked from a node; asked until a node knows of it."""
    url = f"http://{service['spec']['clusterIP']}:{service['spec']['ports'][0]['port']}/"
    code = f"import urllib.request; print(urllib.request.urlopen({url!r}, timeout=2).read().decode())"
    async with asyncio.timeout(30):
        while True:
            process = await asyncio.create_subprocess_exec(*local.argv_in_node(0, [sys.executable, "-c", code]), stdout=PIPE, stderr=PIPE)
            out, _ = await process.communicate()
            if process.returncode == 0:
                return out.decode()


async def serves(local: LocalCluster, run: Run, manifest: dict[str, Any]) -> None:
    """Applies a service, and asks it, once it is ready; approves it where somebody has to."""
    name = manifest["metadata"]["name"]
    await run.kube.apply(manifest)

    def is_there(live: Body | None) -> bool:
        return is_ready(live) or step_of(live) == "Approval"

    live, _ = await run.kube.until("HardenedService", name, run.namespace, is_there, within=180)
    if not is_ready(live):
        await hardenctl(local.kubeconfig, "promote", name, "-n", run.namespace)
        await run.kube.until("HardenedService", name, run.namespace, is_ready, within=180)
    service = await run.kube.get("Service", name, run.namespace)
    assert (service is not None) == bool(manifest["spec"].get("ports"))
    if service:
        assert '"version":"v1"' in (await answer(local, service)).replace(" ", "")


async def converted(kubeconfig: Path, case: str) -> list[dict[str, Any]]:
    """The services of an example by `hardenctl init`, with an image that there is."""
    named = [part for name in names_in(case) for part in ("--image", f"{name}={IMAGE}")]
    return list(yaml.safe_load_all(await hardenctl(kubeconfig, "init", "--from", str(EXAMPLES / f"{case}.yaml"), *named)))


def read(case: str, images: Mapping[str, str]) -> list[dict[str, Any]]:
    """The same without a process for each."""
    _, found = convert_all(yaml.safe_load_all((EXAMPLES / f"{case}.yaml").read_text()), images)
    return [each.body for each in found]


def names_in(case: str) -> list[str]:
    """Of its services, and of the containers beside them."""
    found = read(case, {"docs": "registry.example/docs:1"} if case == "ingress-alone" else {})
    return [each["metadata"]["name"] for each in found] + [each["name"] for one in found for each in one["spec"].get("sidecars", ())]


def test_one_of_each_kind_is_converted_and_serves(local: LocalCluster, tmp_path: Path) -> None:
    async def convert(run: Run, case: str) -> None:
        for manifest in await converted(local.kubeconfig, case):
            manifest["metadata"]["namespace"] = run.namespace
            await serves(local, run, manifest)

    asyncio.run(side_by_side(local.kubeconfig, tmp_path, ONE_OF_EACH, convert))


@pytest.mark.full
@pytest.mark.parametrize("kind", ["deployment", "compose", "ingress", "rollout"])
def test_five_of_each_kind_are_converted_and_serve(local: LocalCluster, tmp_path: Path, kind: str) -> None:
    async def convert(run: Run, case: str) -> None:
        found = read(case, dict.fromkeys(names_in(case), IMAGE))
        for manifest in found:
            manifest["metadata"]["namespace"] = run.namespace
            # What the settings of an operator have to allow, and what programs and metrics of others are asked.
            manifest["spec"].get("service", {}).pop("annotations", None)
            manifest["spec"].pop("verify", None)
        await supply(run, found)
        # In no order: who depends on another one waits.
        await asyncio.gather(*(serves(local, run, manifest) for manifest in found))

    cases = sorted(path.stem for path in EXAMPLES.glob(f"{kind}-*.yaml"))
    assert len(cases) == 5
    asyncio.run(side_by_side(local.kubeconfig, tmp_path, cases, convert))


async def supply(run: Run, manifests: list[dict[str, Any]]) -> None:
    """The Secrets and ConfigMaps that services refer to, as `init` says that somebody has to make them."""
    keys: dict[tuple[str, str], dict[str, str]] = {}
    for spec in (each["spec"] for each in manifests):
        for variable in spec.get("env", ()):
            reference = (variable.get("valueFrom") or {}).get("secretKeyRef")
            if reference:
                keys.setdefault(("Secret", reference["name"]), {})[reference["key"]] = "aGVsbG8="
        for each in spec.get("envFrom", ()):
            keys.setdefault(("ConfigMap", each["configMapRef"]["name"]), {})["LEVEL"] = "info"
    for (kind, name), data in keys.items():
        await run.kube.create({"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": run.namespace}, "data": data})


def test_an_ejected_service_goes_on_and_can_be_taken_back_without_losing_a_request(local: LocalCluster, tmp_path: Path) -> None:
    async def all_of_it() -> None:
        async with running(local.kubeconfig, tmp_path, name="eject") as run:
            manifest = released(run.namespace, "v1")
            await serve(run, manifest)
            await until_no_release(run)
            before = {pod["metadata"]["uid"] for pod in await pods_of(run, "blue")}
            assert len(before) == 2
            eject = ("eject", "web", "-n", run.namespace, "--yes")
            async with load(local, run.kube, run.namespace, rate=20) as sent:
                await kill_once_suspended(run, await start(local.kubeconfig, *eject))
                out = await hardenctl(local.kubeconfig, *eject)
                assert "Deployment web-blue" in out
                assert await run.kube.get("HardenedService", "web", run.namespace) is None
                assert await owned(run) == []
                # The operator runs on, and anything that it still meant to do it does now.
                await asyncio.sleep(5)
                assert {pod["metadata"]["uid"] for pod in await pods_of(run, "blue")} == before
                again = await hardenctl(local.kubeconfig, *eject)
                assert "ejected already" in again
                await serve(run, manifest)
                assert {pod["metadata"]["uid"] for pod in await pods_of(run, "blue")} == before
                assert "Deployment web-blue" in await owned(run)
            requests, failed = (sum(getattr(each.sent, what) for each in sent) for what in ("requests", "failed"))
            figures("an eject under load", requests=requests, failed=failed)
            assert requests > 100
            assert failed == 0

    asyncio.run(all_of_it())


async def kill_once_suspended(run: Run, process: Process) -> None:
    """After its first write."""

    def is_suspended(live: Body | None) -> bool:
        return live is None or bool(live["spec"].get("suspend"))

    await run.kube.until("HardenedService", "web", run.namespace, is_suspended, within=60)
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    await process.communicate()


async def owned(run: Run) -> list[str]:
    """The objects of the namespace that a HardenedService owns."""
    kinds = ("Deployment", "Service", "ConfigMap", "ServiceAccount", "NetworkPolicy", "PodDisruptionBudget", "ControllerRevision")
    lists = await asyncio.gather(*(run.kube.list(kind, run.namespace) for kind in kinds))
    return [
        f"{kind} {each['metadata']['name']}"
        for kind, found in zip(kinds, lists, strict=True)
        for each in found
        if any(owner.get("kind") == "HardenedService" for owner in each["metadata"].get("ownerReferences") or ())
    ]
