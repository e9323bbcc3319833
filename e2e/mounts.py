"""Who mounts a claim on a node, and when, by a watch on pods."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from itertools import pairwise

from e2e.kube import Body, Kube


@dataclass(frozen=True)
class _State:
    """From a version of the cluster on. is_on_node: the pod was given to a node, has not ended, and mounts the claim."""

    version: int
    name: str
    is_restore: bool
    is_on_node: bool


@dataclass
class Mounts:
    """The states of all pods that mount a claim, each as of a resourceVersion: those grow over all objects of a cluster."""

    claim: str
    _states: dict[str, list[_State]] = field(default_factory=dict)

    def saw(self, event: Body) -> None:
        """An event of a watch on pods."""
        pod = event["object"]
        spec, meta = pod["spec"], pod["metadata"]
        if all((volume.get("persistentVolumeClaim") or {}).get("claimName") != self.claim for volume in spec.get("volumes") or ()):
            return
        has_ended = event["type"] == "DELETED" or pod["status"].get("phase") in ("Succeeded", "Failed")
        is_restore = (meta.get("labels") or {}).get("hardened.dev/run") == "restore"
        state = _State(int(meta["resourceVersion"]), meta["name"], is_restore, bool(spec.get("nodeName")) and not has_ended)
        self._states.setdefault(meta["uid"], []).append(state)

    def users(self, since: int, until: int, *, restores: bool = False) -> set[str]:
        """The pods that mounted it on a node between two versions; restores: those of the Job that restores, else all others."""
        return {
            before.name
            for states in self._states.values()
            for before, after in pairwise([*states, None])
            if before and before.is_on_node and before.is_restore is restores and before.version < until
            if after is None or after.version > since
        }

    def kept_away(self) -> set[str]:
        """The pods that never came to a node."""
        return {states[-1].name for states in self._states.values() if not any(state.is_on_node for state in states)}


@contextlib.asynccontextmanager
async def watching_mounts(kube: Kube, namespace: str, claim: str) -> AsyncIterator[Mounts]:
    """All of them, from those that there are at its beginning to the end of the block."""
    found = Mounts(claim)
    listed = await kube.call("GET", f"api/v1/namespaces/{namespace}/pods")
    for pod in listed["items"]:
        found.saw({"type": "ADDED", "object": pod})

    async def watch() -> None:
        async for event in kube.watch("Pod", namespace, listed["metadata"]["resourceVersion"]):
            found.saw(event)

    task = asyncio.create_task(watch())
    try:
        yield found
        assert not task.done(), "the watch has ended, and nobody would have seen a pod"
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
