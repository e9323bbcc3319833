"""Controllers of others on a cluster, from their own manifests: there for a while, and gone with all that they brought."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from pathlib import Path

import yaml

from e2e.cluster import tools
from e2e.cluster.command import run
from e2e.cluster.local.cluster import LocalCluster
from e2e.kube import Body, Kube

#: Seconds for their pods to start one after the other: some wait for certificates that others make.
READY_WITHIN = 240.0


def manifests_in(folder: Path, parts: Iterable[str]) -> Iterator[Body]:
    """All objects of these folders in it, in this order; of each the files by name. A kustomization.yaml is no object."""
    files = (file for part in parts for file in sorted((folder / part).glob("*.yaml")))
    found = (each for file in files if file.stem != "kustomization" for each in yaml.safe_load_all(file.read_text()))
    return (each for each in found if each)


def fitted(deployment: Body, image: str) -> Body:
    """Of an image that is on the nodes, and asked at once whether it is ready; the requests are those of a small machine."""
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    probe = {**container["readinessProbe"], "initialDelaySeconds": 0, "periodSeconds": 2}
    container |= {"image": image, "imagePullPolicy": "Never", "readinessProbe": probe}
    container["resources"] = {"requests": {"cpu": "10m"}}
    return deployment


@contextlib.asynccontextmanager
async def installed(local: LocalCluster, kube: Kube, namespace: str, manifests: Sequence[Body]) -> AsyncIterator[None]:
    """With each Deployment among them available. namespace: theirs, which is among them too, and is gone at the end."""
    await _kubectl(local, manifests, "apply", "--server-side", "--force-conflicts")
    try:
        for each in manifests:
            if each["kind"] == "Deployment":
                await kube.until("Deployment", each["metadata"]["name"], namespace, _is_available, within=READY_WITHIN)
        yield
    finally:
        await _kubectl(local, manifests, "delete", "--ignore-not-found", "--wait=false")
        await kube.until("Namespace", namespace, None, lambda live: live is None, within=READY_WITHIN)


async def _kubectl(local: LocalCluster, manifests: Sequence[Body], *words: str) -> None:
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(manifests)})
    command: list[str | Path] = [tools.kubectl(), "--kubeconfig", local.kubeconfig, *words, "-f", "-"]
    await asyncio.to_thread(run, command, stdin=text)


def _is_available(live: Body | None) -> bool:
    return live is not None and (live.get("status") or {}).get("availableReplicas", 0) > 0
