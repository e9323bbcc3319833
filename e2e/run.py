"""`python -m e2e.run`: every promise on a cluster, at full size, in the background and for hours if need be.

Each node's outcome is written down as soon as it is known, with its commit, so a run that was killed goes on where it was; a node
that passed on this very commit is not run again. The cluster is kept between runs.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Annotated, TextIO

import pytest
import typer

from e2e.cluster.progress import span
from e2e.figures import ROOT, commit

FILE = ROOT / "build" / "e2e.jsonl"
LOGS = ROOT / "build" / "e2e"
#: Where tests are: pytest's own `testpaths`.
FOLDERS = ("operator/tests", "cli/tests", "e2e")
#: The pipe on which a pytest process tells each outcome; see the hooks at the end of this module.
PIPE = "HARDENED_E2E_PIPE"
#: What is run.
MARKS = "cluster or full or servers"
#: Seconds that a node is taken to need while nothing is known of its file.
GUESS_S = 10.0


@dataclass(frozen=True)
class Result:
    """How one node ended. outcome: passed, failed, skipped, or lost where pytest ended before it; commit: see figures.commit."""

    node: str
    outcome: str
    seconds: float
    commit: str
    at: str


def collect(expression: str) -> list[str]:
    """The ids of the nodes that need a cluster or servers, those at full size last. Exits where pytest cannot collect them."""
    words = ["--collect-only", "-m", MARKS, *(["-k", expression] if expression else []), *marked_files()]
    log = LOGS / "collection.log"
    log.unlink(missing_ok=True)
    with started(words, log, {}) as (process, lines):
        found = [json.loads(line) for line in lines]
        code = process.wait()
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        sys.exit(f"pytest could not collect, see {log}:\n{log.read_text()[-2000:]}")
    return [told["node"] for told in sorted(found, key=lambda told: bool(told["is_full"]))]


def marked_files() -> list[str]:
    """The test files that speak of one of the marks: to import all the others takes longer than the rest of the collection."""
    found = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("test_*.py"))]
    return [str(path.relative_to(ROOT)) for path in found if re.search(r"\bmark\.(cluster|full|servers)\b", path.read_text())]


@contextlib.contextmanager
def started(words: Sequence[str], log: Path, env: Mapping[str, str]) -> Iterator[tuple[subprocess.Popen[bytes], TextIO]]:
    """A pytest process and the lines that its hooks tell, until it ends. It does not outlive the block."""
    log.parent.mkdir(parents=True, exist_ok=True)
    reader, writer = os.pipe()
    argv = [sys.executable, "-m", "pytest", "-p", "e2e.run", *words]
    with log.open("ab") as sink, open(reader) as lines:
        process = subprocess.Popen(
            argv,
            cwd=ROOT,
            env={**os.environ, **env, PIPE: str(writer)},
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            pass_fds=(writer,),
        )
        os.close(writer)
        try:
            yield process, lines
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)  # tests take down what they made
                process.wait()


def results(file: Path = FILE) -> list[Result]:
    """All that was written down, oldest first. A last line that was cut short by a kill does not count."""
    found = []
    for line in file.read_text().splitlines() if file.exists() else ():
        try:
            found.append(Result(**json.loads(line)))
        except (ValueError, TypeError):
            continue
    return found


def record(result: Result, file: Path = FILE) -> None:
    """One line more, at once and whole: what was there is never touched."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with open(file, "ab", buffering=0) as sink:
        # The line break comes first, too: an earlier line may have been cut short. Empty lines are no results.
        sink.write(f"\n{json.dumps(asdict(result))}\n".encode())


def passed_on(this: str, known: Iterable[Result]) -> frozenset[str]:
    """The nodes whose last outcome on this commit is `passed`; none where the tree differs from its commit."""
    if not this or this.endswith("+"):
        return frozenset()
    last = {result.node: result.outcome for result in known if result.commit == this}
    return frozenset(node for node, outcome in last.items() if outcome == "passed")


def shard(nodes: Sequence[str], text: str) -> list[str]:
    """The I-th of N parts. Example: (a b c d e, "2/2") -> b d. Exits where it is not I/N with 1 ≤ I ≤ N."""
    index, _, count = text.partition("/")
    if not (index.isdecimal() and count.isdecimal() and 1 <= int(index) <= int(count)):
        sys.exit(f"--shard {text}: give I/N, such as 1/4")
    return list(nodes[int(index) - 1 :: int(count)])


class Expected:
    """How long nodes take: as long as they did the last time they passed; else the median of their file; GUESS_S where it has none."""

    def __init__(self, known: Iterable[Result]) -> None:
        self._seconds = {result.node: result.seconds for result in known if result.outcome == "passed"}
        self._typical = {file_of(group[0]): median(self._seconds[node] for node in group) for group in by_file(self._seconds)}

    def seconds(self, nodes: Iterable[str]) -> float:
        """For all of them, one after the other."""
        return sum(self._seconds.get(node, self._typical.get(file_of(node), GUESS_S)) for node in nodes)


def file_of(node: str) -> str:
    """Example: "e2e/tests/test_waits.py::test_it[1]" -> "e2e/tests/test_waits.py"."""
    return node.partition("::")[0]


def by_file(nodes: Iterable[str]) -> list[list[str]]:
    """Nodes that one pytest process runs: those of a file, which share what their session sets up."""
    found: dict[str, list[str]] = {}
    for node in nodes:
        found.setdefault(file_of(node), []).append(node)
    return list(found.values())


