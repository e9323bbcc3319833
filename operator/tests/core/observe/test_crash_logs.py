"""Which log tells why a version crashed, and how much of it goes into a cause."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.worlds import live_sample

from hardened.api.text import is_plain
from hardened.core.model.annotations import MESSAGE_LIMIT
from hardened.core.model.question import ReadLog
from hardened.core.observe.crash_logs import log_of_crash, with_log

SAMPLES: dict[str, Any] = live_sample("pods")
CAUSE = "Preview made no progress for 10m: pod a, container app: ended with exit code 3 (Error), restarted 2 times"
ENDED = {"exitCode": 3, "reason": "Error"}


def pod(state: dict[str, Any], last: dict[str, Any] | None = None, kind: str = "containerStatuses") -> dict[str, Any]:
    container = {"name": "app", "state": state, "lastState": {"terminated": last} if last else {}}
    return {"metadata": {"name": "a"}, "status": {kind: [container]}}


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param(pod({"terminated": ENDED}), ReadLog("a", "app", False, 5), id="it has just ended"),
        pytest.param(pod({"waiting": {"reason": "CrashLoopBackOff"}}, ENDED), ReadLog("a", "app", True, 5), id="it is to be started again"),
        pytest.param(pod({"running": {}}, ENDED), ReadLog("a", "app", True, 5), id="it runs again"),
        pytest.param(pod({"terminated": ENDED}, kind="initContainerStatuses"), ReadLog("a", "app", False, 5), id="an init container"),
        pytest.param(pod({"running": {}}), None, id="it runs"),
        pytest.param(pod({"terminated": {"exitCode": 0, "reason": "Completed"}}), None, id="it has ended well"),
        pytest.param(pod({"terminated": {"exitCode": 128, "reason": "StartError"}}), None, id="it never ran"),
        pytest.param({"metadata": {"name": "a"}}, None, id="nobody has looked at it"),
    ],
)
def test_the_log_of_the_run_that_crashed(seen: dict[str, Any], expected: ReadLog | None) -> None:
    assert log_of_crash([pod({"running": {}}), seen], 5) == expected
    assert log_of_crash([seen], 0) is None


@pytest.mark.parametrize("sample", ["pull", "noconfig", "unready"])
def test_what_a_real_cluster_shows_of_what_has_not_crashed_has_no_such_log(sample: str) -> None:
    assert log_of_crash([SAMPLES[sample]], 5) is None


def test_what_a_real_cluster_shows_of_a_crash_has_one() -> None:
    found = log_of_crash([SAMPLES["crash"]], 5)
    assert found is not None
    assert found.pod == SAMPLES["crash"]["metadata"]["name"]


def test_lines_stand_behind_each_other() -> None:
    assert with_log(CAUSE, "starting\n\n  no   config \n") == f"{CAUSE}; its log ends with: starting | no config"


@pytest.mark.parametrize("log", ["", "\n\n", "  ", "\x1b[0m"])
def test_a_log_without_a_word_is_none(log: str) -> None:
    assert with_log(CAUSE, log) == CAUSE


def test_of_a_long_one_the_last_words() -> None:
    found = with_log(CAUSE, "x" * 5000 + "\nno config")
    assert len(found) == MESSAGE_LIMIT
    assert found.startswith(f"{CAUSE}; its log ends with: …x")
    assert found.endswith("x | no config")


def test_a_cause_that_is_long_itself_stays_whole() -> None:
    assert with_log("a" * (MESSAGE_LIMIT - 10), "no config") == "a" * (MESSAGE_LIMIT - 10)


@given(st.text(max_size=600), st.text(st.characters() | st.sampled_from("\x1b[]\x07\n\u202e"), max_size=900))
def test_whatever_it_says_is_one_line_of_plain_text_that_fits(cause: str, log: str) -> None:
    found = with_log(cause, log)
    assert found.startswith(cause)
    assert len(found) <= max(len(cause), MESSAGE_LIMIT)
    said = found[len(cause) :]
    assert is_plain(said)
    assert "\n" not in said
