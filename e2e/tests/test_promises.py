"""The page of promises names tests that are there, and one on a real cluster for each promise."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/promises.md").read_text()
PROMISES, TRAPS = PAGE.split("## Traps of other tools")


def rows(text: str) -> dict[str, list[str]]:
    """The tests of each row of a table, by its name in bold."""
    lines = [line for line in text.splitlines() if line.startswith("| ") and "**" in line]
    return {line.split("**")[1]: re.findall(r"`([^`\s]+\.py::\w+)`", line) for line in lines}


@cache
def written_in(path: str) -> dict[str, list[str]]:
    """The tests of a file: name -> the decorators of it, and the marks of the whole file, as they are written."""
    file = ROOT / path
    body = ast.parse(file.read_text()).body if file.exists() else []
    marks = [ast.unparse(each.value) for each in body if isinstance(each, ast.Assign) and ast.unparse(each.targets[0]) == "pytestmark"]
    functions = [each for each in body if isinstance(each, ast.FunctionDef) and each.name.startswith("test_")]
    return {each.name: [*marks, *(ast.unparse(decorator) for decorator in each.decorator_list)] for each in functions}


def marks_of(test: str) -> list[str]:
    """See `written_in`; none of a test that is not there."""
    path, _, name = test.partition("::")
    return written_in(path).get(name, [])


def needs_a_cluster(test: str) -> bool:
    """Whether it runs on a real cluster, and not at full size alone."""
    marks = marks_of(test)
    is_full = any(mark.startswith("pytest.mark.full") for mark in marks)
    return test.startswith("e2e/tests/") and any("pytest.mark.cluster" in mark for mark in marks) and not is_full


def test_there_are_fourteen_promises_and_eight_traps() -> None:
    numbers = [int(line.split("|")[1]) for line in PROMISES.splitlines() if re.match(r"\| \d", line)]
    assert numbers == list(range(1, 15))
    assert (len(rows(PROMISES)), len(rows(TRAPS))) == (14, 8)


@pytest.mark.parametrize(("row", "tests"), [*rows(PROMISES).items(), *rows(TRAPS).items()], ids=[*rows(PROMISES), *rows(TRAPS)])
def test_each_test_that_is_named_is_there(row: str, tests: list[str]) -> None:
    assert tests, row
    missing = [test for test in tests if test.partition("::")[2] not in written_in(test.partition("::")[0])]
    assert missing == []


@pytest.mark.parametrize(("promise", "tests"), rows(PROMISES).items(), ids=rows(PROMISES))
def test_each_promise_has_a_test_on_a_real_cluster(promise: str, tests: list[str]) -> None:
    assert any(needs_a_cluster(test) for test in tests), promise


def test_each_test_in_the_files_of_promises_is_named() -> None:
    files = [f"e2e/tests/{file.name}" for file in (ROOT / "e2e/tests").glob("test_release_promises*.py")]
    named = {test for tests in rows(PROMISES).values() for test in tests}
    assert sorted({f"{file}::{name}" for file in files for name in written_in(file)} - named) == []
