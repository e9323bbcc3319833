"""The steps of a release, from the states that were seen of it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hardenctl_world import NEW, going_back, healthy, releasing, service, taken_back

from hardenctl.following.passage import EARLIER, Passage, grown

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
RELEASE = (NEW, "2026-01-02T03:04:05Z")


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def step(name: str, entered: float) -> dict[str, Any]:
    return releasing(name, enteredAt=at(entered).isoformat())


def seen(*states: tuple[float, dict[str, Any]]) -> tuple[Passage, ...]:
    """states: each with the second in which it is seen."""
    known: tuple[Passage, ...] = ()
    for moment, status in states:
        known = grown(known, service(status=status), at(moment))
    return known


def spans(passages: tuple[Passage, ...], now: float) -> list[tuple[str, float, bool]]:
    return [(each.step, each.span(at(now)), each.has_failed) for each in passages]


def test_each_step_lasts_from_its_beginning_to_that_of_the_next_whenever_they_are_seen() -> None:
    found = seen((0.4, step("Preflight", 0)), (3, step("Preview", 1)), (3.5, step("Preview", 1)), (9, step("VerifyBefore", 8)))
    assert spans(found, 12) == [("Preflight", 1, False), ("Preview", 7, False), ("VerifyBefore", 4, False)]


def test_who_comes_later_is_told_how_long_it_took_so_far() -> None:
    assert spans(seen((20, step("Cutover", 15))), 20) == [(EARLIER, 15, False), ("Cutover", 5, False)]


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        pytest.param([(9, healthy())], [("Preview", 9, False)], id="by passing"),
        pytest.param([(9, taken_back(after_cutover=False))], [("Preview", 9, True)], id="by a rejection"),
        pytest.param(
            [(9, going_back("SwitchBack") | step("SwitchBack", 8)), (11, taken_back())],
            [("Preview", 8, True), ("SwitchBack", 3, False)],
            id="by going back, which is no failure itself",
        ),
    ],
)
def test_a_release_ends(states: list[tuple[float, dict[str, Any]]], expected: list[tuple[str, float, bool]]) -> None:
    assert spans(seen((0, step("Preview", 0)), *states), 60) == expected


def test_another_release_begins_anew() -> None:
    other = {**step("Preflight", 30), "release": {**step("Preflight", 30)["release"], "startedAt": at(30).isoformat()}}
    assert spans(seen((0, step("Preview", 0)), (31, other)), 32) == [("Preflight", 2, False)]


def test_a_clock_that_is_behind_makes_no_step_last_less_than_nothing() -> None:
    assert spans(seen((-20, step("Preview", 0)), (-19, healthy())), 0) == [("Preview", 0, False)]
