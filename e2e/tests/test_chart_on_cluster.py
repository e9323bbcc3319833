"""The chart hardened-service on a cluster, by helm: installed, upgraded, rolled back and uninstalled, also as parts of an umbrella."""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from e2e.chart import CHART, umbrella_of
from e2e.cluster import tools
from e2e.figures import figures
from e2e.kube import Body, condition, is_ready
from e2e.rig import Run, running

IMAGE = "docker.io/hardened/web-static"
#: What lets a release be over soon.
QUICK: dict[str, Any] = {
    "image": f"{IMAGE}:v1",
    "replicas": 1,
    "probePath": "/health/ready",
    "env": {"LINGER": "0"},
    "release": {"strategy": "RollingUpdate"},
    "verify": {"afterCutover": {"window": "1s"}},
    "extraSpec": {"shutdown": {"drainSeconds": 0, "graceSeconds": 5}},
}
Helm = Callable[..., Awaitable[subprocess.CompletedProcess[str]]]

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("rights")]


def run_check(kubeconfig: Path, folder: Path, check: Callable[[Run, Helm], Awaitable[None]]) -> None:
    """Runs one check with an operator, and helm for its namespace. values: of the release."""

    async def all_of_it() -> None:
        async with running(kubeconfig, folder, name="chart") as run:

            async def helm(*argv: object, values: Body | None = None, fails: bool = False) -> subprocess.CompletedProcess[str]:
                file = folder / "values.json"
                file.write_text(json.dumps(values or {}))
                target = ["--kubeconfig", kubeconfig, "--namespace", run.namespace, *(["--values", file] if values else [])]
                words = [str(word) for word in (tools.helm(), *argv, *target)]
                done = await asyncio.to_thread(subprocess.run, words, capture_output=True, text=True, check=False, timeout=240)
                assert (done.returncode != 0) == fails, f"{argv}: {done.stdout}{done.stderr}"
                return done

            await check(run, helm)

    asyncio.run(all_of_it())


async def images(run: Run) -> dict[str, str]:
    """The tag that serves, by service; "" for one that is not Ready."""
    found = await run.kube.list("HardenedService", run.namespace)
    return {each["metadata"]["name"]: each["status"]["serving"]["image"].rpartition(":")[2] if is_ready(each) else "" for each in found}


def test_a_service_is_installed_upgraded_rolled_back_and_uninstalled(kubeconfig: Path, tmp_path: Path) -> None:
    async def check(run: Run, helm: Helm) -> None:
        times: dict[str, float] = {}

        async def timed(verb: str, *argv: object, **more: Any) -> None:
            begun = time.monotonic()
            await helm(verb, *argv, **more)
            times[verb] = round(time.monotonic() - begun, 1)

        await timed("install", "web", CHART, "--wait", "--timeout=90s", values=QUICK)
        assert await images(run) == {"web": "v1"}
        await timed("upgrade", "web", CHART, "--wait", "--timeout=90s", values={**QUICK, "image": f"{IMAGE}:v2"})
        assert await images(run) == {"web": "v2"}
        await timed("rollback", "web", "1", "--wait", "--timeout=90s")
        assert await images(run) == {"web": "v1"}
        await timed("uninstall", "web", "--wait", "--timeout=90s")
        assert await images(run) == {}
        await run.kube.until("Deployment", "web-blue", run.namespace, lambda live: live is None, within=60)
        figures("the chart of a service by helm --wait", **times)

    run_check(kubeconfig, tmp_path, check)


def test_an_umbrella_of_three_components_is_three_services(kubeconfig: Path, tmp_path: Path) -> None:
    aliases = ("web", "api", "worker")
    chart = umbrella_of(tmp_path, *aliases)

    async def check(run: Run, helm: Helm) -> None:
        values = {alias: QUICK for alias in aliases} | {"worker": {**QUICK, "port": 0, "probePath": ""}}
        await helm("install", "shop", chart, "--wait", "--timeout=2m", values=values)
        assert await images(run) == {"shop-web": "v1", "shop-api": "v1", "shop-worker": "v1"}
        assert await run.kube.get("Service", "shop-worker", run.namespace) is None, "a worker has none"
        await helm("upgrade", "shop", chart, "--wait", "--timeout=2m", values=values | {"api": {**QUICK, "image": f"{IMAGE}:v2"}})
        assert await images(run) == {"shop-web": "v1", "shop-api": "v2", "shop-worker": "v1"}
        await helm("uninstall", "shop", "--wait", "--timeout=90s")
        assert await images(run) == {}

    run_check(kubeconfig, tmp_path, check)


def test_a_file_in_etc_leaves_the_rest_of_etc_where_it_is(kubeconfig: Path, tmp_path: Path) -> None:
    async def check(run: Run, helm: Helm) -> None:
        files = {"/etc/app.conf": 'level = "info"\n', "/etc/shop/rules.d/a.conf": "allow\n"}
        await helm("install", "etc", CHART, "--wait", "--timeout=90s", values={**QUICK, "files": files})
        assert await images(run) == {"etc": "v1"}
        (pod, *_) = await run.kube.list("Pod", run.namespace, "hardened.dev/service=etc,app.kubernetes.io/component=app")
        mounted = {each["mountPath"]: each.get("subPath") for each in pod["spec"]["containers"][0]["volumeMounts"]}
        assert {path: mounted[path] for path in files} == {"/etc/app.conf": "app.conf", "/etc/shop/rules.d/a.conf": "a.conf"}

    run_check(kubeconfig, tmp_path, check)


def test_helm_waits_for_a_config_map_that_is_made_a_moment_later(kubeconfig: Path, tmp_path: Path) -> None:
    async def check(run: Run, helm: Helm) -> None:
        values = {**QUICK, "extraSpec": {**QUICK["extraSpec"], "envFrom": [{"configMapRef": {"name": "later"}}]}}
        installed = asyncio.create_task(helm("install", "eso", CHART, "--rollback-on-failure", "--timeout=90s", values=values))

        def waits(live: Body | None) -> bool:
            return live is not None and bool(live.get("status")) and condition(live, "Ready").get("reason") == "ConfigMissing"

        live, _ = await run.kube.until("HardenedService", "eso", run.namespace, waits, within=30)
        assert (condition(live, "Stalled")["status"], condition(live, "Reconciling")["status"]) == ("False", "True")
        await asyncio.sleep(5)
        assert not installed.done(), "helm waits"
        meta = {"name": "later", "namespace": run.namespace}
        await run.kube.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"A": "b"}})
        await installed
        assert await images(run) == {"eso": "v1"}

    run_check(kubeconfig, tmp_path, check)


def test_what_the_chart_refuses_leaves_no_failed_release_behind(kubeconfig: Path, tmp_path: Path) -> None:
    async def check(run: Run, helm: Helm) -> None:
        await helm("install", "web", CHART, values={**QUICK, "files": {"/tmp/a": "x"}}, fails=True)
        assert json.loads((await helm("list", "--output=json")).stdout) == []

    run_check(kubeconfig, tmp_path, check)
