"""What is loaded: each verb starts with what it needs, and no more."""

import os
import subprocess
import sys
import tomllib
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement

HEAVY = {"pydantic", "pykube", "kubernetes", "kopf", "rich", "requests", "hardened.shell", "hardened.api.service"}


NO_MODELS = {"pydantic", "kubernetes", "kopf", "rich", "hardened.shell", "hardened.api.service"}


def _loaded(code: str) -> set[str]:
    program = f"import sys\nsys.argv = ['hardenctl']\n{code}\nprint('\\n'.join(sys.modules), file=sys.stderr)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment)
    return set(done.stderr.splitlines())


RUN = "from hardenctl.app import app\ntry:\n    app(args={args!r}, prog_name='hardenctl')\nexcept SystemExit:\n    pass"


@pytest.mark.parametrize(
    "args",
    [
        ["--help"],
        ["status", "--help"],
        ["deploy", "--help"],
        ["rollback", "--help"],
        ["history", "--help"],
        ["explain", "--help"],
        ["explain", "CrashLooping"],
        ["events", "--help"],
        ["logs", "--help"],
        ["diff", "--help"],
        ["tree", "--help"],
        ["backup", "list", "--help"],
        ["restore", "--help"],
        ["preflight", "--help"],
        ["version", "--client"],
    ],
)
def test_help_loads_nothing_heavy(args: list[str]) -> None:
    assert not _loaded(RUN.format(args=args)) & HEAVY


@pytest.mark.parametrize("words", [["prom"], ["status", "--f"], ["deploy", "-f", ""], ["completion", ""]], ids=" ".join)
def test_completion_loads_nothing_heavy(words: list[str]) -> None:
    assert not _loaded(f"from hardenctl.completing import program\nprogram.main({words!r})") & HEAVY


def test_status_loads_one_client_and_no_models() -> None:
    fake = (
        "import hardenctl_world as w, hardenctl.cluster.api_cluster as c\n"
        "import hardenctl.connection.pykube_transport\nc.connect = lambda **_: w.FakeCluster(w.service(status=w.healthy()))\n"
    )
    loaded = _loaded(fake + RUN.format(args=["status", "api"]))
    assert "hardenctl.release.report" in loaded
    assert not loaded & NO_MODELS


@pytest.mark.parametrize("verb", ["rollback", "promote", "abort", "retry", "pause", "resume", "history", "explain", "events", "tree"])
def test_the_verbs_of_releases_load_no_models(verb: str) -> None:
    fake = (
        "import hardenctl_world as w, hardenctl.cluster.api_cluster as c\n"
        "live = w.FakeCluster(w.service(status=w.releasing('Approval')))\n"
        "live.answers = [{'phase': 'Succeeded'}]\nc.connect = lambda **_: live\n"
    )
    assert not _loaded(fake + RUN.format(args=[verb, "api"])) & NO_MODELS


def test_whoever_installs_hardenctl_gets_neither_kopf_nor_what_tests_need() -> None:
    project = tomllib.loads((Path(__file__).resolve().parents[2] / "pyproject.toml").read_text())["project"]
    found, todo = set[str](), [Requirement(each) for each in project["dependencies"]]
    while todo:
        wanted = todo.pop()
        is_wanted = wanted.marker is None or any(wanted.marker.evaluate({"extra": extra}) for extra in ("", *wanted.extras))
        if is_wanted and wanted.name.lower() not in found:
            found.add(wanted.name.lower())
            todo += [Requirement(each) for each in requires(wanted.name) or ()]
    assert {"rich", "requests"} <= found
    assert not found & {"kopf", "pytest", "hypothesis", "uvloop"}
