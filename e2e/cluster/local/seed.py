"""Starts a new node with the images that every node has, without importing them again: containerd's folder, linked from the cache.

Importing them takes six seconds of processor time for each node. Once imported, containerd never writes to a blob or to a file
of an unpacked layer, so that any number of nodes can share them; its databases are copied.
"""

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

from ..command import attempt, run
from ..lock import locked
from ..paths import cache_root
from ..whole import made_whole
from .layout import Node
from .programs import Programs

_DATABASES = ("io.containerd.metadata.v1.bolt/meta.db", "io.containerd.snapshotter.v1.overlayfs/metadata.db")


def folder(programs: Programs) -> Path:
    """Where the seed for these programs and images is kept, or will be."""
    inputs = [programs.containerd, *programs.first_images, *programs.later_images]
    return cache_root() / "seeds" / hashlib.sha256("\0".join(path.name for path in inputs).encode()).hexdigest()[:12]


def ensure(programs: Programs, node: Node, fill: Callable[[], None]) -> None:
    """Makes the seed where there is none: `fill` imports the images into that node's containerd, then ends it."""
    seed = folder(programs)
    if seed.is_dir():
        return
    with locked(cache_root() / "locks" / f"seed-{seed.name}", waiting_for="another cluster that prepares the nodes' images"):
        if seed.is_dir():
            return
        fill()
        with made_whole(seed) as partial:
            _link_tree(node.containerd_root, partial)


def plant(programs: Programs, node: Node) -> None:
    """Gives the node the seed, where its containerd has nothing yet."""
    if node.containerd_root.exists():
        return
    with made_whole(node.containerd_root) as partial:
        _link_tree(folder(programs), partial)


def _link_tree(source: Path, target: Path) -> None:
    if attempt(["cp", "--archive", "--link", source, target]).returncode:  # the cache is on another file system
        shutil.rmtree(target, ignore_errors=True)
        run(["cp", "--archive", source, target])
        return
    for database in _DATABASES:
        shared = target / database
        copy = shared.with_suffix(".copy")
        shutil.copy2(shared, copy)
        copy.replace(shared)
