"""A cluster's daemons as processes: started with a record, found again by process id and start time, never by name.

The record is written by the process itself before it becomes the daemon, so there is no moment at which a daemon runs and
nobody knows. It joins its cgroup first: even without a record, the cgroup tells whose it is.
"""

import os
import signal
import time
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

from ..command import run
from ..errors import ClusterError
from . import cgroups, device_plugins, network
from .components import Component
from .layout import Layout

STOPPED = "T"
_ENDED = "ZX"

# $1 cgroup folder, $2 record, $3 log, then the command. `cat` names the shell in the record, and the daemon keeps the shell's id and
# start time, because every later step is an exec.
_LAUNCH = 'echo $$ >"$1/cgroup.procs"; cat /proc/$$/stat >"$2.partial"; mv "$2.partial" "$2"; exec >>"$3" 2>&1; shift 3; exec "$@"'


@dataclass(frozen=True)
class Process:
    """A process at one moment. `started`: in clock ticks after boot, which tells it from a later process of the same id."""

    pid: int
    started: int
    state: str

    @property
    def is_running(self) -> bool:
        return self.state not in _ENDED

    @property
    def is_stopped(self) -> bool:
        return self.state == STOPPED


def parse_stat(line: str) -> Process:
    """A line of /proc/PID/stat. Its second field, the name, may hold blanks and brackets."""
    pid, rest = line.split(" (", 1)
    fields = rest.rpartition(")")[2].split()
    return Process(pid=int(pid), state=fields[0], started=int(fields[19]))


def log_of(layout: Layout, name: str) -> Path:
    return layout.folder / "log" / f"{name}.log"


def find(layout: Layout, name: str) -> Process | None:
    """The running daemon of that name, or None."""
    try:
        recorded = parse_stat(_record(layout, name).read_text())
        now = parse_stat(Path(f"/proc/{recorded.pid}/stat").read_text())
    except (FileNotFoundError, ProcessLookupError, ValueError):
        return None
    return now if now.started == recorded.started and now.is_running else None


def is_right(layout: Layout, component: Component) -> bool:
    """Whether the daemon runs with the arguments it has now, is not stopped, and is in the namespace that has the cluster's name now."""
    process = find(layout, component.name)
    if not process or process.is_stopped:
        return False
    folder = Path(f"/proc/{process.pid}")
    with suppress(OSError):
        arguments = (folder / "cmdline").read_text().rstrip("\0").split("\0")
        return tuple(arguments) == component.argv and (folder / "ns/net").stat().st_ino == network.inode(component.netns)
    return False


def ensure(layout: Layout, component: Component) -> bool:
    """Lets the daemon run: continues it where it is stopped, starts it where it is not there. Whether it had to be started."""
    process = find(layout, component.name)
    if process and process.is_stopped:
        send(layout, component.name, signal.SIGCONT)
    if is_right(layout, component):
        return False
    if find(layout, component.name):
        send(layout, component.name, signal.SIGKILL)
    start(layout, component)
    return True


def start(layout: Layout, component: Component) -> None:
    """Starts the daemon; a kubelet in its turn. It outlives this process and is no child of it."""
    is_kubelet = component.name.startswith("kubelet-")
    with device_plugins.turn(lambda: not find(layout, component.name)) if is_kubelet else nullcontext():
        _launch(layout, component)


def _launch(layout: Layout, component: Component) -> None:
    record = _record(layout, component.name)
    record.parent.mkdir(parents=True, exist_ok=True)
    record.unlink(missing_ok=True)
    folder = cgroups.daemons_folder(component.cgroup)
    # Never `ip netns exec`: it mounts another /sys, and a kubelet finds no cgroups there.
    command = ["nsenter", f"--net={network.NETNS / component.netns}", "--", *component.argv]
    environment = [f"{key}={value}" for key, value in {"HOME": "/root", **component.env}.items()]
    launch = ["sh", "-ec", _LAUNCH, "sh", str(folder), str(record), str(log_of(layout, component.name))]
    run(["setsid", "--fork", "env", "--ignore-environment", *environment, *launch, *command], cwd=Path("/"))
    _await_record(layout, component.name)


def send(layout: Layout, name: str, number: signal.Signals) -> None:
    """Sends the signal, and waits until it shows where it stops, continues or kills. Raises ClusterError where nothing runs."""
    process = find(layout, name)
    if not process:
        raise ClusterError(f"{name} does not run: `start {name}` starts it")
    os.kill(process.pid, number)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        now = find(layout, name)
        match number:
            case signal.SIGKILL if now is None:
                return
            case signal.SIGSTOP if now is None or now.is_stopped:
                return
            case signal.SIGCONT if now is None or not now.is_stopped:
                return
        time.sleep(0.01)
    raise ClusterError(f"{name} (process {process.pid}) did not take {number.name} within 10 s")


def last_words(layout: Layout, name: str, lines: int = 8) -> str:
    """The end of a daemon's log, for a message."""
    try:
        return "\n  ".join(log_of(layout, name).read_text(errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return "it has no log"


def _record(layout: Layout, name: str) -> Path:
    return layout.folder / "processes" / name


def _await_record(layout: Layout, name: str) -> None:
    deadline = time.monotonic() + 10
    while not _record(layout, name).exists():
        if time.monotonic() > deadline:
            raise ClusterError(f"{name} did not start: {last_words(layout, name)}")
        time.sleep(0.005)
