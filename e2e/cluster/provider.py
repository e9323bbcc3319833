"""What a cluster is to those who use it, and which kind of cluster a machine gets."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from .command import attempt, has
from .errors import ClusterError


@dataclass(frozen=True)
class Status:
    """One part of a cluster, in a word ("running", "stopped", "dead", "ready", …)."""

    name: str
    state: str


class Provider(Protocol):
    """A named cluster that can be brought up, given images, and taken down. All of it can be called again at any time."""

    name: str

    @property
    def kubeconfig(self) -> Path:
        """Access to the cluster as its administrator. Raises ClusterError where there is no cluster."""

    def up(self, *, nodes: int = 2, firewall: bool = False) -> None:
        """Brings it up, or repairs it, and returns when its nodes are ready and names of Services resolve.

        firewall: lets a cluster built from source enforce NetworkPolicies, from now on; on others their own network says whether it does.
        """

    def load(self, images: Sequence[str]) -> None:
        """Puts images on every node: names in the local buildah store, or archives. Nodes that have that content are skipped."""

    def down(self) -> bool:
        """Takes it down and leaves nothing behind. Whether there was anything to take down."""

    def status(self) -> list[Status]:
        """What it is made of and how that is. Empty where there is no cluster."""


def choose(name: str, kubeconfig: Path | None = None) -> Provider:
    """The provider for this machine: a kubeconfig that was named, else kind where Docker is, else built from source.

    kubeconfig: as given on the command line; without it, $HARDENED_KUBECONFIG counts. $HARDENED_PROVIDER (kind, local) overrides the rest.
    """
    from .existing import ExistingCluster
    from .kind import KindCluster
    from .local.cluster import LocalCluster

    named = kubeconfig or (Path(found) if (found := os.environ.get("HARDENED_KUBECONFIG")) else None)
    if named:
        return ExistingCluster(name, named)
    wanted = os.environ.get("HARDENED_PROVIDER")
    if wanted not in (None, "", "kind", "local"):
        raise ClusterError(f"HARDENED_PROVIDER is {wanted}: set it to kind or local, or unset it")
    if wanted == "kind" or (not wanted and docker_answers() and has("kind")):
        return KindCluster(name)
    return LocalCluster(name)


def docker_answers() -> bool:
    """Whether a Docker engine runs and lets us in."""
    return has("docker") and attempt(["docker", "info"], timeout=20).returncode == 0
