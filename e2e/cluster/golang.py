"""Programs built from their Go modules into the cache, each once: whole or not at all, whoever is killed meanwhile.

A build's folder is named after everything that it depends on, so an upgrade builds beside what is there, and removing the
cache is always safe. Checksums are those of Go's checksum database, or of a go.sum in this tree.
"""

import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from .command import has, run
from .errors import ClusterError
from .lock import locked
from .paths import cache_root
from .progress import step
from .whole import made_whole

BUILD_TIMEOUT_S = 3600.0


@dataclass(frozen=True)
class Program:
    """What to build: `packages` of a module at a version; or the main package in `source`, a folder with its own go.mod and go.sum, or
    those `packages` of others that its go.mod names; or, where a module cannot do without the replacements in its own go.mod, which
    `go install` refuses, those `packages` in the module's own folder, such as `./cmd/operator`: is_at_home.
    """

    name: str
    version: str
    packages: tuple[str, ...] = ()
    source: Path | None = None
    tags: str = ""
    ldflags: str = ""
    links: tuple[str, ...] = ()
    """Further names that the program in `source` is called by."""
    module: str = ""
    files: tuple[str, ...] = ()
    """Files of that module that the program reads: they are put beside it. Of a folder its YAML, each under its path."""
    is_at_home: bool = False

    @property
    def key(self) -> str:
        """Hex digits that stand for all inputs of the build."""
        inputs = [repr((self.packages, self.version, self.tags, self.ldflags, self.links, self.files))]
        inputs += ["at home"] if self.is_at_home else []
        if self.source:
            inputs += [
                path.read_text() for path in sorted(self.source.iterdir()) if path.name in ("go.mod", "go.sum") or path.suffix == ".go"
            ]
        return hashlib.sha256("\0".join(inputs).encode()).hexdigest()[:12]

    @property
    def folder(self) -> Path:
        return cache_root() / "programs" / f"{self.name}-{self.version}-{self.key}"


def ensure(program: Program) -> Path:
    """The folder that holds the program, built now where it is not there yet: minutes, with a line on stderr every 20 seconds."""
    folder = program.folder
    if folder.is_dir():
        return folder
    if not has("go"):
        raise ClusterError(
            "Go is not installed, and the local cluster is built from source: install Go 1.26 or later, or install Docker and kind, "
            "or name a cluster by HARDENED_KUBECONFIG"
        )
    with locked(cache_root() / "locks" / folder.name, waiting_for=f"another process that builds {program.name}"):
        if not folder.is_dir():
            with made_whole(folder) as partial:
                _build(program, partial)
    return folder


def _build(program: Program, folder: Path) -> None:
    folder.mkdir()
    log = cache_root() / "log" / f"build-{program.name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    flags = ["-trimpath", "-buildvcs=false", f"-ldflags=-s -w {program.ldflags}".rstrip(), f"-tags={program.tags}"]
    env = {"CGO_ENABLED": "0", "GOBIN": str(folder), "GOWORK": "off"}
    with step(f"building {program.name} {program.version}"):
        if program.source:
            command = ["go", "build", *flags, "-mod=readonly", "-o", str(folder / program.name), *(program.packages or ["."])]
            run(command, env=env, cwd=program.source, timeout=BUILD_TIMEOUT_S, log=log)
        elif program.is_at_home:
            command = ["go", "build", *flags, "-mod=readonly", "-o", f"{folder}/", *program.packages]
            run(command, env=env, cwd=_downloaded(program), timeout=BUILD_TIMEOUT_S, log=log)
        else:
            packages = [f"{package}@{program.version}" for package in program.packages]
            run(["go", "install", *flags, *packages], env=env, cwd=folder, timeout=BUILD_TIMEOUT_S, log=log)
    for file in program.files:
        _copy(_downloaded(program), file, folder)
    for link in program.links:
        (folder / link).symlink_to(program.name)
    os.sync()  # a name that outlives a power cut must not outlive its content


def _downloaded(program: Program) -> Path:
    """Where Go keeps the files of a module: nobody may write them."""
    found = json.loads(run(["go", "mod", "download", "-json", f"{program.module}@{program.version}"], env={"GOWORK": "off"}, cwd=Path("/")))
    return Path(found["Dir"])


def _copy(module: Path, name: str, folder: Path) -> None:
    if not (module / name).is_dir():
        shutil.copy(module / name, folder)
        return
    for file in (module / name).rglob("*.yaml"):
        target = folder / file.relative_to(module)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
