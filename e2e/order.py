"""The order in which tests go to processes that run them side by side: the longest first, so that none is alone with one at the end.

pytest-xdist gives to whoever is free what comes next in the order of collection. How long tests take is written down in `long_tests.toml`:

    pytest … --junitxml=build/cluster.xml -o junit_duration_report=call
    python -m e2e.order build/cluster.xml
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TypeVar
from xml.etree import ElementTree

T = TypeVar("T")

#: Files whose tests go to one process together, since what they share takes long to make: a run without faults, or a program.
TOGETHER = frozenset({"e2e/tests/test_kill_anywhere.py", "e2e/tests/test_prometheus_queries.py", "e2e/tests/test_release_faults.py"})
FILE = Path(__file__).resolve().parent / "long_tests.toml"
#: Seconds from which on a test is long. The others stay in the order of their files, whose fixtures they share.
LONG_S = 10

_HEAD = f"""# Seconds that tests take which take {LONG_S} or more: of several cases the longest. They start first, see e2e/order.py.
# Written by `python -m e2e.order`, from the report that the last run of `make test` has left.
[seconds]
"""


def longest_first(cases: Iterable[T], *, unit: Callable[[T], str], seconds: Callable[[T], float]) -> list[T]:
    """The cases of the unit that takes longest, and so on down to the shortest. What takes equally long keeps its order.

    unit: the name of what is handed out as one, whose cases stay together; seconds: of a case, 0 where it is not known to be long.
    """
    units: dict[str, list[T]] = {}
    for case in cases:
        units.setdefault(unit(case), []).append(case)
    return [case for found in sorted(units.values(), key=lambda found: -sum(map(seconds, found))) for case in found]


def unit_of(node: str) -> str:
    """What is handed out as one: the file where its tests stay together, else the node itself."""
    file = node.partition("::")[0]
    return file if file in TOGETHER else node


def function_of(node: str) -> str:
    """The test that a node is a case of. Example: "e2e/tests/test_waits.py::test_it[1]" -> "e2e/tests/test_waits.py::test_it"."""
    return node.partition("[")[0]


def known(file: Path = FILE) -> dict[str, float]:
    """How long the long tests take, in seconds."""
    found: dict[str, float] = tomllib.loads(file.read_text())["seconds"]
    return found


def measured(report: str) -> dict[str, float]:
    """Seconds of the longest case of each test in a report by pytest's --junitxml. What was skipped, or did not pass, tells nothing."""
    found: dict[str, float] = {}
    for case in ElementTree.fromstring(report).iter("testcase"):
        if not len(case.findall("failure") + case.findall("error") + case.findall("skipped")):
            test = function_of(f"{case.attrib['classname'].replace('.', '/')}.py::{case.attrib['name']}")
            found[test] = max(found.get(test, 0.0), float(case.attrib["time"]))
    return found


def table(before: Mapping[str, float], now: Mapping[str, float]) -> str:
    """The text of `long_tests.toml`. before: what it said; it still holds of tests that were not run now."""
    long = {test: round(seconds) for test, seconds in {**before, **now}.items() if seconds >= LONG_S}
    rows = sorted(long.items(), key=lambda row: (-row[1], row[0]))
    return _HEAD + "".join(f'"{test}" = {seconds}\n' for test, seconds in rows)


def main() -> None:
    """Takes the times of a report over."""
    if len(sys.argv) != 2:
        sys.exit("usage: python -m e2e.order REPORT, a file that pytest's --junitxml has written")
    FILE.write_text(table(known(), measured(Path(sys.argv[1]).read_text())))


if __name__ == "__main__":
    main()
