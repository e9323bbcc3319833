"""Whether this machine can carry a local cluster at all."""

import os
import sys

from ..errors import ClusterError

_INSTEAD = "install Docker and kind, or name a cluster by HARDENED_KUBECONFIG=FILE"


def check() -> None:
    """Raises ClusterError that says what to do instead where a local cluster can't be made."""
    if sys.platform != "linux":
        raise ClusterError(f"a local cluster needs Linux: here, {_INSTEAD}")
    if os.geteuid() != 0:
        raise ClusterError(f"a local cluster needs root, for network namespaces and cgroups: run it with sudo, or {_INSTEAD}")
