"""A tenant with `edit` in one namespace does its worst: nobody else's release waits for it, and the operator goes on."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import aiohttp
import pytest
from aiohttp import web as http

from e2e.bench.operators import usage
from e2e.cluster import tools
from e2e.cluster.local.cluster import LocalCluster
from e2e.figures import figures
from e2e.kube import Body, Kube, KubeError, TooLate, is_ready
from e2e.releases import released, step_of
from e2e.rig import MERCY, Run, fresh_namespace, operator_behind, web

#: Promised: what the others' releases take longer, in seconds; what the operator holds, in megabytes; how late its loop is, in seconds.
DELAY_S, MEMORY_MB, LAG_S = 5.0, 200.0, 1.0
#: The others' services, their releases before it begins, and seconds for one of them.
SERVICES, BEFORE, RELEASE_S = 4, 4, 120.0
#: How deep the objects are nested: Python's reader of JSON ends at 1,000, the API server at 10,000.
DEPTH = 1500
#: ConfigMaps of nearly the most that the API server stores, and the bytes of one.
HEAPS, HEAP = 30, 1_000_000
#: Seconds between two touches of one object, and between two versions of a large service.
TOUCH_S, VERSION_S = 0.1, 3.0
#: Connections to each port, and seconds between two bytes on one.
DRIPS, DRIP_S = 40, 1.0
#: Services whose checks ask what takes long to answer, the checks of each, and seconds of an answer.
ASKERS, CHECKS, SLOW_S = 6, 16, 30.0
#: What no node has: such pods cost the nodes nothing, whose time is not what is measured.
NOWHERE: Body = {"nodeSelector": {"example.com/nowhere": "true"}}
#: Seconds until all of it goes on.
BEGUN_S = 120.0
#: Seconds between two looks at how the operator does.
LOOK_S = 0.5
#: Labels by which the operator finds what is its own.
OURS = {"app.kubernetes.io/managed-by": "hardened"}

pytestmark = pytest.mark.usefixtures("rights")


@dataclass
class Seen:
    """How the operator did. lag_s: the longest that its probe took to answer; peak_mb: the most memory that it held."""

    lag_s: float = 0.0
    peak_mb: float = 0.0
    taken_s: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Tenant:
    """Who does its worst. kube: with its own rights; env: the operator's settings, for its ports."""

    kube: Kube
    kubeconfig: Path
    namespace: str
    folder: Path
    env: dict[str, str]

    def manifest(self, kind: str, name: str, **rest: Any) -> Body:
        """An object that carries the operator's labels, and belongs to the service of that name."""
        labels = {**OURS, "hardened.dev/service": name}
        return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": self.namespace, "labels": labels}, **rest}


@contextlib.asynccontextmanager
async def a_tenant(kube: Kube, kubeconfig: Path, namespace: str, folder: Path, env: dict[str, str]) -> AsyncIterator[Tenant]:
    """A user with the cluster role `edit` in a namespace, and nothing else."""
    name, group = f"tenant-of-{namespace}", "rbac.authorization.k8s.io"
    subjects, role = [{"apiGroup": group, "kind": "User", "name": name}], {"apiGroup": group, "kind": "ClusterRole", "name": "edit"}
    meta = {"name": "tenant", "namespace": namespace}
    await kube.create({"apiVersion": f"{group}/v1", "kind": "RoleBinding", "metadata": meta, "subjects": subjects, "roleRef": role})
    async with Kube(kubeconfig, acting_as=name) as theirs:
        yield Tenant(theirs, kubeconfig, namespace, folder, env)


def named(name: str, manifest: Body) -> Body:
    """The same under another name."""
    return {**manifest, "metadata": {**manifest["metadata"], "name": name}}


# ---- what it does


