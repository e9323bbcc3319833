"""Images of containers without a registry: our own, built from a Dockerfile, and those that each cluster starts with.

from e2e.cluster import images
name = images.build(Path("Dockerfile"), Path("."), "web:1")
"""

from .names import full_name
from .stores import build, store

__all__ = ["build", "full_name", "store"]
