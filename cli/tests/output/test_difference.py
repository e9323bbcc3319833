"""Two objects side by side, without secrets."""

from typing import Any

import pytest

from hardenctl.output.difference import difference


def changed(before: Any, after: Any) -> list[str]:
    """The lines that differ, without the head of the diff."""
    found = difference(before, after, "Deployment/api").splitlines()
    return [line for line in found[2:] if line[:1] in "+-"]


def test_as_diff_writes_it() -> None:
    assert difference({"a": 1, "b": 2}, {"a": 1, "b": 3}, "Deployment/api") == (
        "--- live/Deployment/api\n+++ wanted/Deployment/api\n@@ -1,2 +1,2 @@\n a: 1\n-b: 2\n+b: 3"
    )


def test_what_is_equal_has_no_diff() -> None:
    assert difference({"a": [1]}, {"a": [1]}, "x") == ""
    assert difference({}, {}, "x") == ""


def test_what_is_made_is_shown_in_full() -> None:
    assert changed({}, {"a": 1, "b": {"c": "x"}}) == ["+a: 1", "+b:", "+  c: x"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(
            {"env": [{"name": "DB_PASSWORD", "value": "old"}]}, {"env": [{"name": "DB_PASSWORD", "value": "new"}]}, id="a variable"
        ),
        pytest.param({"env": [{"name": "apiKey", "value": "old"}]}, {"env": [{"name": "apiKey", "value": "new"}]}, id="another style"),
        pytest.param({"u": "postgres://me:old@db/x"}, {"u": "postgres://me:new@db/x"}, id="the password of a URL"),
        pytest.param({"u": ["redis://:old@db/x"]}, {"u": ["redis://:new@db/x"]}, id="without a user"),
        pytest.param({"kind": "Secret", "data": {"a": "old"}}, {"kind": "Secret", "data": {"a": "new"}}, id="a Secret"),
        pytest.param({"kind": "Secret", "stringData": {"a": "old"}}, {"kind": "Secret", "stringData": {"a": "new"}}, id="of texts"),
    ],
)
def test_that_a_secret_differs_is_shown_and_nothing_of_it(before: Any, after: Any) -> None:
    lines = changed(before, after)
    assert len(lines) == 2
    assert "*** (before)" in lines[0]
    assert "*** (after)" in lines[1]
    assert not any(word in line.replace("(before)", "").replace("(after)", "") for line in lines for word in ("old", "new"))


def test_a_secret_that_stays_is_hidden_beside_what_changes() -> None:
    before = {"env": [{"name": "TOKEN", "value": "hunter2"}, {"name": "LEVEL", "value": "info"}]}
    after = {"env": [{"name": "TOKEN", "value": "hunter2"}, {"name": "LEVEL", "value": "debug"}]}
    text = difference(before, after, "x")
    assert changed(before, after) == ["-  value: info", "+  value: debug"]
    assert "value: '***'" in text
    assert "hunter2" not in text


@pytest.mark.parametrize("name", ["LEVEL", "MONKEY", "AUTHOR", "PATHS"])
def test_other_values_are_shown(name: str) -> None:
    assert changed({"env": [{"name": name, "value": "a"}]}, {"env": [{"name": name, "value": "b"}]}) == ["-  value: a", "+  value: b"]