async def poison(tenant: Tenant) -> None:
    """Objects that Python's reader of JSON cannot read: one under labels of ours, and a service."""
    deep = '{"f:a":' * DEPTH + "{}" + "}" * DEPTH
    for kind, api in (("configmap", "v1"), ("hardenedservice", "hardened.dev/v1alpha1")):
        entry = {"manager": "x", "operation": "Update", "apiVersion": api, "time": "2026-01-01T00:00:00Z", "fieldsType": "FieldsV1"}
        patch = json.dumps({"metadata": {"labels": OURS, "managedFields": [{**entry, "fieldsV1": "DEEP"}]}})
        file = tenant.folder / f"{kind}.json"
        file.write_text(patch.replace('"DEEP"', deep))  # Python's own writer of JSON ends there, too
        if kind == "configmap":
            await tenant.kube.create(tenant.manifest("ConfigMap", "poison"))
        else:
            await tenant.kube.create(named("poison", web(tenant.namespace, replicas=0)))
        argv = [
            tools.kubectl(), "--kubeconfig", tenant.kubeconfig, "--as", f"tenant-of-{tenant.namespace}", "-n", tenant.namespace,
            "patch", kind, "poison", "--type=merge", "--patch-file", file, "-o", "name",
        ]  # fmt: skip
        await asyncio.to_thread(_until_taken, argv)


def _until_taken(argv: Sequence[str | Path]) -> None:
    """Runs kubectl until the API server, which may be busy, takes what it says. Raises what it said last after two minutes."""
    ends = time.monotonic() + 120
    while (done := subprocess.run(argv, capture_output=True, text=True, check=False)).returncode and time.monotonic() < ends:
        continue
    assert not done.returncode, done.stderr


async def heaps(tenant: Tenant) -> None:
    """As much as fits into ConfigMaps under labels of ours, of services that are there and that are not."""
    for number in range(HEAPS):
        await tenant.kube.create(tenant.manifest("ConfigMap", f"heap-{number}", data={"heap": "x" * HEAP}))


async def touches(tenant: Tenant) -> None:
    """One object under labels of ours, and one service, each changed again and again."""
    await tenant.kube.create(tenant.manifest("ConfigMap", "busy"))
    await tenant.kube.create(named("busy", web(tenant.namespace, replicas=0)))
    number = 0
    while True:
        number += 1
        note = {"metadata": {"annotations": {"touched": str(number)}}}
        await tenant.kube.patch("ConfigMap", "busy", tenant.namespace, note)
        await tenant.kube.patch("HardenedService", "busy", tenant.namespace, note)
        await asyncio.sleep(TOUCH_S)


async def revisions(tenant: Tenant) -> None:
    """A service with files of nearly a megabyte, in one version after the other, all of which are kept."""
    folders = [{"mountPath": f"/big/{n}", "data": {f"{k}.txt": "x" * 3500 for k in range(32)}} for n in range(8)]
    number = 0
    while True:
        number += 1
        env = [{"name": "TURN", "value": str(number)}]
        spec: Body = {"files": folders, "env": env, "replicas": 0, "release": {"strategy": "RollingUpdate", "historyLimit": 100}}
        await tenant.kube.apply(named("big", web(tenant.namespace, **spec)))
        await asyncio.sleep(VERSION_S)


async def places(tenant: Tenant) -> None:
    """Ten services whose pods never get ready, each with a day for it."""
    for number in range(10):
        manifest = web(tenant.namespace, scheduling=NOWHERE, release={"strategy": "BlueGreen", "progressDeadline": "24h"})
        await tenant.kube.create(named(f"never-{number}", manifest))


async def questions(tenant: Tenant) -> None:
    """Services whose checks ask a server that answers late."""
    asked = {"max": 1, "interval": "1s", "failureLimit": 100}
    checks = [{"name": f"c{n}", "prometheus": {"query": f"slow{n}", **asked}} for n in range(CHECKS)]
    for number in range(ASKERS):
        manifest = web(tenant.namespace, verify={"afterCutover": {"window": "30m", "checks": checks}})
        await tenant.kube.create(named(f"asker-{number}", manifest))


