"""The operator's process helper, on small Python programs."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from e2e.faults import Operator, OperatorFailed

SLEEPER = "import signal, sys; print('up', flush=True); signal.pause()"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True)\nwhile True: signal.pause()"
PARENT = f"""import signal, subprocess, sys
print(subprocess.Popen([sys.executable, '-c', {STUBBORN!r}]).pid, flush=True)
signal.pause()"""


def check(folder: Path, program: str, test: Callable[[Operator], Coroutine[Any, Any, None]], **options: Any) -> Operator:
    """Runs the test with an operator that runs this program."""

    async def run() -> Operator:
        async with (
            asyncio.timeout(60),
            Operator([sys.executable, "-c", program], env={"NAME": "value"}, log=folder / "log", **options) as operator,
        ):
            await test(operator)
        return operator

    return asyncio.run(run())


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return state(pid) != "Z"


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def wait_stopped(pid: int, wanted: bool) -> None:
    """Returns when the kernel has stopped (or continued) the process; pytest's time limit ends the wait that does not."""
    while (state(pid) == "T") is not wanted:
        os.sched_yield()


def test_it_runs_with_exactly_the_environment_given_and_logs_to_its_file(tmp_path: Path) -> None:
    async def test(operator: Operator) -> None:
        await operator.wait_exit(0)
        assert "{'NAME': 'value'" in operator.log_text()
        assert "HOME" not in operator.log_text()

    check(tmp_path, "import os; print(dict(os.environ))", test, restarts=0)


def test_a_killed_process_is_started_again(tmp_path: Path) -> None:
    async def test(operator: Operator) -> None:
        first = operator.pid
        ended = await operator.kill()
        assert (ended.run, ended.code) == (0, -signal.SIGKILL)
        await operator.wait_run(1)
        assert operator.pid != first
        assert not is_alive(first)
        assert operator.is_running

    operator = check(tmp_path, SLEEPER, test)
    assert not is_alive(operator.pid)
    assert [one.code for one in operator.exits] == [-signal.SIGKILL, -signal.SIGTERM]


def test_restarts_are_bounded(tmp_path: Path) -> None:
    async def test(operator: Operator) -> None:
        assert (await operator.wait_exit(1)).code == 3
        assert not operator.is_running
        with pytest.raises(OperatorFailed, match="has ended"):
            await operator.terminate()

    assert len(check(tmp_path, "raise SystemExit(3)", test, restarts=1).exits) == 2


def test_a_process_without_restarts_stays_ended(tmp_path: Path) -> None:
    async def test(operator: Operator) -> None:
        assert (await operator.terminate()).code == -signal.SIGTERM
        with pytest.raises(OperatorFailed, match="run 1 to start"):
            await operator.wait_run(1, within=0.1)

    check(tmp_path, SLEEPER, test, restarts=0)


def test_a_paused_process_sleeps_until_it_is_resumed(tmp_path: Path) -> None:
    async def test(operator: Operator) -> None:
        await operator.pause()
        wait_stopped(operator.pid, True)
        await operator.resume()
        wait_stopped(operator.pid, False)

    check(tmp_path, SLEEPER, test)


def test_a_paused_process_is_ended_too(tmp_path: Path) -> None:
    async def test(operator: Operator) -> None:
        await operator.wait_log("up")
        await operator.pause()

    assert not is_alive(check(tmp_path, SLEEPER, test).pid)


def test_a_process_that_ignores_sigterm_is_killed_at_the_end(tmp_path: Path) -> None:
    async def test(operator: Operator) -> None:
        await operator.wait_log("up")

    operator = check(tmp_path, STUBBORN, test, grace=0.2)
    assert [one.code for one in operator.exits] == [-signal.SIGKILL]


def test_what_the_process_started_ends_with_it(tmp_path: Path) -> None:
    async def test(operator: Operator) -> None:
        await operator.wait_log("up")

    child = int(check(tmp_path, PARENT, test).log_text().split()[0])
    while is_alive(child):
        os.sched_yield()


def test_a_failing_test_leaves_nothing_behind(tmp_path: Path) -> None:
    pids = []

    async def test(operator: Operator) -> None:
        pids.append(operator.pid)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        check(tmp_path, SLEEPER, test)
    assert not is_alive(pids[0])


def test_waiting_for_an_exit_that_does_not_come_shows_the_log(tmp_path: Path) -> None:
    async def test(operator: Operator) -> None:
        await operator.wait_log("up")
        with pytest.raises(OperatorFailed, match=r"run 0 to end(.|\n)*up"):
            await operator.wait_exit(within=0.05)

    check(tmp_path, SLEEPER, test)


def test_it_ends_with_the_process_that_started_it_even_where_that_is_killed(tmp_path: Path) -> None:
    starter = f"""
import asyncio, signal, sys
from pathlib import Path
from e2e.faults import Operator

async def start():
    async with Operator([sys.executable, "-c", {STUBBORN!r}], env={{}}, log=Path({str(tmp_path / "inner")!r})) as operator:
        await operator.wait_log("up")
        print(operator.pid, flush=True)
        await asyncio.Event().wait()

asyncio.run(start())
"""
    with subprocess.Popen([sys.executable, "-c", starter], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        pid = int(parent.stdout.readline())
        assert is_alive(pid)
        parent.kill()
    # The kernel sends the signal as the parent ends; pytest's time limit ends the wait for one that does not hear of it.
    while is_alive(pid):
        os.sched_yield()
