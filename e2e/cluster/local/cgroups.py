"""The cgroups of a cluster: made for its nodes, searched for its processes, removed with it.

Version 1 (a hierarchy for each controller) and version 2 (one for all) are told apart by what is mounted. Version 2 was
written from its documentation and has not run yet: the machine this was made on has version 1.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_V1_DAEMONS = ("pids", "systemd", "memory", "cpu")
_V2_CONTROLLERS = "+cpuset +cpu +io +memory +pids"
#: How much all pods of a cluster together weigh in a contest for processors, where one process outside of them weighs 1: on a node of
#: their own they contend with hardly anything, and by default they would all weigh as much as one test does, and miss their probes.
_CPU_WEIGHT = 16
#: By the file that takes it: what weighs as much as one process.
_CPU_UNITS = {"cpu.shares": 1024, "cpu.weight": 100}


def hierarchies() -> tuple[Path, ...]:
    """Where each cgroup hierarchy is mounted, without the empty version 2 one of a mixed machine's controllers."""
    found = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, after = line.split(" - ", 1)
        if after.split()[0] in ("cgroup", "cgroup2"):
            found.append(Path(before.split()[4]))
    return tuple(dict.fromkeys(found))


def is_version_2() -> bool:
    return Path("/sys/fs/cgroup/cgroup.controllers").exists()


def make(cgroup: str) -> None:
    """Makes that cgroup, with its parents, wherever a kubelet will look for it."""
    if is_version_2():
        _make_v2(cgroup)
        return
    for hierarchy in hierarchies():
        folder = hierarchy
        for part in Path(cgroup).parts:
            parent, folder = folder, folder / part
            folder.mkdir(exist_ok=True)
            # A new cpuset has no processor and no memory node, and then no process can join it.
            for setting in ("cpuset.cpus", "cpuset.mems"):
                if (parent / setting).exists() and not (folder / setting).read_text().strip():
                    (folder / setting).write_text((parent / setting).read_text())
            _weigh(folder)


def _make_v2(cgroup: str) -> None:
    folder = Path("/sys/fs/cgroup")
    for part in Path(cgroup).parts:
        with suppress(OSError):
            (folder / "cgroup.subtree_control").write_text(_V2_CONTROLLERS)
        folder = folder / part
        folder.mkdir(exist_ok=True)
        _weigh(folder)


def _weigh(folder: Path) -> None:
    for setting, unit in _CPU_UNITS.items():
        if (folder / setting).exists():
            (folder / setting).write_text(str(_CPU_WEIGHT * unit))


def daemons_folder(cgroup: str) -> Path:
    """Where the daemons of that cgroup are kept, apart from its pods: a leaf, because version 2 allows processes only in leaves."""
    if is_version_2():
        folder = Path("/sys/fs/cgroup") / cgroup / "daemons"
    else:
        mounted = {hierarchy.name: hierarchy for hierarchy in hierarchies()}
        folder = next(mounted[name] for name in _V1_DAEMONS if name in mounted) / cgroup / "daemons"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def members(cgroup: str) -> set[int]:
    """The ids of all processes in that cgroup or below, in any hierarchy."""
    found: set[int] = set()
    for folder in _tree(cgroup):
        with suppress(OSError):  # it may be removed while we look
            found.update(int(word) for word in (folder / "cgroup.procs").read_text().split())
    return found - {0}


def kill(cgroup: str) -> bool:
    """Sends SIGKILL to each member, thawed so that it can take effect. Whether there was any."""
    for folder in _tree(cgroup):
        with suppress(OSError):
            if (folder / "freezer.state").exists():
                (folder / "freezer.state").write_text("THAWED")
    found = members(cgroup)
    for process in found:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    return bool(found)


def remove(cgroup: str) -> bool:
    """Removes the cgroup with all below it, in every hierarchy. Whether nothing of it is left."""
    for folder in sorted(_tree(cgroup), key=lambda path: len(path.parts), reverse=True):
        with suppress(OSError):  # busy: a process is still ending
            folder.rmdir()
    return not any(_tree(cgroup))


def _tree(cgroup: str) -> Iterator[Path]:
    for hierarchy in hierarchies():
        top = hierarchy / cgroup
        if top.is_dir():
            yield top
            for folder, names, _files in os.walk(top):
                yield from (Path(folder) / name for name in names)
