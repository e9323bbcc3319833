"""What a cluster is to those who use it, whichever kind it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class PartStatus:
    """How one part of a cluster is, in a word ("running", "stopped", "dead", "ready", …)."""

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

    def status(self) -> list[PartStatus]:
        """What it is made of and how that is. Empty where there is no cluster."""
