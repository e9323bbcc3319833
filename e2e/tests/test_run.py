"""What a run at full size says before it knows: how long it will take."""

from __future__ import annotations

import pytest

from e2e.run import GUESS_S, Expected, Result

SWEEP, OTHER = "e2e/tests/test_sweep_of_all.py::test_it", "e2e/tests/test_small.py::test_it"


def took(node: str, seconds: float, outcome: str = "passed") -> Result:
    return Result(node, outcome, seconds, "abc", "2026-01-01T00:00:00+00:00")


@pytest.mark.parametrize(
    ("nodes", "seconds"),
    [
        pytest.param([f"{SWEEP}[0]"], 400.0, id="as long as it took when it passed last"),
        pytest.param([f"{SWEEP}[7]"], 400.0, id="as long as the others of its file"),
        pytest.param([OTHER], GUESS_S, id="not as long as those of another file"),
        pytest.param([f"{SWEEP}[1]", f"{SWEEP}[9]"], 900.0, id="one after the other"),
    ],
)
def test_what_is_not_known_is_guessed_by_its_own_file(nodes: list[str], seconds: float) -> None:
    known = [
        took(f"{SWEEP}[0]", 100.0),
        took(f"{SWEEP}[0]", 400.0),
        took(f"{SWEEP}[0]", 3.0, "failed"),
        took(f"{SWEEP}[1]", 500.0),
        took(f"{SWEEP}[2]", 200.0),
    ]
    assert Expected(known).seconds(nodes) == seconds
