"""A restore while all pull at once at the size of what it holds: an autoscaler, Git, somebody with kubectl, and a leader that wakes up.

Nobody mounts the claim meanwhile but the restore's own Job, and the data is right afterwards.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from e2e.backup_flow import backs_up, make_repository
from e2e.candidates import TAKEOVER_SECONDS, allow_leaders, candidate, until_leads
from e2e.cluster import tools
from e2e.cluster.command import Argument
from e2e.cluster.local.cluster import LocalCluster
from e2e.faults import Fault, Hold, Where
from e2e.figures import figures
from e2e.install import backup_image_name, ensure_backup_image
from e2e.kube import Body, Kube, is_ready
from e2e.mounts import Mounts, watching_mounts
from e2e.releases import following, scale, serving_color, unsized
from e2e.repeated import Repeated, repeated
from e2e.restore_flow import folder_of, is_restored, locked_repository, restores, with_volume, write
from e2e.rig import MERCY, Run, fresh_namespace, serve
from e2e.scaling import AT_ONCE, SCALED_WITHIN

#: Seconds between two times that a controller applies what is in Git, and that somebody scales both Deployments.
APPLIED_EVERY, SCALED_EVERY = 5.0, 1.0
#: How often both happen at least while the Job restores.
APPLIED, SCALED = 4, 15
#: Seconds for a Job of restic, and for a repository that it has to wait for.
JOB_S = 120.0
#: Memory of a pod is some mebibytes, whatever it does: as many pods are wanted as there may be.
BY_MEMORY = {"minReplicas": 1, "maxReplicas": 3, "memory": 50}

pytestmark = [pytest.mark.full, pytest.mark.timeout(1800), pytest.mark.usefixtures("rights")]


@dataclass(frozen=True)
class Scaler:
    """What scales the service. before, after: the pods that it wants until the restore, and once it may scale again."""

    autoscale: Body
    before: int
    after: int
    pulls: Callable[[Run], AbstractAsyncContextManager[None]]
    """What has the size changed while the service is held."""
    settings: dict[str, str] = field(default_factory=dict)


def scaled(namespace: str, version: str, autoscale: Body) -> Body:
    """A service with a volume, in pods that each mount it."""
    manifest = unsized(with_volume(namespace))
    manifest["spec"] |= {
        "image": f"docker.io/hardened/web-static:{version}",
        "autoscale": {**autoscale, "behavior": {"scaleUp": AT_ONCE, "scaleDown": AT_ONCE}},
        "resources": {"requests": {"cpu": "10m", "memory": "1Mi"}, "limits": {"memory": "64Mi"}},
    }
    return manifest


async def until_web(run: Run, holds: Callable[[Body], Any], *, within: float) -> Body:
    """The service once it is so."""
    live, _ = await run.kube.until(
        "HardenedService", "web", run.namespace, lambda found: found is not None and bool(holds(found)), within=within
    )
    assert live
    return live


def has_size(size: int) -> Callable[[Body], bool]:
    return lambda live: is_ready(live) and live["spec"].get("replicas") == size == live["status"].get("replicas")


def phase_of(live: Body) -> str:
    """Of the hold; "" for none."""
    return str(((live.get("status") or {}).get("hold") or {}).get("phase", ""))


async def digests(run: Run) -> dict[str, str]:
    """What is in each file of the volume."""
    files = sorted((await folder_of(run)).iterdir())
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files if file.is_file()}


# ---- what pulls


@contextlib.asynccontextmanager
async def scaled_up_and_down(run: Run) -> AsyncIterator[None]:
    """Somebody sets the size of the service itself, all the time."""

    async def go_on() -> None:
        while True:
            for size in (1, 2):
                await scale(run, size)
                await asyncio.sleep(SCALED_EVERY)  # the pace of whoever scales it

    task = asyncio.create_task(go_on())
    try:
        yield
        assert not task.done(), task.exception()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@contextlib.asynccontextmanager
async def pulled(run: Run, kubeconfig: Path, folder: Path, manifest: Body, scaler: Scaler) -> AsyncIterator[tuple[Repeated, Repeated]]:
    """What is in Git is applied, and both Deployments are scaled by hand, and what scales the service wants another size."""
    (folder / "git.json").write_text(json.dumps(manifest))
    kubectl: list[Argument] = [tools.kubectl(), f"--kubeconfig={kubeconfig}", f"--namespace={run.namespace}"]
    by_hand = [*kubectl, "scale", "deployment", "web-blue", "web-green", "--replicas=2"]
    from_git = [*kubectl, "apply", f"--filename={folder / 'git.json'}"]
    async with repeated(from_git, every=APPLIED_EVERY) as applied, repeated(by_hand, every=SCALED_EVERY) as by, scaler.pulls(run):
        yield applied, by


@dataclass(frozen=True)
class Asleep:
    """A leader that was stopped with a write on its way, and has been followed by another."""

    run: Run
    write: Hold

    async def wakes_up(self) -> int:
        """Its write arrives, and it goes on. What the server says to the write."""
        self.write.release.set()
        (call,) = await self.run.proxy.until(lambda call: bool(call.fault) and call.finished is not None, within=30)
        await self.run.operator.resume()
        ended = await self.run.operator.wait_exit(within=MERCY * TAKEOVER_SECONDS)
        assert ended.code == 1, "who lost the Lease ends, and begins anew as a candidate"
        return int(call.upstream_code or 0)


async def fall_asleep(a: Run, color: str, size: int) -> Asleep:
    """The leader writes the Deployment that serves, with pods, and is stopped before that arrives.

    It is scaled again and again until then: an autoscaler may take that back before the leader has seen it.
    """
    late = Hold(limit=1800)
    a.proxy.inject(Fault(Where(verb="apply", resource="deployments", name=f"web-{color}"), late))
    async with asyncio.timeout(30):
        while not late.reached.is_set():
            await scale(a, size)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(late.reached.wait(), SCALED_EVERY)
    await a.operator.pause()
    await until_leads(a.kube, a.namespace, "b")
    return Asleep(a, late)


# ---- all of it at once


async def restored_while_pulled(local: LocalCluster, kube: Kube, folder: Path, scaler: Scaler) -> None:
    settings = {"HARDENED_BACKUP_IMAGE": backup_image_name(), "HARDENED_ALLOW_RESTORE": "true", **scaler.settings}
    async with fresh_namespace(kube, "pull") as namespace, contextlib.AsyncExitStack() as stack:
        await allow_leaders(kube, namespace)
        a = await stack.enter_async_context(candidate(kube, local.kubeconfig, folder, namespace, "a", settings=settings))
        await until_leads(kube, namespace, "a")
        b = await stack.enter_async_context(candidate(kube, local.kubeconfig, folder, namespace, "b", settings=settings))
        await make_repository(a, "of-the-repository")
        await serve(a, scaled(namespace, "v1", scaler.autoscale), within=SCALED_WITHIN)
        manifest = scaled(namespace, "v2", scaler.autoscale)
        await serve(a, manifest, within=SCALED_WITHIN)
        live = await until_web(a, has_size(scaler.before), within=2 * SCALED_WITHIN)
        color = serving_color(live)
        await write(a, "orders", "those of yesterday")
        await write(a, "many", "".join(f"{n} {hashlib.sha256(str(n).encode()).hexdigest()}\n" for n in range(50_000)))
        wanted = await digests(a)
        await backs_up(a)
        await write(a, "orders", "ruined")
        await write(a, "newer", "not in the snapshot")

        asleep = await fall_asleep(a, color, scaler.before - 1)
        await until_web(b, has_size(scaler.before), within=2 * SCALED_WITHIN)
        async with watching_mounts(kube, namespace, "web-data") as mounts, following(b) as states:
            answered = await hold_and_pull(b, local.kubeconfig, folder, manifest, scaler, asleep)
            await until_web(b, lambda live: is_restored(live) and not phase_of(live), within=JOB_S)
            assert await digests(b) == wanted
            await until_web(b, has_size(scaler.after), within=2 * SCALED_WITHIN)
        assert await digests(b) == wanted
        assert answered == 409, "what was decided before the hold must not count in it"
        check(mounts, states)


async def hold_and_pull(b: Run, kubeconfig: Path, folder: Path, manifest: Body, scaler: Scaler, asleep: Asleep) -> int:
    """From the request to the end of the hold. What the server says to the write of the leader that was asleep."""
    async with contextlib.AsyncExitStack() as stack:
        locked = await stack.enter_async_context(contextlib.AsyncExitStack())
        await locked.enter_async_context(locked_repository(b))
        await restores(b)
        await until_web(b, phase_of, within=JOB_S)
        applied, by_hand = await stack.enter_async_context(pulled(b, kubeconfig, folder, manifest, scaler))
        await until_web(b, lambda live: phase_of(live) == "Restoring", within=JOB_S)
        await until_job_runs(b)
        answered = await asleep.wakes_up()
        await asyncio.gather(applied.more(APPLIED), by_hand.more(SCALED))
        live = await b.kube.get("HardenedService", "web", b.namespace)
        assert live
        assert phase_of(live) == "Restoring", "it was over too soon for anything to be seen"
        figures("pulled at while it is restored", applied=applied.times, scaled_by_hand=by_hand.times)
        await locked.aclose()
        await until_web(b, lambda live: not phase_of(live), within=JOB_S)
    return answered


async def until_job_runs(run: Run) -> None:
    """Waits until a pod that restores is at work."""
    async with asyncio.timeout(JOB_S):
        while True:
            found = await run.kube.list("Pod", run.namespace, "hardened.dev/run=restore")
            if any(pod["status"].get("phase") == "Running" for pod in found):
                return
            await asyncio.sleep(0.2)  # the pace at which a list is asked for again


def check(mounts: Mounts, states: list[Body]) -> None:
    """Nobody but the restore's own pod used the claim from when status said that nobody is left until it said that it is over."""
    began, ended = replaced_between(states)
    assert mounts.users(0, began), "the application's pods were seen before"
    assert mounts.users(began, ended, restores=True), "the pod that restores was seen"
    assert mounts.users(began, ended) == set()
    away = mounts.kept_away()
    assert {color for color in ("blue", "green") if any(f"web-{color}-" in name for name in away)} == {"blue", "green"}, away
    figures("kept away from the data", pods=len(away))


def replaced_between(states: list[Body]) -> tuple[int, int]:
    """The versions of the cluster from which on status said that the data is replaced, and that the hold is over."""
    versions = [(int(live["metadata"]["resourceVersion"]), phase_of(live)) for live in states]
    stopping = max(version for version, phase in versions if phase == "Stopping")
    began, ended = (next(version for version, each in versions if version > stopping and each == phase) for phase in ("Restoring", ""))
    return began, ended


def test_nobody_else_mounts_a_claim_that_is_restored_whoever_scales_its_service(local: LocalCluster, tmp_path: Path) -> None:
    """An HPA before and after; while the service is held, somebody scales that itself, too."""
    local.load([str(ensure_backup_image())])

    async def all_of_it() -> None:
        async with Kube(local.kubeconfig) as kube:
            await restored_while_pulled(local, kube, tmp_path, Scaler(BY_MEMORY, 3, 3, scaled_up_and_down))

    asyncio.run(all_of_it())
