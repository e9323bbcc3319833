"""The first seconds of a release."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hardenctl_world import degraded, going_back, releasing, service

from hardenctl.release.verdict import SETTLING, verdict_of

BEGAN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def _first(status: dict[str, Any]) -> dict[str, Any]:
    live = service(status=status)
    live["metadata"]["creationTimestamp"] = "2026-01-02T03:04:05Z"
    return live


NOT_READY = degraded("PodsNotReady")
BESIDE = NOT_READY | {"release": releasing("Preview")["release"], "stable": releasing()["stable"]}


@pytest.mark.parametrize(
    ("live", "after", "result"),
    [
        pytest.param(_first(NOT_READY), 0, "progressing", id="it was just made"),
        pytest.param(_first(NOT_READY), 19, "progressing", id="it was made a moment ago"),
        pytest.param(_first(NOT_READY), 21, "degraded", id="that is no moment any more"),
        pytest.param(_first(NOT_READY | {"stable": BESIDE["stable"]}), 1, "degraded", id="no release is at work"),
        pytest.param(service(status=BESIDE), 1, "progressing", id="a release has just begun"),
        pytest.param(service(status=BESIDE), 21, "degraded", id="a release is late"),
        pytest.param(service(status=BESIDE), -60, "progressing", id="the clocks differ"),
        pytest.param(service(status=BESIDE | {"release": releasing("Keep")["release"]}), 1, "degraded", id="it was promoted"),
        pytest.param(service(status=NOT_READY | {"release": going_back("SwitchBack")["release"]}), 1, "degraded", id="it goes back"),
        pytest.param(_first(degraded("InvalidSpec", stalled=True)), 1, "failed", id="what only a person can mend"),
    ],
)
def test_nothing_is_degraded_before_it_had_the_time_to_come_up(live: dict[str, Any], after: float, result: str) -> None:
    assert verdict_of(live, BEGAN + timedelta(seconds=after)).result == result
    assert verdict_of(live, BEGAN + SETTLING).result in ("degraded", "failed")


def test_without_a_clock_it_is_what_the_status_says() -> None:
    assert verdict_of(service(status=BESIDE)).result == "degraded"
