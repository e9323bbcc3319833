"""The stack bookmark-api on a real cluster: it starts in its order, and what dies loses no job."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from e2e.cluster.local.cluster import LocalCluster
from e2e.figures import figures
from e2e.kube import Body, Kube, KubeError, condition
from e2e.rig import Run, fresh_namespace, operator_behind
from e2e.stack import PARTS, ensure_passwords, upgrade
from e2e.workloads.build import build_part

STACK = "bookmark-api"
#: The node that the servers are on, and the other one.
SERVERS, OTHER = 0, 1
#: Seconds for one answer: of a pod whose node has no power any more, nothing comes, not even that nothing will.
ANSWER_S = 10
#: Nobody watches these releases for long. Jobs take so long that some are under way when something dies.
QUICK = (
    "--set=api.autoscale=null",
    "--set=api.replicas=2",
    "--set=api.extraSpec.verify.afterCutover.window=1s",
    "--set-json=api.extraSpec.verify.afterCutover.checks=[]",
    "--set-json=api.extraSpec.verify.beforeCutover=[]",
    "--set=worker.extraSpec.verify.afterCutover.window=1s",
    "--set=postgres.extraSpec.verify.afterCutover.window=1s",
    "--set=redis.extraSpec.verify.afterCutover.window=1s",
    "--set=worker.env.JOB_SECONDS=0.2",
    *(rf"--set={part}.extraSpec.scheduling.nodeSelector.kubernetes\.io/hostname=node{SERVERS}" for part in ("postgres", "redis")),
    "--set=worker.env.LEASE=3",
    "--set=worker.env.LOST_AFTER=5",
)

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("rights")]


@pytest.fixture(scope="module")
def loaded(local: LocalCluster) -> LocalCluster:
    """The cluster, with the images of the stack on its nodes."""
    local.load([build_part(part) for part in PARTS[STACK]])
    return local


class Stack:
    """The stack in a namespace, asked through the API server."""

    def __init__(self, run: Run) -> None:
        self.kube, self.namespace = run.kube, run.namespace

    async def ask(self, method: str, path: str, body: Any = None, *, patience: float = 60) -> Body:
        """A request to the API, again for so many seconds while it fails. Raises KubeError for any code from 300 on, and TimeoutError."""
        path, _, query = path.partition("?")
        until = time.monotonic() + patience
        given = dict(each.split("=") for each in query.split("&") if each)
        while True:
            try:
                async with asyncio.timeout(ANSWER_S):
                    return await self.kube.call(
                        method, f"api/v1/namespaces/{self.namespace}/services/{STACK}-api:http/proxy{path}", body, **given
                    )
            except (KubeError, TimeoutError):
                if time.monotonic() > until:
                    raise
                await self.until("api", "Available", "True", within=120)
                await asyncio.sleep(0.2)  # it may be so for some seconds more after its database has gone

    async def make(self, count: int) -> None:
        """So many bookmarks, each of which is acknowledged; or more, where one was made and nobody could be told."""
        await asyncio.gather(*(self.ask("POST", "/bookmarks", {"url": f"https://example.org/n/{n}"}) for n in range(count)))

    async def until_done(self, within: float) -> float:
        """Waits until no job is left. The seconds that it took. Raises AssertionError where one is dead, or still there after `within`."""
        begun = time.monotonic()
        while True:
            said = await self.ask("GET", "/queue")
            assert said["dead"] == 0, said
            if said["waiting"] == 0:
                return time.monotonic() - begun
            assert time.monotonic() < begun + within, f"jobs are left: {said}"
            await asyncio.sleep(0.2)  # nothing tells when the last one is done

    async def enriched(self) -> int:
        """How many bookmarks have what a job gives them."""
        found, after = 0, ""
        while True:
            page = await self.ask("GET", f"/bookmarks?limit=100{after}")
            found += sum(each["enrichedAt"] is not None for each in page["items"])
            if page["next"] is None:
                return found
            after = f"&after={page['next']}"

    async def kill(self, part: str) -> None:
        """All pods of a part, at once and without a word."""
        for pod in await self.pods(part):
            name = pod["metadata"]["name"]
            path = f"api/v1/namespaces/{self.namespace}/pods/{name}"
            await self.kube.call("DELETE", path, {"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0})

    async def pods(self, part: str) -> list[Body]:
        selector = f"hardened.dev/service={STACK}-{part},app.kubernetes.io/component=app"
        return await self.kube.list("Pod", self.namespace, selector)

    async def scale(self, part: str, replicas: int) -> None:
        await self.kube.patch("HardenedService", f"{STACK}-{part}", self.namespace, {"spec": {"replicas": replicas}})

    async def until(self, part: str, kind: str, status: str, *, within: float) -> tuple[Body, float]:
        """Waits for a condition of a part. The service, and the seconds that it took."""
        name = f"{STACK}-{part}"
        live, seconds = await self.kube.until(
            "HardenedService", name, self.namespace, lambda live: condition(live, kind).get("status") == status, within=within
        )
        assert live
        return live, seconds


@contextlib.asynccontextmanager
async def installed(
    local: LocalCluster, folder: Path, values: Sequence[str] = QUICK, settings: dict[str, str] | None = None
) -> AsyncIterator[Stack]:
    """The stack by its chart, with an operator of its own, and Available. values: for helm; settings: of the operator."""
    async with (
        Kube(local.kubeconfig) as kube,
        fresh_namespace(kube, "stack") as namespace,
        operator_behind(kube, local.kubeconfig, folder, namespace=namespace, settings=settings) as run,
    ):
        ensure_passwords(local.kubeconfig, namespace, STACK)
        upgrade(local.kubeconfig, STACK, namespace, values)
        stack = Stack(run)
        await stack.until("worker", "Available", "True", within=180)
        yield stack


def played(local: LocalCluster, folder: Path, play: Callable[[Stack], Awaitable[None]]) -> None:
    async def all_of_it() -> None:
        async with installed(local, folder) as stack:
            await play(stack)

    asyncio.run(all_of_it())


def test_it_starts_in_its_order_and_killed_workers_and_a_killed_redis_lose_no_job(loaded: LocalCluster, tmp_path: Path) -> None:
    async def play(stack: Stack) -> None:
        names = ("postgres", "redis", "api", "worker")
        live = {name: (await stack.until(name, "Available", "True", within=60))[0] for name in names}
        begun = {name: min(pod["metadata"]["creationTimestamp"] for pod in await stack.pods(name)) for name in names}
        there = {name: condition(body, "Available")["lastTransitionTime"] for name, body in live.items()}
        for name, needs in (("api", ["postgres"]), ("worker", ["postgres", "redis", "api"])):
            assert begun[name] >= max(there[each] for each in needs), (begun, there)
            told = {each["service"]: each["state"] for each in live[name]["status"]["dependencies"]}
            assert told == {f"{STACK}-{each}": "Available" for each in needs}

        await stack.make(60)
        await stack.kill("worker")
        await stack.make(20)
        await stack.kill("redis")
        await stack.make(20)
        await stack.until_done(within=60)
        assert await stack.enriched() >= 100

    played(loaded, tmp_path, play)


@pytest.mark.full
def test_started_with_the_database_down_it_is_ready_once_that_comes_and_was_never_restarted(loaded: LocalCluster, tmp_path: Path) -> None:
    async def play(stack: Stack) -> None:
        await stack.until("api", "Ready", "True", within=120)
        await stack.scale("postgres", 0)
        await stack.until("postgres", "Available", "False", within=60)
        await stack.kill("api")
        live, _ = await stack.until("api", "Available", "False", within=60)
        with pytest.raises(KubeError):
            await stack.ask("POST", "/bookmarks", {"url": "https://example.org/"}, patience=0)
        await stack.kube.until(
            "HardenedService",
            f"{STACK}-api",
            stack.namespace,
            lambda live: live is not None and live["status"]["dependencies"][0]["state"] == "Unavailable",
            within=10,
        )
        revision = live["status"]["serving"]["revision"]
        await stack.scale("postgres", 1)
        await stack.until("postgres", "Available", "True", within=60)
        live, seconds = await stack.until("api", "Available", "True", within=30)
        assert seconds < 15
        assert live["status"]["serving"]["revision"] == revision
        restarts = [c["restartCount"] for pod in await stack.pods("api") for c in pod["status"]["containerStatuses"]]
        assert restarts == [0, 0]
        await stack.make(3)
        await stack.until_done(within=30)
        figures("bookmark-api, its database comes later", seconds=seconds, load_average=os.getloadavg()[0])

    played(loaded, tmp_path, play)


@pytest.mark.full
def test_a_killed_database_and_stopped_nodes_lose_no_job(loaded: LocalCluster, tmp_path: Path) -> None:
    async def play(stack: Stack) -> None:
        await stack.make(60)
        await stack.kill("postgres")
        await stack.make(20)
        await stack.until_done(within=60)
        assert await stack.enriched() >= 80
        # First the node of half the workers; then that of both servers, whose claims are tied to it.
        for made, index in ((140, OTHER), (200, SERVERS)):
            await stack.make(60)
            began = time.monotonic()
            await asyncio.to_thread(loaded.stop_node, index)
            try:
                if index == OTHER:
                    await stack.until_done(within=120)
            finally:
                await asyncio.to_thread(loaded.start_node, index)
            await stack.until_done(within=180)
            done = await stack.enriched()
            told = {"node": f"node{index}", "acknowledged": made, "done": done, "seconds": time.monotonic() - began}
            figures("bookmark-api, a node without power", **told, load_average=os.getloadavg()[0])
            assert done >= made

    played(loaded, tmp_path, play)
