"""Which kind of cluster a machine gets."""

import os
from pathlib import Path

from .command import has
from .docker import docker_answers
from .errors import ClusterError
from .existing import ExistingCluster
from .kind import KindCluster
from .local.cluster import LocalCluster
from .provider import Provider


def choose(name: str, kubeconfig: Path | None = None) -> Provider:
    """The provider for this machine: a kubeconfig that was named, else kind where Docker is, else built from source.

    kubeconfig: as given on the command line; without it, $HARDENED_KUBECONFIG counts. $HARDENED_PROVIDER (kind, local) overrides the rest.
    """
    named = kubeconfig or (Path(found) if (found := os.environ.get("HARDENED_KUBECONFIG")) else None)
    if named:
        return ExistingCluster(name, named)
    wanted = os.environ.get("HARDENED_PROVIDER")
    if wanted not in (None, "", "kind", "local"):
        raise ClusterError(f"HARDENED_PROVIDER is {wanted}: set it to kind or local, or unset it")
    if wanted == "kind" or (not wanted and docker_answers() and has("kind")):
        return KindCluster(name)
    return LocalCluster(name)
