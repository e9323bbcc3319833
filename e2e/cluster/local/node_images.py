"""Images on a node: what its containerd holds, and how more gets there."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..command import Argument, attempt, run
from ..images.archive import config_digest, manifests_in
from .layout import Node

_NAMESPACE = "k8s.io"  # the one that the kubelet's images are in


class NodeImages:
    """The images of one node, by the `ctr` in that folder."""

    def __init__(self, containerd_dir: Path, node: Node) -> None:
        self._blobs = node.containerd_root / "io.containerd.content.v1.content/blobs/sha256"
        self._ctr: list[Argument] = [containerd_dir / "ctr", "--address", node.containerd_socket, "--namespace", _NAMESPACE]

    def answers(self) -> bool:
        """Whether the node's containerd takes requests."""
        return attempt([*self._ctr, "images", "list", "--quiet"], timeout=10).returncode == 0

    def add_missing(self, archives: Iterable[Path]) -> None:
        """Imports those archives of ours of which an image is not on the node, or is another one of the same name."""
        there = self.digests().items()
        for archive in archives:
            if not manifests_in(archive).items() <= there:
                self.add(archive)

    def digests(self) -> dict[str, str]:
        """Image name -> digest of its manifest."""
        rows = [line.split() for line in run([*self._ctr, "images", "list"]).splitlines()[1:]]
        return {row[0]: row[2] for row in rows if len(row) > 2}

    def blobs(self) -> frozenset[str]:
        """The digests, in hex, of all blobs in the node's store."""
        return frozenset(path.name for path in self._blobs.glob("*"))

    def holds(self, name: str, configuration: str) -> bool:
        """Whether the node's image of that name has the configuration of that digest, and so the same content."""
        manifest = self.digests().get(name)
        return manifest is not None and self._configuration(manifest) == configuration

    def add(self, archive: Path) -> None:
        """Imports every image of that archive under its own name."""
        run([*self._ctr, "images", "import", archive])

    def _configuration(self, manifest: str) -> str | None:
        described = self._content(manifest)
        if "manifests" in described:
            described = self._content(described["manifests"][0]["digest"])
        return config_digest(described)

    def _content(self, digest: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(run([*self._ctr, "content", "get", digest]))
        return found
