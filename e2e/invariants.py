"""Looks at every change of the active Service and of the Deployments, and says what should never have been."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from e2e.kube import Body, Kube, path_of
from e2e.rig import Run

#: The Service of the clients, which leads to the colour that serves.
ACTIVE_SERVICE = "web"
COLOR, REVISION = "hardened.dev/color", "hardened.dev/revision"
#: Seconds by which an event may reach us later than another one: what was kept is measured from here.
LATENESS = 0.5
#: Seconds within which an event reaches us.
PATIENCE = 10.0
#: Seconds until a watch that has ended is opened again.
REOPEN = 0.1


@dataclass(frozen=True)
class Change:
    """An object as it was from one moment on. version: its resourceVersion, which also orders changes of different objects; at: when we
    heard of it, on the monotonic clock; is_gone: it was deleted."""

    version: int
    at: float
    body: Body
    is_gone: bool = False


class InvariantMonitor:
    """What was seen of one namespace. first: the objects at the beginning; changes: those that followed, as they came."""

    def __init__(self) -> None:
        self.first: list[Body] = []
        self.changes: list[Change] = []

    @property
    def selected(self) -> tuple[str, ...]:
        """The colours that the active Service has led to, one after the other."""
        states = [self.first, *([change.body] for change in _ordered(self.changes) if not change.is_gone)]
        selectors = [body["spec"].get("selector") or {} for bodies in states for body in bodies if _is_active_service(body)]
        return tuple(color for color, _ in groupby(selector.get(COLOR, "nobody") for selector in selectors))

    def knows(self, body: Body) -> bool:
        """Whether an object was seen as it is here, or later."""
        known = [*self.first, *(change.body for change in self.changes)]
        versions = [int(each["metadata"]["resourceVersion"]) for each in known if _identity(each) == _identity(body)]
        return max(versions, default=0) >= int(body["metadata"]["resourceVersion"])

    def wrongs(self, *, replicas: int, keep: Mapping[str, float]) -> list[str]:
        """See the function of this name."""
        return wrongs(self.first, self.changes, replicas=replicas, keep=keep)


@contextlib.asynccontextmanager
async def watching(run: Run) -> AsyncIterator[InvariantMonitor]:
    """Looks on until the end of the block, and until it has heard of all that is there by then. Raises what the watches failed with."""
    monitor, news, clock = InvariantMonitor(), asyncio.Event(), asyncio.get_running_loop().time
    versions = {}
    for kind in ("Deployment", "Service"):
        found = await run.kube.call("GET", path_of(kind, run.namespace))
        monitor.first += [{"kind": kind, **item} for item in found["items"]]
        versions[kind] = found["metadata"]["resourceVersion"]

    async def follow(kind: str, version: str) -> None:
        async for event in _events(run.kube, kind, run.namespace, version):
            body = {"kind": kind, **event["object"]}
            monitor.changes.append(Change(int(body["metadata"]["resourceVersion"]), clock(), body, event["type"] == "DELETED"))
            news.set()

    async def catch_up(kind: str) -> None:
        for body in await run.kube.list(kind, run.namespace):
            while not monitor.knows({"kind": kind, **body}):
                news.clear()
                await asyncio.wait_for(news.wait(), PATIENCE)

    following = [asyncio.create_task(follow(kind, version)) for kind, version in versions.items()]
    try:
        yield monitor
        for kind in versions:
            await catch_up(kind)
    finally:
        for task in following:
            task.cancel()
        ended = await asyncio.gather(*following, return_exceptions=True)
    for failure in ended:
        if isinstance(failure, Exception):
            raise failure


async def _events(kube: Kube, kind: str, namespace: str, version: str) -> AsyncIterator[Body]:
    """The events after a version, without end: a watch that is over is taken up where it was."""
    while True:
        async for event in kube.watch(kind, namespace, version):
            version = event["object"]["metadata"]["resourceVersion"]
            yield event
        await asyncio.sleep(REOPEN)


def wrongs(first: Iterable[Body], changes: Iterable[Change], *, replicas: int, keep: Mapping[str, float]) -> list[str]:
    """What should never have been: traffic led to nobody or to too few pods, and a stack that it has left being taken down too soon.

    replicas: how many pods are enough; keep: by the Deployment's name, the seconds that it stays up after traffic has left it. One that is
    not named is not to be taken down at all.
    """
    live = {_identity(body): body for body in first}
    found: list[str] = []
    serving = _serving(live.values())
    left: dict[str, float] = {}
    for change in _ordered(changes):
        if change.is_gone:
            live.pop(_identity(change.body), None)
        else:
            live[_identity(change.body)] = change.body
        before, serving = serving, _serving(live.values())
        left |= dict.fromkeys(before - serving, change.at)
        left = {name: at for name, at in left.items() if name not in serving}
        stacks = {body["metadata"]["name"]: body for body in live.values() if body["kind"] == "Deployment"}
        if not serving:
            found.append("traffic is led to nobody")
        for name in serving:
            wanted, available = _replicas(stacks[name])
            if wanted < replicas or available < replicas:
                found.append(f"{name} serves with {available} available pods of {wanted}")
        for name, at in list(left.items()):
            wanted, _ = _replicas(stacks.get(name))
            if wanted < replicas:
                del left[name]
                if change.at - at < keep.get(name, math.inf) - LATENESS:
                    found.append(f"{name} is to have {wanted} pods {change.at - at:.1f} s after traffic has left it")
    return list(dict.fromkeys(found))


def _ordered(changes: Iterable[Change]) -> Sequence[Change]:
    return sorted(changes, key=lambda change: change.version)


def _serving(bodies: Iterable[Body]) -> frozenset[str]:
    """The names of the Deployments whose pods the active Service selects."""
    known = list(bodies)
    selector = next((body["spec"].get("selector") or {} for body in known if _is_active_service(body)), {})
    stacks = [body for body in known if body["kind"] == "Deployment"]
    return frozenset(
        body["metadata"]["name"]
        for body in stacks
        if selector and selector.items() <= body["spec"]["template"]["metadata"]["labels"].items()
    )


def _replicas(stack: Body | None) -> tuple[int, int]:
    """(wanted, available) of a Deployment; none of one that is not there."""
    if stack is None:
        return 0, 0
    return stack["spec"].get("replicas", 1), (stack.get("status") or {}).get("availableReplicas", 0)


def _is_active_service(body: Body) -> bool:
    return _identity(body) == ("Service", ACTIVE_SERVICE)


def _identity(body: Body) -> tuple[str, str]:
    return body["kind"], body["metadata"]["name"]