async def drips(tenant: Tenant) -> None:
    """Requests to the operator's ports that never end."""
    ports = [int(tenant.env[f"HARDENED_{name}_PORT"]) for name in ("METRICS", "HEALTH")]
    await asyncio.gather(*(_drip(port) for port in ports for _ in range(DRIPS)))


async def _drip(port: int) -> None:
    while True:
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(b"GET /metrics HTTP/1.1\r\nX: ")
                while not writer.is_closing():
                    writer.write(b"a")
                    await writer.drain()
                    await asyncio.sleep(DRIP_S)
            finally:
                writer.close()
        await asyncio.sleep(DRIP_S)  # who is turned away comes again


async def foreign_pods(tenant: Tenant) -> None:
    """Pods that carry every label of the check pods and of a service's own."""
    context: Body = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    container = {"name": "verifier", "image": "docker.io/hardened/web-static:v1", "securityContext": context}
    spec = {**NOWHERE, "containers": [container], "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}}
    labels = {**OURS, "hardened.dev/service": "busy", "app.kubernetes.io/component": "verifier", "hardened.dev/color": "blue"}
    number = 0
    while True:
        number += 1
        meta = {"name": f"foreign-{number % 5}", "namespace": tenant.namespace, "labels": labels}
        with contextlib.suppress(KubeError):  # the one before is going still, or the namespace takes none
            await tenant.kube.create({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec})
        await tenant.kube.delete("Pod", f"foreign-{(number + 3) % 5}", tenant.namespace)
        await asyncio.sleep(1)


WAYS: tuple[Callable[[Tenant], Awaitable[None]], ...] = (poison, heaps, touches, revisions, places, questions, drips, foreign_pods)


async def _worst(tenant: Tenant) -> None:
    """All of it at once; none of it ends the others where the server refuses it for a moment."""

    async def one(way: Callable[[Tenant], Awaitable[None]]) -> None:
        while True:
            try:
                return await way(tenant)
            except KubeError as error:
                if error.code != 409 and error.code < 500:
                    raise
                await asyncio.sleep(1)

    await asyncio.gather(*(one(way) for way in WAYS))


# ---- what the others see of it


@contextlib.asynccontextmanager
async def a_prometheus() -> AsyncIterator[str]:
    """A server that answers at once, but late what is asked of it as slow. Its address."""

    async def answer(request: http.Request) -> http.Response:
        asked = request.query.get("query") or str((await request.post()).get("query", ""))
        if asked.startswith("slow"):
            await asyncio.sleep(SLOW_S)
        return http.json_response({"status": "success", "data": {"resultType": "scalar", "result": [1, "0.5"]}})

    app = http.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = http.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    try:
        site = http.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def _release(kube: Kube, namespace: str, number: int) -> float:
    """Seconds from a new version's apply until it is Ready. Its window asks Prometheus.

    The services take turns: what served before is kept for half a minute, and a service's next release waits for that.
    """
    check = {"name": "errors", "prometheus": {"query": "errors", "max": 1, "interval": "1s"}}
    version = f"v{1 + number % 2}"
    env = [{"name": "TURN", "value": str(number)}]
    manifest = named(
        f"web-{number % SERVICES}", released(namespace, version, verify={"afterCutover": {"window": "2s", "checks": [check]}}, env=env)
    )
    await kube.until("HardenedService", manifest["metadata"]["name"], namespace, lambda live: not step_of(live), within=RELEASE_S)
    begun = time.monotonic()
    await kube.apply(manifest)
    await kube.until("HardenedService", manifest["metadata"]["name"], namespace, is_ready, within=RELEASE_S)
    return time.monotonic() - begun


async def _look(run: Run, env: dict[str, str], seen: Seen) -> None:
    """Notes how the operator does, again and again."""
    url = f"http://127.0.0.1:{env['HARDENED_HEALTH_PORT']}/healthz"
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
        while True:
            begun = time.monotonic()
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                async with session.get(url) as reply:
                    await reply.read()
            seen.lag_s = max(seen.lag_s, time.monotonic() - begun)
            seen.peak_mb = max(seen.peak_mb, usage(run.operator.pid).peak_mb)
            await asyncio.sleep(LOOK_S)


def _is_watched(live: Body | None) -> bool:
    return step_of(live) == "VerifyAfter"


def _look_at(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Raises what one of them has failed with."""
    for task in tasks:
        if task.done():
            task.result()


async def _until_begun(kube: Kube, namespace: str, tasks: Sequence[asyncio.Task[None]]) -> None:
    """Waits until all services that ask a late server do so: the start of their pods is the nodes' work, and not the operator's."""
    try:
        for number in range(ASKERS):
            await kube.until("HardenedService", f"asker-{number}", namespace, _is_watched, within=BEGUN_S)
    except TooLate:
        _look_at(tasks)
        raise


async def _beside(local: LocalCluster, folder: Path, seconds: float, *, is_timed: bool) -> None:
    """is_timed: whether times are judged as well; where other tests share the machine they say nothing of the operator."""
    async with (
        Kube(local.kubeconfig) as kube,
        fresh_namespace(kube, "shop") as shop,
        fresh_namespace(kube, "mall") as mall,
        a_prometheus() as prometheus,
    ):
        env = {
            "HARDENED_NAMESPACES": f"{shop},{mall}",
            "HARDENED_PROMETHEUS_URL": prometheus,
            "HARDENED_PROMETHEUS_SHARED": "true",
        }
        async with operator_behind(kube, local.kubeconfig, folder, namespace=shop, settings=env) as run:
            ports = {**env, **{f"HARDENED_{name}_PORT": run.operator.env[f"HARDENED_{name}_PORT"] for name in ("METRICS", "HEALTH")}}
            await asyncio.gather(*(_release(kube, shop, number) for number in range(SERVICES)))
            before = [await _release(kube, shop, SERVICES + number) for number in range(BEFORE)]
            seen = Seen()
            async with a_tenant(kube, local.kubeconfig, mall, folder, ports) as tenant:
                tasks = [asyncio.create_task(_worst(tenant)), asyncio.create_task(_look(run, ports, seen))]
                try:
                    await _until_begun(kube, mall, tasks)
                    end, number = time.monotonic() + seconds, SERVICES + BEFORE - 1
                    while time.monotonic() < end:
                        number += 1
                        seen.taken_s.append(await _release(kube, shop, number))
                        _look_at(tasks)
                finally:
                    for task in tasks:
                        task.cancel()
                    await asyncio.gather(*tasks, return_exceptions=True)
            figures(
                f"a tenant does its worst for {seconds:g} s",
                release_before_s=median(before),
                release_s=median(seen.taken_s),
                worst_release_s=max(seen.taken_s),
                releases=len(seen.taken_s),
                peak_mb=seen.peak_mb,
                lag_s=seen.lag_s,
            )
            assert not run.operator.exits, run.operator.exits
            assert seen.peak_mb < MEMORY_MB
            if is_timed:
                assert median(seen.taken_s) - median(before) < DELAY_S, (before, seen.taken_s)
                assert max(seen.taken_s) - median(before) < MERCY * DELAY_S, (before, seen.taken_s)
                assert seen.lag_s < MERCY * LAG_S


@pytest.mark.cluster
def test_a_tenant_does_its_worst_for_twenty_seconds(local: LocalCluster, tmp_path: Path) -> None:
    asyncio.run(_beside(local, tmp_path, 20, is_timed=False))


@pytest.mark.full
def test_a_tenant_does_its_worst_for_ten_minutes(local: LocalCluster, tmp_path: Path) -> None:
    asyncio.run(_beside(local, tmp_path, 600, is_timed=True))
