"""Images written and read as files: OCI archives, without a registry and without a daemon."""

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from ..errors import ClusterError

_MEDIA = "application/vnd.oci.image"
_PLATFORM = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True)
class Blob:
    digest: str
    size: int


def layer_of(files: Mapping[str, Path], layer: Path) -> None:
    """Writes a layer with these programs (path in the image -> file here) and a /tmp that everyone may write. Same input, same bytes."""
    with tarfile.open(layer, "w") as tar:
        for name, mode in (("tmp", 0o1777), ("etc", 0o755)):
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode = tarfile.DIRTYPE, mode
            tar.addfile(folder)
        for path, source in files.items():
            entry = tarfile.TarInfo(path.lstrip("/"))
            entry.size, entry.mode = source.stat().st_size, 0o755
            with source.open("rb") as content:
                tar.addfile(entry, content)


def write(name: str, layer: Path, config: Mapping[str, Any], machine: str, archive: Path) -> None:
    """Writes an image of one layer. name: in full, docker.io/…; config: the `config` of the OCI specification; machine: as uname says."""
    blob = _digest(layer)
    described = {
        "architecture": _PLATFORM.get(machine, machine),
        "os": "linux",
        "config": dict(config),
        "rootfs": {"type": "layers", "diff_ids": [blob.digest]},
        # buildah builds nothing on top of an image whose history does not explain each layer.
        "history": [{"created": "1970-01-01T00:00:00Z", "created_by": "hardened e2e/cluster"}],
    }
    image = json.dumps(described).encode()
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": f"{_MEDIA}.manifest.v1+json",
            "config": _descriptor(f"{_MEDIA}.config.v1+json", _digest_bytes(image)),
            "layers": [_descriptor(f"{_MEDIA}.layer.v1.tar", blob)],
        }
    ).encode()
    with tarfile.open(archive, "w") as tar:
        _add_index(tar, name, f"{_MEDIA}.manifest.v1+json", manifest)
        _add(tar, _blob_path(_digest_bytes(image).digest), image)
        with layer.open("rb") as source:
            member = tarfile.TarInfo(_blob_path(blob.digest))
            member.size = blob.size
            tar.addfile(member, source)


def pack(folder: Path, name: str, archive: Path, *, known: frozenset[str]) -> None:
    """Writes an OCI archive of an image that buildah has put into a folder (`dir:`), without the blobs that are `known` (in hex).

    containerd imports an archive that lacks blobs which are in its own store.
    """
    manifest = (folder / "manifest.json").read_bytes()
    described = json.loads(manifest)
    blobs = {part["digest"].partition(":")[2] for part in (described["config"], *described["layers"])}
    with tarfile.open(archive, "w") as tar:
        _add_index(tar, name, described["mediaType"], manifest)
        for blob in sorted(blobs - known):
            tar.add(folder / blob, _blob_path(f"sha256:{blob}"))


def images_in(archive: Path) -> dict[str, str]:
    """What a docker- or OCI-archive holds: image name -> digest of its configuration, which tells its content however it is stored.

    Raises ClusterError for a file that is neither, or that names no image.
    """
    try:
        with tarfile.open(archive) as tar:
            found = _oci_images(tar) if "index.json" in tar.getnames() else _docker_images(tar)
    except (tarfile.TarError, KeyError, ValueError, OSError) as error:
        raise ClusterError(f"{archive} is no image archive: save it as a docker- or OCI-archive") from error
    if not found:
        raise ClusterError(f"{archive} gives its image no name: save it with one, e.g. `buildah push IMAGE oci-archive:FILE:NAME`")
    return found


def manifests_in(archive: Path) -> dict[str, str]:
    """What an archive of ours (an OCI-archive) holds: image name -> digest of its manifest, which is the image's own digest on a node."""
    with tarfile.open(archive) as tar:
        return {entry["annotations"]["io.containerd.image.name"]: entry["digest"] for entry in _json(tar, "index.json")["manifests"]}


def config_digest(manifest: Mapping[str, Any]) -> str:
    return str(manifest["config"]["digest"])


def _oci_images(tar: tarfile.TarFile) -> dict[str, str]:
    found = {}
    for entry in _json(tar, "index.json")["manifests"]:
        notes = entry.get("annotations", {})
        name = notes.get("io.containerd.image.name") or notes.get("org.opencontainers.image.ref.name", "")
        manifest = _json(tar, _blob_path(entry["digest"]))
        if "/" in name and "config" in manifest:
            found[name] = config_digest(manifest)
    return found


def _docker_images(tar: tarfile.TarFile) -> dict[str, str]:
    listed = _json(tar, "manifest.json")
    return {name: "sha256:" + Path(image["Config"]).name.removesuffix(".json") for image in listed for name in image.get("RepoTags") or []}


def _json(tar: tarfile.TarFile, name: str) -> Any:
    content: IO[bytes] | None = tar.extractfile(name)
    if content is None:
        raise KeyError(name)
    return json.load(content)


def _add_index(tar: tarfile.TarFile, name: str, media_type: str, manifest: bytes) -> None:
    """The manifest as a blob, and what says that it is the archive's image."""
    entry = _descriptor(media_type, _digest_bytes(manifest))
    tag = name.rpartition(":")[2]
    entry["annotations"] = {"io.containerd.image.name": name, "org.opencontainers.image.ref.name": tag}
    index = {"schemaVersion": 2, "mediaType": f"{_MEDIA}.index.v1+json", "manifests": [entry]}
    _add(tar, "oci-layout", b'{"imageLayoutVersion": "1.0.0"}')
    _add(tar, "index.json", json.dumps(index).encode())
    _add(tar, _blob_path(_digest_bytes(manifest).digest), manifest)


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


def _descriptor(media_type: str, blob: Blob) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": blob.digest, "size": blob.size}


def _blob_path(digest: str) -> str:
    return "blobs/" + digest.replace(":", "/")


def _digest(path: Path) -> Blob:
    with path.open("rb") as content:
        return Blob("sha256:" + hashlib.file_digest(content, "sha256").hexdigest(), path.stat().st_size)


def _digest_bytes(content: bytes) -> Blob:
    return Blob("sha256:" + hashlib.sha256(content).hexdigest(), len(content))
