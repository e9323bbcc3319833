"""Conditions move only when something moved."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from tests.core.worlds import NOW, STAMP

from hardened.core.model.conditions import MESSAGE_LIMIT, Condition, merge, timestamp
from hardened.core.model.reasons import Reason

BEFORE = "2026-01-01T00:00:00Z"
READY = Condition("Ready", True, Reason.HEALTHY, "it serves")


def old(status: Any = "True", **changes: Any) -> dict[str, Any]:
    known = {"type": "Ready", "status": status, "observedGeneration": 4, "lastTransitionTime": BEFORE, "reason": "Healthy", "message": "m"}
    return {**known, **changes}


@pytest.mark.parametrize(
    ("before", "since"),
    [
        pytest.param([], STAMP, id="a first condition begins now"),
        pytest.param([old()], BEFORE, id="the same status keeps its time"),
        pytest.param([old(message="other", reason="RollingOut")], BEFORE, id="another message and reason do not move it"),
        pytest.param([old("False")], STAMP, id="another status moves it"),
        pytest.param([old("Unknown")], STAMP, id="unknown is another status"),
        pytest.param([old(type="Available")], STAMP, id="another condition's time is not taken"),
        pytest.param([old(lastTransitionTime=None)], STAMP, id="a time that was lost begins anew"),
        pytest.param([None, "forged", old()], BEFORE, id="what is not a condition is ignored"),
    ],
)
def test_the_transition_time_moves_only_with_the_status(before: list[Any], since: str) -> None:
    (merged,) = merge(before, [READY], 5, NOW)
    assert merged == {
        "type": "Ready", "status": "True", "observedGeneration": 5, "lastTransitionTime": since, "reason": "Healthy", "message": "it serves"
    }  # fmt: skip


def test_merging_what_was_merged_changes_nothing() -> None:
    first = merge([], [READY], 5, NOW)
    assert merge(first, [READY], 5, NOW + timedelta(days=1)) == first


def test_conditions_that_are_not_wanted_go() -> None:
    assert [c["type"] for c in merge([old(type="Old")], [READY], 1, NOW)] == ["Ready"]


def test_a_message_is_cut_at_the_bound_of_kubernetes() -> None:
    (merged,) = merge([], [Condition("Ready", False, Reason.INVALID_SPEC, "x" * 40000)], 1, NOW)
    assert len(merged["message"]) == MESSAGE_LIMIT


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2026, 1, 2, 3, 4, 5, 999999, UTC), "2026-01-02T03:04:05Z"),
        (datetime(2026, 1, 2, 5, 4, 5, tzinfo=timezone(timedelta(hours=2))), "2026-01-02T03:04:05Z"),
    ],
)
def test_times_are_utc_in_whole_seconds(moment: datetime, text: str) -> None:
    assert timestamp(moment) == text
