"""How the operator's failures are told: by the call, in a bounded message. What each means is shown in tests/test_failures.py."""

import json

import pytest

from hardened.errors import TryAgain
from hardened.shell.failures import MESSAGE_LIMIT, RETRY_AFTER_LIMIT, failure, no_reply


def said(message: str) -> str:
    return json.dumps({"kind": "Status", "message": message})


def test_a_failure_says_which_call_it_was() -> None:
    assert failure("apply configmaps shop/a", 422, {}, said("no")).message == "apply configmaps shop/a: no"


def test_nobody_makes_the_operator_wait_for_a_day() -> None:
    error = failure("get", 429, {"Retry-After": "86400"}, "")
    assert isinstance(error, TryAgain)
    assert error.retry_after == RETRY_AFTER_LIMIT


def test_a_message_is_bounded() -> None:
    assert len(failure("x", 422, {}, said("y" * 100_000)).message) == MESSAGE_LIMIT


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        pytest.param(TimeoutError(), "TimeoutError", id="a time-out"),
        pytest.param(ConnectionResetError(104, "Connection reset by peer"), "Connection reset by peer", id="a reset"),
        pytest.param(ValueError("Bearer sesame"), "ValueError", id="of another error only the class"),
    ],
)
def test_no_reply_says_why(error: Exception, expected: str) -> None:
    failed = no_reply("get pods shop/a", error)
    assert expected in failed.message
    assert "sesame" not in failed.message
    assert failed.status == 0
