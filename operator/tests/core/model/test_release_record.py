"""What is written down of a release is what is read again, and what cannot be read is no record."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardened.api.steps import Step
from hardened.core.model.reasons import Reason
from hardened.core.model.state import Rejection, ReleaseState
from hardened.core.model.target import COLORS, Target
from hardened.core.model.written import state_of, written

MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))
MAYBE = st.none() | MOMENTS
RECORDS = st.builds(
    ReleaseState,
    target=st.builds(Target, st.sampled_from(COLORS), st.text("0123456789abcdef", min_size=12, max_size=12)),
    key=st.text("0123456789abcdef", min_size=12, max_size=12),
    step=st.sampled_from(Step),
    started_at=MOMENTS,
    deadline=MAYBE,
    replicas=st.none() | st.integers(0, 1000),
    cutover_at=MAYBE,
    window_ends_at=MAYBE,
    keep_until=MAYBE,
    recalled_at=MAYBE,
    confirmed_at=MAYBE,
    is_rejected=st.booleans(),
    is_rollback=st.booleans(),
    left=st.none() | st.builds(Rejection, st.text(), st.text(), st.sampled_from(Reason), st.text(), st.booleans()),
    is_approved=st.booleans(),
    has_released_slot=st.booleans(),
    paused_at=MAYBE,
    remaining=st.none() | st.integers(0, 10**9).map(lambda ms: timedelta(milliseconds=ms)),
)
GOOD = written(ReleaseState(Target("blue", "abc"), "def", Step.CUTOVER, datetime(2026, 1, 1, tzinfo=UTC)))


@given(RECORDS)
def test_what_was_written_is_read(state: ReleaseState) -> None:
    assert state_of({"release": written(state)}) == state


@pytest.mark.parametrize("field", ["revision", "color", "key", "step", "startedAt"])
@pytest.mark.parametrize("value", [None, 7, "", [], {}, "now"])
def test_what_cannot_be_read_is_no_record(field: str, value: Any) -> None:
    if isinstance(value, str) and field in ("revision", "key"):
        return
    assert state_of({"release": GOOD | {field: value}}) is None
    assert state_of({"release": {k: v for k, v in GOOD.items() if k != field}}) is None


@pytest.mark.parametrize("deadline", ["soon", "2026-01-01T00:00:00", 5])
def test_a_time_that_is_none_spoils_the_record(deadline: Any) -> None:
    assert state_of({"release": GOOD | {"deadline": deadline}}) is None
    assert state_of({"release": GOOD | {"remaining": deadline}}) is None


@pytest.mark.parametrize("status", [{}, {"release": None}, {"release": []}, {"release": "Cutover"}])
def test_no_release_is_no_record(status: dict[str, Any]) -> None:
    assert state_of(status) is None
