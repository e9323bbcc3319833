"""The images that each cluster starts with, built into the cache: the sandbox, DNS, metrics, storage, and the base of our own images."""

import hashlib
import platform
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import golang, tools
from ..command import run
from ..golang import Program
from ..lock import locked
from ..paths import cache_root
from ..progress import step
from ..whole import made_whole
from . import archive

PAUSE_IMAGE = "docker.io/hardened/pause:1"
BASE_IMAGE = "docker.io/library/debian:bookworm-slim"
KEDA_IMAGE = f"docker.io/hardened/keda:{tools.KEDA.version}"
_KEDA = {"/keda": "operator", "/keda-adapter": "adapter", "/keda-admission-webhooks": "webhooks"}
_NOBODY = "65532:65532"
_FORMAT = "1"  # counts up when `archive` writes the same program differently

_BASE_OPTIONS = (
    "--variant=minbase",
    "--include=python3,ca-certificates",
    # As the image of that name has it, too: no manuals, no translations.
    "--dpkgopt=path-exclude=/usr/share/man/*",
    "--dpkgopt=path-exclude=/usr/share/doc/*",
    "--dpkgopt=path-include=/usr/share/doc/*/copyright",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
    "bookworm",
)


@dataclass(frozen=True)
class AddonImage:
    """An image of one static program."""

    name: str
    program: Program
    user: str = _NOBODY

    @property
    def path(self) -> Path:
        return cache_root() / "images" / f"{self.program.folder.name}-{_FORMAT}.tar"


SANDBOX = AddonImage(PAUSE_IMAGE, tools.PAUSE)
ADDONS = (
    AddonImage("docker.io/hardened/coredns:v1.14.6", tools.COREDNS),
    AddonImage("docker.io/hardened/local-path-provisioner:v0.0.30", tools.LOCAL_PATH),
    AddonImage("docker.io/hardened/metrics-server:v0.9.0", tools.METRICS_SERVER),
)

FLUX = tuple(
    AddonImage(f"docker.io/hardened/{program.name}:{program.version}", program) for program in (tools.FLUX_SOURCE, tools.FLUX_KUSTOMIZE)
)


def ensure(image: AddonImage) -> Path:
    """The archive of that image, built now where it is not there yet."""

    def make(partial: Path) -> None:
        program = golang.ensure(image.program) / image.program.name
        config: dict[str, Any] = {"Entrypoint": [f"/{program.name}"], "User": image.user}
        layer = partial.with_suffix(".layer")
        archive.layer_of({f"/{program.name}": program}, layer)
        archive.write(image.name, layer, config, platform.machine(), partial)

    return _once(image.path, f"the image {image.name}", make)


def ensure_keda() -> Path:
    """The archive of an image with the programs of KEDA, named as its own manifests call them."""

    def make(partial: Path) -> None:
        folder = tools.keda_dir()
        layer = partial.with_suffix(".layer")
        archive.layer_of({path: folder / name for path, name in _KEDA.items()}, layer)
        archive.write(KEDA_IMAGE, layer, {"Entrypoint": ["/keda"], "User": _NOBODY}, platform.machine(), partial)

    return _once(cache_root() / "images" / f"{tools.KEDA.folder.name}-{_FORMAT}.tar", f"the image {KEDA_IMAGE}", make)


def ensure_base() -> Path:
    """The archive of the base image: Debian with Python and the certificate authorities. A minute the first time."""

    def make(partial: Path) -> None:
        with step("building the base image (Debian)"):
            layer = partial.with_suffix(".layer.tar")
            run(["mmdebstrap", *_BASE_OPTIONS, layer], timeout=1800, log=cache_root() / "log/build-base.log")
            archive.write(BASE_IMAGE, layer, {"Cmd": ["bash"], "Env": ["PATH=/usr/local/bin:/usr/bin:/bin"]}, platform.machine(), partial)

    key = hashlib.sha256("\0".join((_FORMAT, *_BASE_OPTIONS)).encode()).hexdigest()[:12]
    return _once(cache_root() / "images" / f"debian-bookworm-slim-{key}.tar", "the base image", make)


def _once(path: Path, title: str, make: Callable[[Path], None]) -> Path:
    if path.exists():
        return path
    (cache_root() / "log").mkdir(parents=True, exist_ok=True)
    with locked(cache_root() / "locks" / path.name, waiting_for=f"another process that builds {title}"):
        if not path.exists():
            with made_whole(path) as partial:
                make(partial)
    return path
