"""Builds the workload images: the two web services, those of the example stacks, and the Prometheus that measures them.

`build("python", "v2")` returns the name to give to a cluster's `load` and to write into a pod.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Literal, get_args

from e2e.cluster import golang, tools
from e2e.cluster.command import run
from e2e.cluster.golang import Program
from e2e.cluster.images import build as build_image

Kind = Literal["python", "static"]
#: What the example stacks run: an application in versions, and servers whose tag is the version that Debian has.
Part = Literal["bookmarks", "postgres", "redis"]
_PART_TAGS: dict[Part, str] = {"bookmarks": "v1", "postgres": "15", "redis": "7"}
S3_IMAGE = "docker.io/hardened/s3:v1"
HERE = Path(__file__).parent
ANY_VERSION = "ENV VERSION=dev\n"
PROMETHEUS = Program(
    name="prometheus",
    version="v3.15.0",
    source=HERE / "prometheus",
    packages=("github.com/prometheus/prometheus/cmd/prometheus",),
    tags="netgo,remove_all_sd",
)


def image_name(kind: Kind, version: str = "v1") -> str:
    """The name of the image. Example: ("python", "v2") -> "docker.io/hardened/web-python:v2"."""
    return f"docker.io/hardened/web-{kind}:{version}"


def build(kind: Kind, version: str = "v1") -> str:
    """Builds the image and returns its name. Versions differ in nothing but the VERSION that they answer with.

    Raises ClusterError, naming the tool that failed. A version that is built already costs a look into the layer cache.
    """
    with tempfile.TemporaryDirectory(prefix="web-image-") as folder:
        context = Path(folder)
        if kind == "static":
            build_static_binary(context / "web")
        else:
            shutil.copy2(HERE / "python" / "web.py", context)
        dockerfile = context / "Dockerfile"
        dockerfile.write_text(with_version((HERE / kind / "Dockerfile").read_text(), version))
        return build_image(dockerfile, context, image_name(kind, version))


def part_name(part: Part, version: str = "") -> str:
    """The name of the image. Examples: ("postgres", "") -> "docker.io/hardened/postgres:15"; ("bookmarks", "v2") -> "…/bookmarks:v2"."""
    return f"docker.io/hardened/{part}:{version or _PART_TAGS[part]}"


def build_part(part: Part, version: str = "") -> str:
    """Builds the image and returns its name. version: of an application, which differs in nothing else. Raises ClusterError."""
    with tempfile.TemporaryDirectory(prefix="part-image-") as folder:
        context = Path(folder) / "context"
        shutil.copytree(HERE / part, context, ignore=shutil.ignore_patterns("__pycache__"))
        dockerfile = context / "Dockerfile"
        if ANY_VERSION in dockerfile.read_text():
            dockerfile.write_text(with_version(dockerfile.read_text(), version or _PART_TAGS[part]))
        return build_image(dockerfile, context, part_name(part, version))


def build_s3() -> str:
    """Builds the image of a server of S3, and returns its name. Raises ClusterError."""
    with tempfile.TemporaryDirectory(prefix="s3-image-") as folder:
        context = Path(folder)
        shutil.copy2(tools.s3_server(), context / "versitygw")
        return build_image(HERE / "s3/Dockerfile", context, S3_IMAGE)


def with_version(dockerfile: str, version: str) -> str:
    """The Dockerfile whose last setting is this VERSION."""
    if ANY_VERSION not in dockerfile or not version.replace(".", "").replace("-", "").isalnum():
        raise ValueError(f"cannot make version {version!r}: use letters, digits, dots, dashes, and keep {ANY_VERSION!r} in the Dockerfile")
    return dockerfile.replace(ANY_VERSION, f"ENV VERSION={version}\n")


def build_static_binary(target: Path) -> None:
    """Compiles the static workload: needs nothing at run time, and is the same byte for byte from the same source and compiler."""
    flags = ["-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid="]
    run(["go", "build", *flags, "-o", target.absolute(), "."], cwd=HERE / "static", env={"CGO_ENABLED": "0"})


def build_prometheus() -> Path:
    """The Prometheus server, without service discovery and without its pages. About 5 minutes the first time on two cores."""
    return golang.ensure(PROMETHEUS) / "prometheus"


def main() -> None:
    """`python -m e2e.workloads.build v1 v2 v3` builds both kinds in these versions and prints their names."""
    for version in sys.argv[1:] or ["v1"]:
        for kind in get_args(Kind):
            sys.stdout.write(build(kind, version) + "\n")


if __name__ == "__main__":
    main()
