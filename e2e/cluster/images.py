"""Our own images: built from a Dockerfile without a registry, and handed to a cluster as a name or as an archive.

Where a Docker engine answers, Docker builds and keeps them; elsewhere buildah does, with the host's network, name servers,
certificate authorities and pip settings, so that a Dockerfile need not know where it is built. (Docker's side is as small as
it is because it could not be tried on the machine this was made on.)
"""

import configparser
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from .command import attempt, run
from .errors import ClusterError
from .local import addon_images, archive
from .packages import ensure as ensure_packages
from .progress import step
from .provider import docker_answers

BUILD_TIMEOUT_S = 1800.0

_AUTHORITIES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")
_MOUNTED_AUTHORITIES = "/run/hardened-build/authorities.pem"
_PIP_FILES = ("/etc/pip.conf", "/etc/xdg/pip/pip.conf", "~/.pip/pip.conf", "~/.config/pip/pip.conf")
_PIP_KEYS = ("index-url", "extra-index-url", "trusted-host", "proxy", "timeout")


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


def full_name(name: str) -> str:
    """The name as Kubernetes reads it. Examples: web:1 -> docker.io/library/web:1; a/b -> docker.io/a/b:latest; x.io/web:1 -> itself."""
    first, slash, _rest = name.partition("/")
    if not slash:
        name = f"docker.io/library/{name}"
    elif "." not in first and ":" not in first and first != "localhost":
        name = f"docker.io/{name}"
    return name if ":" in name.rpartition("/")[2] or "@" in name else f"{name}:latest"


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
        with _host_settings() as volumes:
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
        base = addon_images.ensure_base()
        if self.image_id(addon_images.BASE_IMAGE) != archive.images_in(base)[addon_images.BASE_IMAGE]:
            with step("handing the base image to buildah"):
                run(["buildah", "pull", "--quiet", f"oci-archive:{base}"])


@contextmanager
def _host_settings() -> Iterator[Mapping[str, Path]]:
    """Read-only mounts, path in the build -> file here, with which its steps reach what this machine reaches.

    Package managers are told of the certificate authorities by path, because mounting over an image's own bundle would stop
    the image's own package of authorities from being installed.
    """
    with tempfile.TemporaryDirectory(prefix="hardened-build-") as scratch:
        volumes: dict[str, Path] = {}
        authorities = next((Path(path) for path in (os.environ.get("SSL_CERT_FILE"), *_AUTHORITIES) if path and Path(path).is_file()), None)
        if authorities:
            volumes[_MOUNTED_AUTHORITIES] = authorities
            apt = Path(scratch) / "apt.conf"
            apt.write_text(f'Acquire::https::CAInfo "{_MOUNTED_AUTHORITIES}";\n')
            volumes["/etc/apt/apt.conf.d/99hardened-build"] = apt
        settings = pip_settings(has_authorities=authorities is not None)
        if settings:
            pip = Path(scratch) / "pip.conf"
            pip.write_text("[global]\n" + "".join(f"{key} = {value}\n" for key, value in settings.items()))
            volumes["/etc/pip.conf"] = pip
        yield volumes


def pip_settings(*, has_authorities: bool, files: tuple[str, ...] = _PIP_FILES, env: Mapping[str, str] = os.environ) -> dict[str, str]:
    """How this machine's pip reaches packages, from its files and then its environment, later ones winning."""
    found: dict[str, str] = {}
    parser = configparser.RawConfigParser(strict=False)
    parser.read([Path(file).expanduser() for file in files])
    for key in _PIP_KEYS:
        value = env.get("PIP_" + key.upper().replace("-", "_")) or parser.get("global", key, fallback=None)
        if value:
            found[key] = " ".join(value.split())
    if has_authorities:
        found["cert"] = _MOUNTED_AUTHORITIES
    return found
