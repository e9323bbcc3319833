"""What the README tells people to type works as it stands, in that order, on a cluster of its own."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from e2e.cluster import choose, tools

ROOT = Path(__file__).resolve().parents[2]
CLUSTER = "readme"


def commands() -> str:
    """The text of all console blocks, in order."""
    return "\n".join(re.findall(r"^```console\n(.*?)^```", (ROOT / "README.md").read_text(), flags=re.DOTALL | re.MULTILINE))


def test_the_folder_table_is_the_tree() -> None:
    listed = set(re.findall(r"^\| `(\w+)/` \|", (ROOT / "README.md").read_text(), flags=re.MULTILINE))
    tracked = subprocess.run(["git", "ls-tree", "-d", "--name-only", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert listed == {name for name in tracked.stdout.split() if not name.startswith(".")}


@pytest.mark.cluster
def test_its_commands_work_from_the_first_to_the_last() -> None:
    path = f"{tools.bin_dir()}:{tools.helm().parent}:{os.environ['PATH']}"
    environ = {k: v for k, v in os.environ.items() if k not in ("KUBECONFIG", "HARDENED_KUBECONFIG", "MAKEFLAGS", "MAKELEVEL")}
    try:
        done = subprocess.run(
            ["bash", "-euxo", "pipefail", "-c", commands()],
            cwd=ROOT,
            env={**environ, "CLUSTER": CLUSTER, "PATH": path},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        assert not choose(CLUSTER).status(), "make down left something"
    finally:
        choose(CLUSTER).down()
