"""A cluster that somebody else runs, reached by a kubeconfig they named: used as it is, never made, changed or removed."""

from collections.abc import Sequence
from pathlib import Path

from .command import attempt
from .errors import ClusterError
from .provider import PartStatus


class ExistingCluster:
    """The cluster that this kubeconfig's current context leads to."""

    def __init__(self, name: str, kubeconfig: Path) -> None:
        self.name = name
        self._kubeconfig = kubeconfig.expanduser().absolute()

    @property
    def kubeconfig(self) -> Path:
        if not self._kubeconfig.is_file():
            raise ClusterError(f"there is no kubeconfig {self._kubeconfig}: name another one")
        return self._kubeconfig

    def up(self, *, nodes: int = 2, firewall: bool = False) -> None:
        """Only asks whether it answers. nodes, firewall: have no meaning for a cluster that is there."""
        answer = self._kubectl("get", "--raw", "/readyz")
        if answer is None:
            raise ClusterError(
                f"the cluster of {self.kubeconfig} does not answer: look at `kubectl --kubeconfig {self.kubeconfig} cluster-info`"
            )

    def load(self, images: Sequence[str]) -> None:
        raise ClusterError(
            f"nothing can be loaded into a cluster that is not ours: push {', '.join(images)} to a registry that it can pull from, "
            "and use that name"
        )

    def down(self) -> bool:
        return False

    def status(self) -> list[PartStatus]:
        names = self._kubectl("get", "nodes", "--output", "name")
        return [PartStatus(name.removeprefix("node/"), "exists") for name in (names or "").split()]

    def _kubectl(self, *arguments: str) -> str | None:
        """What kubectl says, or None where it fails. The user's own kubectl: it is known to fit their cluster."""
        answer = attempt(["kubectl", "--kubeconfig", self.kubeconfig, "--request-timeout=10s", *arguments], timeout=30)
        return answer.stdout if answer.returncode == 0 else None