def run_file(nodes: Sequence[str], cluster: str) -> Iterator[Result]:
    """Runs nodes of one file in one pytest process, and yields each result as it comes."""
    this, missing = commit(), dict.fromkeys(nodes)
    env = {"CLUSTER": cluster, "HARDENED_KEEP": "1"}
    with started(["-m", MARKS, "-v", *nodes], log_of(nodes[0]), env) as (process, lines):
        for line in lines:
            told = json.loads(line)
            missing.pop(told["node"], None)
            yield Result(**told, commit=this, at=_now())
        process.wait()
    yield from (Result(node, "lost", 0.0, this, _now()) for node in missing)


def log_of(node: str) -> Path:
    """Where pytest's output for a file goes, one run after the other."""
    return LOGS / f"{file_of(node).removesuffix('.py').replace('/', '.')}.log"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def run_all(nodes: Sequence[str], cluster: str) -> list[Result]:
    """Runs them, writes each outcome down and tells it. What was run, in order."""
    expected, begun = Expected(results()), time.monotonic()
    done: list[Result] = []
    left = dict.fromkeys(nodes)
    for group in by_file(nodes):
        for result in run_file(group, cluster):
            record(result)
            done.append(result)
            left.pop(result.node, None)
            elapsed = span(time.monotonic() - begun)
            told = f"{result.outcome:7} {result.node}  {span(result.seconds)}"
            print(f"{_now()[11:19]} [{len(done)}/{len(nodes)}] {told} · {elapsed} so far, {span(expected.seconds(left))} to go", flush=True)
    return done


def table(done: Sequence[Result]) -> str:
    """By file: how many ended how, and how long they took; then what did not pass, with the file to read."""
    outcomes = ("passed", "failed", "skipped", "lost")
    lines = [f"{'file':48} " + " ".join(f"{outcome:>8}" for outcome in outcomes) + f" {'time':>9}"]
    files: dict[str, list[Result]] = {}
    for result in done:
        files.setdefault(file_of(result.node), []).append(result)
    for file, found in files.items():
        counts = " ".join(f"{sum(result.outcome == outcome for result in found) or '':>8}" for outcome in outcomes)
        lines.append(f"{file:48} {counts} {span(sum(result.seconds for result in found)):>9}")
    lines += [f"{result.outcome}: {result.node}, see {log_of(result.node)}" for result in done if result.outcome != "passed"]
    return "\n".join(lines)


def command(
    expression: Annotated[str, typer.Option("-k", metavar="EXPR", help="Only nodes that match, as pytest understands it.")] = "",
    part: Annotated[str, typer.Option("--shard", metavar="I/N", help="Only the I-th of N parts.")] = "1/1",
    again: Annotated[bool, typer.Option(help="Also what has passed on this very commit.")] = False,
    only_list: Annotated[bool, typer.Option("--list", help="Say what would be run, and run nothing.")] = False,
    cluster: Annotated[str, typer.Option("--name", envvar="CLUSTER", help="The cluster; it is kept.")] = "e2e",
) -> None:
    """Run every test that needs a cluster, the small ones first. Exits with 0 only when all of them have passed."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # pytest ends with this process
    known = results()
    nodes = shard(collect(expression), part)
    skipped = frozenset() if again else passed_on(commit(), known)
    todo = [node for node in nodes if node not in skipped]
    if only_list:
        print("\n".join(todo))
        print(f"{len(todo)} to run, about {span(Expected(known).seconds(todo))}; {len(nodes) - len(todo)} have passed on {commit()}")
        return
    if not nodes:
        sys.exit("no test matches")
    done = run_all(todo, cluster)
    print(f"\n{table(done)}\n{len(nodes) - len(todo)} more had passed on {commit()} before.")
    print(f"The cluster is kept; make down CLUSTER={cluster} takes it down.")
    sys.exit(0 if all(result.outcome == "passed" for result in done) else 1)


# ---- as a plugin of the pytest processes that it starts: `-p e2e.run`

_phases: dict[str, list[pytest.TestReport]] = {}


def tell(**said: object) -> None:
    """One line to who started this. Ends pytest when nobody listens any more."""
    try:
        os.write(int(os.environ[PIPE]), f"{json.dumps(said)}\n".encode())
    except BrokenPipeError:
        pytest.exit("the run that started this has ended")


def pytest_collection_finish(session: pytest.Session) -> None:
    """Tells what there is to run, where that is all that was asked."""
    if session.config.option.collectonly:
        for item in session.items:
            tell(node=item.nodeid, is_full=item.get_closest_marker("full") is not None)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Tells the outcome of a node after its last phase."""
    _phases.setdefault(report.nodeid, []).append(report)
    if report.failed:
        # pytest itself tells why only after the last test of the file, which may be hours away.
        print(f"\n{report.nodeid}\n{report.longreprtext}", flush=True)
    if report.when != "teardown":
        return
    phases = _phases.pop(report.nodeid)
    outcome = next((word for word in ("failed", "skipped") if any(phase.outcome == word for phase in phases)), "passed")
    tell(node=report.nodeid, outcome=outcome, seconds=round(sum(phase.duration for phase in phases), 1))


def main() -> None:
    """The program. Ctrl-C loses nothing: what was written down stays."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(command)
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
