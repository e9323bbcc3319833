"""Which provider is chosen, and what it calls: with programs on PATH that record how they were called and answer what a test says."""

import json
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from e2e.cluster import ClusterError, choose, golang
from e2e.cluster.existing import ExistingCluster
from e2e.cluster.golang import Program
from e2e.cluster.kind import KindCluster
from e2e.cluster.local import host
from e2e.cluster.local.cluster import LocalCluster

Stand = Callable[..., None]
Calls = Callable[[], list[list[str]]]

_PROGRAM = """#!{python}
import json, os, sys
with open({calls!r}, "a") as calls:
    calls.write(json.dumps([os.path.basename(sys.argv[0]), *sys.argv[1:]]) + "\\n")
answers = {answers!r}
said, code = next((found for start, found in answers.items() if " ".join(sys.argv[1:]).startswith(start)), ("", 0))
sys.stdout.write(said)
sys.exit(code)
"""


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stand:
    """Puts a program on PATH. answers: start of its arguments -> (what it prints, exit status)."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("HARDENED_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("HARDENED_CACHE", str(tmp_path / "cache"))
    for name in ("HARDENED_KUBECONFIG", "HARDENED_PROVIDER"):
        monkeypatch.delenv(name, raising=False)

    def put(name: str, answers: dict[str, tuple[str, int]] | None = None) -> None:
        path = folder / name
        path.write_text(_PROGRAM.format(python=sys.executable, calls=str(tmp_path / "calls"), answers=answers or {}))
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    return put


@pytest.fixture
def calls(tmp_path: Path) -> Calls:
    def read() -> list[list[str]]:
        path = tmp_path / "calls"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    return read


@pytest.mark.parametrize(
    ("programs", "env", "kind"),
    [
        pytest.param({}, {}, LocalCluster, id="without Docker a cluster is built from source"),
        pytest.param({"docker": 0, "kind": 0}, {}, KindCluster, id="with Docker and kind it is a kind cluster"),
        pytest.param({"docker": 0}, {}, LocalCluster, id="Docker without kind is of no use"),
        pytest.param({"docker": 1, "kind": 0}, {}, LocalCluster, id="a Docker that does not answer is none"),
        pytest.param({"docker": 0, "kind": 0}, {"HARDENED_KUBECONFIG": "/k"}, ExistingCluster, id="a kubeconfig that is named comes first"),
        pytest.param({"docker": 0, "kind": 0}, {"HARDENED_PROVIDER": "local"}, LocalCluster, id="a person may say which"),
    ],
)
def test_the_provider_follows_from_the_machine(
    stand_in: Stand, monkeypatch: pytest.MonkeyPatch, programs: dict[str, int], env: dict[str, str], kind: type
) -> None:
    for name, code in programs.items():
        stand_in(name, {"info": ("", code)})
    for variable, value in env.items():
        monkeypatch.setenv(variable, value)
    assert type(choose("demo")) is kind


def test_an_unknown_provider_is_refused(stand_in: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARDENED_PROVIDER", "minikube")
    with pytest.raises(ClusterError, match="set it to kind or local"):
        choose("demo")


def test_kind_makes_a_cluster_with_that_many_nodes_and_a_kubeconfig_of_its_own(stand_in: Stand, calls: Calls, tmp_path: Path) -> None:
    stand_in("kind")
    KindCluster("demo").up(nodes=3)
    assert calls()[-1] == [
        *("kind", "create", "cluster", "--name", "hardened-demo", "--config", "-"),
        *("--kubeconfig", str(tmp_path / "state/kind/demo/kubeconfig"), "--wait", "180s"),
    ]


def test_kind_loads_names_and_archives_each_in_their_way(stand_in: Stand, calls: Calls, tmp_path: Path) -> None:
    stand_in("kind")
    (tmp_path / "x.tar").touch()
    KindCluster("demo").load(["web:1", str(tmp_path / "x.tar")])
    assert calls() == [
        ["kind", "load", "docker-image", "docker.io/library/web:1", "--name", "hardened-demo"],
        ["kind", "load", "image-archive", str(tmp_path / "x.tar"), "--name", "hardened-demo"],
    ]


def test_a_kind_cluster_that_is_there_is_left_as_it_is(stand_in: Stand, calls: Calls, tmp_path: Path) -> None:
    stand_in("kind", {"get clusters": ("other\nhardened-demo\n", 0)})
    folder = tmp_path / "state/kind/demo"
    folder.mkdir(parents=True)
    (folder / "kubeconfig").touch()
    KindCluster("demo").up()
    assert calls() == [["kind", "get", "clusters"]]


def test_a_kind_cluster_that_somebody_else_made_is_neither_used_nor_deleted(stand_in: Stand, calls: Calls) -> None:
    stand_in("kind", {"get clusters": ("hardened-demo\n", 0)})
    with pytest.raises(ClusterError, match="not ours"):
        KindCluster("demo").up()
    assert KindCluster("demo").down() is False
    assert not any("delete" in call for call in calls())


def test_a_kind_cluster_goes_and_leaves_no_state(stand_in: Stand, calls: Calls, tmp_path: Path) -> None:
    stand_in("kind")
    KindCluster("demo").up()
    assert KindCluster("demo").down() is True
    assert calls()[-1][:5] == ["kind", "delete", "cluster", "--name", "hardened-demo"]
    assert not (tmp_path / "state/kind/demo").exists()


def test_into_a_cluster_of_others_nothing_is_loaded_but_a_person_is_told_where_to_push(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match="push web:1 to a registry"):
        ExistingCluster("demo", tmp_path / "config").load(["web:1"])


def test_a_cluster_of_others_is_asked_and_never_taken_down(stand_in: Stand, calls: Calls, tmp_path: Path) -> None:
    stand_in("kubectl", {"--kubeconfig": ("ok", 0)})
    (tmp_path / "config").touch()
    cluster = ExistingCluster("demo", tmp_path / "config")
    cluster.up()
    assert cluster.down() is False
    assert [call[-2:] for call in calls()] == [["--raw", "/readyz"]]


def test_a_cluster_of_others_that_does_not_answer_is_reported(stand_in: Stand, tmp_path: Path) -> None:
    stand_in("kubectl", {"--kubeconfig": ("", 1)})
    (tmp_path / "config").touch()
    with pytest.raises(ClusterError, match="does not answer"):
        ExistingCluster("demo", tmp_path / "config").up()


@pytest.mark.parametrize(
    ("platform", "user", "said"), [("darwin", 0, "needs Linux"), ("linux", 1000, "needs root")], ids=["not on Linux", "not as root"]
)
def test_where_no_local_cluster_can_be_a_person_is_told_what_can(
    monkeypatch: pytest.MonkeyPatch, platform: str, user: int, said: str
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(os, "geteuid", lambda: user)
    with pytest.raises(ClusterError, match=f"{said}.*HARDENED_KUBECONFIG"):
        host.check()


def program(**changes: Any) -> Program:
    return Program(**{"name": "tool", "version": "v1.0.0", "packages": ("example.org/tool",), **changes})


def test_without_go_a_person_is_told_what_else_there_is(stand_in: Stand) -> None:
    with pytest.raises(ClusterError, match=r"Go is not installed.*HARDENED_KUBECONFIG"):
        golang.ensure(program())


def test_a_program_is_built_once(stand_in: Stand, calls: Calls) -> None:
    stand_in("go")
    folder = golang.ensure(program())
    assert golang.ensure(program()) == folder
    assert folder.is_dir()
    assert [(call[1], call[-1]) for call in calls()] == [("install", "example.org/tool@v1.0.0")]


def test_a_build_that_fails_leaves_nothing_behind(stand_in: Stand, tmp_path: Path) -> None:
    stand_in("go", {"install": ("no such module", 1)})
    with pytest.raises(ClusterError, match="no such module"):
        golang.ensure(program())
    assert list((tmp_path / "cache/programs").iterdir()) == []


def test_whatever_a_build_depends_on_changes_where_it_is_kept(tmp_path: Path) -> None:
    (tmp_path / "main.go").write_text("package main")
    source = program(packages=(), source=tmp_path)
    before = source.folder
    (tmp_path / "main.go").write_text("package main // changed")
    others = [program(), program(version="v2"), program(tags="x"), program(ldflags="-X a=b")]
    assert len({before, source.folder, *(found.folder for found in others)}) == 6


@pytest.mark.parametrize(
    ("found", "kept"), [pytest.param(128, 1024, id="a low limit is raised"), pytest.param(9999, 9999, id="a higher one is kept")]
)
def test_a_machine_is_given_what_several_clusters_need(tmp_path: Path, found: int, kept: int) -> None:
    for name in host.LEAST:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("1000000\n")
    instances = tmp_path / "fs/inotify/max_user_instances"
    instances.write_text(f"{found}\n")
    host.raise_limits(tmp_path)
    assert int(instances.read_text()) == kept
