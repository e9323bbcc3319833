"""What the README tells people to type works as it stands, in that order, on a cluster of its own, and its tour can be taken again."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from e2e.cluster import choose, tools
from e2e.demo.__main__ import STEPS
from e2e.figures import figures
from e2e.rig import MERCY

ROOT = Path(__file__).resolve().parents[2]
CLUSTER = "readme"
TOUR = "make demo\n"
#: Seconds that a tour is promised to take at most where all has been built.
PROMISED_S = 120.0
#: Seconds for all of it where nothing has.
WITHIN_S = 3000


def commands() -> str:
    """The text of all console blocks, in order."""
    return "\n".join(re.findall(r"^```console\n(.*?)^```", (ROOT / "README.md").read_text(), flags=re.DOTALL | re.MULTILINE))


def tours(said: str) -> list[str]:
    """What each tour of all that was said has said, from its first step on."""
    return re.split(rf"^1/{len(STEPS)}  ", said, flags=re.MULTILINE)[1:]


def answer(said: str) -> dict[str, str]:
    """What the service answered."""
    found: dict[str, str] = next(json.loads(line) for line in map(str.strip, said.splitlines()) if line.startswith('{"'))
    return found


def seconds(said: str) -> float:
    """How long a tour took, by its own words. Example: "The whole tour took 1m05s. …" -> 65."""
    found = re.search(r"The whole tour took (?:(\d+)m)?([\d.]+)s\. ", said)
    assert found, said
    return 60 * int(found[1] or 0) + float(found[2])


def repaired_ms(said: str) -> int:
    """How long what was deleted by hand was away."""
    found = re.search(r"back after (\d+) ms", said)
    assert found, said
    return int(found[1])


def test_the_folder_table_is_the_tree() -> None:
    listed = set(re.findall(r"^\| `(\w+)/` \|", (ROOT / "README.md").read_text(), flags=re.MULTILINE))
    tracked = subprocess.run(["git", "ls-tree", "-d", "--name-only", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert listed == {name for name in tracked.stdout.split() if not name.startswith(".")}


def run_commands(before: str = "") -> list[str]:
    """Runs what the README tells to type, after other commands, on a cluster of its own. What each tour said."""
    path = f"{tools.bin_dir()}:{tools.helm().parent}:{os.environ['PATH']}"
    environ = {k: v for k, v in os.environ.items() if k not in ("KUBECONFIG", "HARDENED_KUBECONFIG", "MAKEFLAGS", "MAKELEVEL")}
    try:
        done = subprocess.run(
            ["bash", "-euxo", "pipefail", "-c", f"{before}{commands()}"],
            cwd=ROOT,
            env={**environ, "CLUSTER": CLUSTER, "PATH": path},
            capture_output=True,
            text=True,
            timeout=WITHIN_S,
            check=False,
        )
        assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        assert not choose(CLUSTER).status(), "make down left something"
    finally:
        choose(CLUSTER).down()
    return tours(done.stdout)


def check_tour(said: str) -> None:
    """It showed what it promises."""
    assert answer(said)["version"] == "v1"
    assert "\n     0 requests failed\n" in said
    assert re.search(r"traffic was switched to v2 in \d+ ms, to v3 in \d+ ms, back from v3 in \d+ ms", said)
    assert all(f"\n{number}/{len(STEPS)}  " in said for number in range(2, len(STEPS) + 1))
    assert "export KUBECONFIG=" in said
    assert f"make down CLUSTER={CLUSTER}" in said
    figures("demo", seconds=seconds(said), promised_seconds=PROMISED_S, repaired_ms=repaired_ms(said))


@pytest.mark.cluster
@pytest.mark.timeout(WITHIN_S)
def test_its_commands_work_from_the_first_to_the_last() -> None:
    (said,) = run_commands()
    check_tour(said)


@pytest.mark.full
@pytest.mark.timeout(2 * WITHIN_S)
def test_the_tour_can_be_taken_again_and_takes_under_two_minutes() -> None:
    first, second = run_commands(before=TOUR)
    check_tour(first)
    check_tour(second)
    assert seconds(second) < PROMISED_S * MERCY
