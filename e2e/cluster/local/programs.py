"""Everything a local cluster is made from, present in the cache."""

from dataclasses import dataclass
from pathlib import Path

from .. import golang, packages, tools
from ..images import addons


@dataclass(frozen=True)
class Programs:
    """Folders of programs, and archives of images: those that pods need before a node is ready, and those that can come after."""

    kubernetes: Path
    containerd: Path
    first_images: tuple[Path, ...]
    later_images: tuple[Path, ...]

    @property
    def kubectl(self) -> Path:
        return self.kubernetes / "kubectl"


def ensure() -> Programs:
    """Builds what the cache lacks: about 20 minutes from nothing on two cores, some milliseconds when all is there."""
    packages.ensure()
    return Programs(
        kubernetes=golang.ensure(tools.KUBERNETES),
        containerd=golang.ensure(tools.CONTAINERD),
        first_images=tuple(addons.ensure(image) for image in (addons.SANDBOX, *addons.ADDONS)),
        later_images=(addons.ensure_base(),),
    )
