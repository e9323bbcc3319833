"""When something became true, seen by watch: the time between an apply and its effect, without polling."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Collection

from e2e.kube import Body, Kube, TooLate, path_of

Holds = Callable[[Body], bool]


class Moments:
    """For each object's name, the first moment, on the monotonic clock, at which it was seen to be so."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._at: dict[str, float] = {}
        self._changed = asyncio.Event()

    def note(self, name: str) -> None:
        """It is so now."""
        if name not in self._at:
            self._at[name] = time.monotonic()
            self._changed.set()

    async def until(self, names: Collection[str], *, within: float) -> float:
        """Waits until it was so for all of them. The moment of the last. Raises TooLate."""
        wanted = frozenset(names)
        try:
            async with asyncio.timeout(within):
                while not wanted <= self._at.keys():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError as error:
            missing = sorted(wanted - self._at.keys())
            raise TooLate(
                f"after {within:g} s {len(missing)} of {len(wanted)} {self._kind}s are not so: {', '.join(missing[:5])}"
            ) from error
        return max(self._at[name] for name in wanted)


@contextlib.asynccontextmanager
async def moments(kube: Kube, kind: str, namespace: str, holds: Holds) -> AsyncIterator[Moments]:
    """Watches a namespace's objects of one kind for the block, from before it begins."""
    found = Moments(kind)
    version = await _list(kube, kind, namespace, holds, found)
    watching = asyncio.create_task(_watch(kube, kind, namespace, version, holds, found))
    try:
        yield found
    finally:
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching


async def _list(kube: Kube, kind: str, namespace: str, holds: Holds, found: Moments) -> str:
    reply = await kube.call("GET", path_of(kind, namespace))
    for item in reply["items"]:
        if holds(item):
            found.note(item["metadata"]["name"])
    return str(reply["metadata"]["resourceVersion"])


async def _watch(kube: Kube, kind: str, namespace: str, version: str, holds: Holds, found: Moments) -> None:
    while True:
        async for event in kube.watch(kind, namespace, version):
            if event["type"] in ("ADDED", "MODIFIED") and holds(event["object"]):
                found.note(event["object"]["metadata"]["name"])
        version = await _list(kube, kind, namespace, holds, found)


async def until_none(kube: Kube, kind: str, namespace: str, *, within: float) -> None:
    """Waits until the namespace has no object of this kind. Raises TooLate."""
    left: set[str] = set()
    try:
        async with asyncio.timeout(within):
            while True:
                reply = await kube.call("GET", path_of(kind, namespace))
                left = {item["metadata"]["name"] for item in reply["items"]}
                if not left:
                    return
                async for event in kube.watch(kind, namespace, reply["metadata"]["resourceVersion"]):
                    name = event["object"]["metadata"]["name"]
                    (left.discard if event["type"] == "DELETED" else left.add)(name)
                    if not left:
                        return
    except TimeoutError as error:
        raise TooLate(f"after {within:g} s there still are {kind}s in {namespace}: {', '.join(sorted(left)[:5])}") from error
