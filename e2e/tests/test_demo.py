"""The bad versions of the tour, which test_readme.py takes, end the same each time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.cluster import choose
from e2e.demo.releases import release_bad, release_worse
from e2e.demo.service import bring_up, deploy, install_operator, load_images
from e2e.demo.tour import Tour
from e2e.figures import figures

CLUSTER = "tour"
#: How often the bad versions are released.
TURNS = 20


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
