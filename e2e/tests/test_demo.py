"""The tour: it can be taken again at any time, and the second time it takes less than two minutes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.cluster import choose
from e2e.demo.__main__ import STEPS
from e2e.demo.releases import release_bad, release_worse
from e2e.demo.service import bring_up, deploy, install_operator, load_images
from e2e.demo.tour import Tour
from e2e.figures import figures
from e2e.rig import MERCY, ROOT

CLUSTER = "tour"
#: Seconds that the second tour is promised to take at most.
PROMISED_S = 120.0
#: How often the bad versions are released.
TURNS = 20

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(3600)]


@pytest.fixture
def state(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of its own for the state of clusters; what the tour leaves there is taken away."""
    folder = tmp_path_factory.mktemp("state")
    monkeypatch.setenv("HARDENED_STATE", str(folder))
    monkeypatch.setenv("CLUSTER", CLUSTER)
    try:
        yield folder
    finally:
        choose(CLUSTER).down()


def tour() -> tuple[str, float]:
    """What the tour says, and its seconds."""
    path = os.pathsep.join(str(ROOT / folder) for folder in ("operator", "cli"))
    begun = time.monotonic()
    found = subprocess.run(
        [sys.executable, "-m", "e2e.demo"], cwd=ROOT, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, f"{found.stdout}\n{found.stderr}"
    return found.stdout, time.monotonic() - begun


def answer(said: str) -> dict[str, str]:
    """What the service answered."""
    lines = [line.strip() for line in said.splitlines()]
    found: dict[str, str] = next(json.loads(line) for line in lines if line.startswith('{"'))
    return found


@pytest.mark.usefixtures("state")
def test_the_tour_ends_with_an_answer_and_its_second_time_takes_under_two_minutes() -> None:
    first, first_s = tour()
    second, second_s = tour()
    repaired = [int(found[1]) for said in (first, second) if (found := re.search(r"there again after (\d+) ms", said))]
    figures("demo", first_seconds=first_s, second_seconds=second_s, promised_seconds=PROMISED_S, repaired_ms=max(repaired, default=None))
    for said in (first, second):
        assert answer(said)["version"] == "v1"
        assert "\n     0 requests failed\n" in said
        assert re.search(r"traffic was switched to v2 in \d+ ms, to v3 in \d+ ms, back from v3 in \d+ ms", said)
        assert all(f"{number}/{len(STEPS)}  " in said for number in range(1, len(STEPS) + 1))
        assert "export KUBECONFIG=" in said
        assert f"make down CLUSTER={CLUSTER}" in said
    assert len(repaired) == 2
    assert second_s < PROMISED_S * MERCY


@pytest.mark.full
@pytest.mark.timeout(7200)
@pytest.mark.usefixtures("state")
def test_the_bad_versions_end_the_same_twenty_times_in_a_row() -> None:
    tour = Tour(choose(CLUSTER))
    for step in (bring_up, load_images, install_operator):
        step(tour)
    deploy(tour, "v1", {}, wait=True)
    outcomes = []
    for turn in range(TURNS):
        for bad in (release_bad, release_worse):
            tour.token = f"{turn}"
            bad(tour)  # it raises where hardenctl tells another end than a rejection
            pin = json.loads(tour.kubectl("get", "hs", "web", "--output=jsonpath={.status.pin}"))
            serving = tour.kubectl("get", "hs", "web", "--output=jsonpath={.status.serving.image}")
            outcomes.append((bad.__name__, pin["reason"], pin.get("afterCutover", False), serving))
    figures("bad versions", outcomes=sorted({str(outcome) for outcome in outcomes}), turns=TURNS, switches=tour.switches)
    assert outcomes == [outcomes[0], outcomes[1]] * TURNS
    assert [after for _, _, after, _ in outcomes[:2]] == [False, True]
