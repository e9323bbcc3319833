"""Puts images on the nodes of a cluster: only those, and only where, they are not there yet."""

import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ..errors import ClusterError
from ..images import archive
from ..images.names import full_name
from ..images.stores import store
from ..progress import step
from .layout import Layout
from .node_images import NodeImages
from .programs import Programs


def load(layout: Layout, programs: Programs, images: Sequence[str]) -> None:
    """Puts each image, an archive's path or a name in the local store, on every node that lacks it."""
    nodes = [NodeImages(programs.containerd, node) for node in layout.all_nodes]
    for image in images:
        if Path(image).is_file():
            _load_archive(nodes, Path(image), image)
        else:
            _load_name(nodes, full_name(image))


def _load_archive(nodes: Sequence[NodeImages], file: Path, title: str) -> None:
    wanted = archive.images_in(file)
    lacking = [node for node in nodes if not all(node.holds(name, configuration) for name, configuration in wanted.items())]
    if lacking:
        with step(f"loading {title} to {len(lacking)} nodes"):
            _add(lacking, file)


def _load_name(nodes: Sequence[NodeImages], name: str) -> None:
    configuration = store().image_id(name)
    if not configuration:
        raise ClusterError(f"there is no image {name}: build it first, or give the path of an archive")
    lacking = [node for node in nodes if not node.holds(name, configuration)]
    if not lacking:
        return
    with step(f"loading {name} to {len(lacking)} nodes"):
        # What all of them have, the base image most of all, is not carried there again.
        known = frozenset.intersection(*(node.blobs() for node in lacking))
        try:
            _export_to(lacking, name, known)
        except ClusterError:  # a containerd has removed such a blob meanwhile
            _export_to(lacking, name, frozenset())


def _export_to(nodes: Sequence[NodeImages], name: str, known: frozenset[str]) -> None:
    with tempfile.TemporaryDirectory(prefix="hardened-load-") as scratch:
        _add(nodes, store().export(name, Path(scratch), known))


def _add(nodes: Sequence[NodeImages], file: Path) -> None:
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda node: node.add(file), nodes))
