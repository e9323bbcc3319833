"""Where it is measured: one cluster with the operator's rights and no operator, which a bench starts as it needs it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from e2e.bench.manifests import REAL, service
from e2e.cluster import ClusterError, Provider, choose
from e2e.cluster.local.cluster import LocalCluster
from e2e.install import install
from e2e.kube import Kube
from e2e.workloads.build import build

#: Nodes that do not exist, for services whose pods do not either.
KWOK_NODES = 10


@dataclass(frozen=True)
class BenchSite:
    """The cluster, and a folder for the operators' logs."""

    cluster: Provider
    folder: Path

    @property
    def kubeconfig(self) -> Path:
        """Administrator's access."""
        return self.cluster.kubeconfig

    @property
    def local(self) -> LocalCluster:
        """The cluster, where it is one that tells who asked for what and can have nodes that do not exist. Raises ClusterError."""
        if not isinstance(self.cluster, LocalCluster):
            raise ClusterError("this needs a local cluster: unset HARDENED_KUBECONFIG, and set HARDENED_PROVIDER=local")
        return self.cluster


@contextlib.contextmanager
def site(name: str) -> Iterator[BenchSite]:
    """A cluster of that name; taken down at the end, unless HARDENED_KEEP is set or it was there before."""
    cluster = choose(name)
    was_there = bool(cluster.status())
    try:
        cluster.up()
        cluster.load([build("static", version) for version in ("v1", "v2")])
        # Its rights and its CRD; the image is never pulled.
        install(cluster, "docker.io/hardened/operator:none", ("--set", "replicas=0"))
        asyncio.run(_until_served(cluster.kubeconfig))
        with tempfile.TemporaryDirectory(prefix="hardened-bench-") as folder:
            yield BenchSite(cluster, Path(folder))
    finally:
        if not was_there and not os.environ.get("HARDENED_KEEP"):
            cluster.down()


async def _until_served(kubeconfig: Path) -> None:
    """For some seconds after the CRD has changed, the API server refuses every new object of its kind. Raises KubeError."""
    async with Kube(kubeconfig) as kube:
        await kube.create(service("trial", "default", scheduling=REAL), dryRun="All")
