"""A Kubernetes cluster on any machine: one that you name, kind where Docker is, or one built from source.

from e2e.cluster import choose
cluster = choose("demo")
cluster.up()
"""

from .errors import ClusterError
from .provider import Provider, Status, choose

__all__ = ["ClusterError", "Provider", "Status", "choose"]
