"""A Kubernetes cluster on any machine: one that you name, kind where Docker is, or one built from source.

from e2e.cluster import choose
cluster = choose("demo")
cluster.up()
"""

from .choice import choose
from .errors import ClusterError
from .provider import PartStatus, Provider

__all__ = ["ClusterError", "PartStatus", "Provider", "choose"]
