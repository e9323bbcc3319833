"""The kind provider, for machines with a Docker engine: clusters made by the program `kind`.

Never run where it was written, for want of Docker: its tests hold the calls it makes against a stand-in for `kind`, nothing more.
Differences from the local provider: no metrics-server, no audit log, no verbs that disturb components.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from .command import Argument, run
from .errors import ClusterError
from .images.names import full_name
from .paths import state_root
from .progress import step
from .provider import PartStatus

_UP_TIMEOUT_S = 900.0


class KindCluster:
    """The kind cluster `hardened-NAME`. That it is ours is recorded, before it is made, by a folder that its kubeconfig goes to."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._kind_name = f"hardened-{name}"
        self._folder = state_root() / "kind" / name

    @property
    def kubeconfig(self) -> Path:
        path = self._folder / "kubeconfig"
        if not path.exists():
            raise ClusterError(f"there is no cluster {self.name}: `up --name {self.name}` makes it")
        return path

    def up(self, *, nodes: int = 2, firewall: bool = False) -> None:
        """firewall: kind's own network enforces NetworkPolicies, asked for or not."""
        path = self._folder / "kubeconfig"
        if self._exists():
            if not self._folder.exists():
                raise ClusterError(f"the kind cluster {self._kind_name} is not ours: choose another name, or delete it with kind")
            if not path.exists():  # `up` was killed meanwhile
                run(["kind", "export", "kubeconfig", "--name", self._kind_name, "--kubeconfig", path])
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        roles = [{"role": "control-plane"}, *({"role": "worker"} for _ in range(nodes - 1))]
        config = json.dumps({"kind": "Cluster", "apiVersion": "kind.x-k8s.io/v1alpha4", "nodes": roles})
        create: list[Argument] = [
            "kind",
            "create",
            "cluster",
            "--name",
            self._kind_name,
            "--config",
            "-",
            "--kubeconfig",
            path,
            "--wait",
            "180s",
        ]
        with step(f"kind makes {self._kind_name}"):
            run(create, stdin=config, timeout=_UP_TIMEOUT_S)

    def load(self, images: Sequence[str]) -> None:
        for image in images:
            way = ["image-archive", image] if Path(image).is_file() else ["docker-image", full_name(image)]
            with step(f"loading {image}"):
                run(["kind", "load", *way, "--name", self._kind_name])

    def down(self) -> bool:
        if not self._folder.exists():
            return False
        run(["kind", "delete", "cluster", "--name", self._kind_name, "--kubeconfig", self._folder / "kubeconfig"])
        (self._folder / "kubeconfig").unlink(missing_ok=True)
        self._folder.rmdir()
        return True

    def status(self) -> list[PartStatus]:
        if not self._exists():
            return []
        return [PartStatus(node, "exists") for node in run(["kind", "get", "nodes", "--name", self._kind_name]).split()]

    def _exists(self) -> bool:
        return self._kind_name in run(["kind", "get", "clusters"]).split()
