"""What a step says of a release, also one that this program does not know."""

import pytest

from hardenctl.release.steps import is_before_promotion, is_taking_over, row_of


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        pytest.param("Preflight", {"before the cutover", "can be promoted"}, id="before anything is there"),
        pytest.param("Approval", {"before the cutover", "can be promoted"}, id="a person is asked"),
        pytest.param("ScaleUp", {"before the cutover"}, id="it is promoted, and does not serve yet"),
        pytest.param("Cutover", {"takes over"}, id="clients are led on"),
        pytest.param("VerifyAfter", {"takes over"}, id="it serves, and is watched"),
        pytest.param("SwitchBack", {"goes back"}, id="clients are led back"),
        pytest.param("Undo", {"goes back"}, id="its migration is being undone"),
        pytest.param("Keep", set(), id="it is over"),
        pytest.param("Tomorrow", {"before the cutover", "can be promoted"}, id="a step of a newer operator"),
        pytest.param("", {"before the cutover", "can be promoted"}, id="nothing that can be read"),
    ],
)
def test_what_a_step_says(step: str, expected: set[str]) -> None:
    found = {
        "before the cutover": row_of(step).before_cutover,
        "can be promoted": is_before_promotion(step),
        "takes over": is_taking_over(step),
        "goes back": row_of(step).is_going_back,
    }
    assert {said for said, holds in found.items() if holds} == expected
