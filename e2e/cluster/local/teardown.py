"""Takes a cluster, or one node of it, down to nothing, from the record alone: whatever was killed before, and in the middle of what.

Only what carries a name of the record is touched: processes in its cgroups and network namespaces, mounts below its folders.
"""

import ctypes
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path

from ..errors import ClusterError
from . import cgroups, device_plugins, network
from .layout import Layout, Node, record_of

PATIENCE_S = 30.0
"""How long killed processes may take to be gone: the kernel ends a container's last process when its disk has answered."""

_POD_LOG_LINKS = Path("/var/log/containers")
_CNI_RESULTS = Path("/var/lib/cni/results")

_MNT_DETACH = 2
_libc = ctypes.CDLL(None, use_errno=True)


def take_down(layout: Layout) -> None:
    """Ends every process of the cluster and removes everything it made, its record last. Raises ClusterError for what would not go."""
    _end_processes(layout)
    unmount_below(*layout.folders)
    network.remove(layout)
    _until(lambda: cgroups.remove(layout.cgroup), f"the cgroup {layout.cgroup} is still in use")
    _sweep_shared_folders(layout)
    for folder in layout.folders:
        _until(partial(_remove_folder, folder), f"{folder} can't be removed")


def power_off(node: Node) -> None:
    """What a power cut does to a node: its processes end at once and its cable is dead. What it keeps on its disk stays."""
    network.unplug(node)
    _until(lambda: not cgroups.kill(node.cgroup), f"{node.name} has processes that do not end")
    # A machine that boots has no mounts and an empty /run.
    unmount_below(node.folder)
    for folder in (node.containerd_state, node.run_dir):
        shutil.rmtree(folder, ignore_errors=True)


def mounts_below(*folders: Path) -> list[Path]:
    """Every mount point in those folders, the deepest and latest first."""
    points = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        point = Path(line.split()[4].encode().decode("unicode_escape"))
        if any(point.is_relative_to(folder) for folder in folders):
            points.append(point)
    return points[::-1]


def unmount_below(*folders: Path) -> None:
    """Unmounts all of that, lazily: a mount that is in use is gone from the tree now and for good when its last user ends."""
    for _round in range(20):
        points = mounts_below(*folders)
        if not points:
            return
        for point in points:
            _libc.umount2(os.fsencode(point), _MNT_DETACH)
    raise ClusterError(f"these mounts do not go away: {', '.join(map(str, mounts_below(*folders)))}")


def processes_of(layout: Layout) -> set[int]:
    """The ids of all processes in the cluster's cgroups or in a network namespace of it, its pods' included."""
    namespaces = {found for name in layout.network_namespaces if (found := network.inode(name)) is not None}
    for node in layout.all_nodes:
        namespaces |= _inodes((node.containerd_state / "netns").glob("*"))
    return cgroups.members(layout.cgroup) | _in_namespaces(namespaces)


def _end_processes(layout: Layout) -> None:
    def all_ended() -> bool:
        cgroups.kill(layout.cgroup)  # frozen ones, too
        left = processes_of(layout) - {os.getpid()}
        for process in left:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        return not left

    _until(all_ended, f"the cluster {layout.name} has processes that do not end")


def _sweep_shared_folders(layout: Layout) -> None:
    """Removes the cluster's entries from folders that kubelets and CNI plugins can't be told to keep elsewhere, then the empty folders."""
    for link in _POD_LOG_LINKS.glob("*"):
        with suppress(OSError):
            if link.readlink().is_relative_to(layout.bulk):
                link.unlink()
    for result in _CNI_RESULTS.glob(f"{layout.cgroup}-*"):
        result.unlink(missing_ok=True)
    device_plugins.sweep()
    for folder in (_POD_LOG_LINKS, _CNI_RESULTS, _CNI_RESULTS.parent):
        with suppress(OSError):  # in use by others, or not there
            folder.rmdir()


def _in_namespaces(inodes: set[int]) -> set[int]:
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):  # it has ended, or it is the kernel's
                if (entry / "ns/net").stat().st_ino in inodes:
                    found.add(int(entry.name))
    return found


def _inodes(paths: Iterable[Path]) -> set[int]:
    found = set()
    for path in paths:
        with suppress(OSError):
            found.add(path.stat().st_ino)
    return found


def _remove_folder(folder: Path) -> bool:
    """Removes the folder with its record last, so that a removal cut short can be taken up again. Whether it is gone.

    A program that a killed `up` had called may write there for another moment: what is left then goes at the next call.
    """
    if not folder.is_dir():
        return True
    for entry in folder.iterdir():
        if entry != record_of(folder):
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry, ignore_errors=True)
            else:
                entry.unlink(missing_ok=True)
    if all(entry == record_of(folder) for entry in folder.iterdir()):
        shutil.rmtree(folder, ignore_errors=True)
    return not folder.exists()


def _until(is_done: Callable[[], bool], complaint: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not is_done():
        if time.monotonic() > deadline:
            raise ClusterError(f"{complaint} after {PATIENCE_S:.0f} s: try `down` again")
        time.sleep(0.05)
