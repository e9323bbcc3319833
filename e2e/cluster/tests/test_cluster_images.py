import json
import tarfile
from pathlib import Path

import pytest

from e2e.cluster.errors import ClusterError
from e2e.cluster.images import archive, full_name
from e2e.cluster.images.host_settings import pip_settings


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("web", "docker.io/library/web:latest"),
        ("web:1", "docker.io/library/web:1"),
        ("hardened/web", "docker.io/hardened/web:latest"),
        ("example.org/web:1", "example.org/web:1"),
        ("localhost:5000/web", "localhost:5000/web:latest"),
        ("localhost/web:1", "localhost/web:1"),
        ("web@sha256:abc", "docker.io/library/web@sha256:abc"),
    ],
)
def test_a_name_is_completed_as_kubernetes_completes_it(name: str, full: str) -> None:
    assert full_name(name) == full


def test_builds_reach_packages_as_this_machines_pip_does(tmp_path: Path) -> None:
    settings = tmp_path / "pip.conf"
    settings.write_text("[global]\nindex-url = https://packages.example.org/simple\ncert = /etc/own.pem\nuser = yes\n")
    found = pip_settings(has_authorities=True, files=(str(settings),), env={"PIP_TIMEOUT": "60"})
    assert found == {
        "index-url": "https://packages.example.org/simple",
        "timeout": "60",
        "cert": "/run/hardened-build/authorities.pem",
    }


def test_a_machine_without_settings_mounts_none() -> None:
    assert pip_settings(has_authorities=False, files=(), env={}) == {}


def image(folder: Path) -> Path:
    program = folder / "program"
    program.write_text("#!/bin/true")
    archive.layer_of({"/program": program}, folder / "layer.tar")
    archive.write("docker.io/hardened/x:1", folder / "layer.tar", {"Entrypoint": ["/program"]}, "x86_64", folder / "x.tar")
    return folder / "x.tar"


def test_an_archive_says_what_image_it_holds(tmp_path: Path) -> None:
    path = image(tmp_path)
    (name, configuration), *others = archive.images_in(path).items()
    assert (name, others) == ("docker.io/hardened/x:1", [])
    with tarfile.open(path) as tar:
        content = tar.extractfile("blobs/" + configuration.replace(":", "/"))
        assert content
        assert json.load(content)["config"] == {"Entrypoint": ["/program"]}


def test_the_same_program_makes_the_same_image(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert image(tmp_path / "a").read_bytes() == image(tmp_path / "b").read_bytes()


def test_a_docker_archive_is_read_too(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps([{"Config": "abc.json", "RepoTags": ["docker.io/library/web:1"], "Layers": []}]))
    with tarfile.open(tmp_path / "web.tar", "w") as tar:
        tar.add(tmp_path / "manifest.json", "manifest.json")
    assert archive.images_in(tmp_path / "web.tar") == {"docker.io/library/web:1": "sha256:abc"}


def test_blobs_that_the_node_has_are_not_packed(tmp_path: Path) -> None:
    folder = tmp_path / "image"
    folder.mkdir()
    parts = {name: name * 64 for name in "abc"}
    for blob in parts.values():
        (folder / blob).write_text(blob)
    described = {
        "mediaType": "m",
        "config": {"digest": f"sha256:{parts['a']}"},
        "layers": [{"digest": f"sha256:{parts[name]}"} for name in "bc"],
    }
    (folder / "manifest.json").write_text(json.dumps(described))
    archive.pack(folder, "docker.io/hardened/x:1", tmp_path / "x.tar", known=frozenset({parts["b"]}))
    with tarfile.open(tmp_path / "x.tar") as tar:
        packed = {Path(name).name for name in tar.getnames()}
    assert {parts["a"], parts["c"]} <= packed
    assert parts["b"] not in packed


@pytest.mark.parametrize("content", [b"", b"no archive"], ids=["empty", "text"])
def test_a_file_that_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.tar").write_bytes(content)
    with pytest.raises(ClusterError, match="is no image archive"):
        archive.images_in(tmp_path / "x.tar")
