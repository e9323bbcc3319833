"""The longest tests start first, and what is known of how long they take is of tests that there are."""

from __future__ import annotations

from pathlib import Path

import pytest

from e2e.order import LONG_S, TOGETHER, function_of, known, longest_first, measured, table, unit_of

ROOT = Path(__file__).resolve().parents[2]

REPORT = """<?xml version="1.0" encoding="utf-8"?>
<testsuites><testsuite name="pytest">
<testcase classname="e2e.tests.test_waits" name="test_it[1]" time="20.4"/>
<testcase classname="e2e.tests.test_waits" name="test_it[a::b[c]]" time="31.6"/>
<testcase classname="e2e.tests.test_tenant" name="test_worst" time="90.0"/>
<testcase classname="e2e.tests.test_tenant" name="test_mild" time="0.4"/>
<testcase classname="e2e.tests.test_outages" name="test_gone" time="99.0"><failure message="late"/></testcase>
<testcase classname="e2e.tests.test_outages" name="test_skipped" time="99.0"><skipped/></testcase>
</testsuite></testsuites>"""
WAITS, WORST, MILD = "e2e/tests/test_waits.py::test_it", "e2e/tests/test_tenant.py::test_worst", "e2e/tests/test_tenant.py::test_mild"


@pytest.mark.parametrize(
    ("seconds", "groups", "order"),
    [
        pytest.param({}, {}, "abcde", id="where nothing is known they stay as they are"),
        pytest.param({"d": 90, "b": 20}, {}, "dbace", id="the longest first"),
        pytest.param({"b": 20, "c": 20, "d": 20}, {}, "bcdae", id="of equals the first first"),
        pytest.param({"b": 30, "a": 20, "e": 20}, {"a": "group", "e": "group"}, "aebcd", id="a group is as long as all of it"),
        pytest.param({"c": 30, "a": 20}, {"a": "group", "e": "group"}, "caebd", id="a group stays together"),
    ],
)
def test_the_longest_start_first(seconds: dict[str, float], groups: dict[str, str], order: str) -> None:
    found = longest_first("abcde", unit=lambda case: groups.get(case, case), seconds=lambda case: seconds.get(case, 0))
    assert "".join(found) == order


def test_a_case_is_one_of_its_test() -> None:
    assert {function_of(f"{WAITS}{case}") for case in ("", "[1]", "[a::b]", "[a[b]]")} == {WAITS}


def test_only_of_some_files_all_tests_go_to_one_process() -> None:
    assert all((ROOT / file).exists() for file in TOGETHER)
    for file in TOGETHER:
        assert unit_of(f"{file}::test_it[1]") == file
    assert unit_of(f"{WAITS}[1]") == f"{WAITS}[1]"


def test_of_a_report_the_longest_case_of_what_passed_counts() -> None:
    assert measured(REPORT) == {WAITS: 31.6, WORST: 90.0, MILD: 0.4}


def test_what_was_not_run_now_is_kept_and_what_is_short_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "long_tests.toml"
    file.write_text(table({WAITS: 50, MILD: 12, "e2e/tests/test_a.py::test_b": 40}, measured(REPORT)))
    assert list(known(file).items()) == [(WORST, 90), ("e2e/tests/test_a.py::test_b", 40), (WAITS, 32)]


def test_the_table_is_as_it_is_written_and_each_test_in_it_is_there() -> None:
    found = known()
    assert table(found, {}) == (ROOT / "e2e/long_tests.toml").read_text()
    assert all(seconds >= LONG_S for seconds in found.values())
    missing = [test for test in found if f"def {test.partition('::')[2]}(" not in _text(test.partition("::")[0])]
    assert missing == [], "renamed or gone: do the same in e2e/long_tests.toml"


def _text(path: str) -> str:
    return (ROOT / path).read_text() if (ROOT / path).exists() else ""
