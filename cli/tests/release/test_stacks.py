"""The pods of a colour, counted by revision."""

import pytest
from hardenctl_world import REVISION, deployment

from hardenctl.release.stacks import _stack


@pytest.mark.parametrize(
    ("numbers", "ready"),
    [
        pytest.param({"replicas": 3, "updatedReplicas": 1, "readyReplicas": 2}, 0, id="two of the old one, and one that cannot start"),
        pytest.param({"replicas": 2, "readyReplicas": 2}, 0, id="none of the new one yet"),
        pytest.param({"replicas": 2, "updatedReplicas": 1, "readyReplicas": 2}, 1, id="one of each"),
        pytest.param({"replicas": 2, "updatedReplicas": 2, "readyReplicas": 2}, 2, id="all of the new one"),
        pytest.param({"replicas": 2, "updatedReplicas": 1, "readyReplicas": 0}, 0, id="none is ready"),
    ],
)
def test_pods_of_the_revision_before_it_are_not_counted_as_its_own(numbers: dict[str, int], ready: int) -> None:
    live = deployment("blue", REVISION, 0, 2)
    assert _stack({**live, "status": numbers}).ready == ready


@pytest.mark.parametrize(
    ("numbers", "generation", "shown"),
    [
        pytest.param({"replicas": 2, "updatedReplicas": 2, "readyReplicas": 1}, 1, "1 of 2 pods ready", id="its own"),
        pytest.param(
            {"replicas": 3, "updatedReplicas": 1, "readyReplicas": 2},
            1,
            "0 of 2 pods ready, 2 of the revision before still there",
            id="two ready ones of the revision before",
        ),
        pytest.param(
            {"replicas": 2, "updatedReplicas": 2, "readyReplicas": 2},
            2,
            "2 pods wanted, not counted yet",
            id="all that was counted was counted of the revision before",
        ),
    ],
)
def test_what_was_counted_of_another_revision_is_not_shown_as_its_own(numbers: dict[str, int], generation: int, shown: str) -> None:
    live = deployment("blue", REVISION, 0, 2)
    live["metadata"]["generation"] = generation
    assert str(_stack({**live, "status": {**numbers, "observedGeneration": 1}})) == shown
