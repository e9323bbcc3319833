"""Whether this machine can carry a local cluster at all, and the one setting of it that has to be raised for that."""

import os
import sys
from pathlib import Path

from ..errors import ClusterError
from ..progress import say

_INSTEAD = "install Docker and kind, or name a cluster by HARDENED_KUBECONFIG=FILE"

_SETTINGS = Path("/proc/sys")
LEAST = {"fs/inotify/max_user_instances": 1024, "fs/inotify/max_user_watches": 524288}
"""A cluster of two nodes takes 30 inotify instances, and Linux allows a user 128: the kubelet of a fifth cluster would not start."""


def check() -> None:
    """Raises ClusterError that says what to do instead where a local cluster can't be made."""
    if sys.platform != "linux":
        raise ClusterError(f"a local cluster needs Linux: here, {_INSTEAD}")
    if os.geteuid() != 0:
        raise ClusterError(f"a local cluster needs root, for network namespaces and cgroups: run it with sudo, or {_INSTEAD}")


def raise_limits(settings: Path = _SETTINGS) -> None:
    """Raises those limits of the machine that are too low for several clusters, and says so. They stay until it restarts."""
    for name, least in LEAST.items():
        path = settings / name
        found = int(path.read_text())
        if found < least:
            say(f"  raising {name.replace('/', '.')} from {found} to {least}, until this machine restarts")
            path.write_text(f"{least}\n")
