"""Our own images: built from a Dockerfile without a registry, and handed to a cluster as a name or as an archive.

Where a Docker engine answers, Docker builds and keeps them; elsewhere buildah does, with the host's network, name servers,
certificate authorities and pip settings, so that a Dockerfile need not know where it is built. (Docker's side is as small as
it is because it could not be tried on the machine this was made on.)
"""

import json
from pathlib import Path
from typing import Protocol

from ..command import attempt, run
from ..docker import docker_answers
from ..errors import ClusterError
from ..packages import ensure as ensure_packages
from ..progress import step
from . import addons, archive
from .host_settings import host_settings
from .names import full_name

BUILD_TIMEOUT_S = 1800.0


class Store(Protocol):
    """Where built images are kept on this machine."""

    def build(self, dockerfile: Path, context: Path, name: str) -> None: ...

    def image_id(self, name: str) -> str | None:
        """The digest of the image's configuration (sha256:…), or None where there is no image of that name."""

    def export(self, name: str, scratch: Path, known: frozenset[str] = frozenset()) -> Path:
        """An archive of the image, under its name, in that empty folder. It may lack the blobs that are `known` (hex digests)."""


def build(dockerfile: Path, context: Path, name: str) -> str:
    """Builds that Dockerfile, and returns the image's full name, to be given to `load` and to write into a pod.

    Example: name "hardened-operator:dev" -> "docker.io/library/hardened-operator:dev". Unchanged steps come from the layer cache.
    """
    if not dockerfile.is_file():
        raise ClusterError(f"there is no {dockerfile} to build {name} from")
    full = full_name(name)
    with step(f"building the image {full}"):
        store().build(dockerfile, context, full)
    return full


def store() -> Store:
    """Docker's where an engine answers, else buildah's."""
    return DockerStore() if docker_answers() else BuildahStore()


class DockerStore:
    """The images of this machine's Docker engine."""

    def build(self, dockerfile: Path, context: Path, name: str) -> None:
        run(["docker", "build", "--file", dockerfile, "--tag", name, context], timeout=BUILD_TIMEOUT_S)

    def image_id(self, name: str) -> str | None:
        found = attempt(["docker", "image", "inspect", "--format", "{{.Id}}", name])
        return found.stdout.strip() if found.returncode == 0 else None

    def export(self, name: str, scratch: Path, known: frozenset[str] = frozenset()) -> Path:
        file = scratch / "image.tar"
        run(["docker", "save", "--output", file, name], timeout=BUILD_TIMEOUT_S)
        return file


class BuildahStore:
    """The images of buildah's local store. Nothing is ever pulled: the base image is our own, under the name that Dockerfiles use."""

    def build(self, dockerfile: Path, context: Path, name: str) -> None:
        ensure_packages()
        self._ensure_base()
        with host_settings() as volumes:
            mounts = [f"--volume={source}:{target}:ro" for target, source in volumes.items()]
            # chroot: the one kind of isolation that asks nothing of the machine but root; its steps have the host's network.
            command = ["buildah", "bud", "--isolation=chroot", "--pull-never", "--layers", *mounts, f"--file={dockerfile}", f"--tag={name}"]
            run([*command, context], timeout=BUILD_TIMEOUT_S)

    def image_id(self, name: str) -> str | None:
        found = attempt(["buildah", "images", "--json", "--no-trunc", name])
        images = json.loads(found.stdout) if found.returncode == 0 else []
        return "sha256:" + images[0]["id"].removeprefix("sha256:") if images else None

    def export(self, name: str, scratch: Path, known: frozenset[str] = frozenset()) -> Path:
        # Only for this kind of target does buildah heed the option, and compressing would take longer than all the rest.
        run(["buildah", "push", "--quiet", "--disable-compression", name, f"dir:{scratch / 'image'}"], timeout=BUILD_TIMEOUT_S)
        file = scratch / "image.tar"
        archive.pack(scratch / "image", name, file, known=known)
        return file

    def _ensure_base(self) -> None:
        base = addons.ensure_base()
        if self.image_id(addons.BASE_IMAGE) != archive.images_in(base)[addons.BASE_IMAGE]:
            with step("handing the base image to buildah"):
                run(["buildah", "pull", "--quiet", f"oci-archive:{base}"])
