"""A release in lines, off a terminal: short, and each hash and image once."""

import io
import re
from typing import Any

import pytest
from hardenctl_world import NEW, NEW_IMAGE, degraded, kept, releasing, service, taken_back
from hypothesis import given
from hypothesis import strategies as st

from hardenctl.following.lines import WIDTH, Lines
from hardenctl.output.console import Console
from hardenctl.release.verdict import verdict_of

LONG = "the application says at great length that it cannot start because of something that nobody has ever heard of before, or since"


def told(*states: dict[str, Any], prefix: str = "") -> list[str]:
    out = io.StringIO()
    lines = Lines(Console(io.StringIO(), out), 0.0, [prefix])
    for status in states:
        live = service(status=status, image=NEW_IMAGE)
        lines.tell(0, verdict_of(live), live)
    return out.getvalue().splitlines()


def test_a_release_names_its_revision_and_image_once() -> None:
    found = "\n".join(told(*(releasing(step) for step in ("Preflight", "Preview", "VerifyBefore", "Cutover")), kept()))
    assert (found.count(NEW), found.count(NEW_IMAGE)) == (1, 1)
    assert found.count("the new revision is on its way in green") == 3


def test_a_check_is_told_once_in_a_release_whatever_its_steps_are() -> None:
    checks = [{"name": "smoke", "result": "Passed", "message": "5 of 5 requests passed"}]
    found = told(*(releasing(step, checks=checks) for step in ("VerifyBefore", "ScaleUp", "Cutover")))
    assert len([line for line in found if "check smoke: Passed: 5 of 5 requests passed" in line]) == 1


@pytest.mark.parametrize("prefix", ["", "another-namespace/a-rather-long-name: "])
@pytest.mark.parametrize("remaining", ["", "9m12s"])
def test_no_line_is_longer_than_a_wide_terminal(prefix: str, remaining: str) -> None:
    check = {"name": "contract", "result": "Failed", "message": LONG}
    status = releasing("Preview", pausedAt="2026-01-02T03:04:05Z", remaining=remaining, checks=[check])
    status["conditions"][0]["message"] = LONG
    found = told(status, prefix=prefix)
    assert len(found) == 3
    assert found.pop().endswith("to go on: hardenctl resume api -n shop"), "what is to be pasted is whole"
    assert all(len(line) <= WIDTH for line in found)
    assert any(len(line) == WIDTH and "…" in line for line in found)
    assert found[0].endswith(f"(paused, with {remaining} left)" if remaining else "(paused)")


@given(st.text(max_size=400))
def test_whatever_is_said_is_one_line_of_it(message: str) -> None:
    status = degraded()
    status["conditions"][0]["message"] = message
    (line,) = told(status)
    assert len(line) <= WIDTH


def test_why_it_failed_is_told_by_its_role() -> None:
    found = told(releasing("Preview"), taken_back(after_cutover=False))
    assert re.sub(r"^ *\S+  ", "", found[-1]) == "rejected: the new revision was rejected: CheckFailed: check smoke failed: 500"
