"""What the tests of releases do and wait for: steps, colours, and the end of pods."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

from e2e.cluster.local.cluster import LocalCluster
from e2e.kube import Body, condition
from e2e.rig import Run, web

#: Short times, so that a release is over in seconds; what is measured does not depend on them.
TERMS: dict[str, Any] = {
    "release": {"strategy": "BlueGreen", "keepPrevious": "30s", "progressDeadline": "30s"},
    "verify": {"afterCutover": {"window": "2s"}},
    "replicas": 2,
    "shutdown": {"drainSeconds": 5, "graceSeconds": 15},
}


#: The steps that each release of `slow` comes to.
STEPS = ("Preview", "VerifyBefore", "Approval", "ScaleUp", "Cutover", "VerifyAfter", "Keep")


def released(namespace: str, version: str, **spec: Any) -> Body:
    """A service that is released blue-green, with short times."""
    return web(namespace, version, **{**TERMS, **spec})


def slow(namespace: str, version: str, *, expect: str = "", **spec: Any) -> Body:
    """The same, with every step long enough to be met. expect: what its answers are checked for before the cutover."""
    smoke = {"path": "/", "expectBody": expect or version, "count": 4, "interval": "1s", "failureLimit": 3}
    terms: dict[str, Any] = {
        "release": {**TERMS["release"], "promotion": "Manual", "autoPromoteAfter": "5s"},
        "verify": {"beforeCutover": [{"name": "smoke", "http": smoke}], "afterCutover": {"window": "10s"}},
        "env": [{"name": "LINGER", "value": "0"}, {"name": "START_DELAY", "value": "3"}],
    }
    return released(namespace, version, **{**terms, **spec})


def unsized(manifest: Body) -> Body:
    """The same without a number of replicas, as a team writes it whose service is scaled by something else."""
    return {**manifest, "spec": {name: value for name, value in manifest["spec"].items() if name != "replicas"}}


def leads_to(color: str) -> Callable[[Body | None], bool]:
    """Whether a Service selects this colour."""
    return lambda live: live is not None and live["spec"]["selector"].get("hardened.dev/color") == color


def ready_reason(reason: str) -> Callable[[Body | None], bool]:
    """Whether a service's Ready has this reason."""
    return lambda live: live is not None and condition(live, "Ready").get("reason") == reason


def step_of(live: Body | None) -> str:
    """The step of the release at work, or ""."""
    return str((((live or {}).get("status") or {}).get("release") or {}).get("step", ""))


async def until_led_to(run: Run, color: str, *, within: float) -> float:
    """Seconds until the clients' Service leads to this colour."""
    _, seconds = await run.kube.until("Service", "web", run.namespace, leads_to(color), within=within)
    return seconds


async def until_step(run: Run, *steps: str, within: float = 60) -> str:
    """The first of these steps that the release comes to; "" stands for its end."""
    live, _ = await run.kube.until("HardenedService", "web", run.namespace, lambda found: step_of(found) in steps, within=within)
    return step_of(live)


async def until_no_release(run: Run, *, within: float = 60) -> None:
    """Waits until no release is in progress, and no previous colour is kept."""
    await until_step(run, "", within=within)


async def scale(run: Run, replicas: int) -> None:
    """What an autoscaler does."""
    await run.kube.patch("HardenedService", "web", run.namespace, {"spec": {"replicas": replicas}}, "scale")


@contextlib.asynccontextmanager
async def following(run: Run) -> AsyncIterator[list[Body]]:
    """Every state of the service from the begin of the block to its end, as they come."""
    states = run.kube.states("HardenedService", "web", run.namespace)
    found: list[Body] = [first for first in [await anext(states)] if first]

    async def follow() -> None:
        async for live in states:
            if live:
                found.append(live)

    task = asyncio.create_task(follow())
    try:
        yield found
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def releases_in(states: Iterable[Body]) -> list[str]:
    """The revisions that were released in these states of a service, one after the other."""
    found = [(live.get("status") or {}).get("release") or {} for live in states]
    return list({each["startedAt"]: str(each["revision"]) for each in found if each}.values())


def serving_color(live: Body | None) -> str:
    """Where clients' traffic goes, by the status; "" for nowhere."""
    return str((((live or {}).get("status") or {}).get("serving") or {}).get("color", ""))


async def pods_of(run: Run, color: str) -> list[Body]:
    """The application's pods of a colour that are not ending."""
    found = await run.kube.list("Pod", run.namespace, f"hardened.dev/service=web,hardened.dev/color={color}")
    return [pod for pod in found if not pod["metadata"].get("deletionTimestamp")]


async def until_gone(run: Run, color: str, *, within: float) -> None:
    """Waits until a colour has no pod any more, not even one that is ending."""
    async with asyncio.timeout(within):
        while True:
            if not await run.kube.list("Pod", run.namespace, f"hardened.dev/service=web,hardened.dev/color={color}"):
                return
            await asyncio.sleep(0.5)  # the pace at which a list is asked for again


async def until_none_is_ready(run: Run, pods: Iterable[Body], *, within: float) -> float:
    """The moment, on the monotonic clock, at which no endpoint of the clients' Service is a ready one of these pods."""
    uids = {pod["metadata"]["uid"] for pod in pods}
    async with asyncio.timeout(within):
        while True:
            slices = await run.kube.list("EndpointSlice", run.namespace, "kubernetes.io/service-name=web")
            endpoints = [endpoint for each in slices for endpoint in each.get("endpoints") or ()]
            ready = [e for e in endpoints if e["targetRef"]["uid"] in uids and (e.get("conditions") or {}).get("ready") is not False]
            if not ready:
                return time.monotonic()
            await asyncio.sleep(0.02)  # the pace at which a list is asked for again


async def end(local: LocalCluster, run: Run, pods: Iterable[Body], how: str) -> None:
    """Ends all these pods: deleted; crashing, again and again; or hanging, with their connections open."""
    if how == "deleted":
        await asyncio.gather(*(run.kube.delete("Pod", pod["metadata"]["name"], run.namespace) for pod in pods))
        return
    paths = {"crashing": "/crash", "hanging": "/hang"}
    for pod in pods:
        url = f"http://{pod['status']['podIP']}:8080{paths[how]}"
        argv = ["curl", "--silent", "--show-error", "--max-time", "5", "--request", "POST", url]
        await asyncio.to_thread(local.run_in_node, 0, argv)
