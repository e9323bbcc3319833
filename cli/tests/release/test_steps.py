"""What a step says of a release, also one that this program does not know."""

from collections.abc import Callable

import pytest

from hardenctl.release.steps import is_before_cutover, is_before_promotion, is_going_back, is_moving_traffic, is_taking_over
from hardened.api.steps import Step

ALL = (is_before_cutover, is_before_promotion, is_moving_traffic, is_taking_over, is_going_back)


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        pytest.param("Preflight", {is_before_cutover, is_before_promotion}, id="before anything is there"),
        pytest.param("Approval", {is_before_cutover, is_before_promotion}, id="a person is asked"),
        pytest.param("ScaleUp", {is_before_cutover}, id="it is promoted, and does not serve yet"),
        pytest.param("Cutover", {is_moving_traffic, is_taking_over}, id="clients are led on"),
        pytest.param("VerifyAfter", {is_moving_traffic, is_taking_over}, id="it serves, and is watched"),
        pytest.param("SwitchBack", {is_moving_traffic, is_going_back}, id="clients are led back"),
        pytest.param("Undo", {is_going_back}, id="its migration is undone"),
        pytest.param("Keep", set(), id="it is over"),
        pytest.param("Backup", {is_before_cutover, is_before_promotion}, id="a step of a newer operator"),
        pytest.param("", {is_before_cutover, is_before_promotion}, id="nothing that can be read"),
    ],
)
def test_what_a_step_says(step: str, expected: set[Callable[[str], bool]]) -> None:
    assert {holds for holds in ALL if holds(step)} == expected


@pytest.mark.parametrize("step", Step)
def test_each_step_is_before_the_cutover_or_after_it(step: Step) -> None:
    assert is_before_cutover(step) is not (is_moving_traffic(step) or is_going_back(step) or step is Step.KEEP)
