"""The operator as a local process: started, hit with signals, restarted as a kubelet would, and always ended."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import functools
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

#: Looked up here: what runs between fork and exec must load nothing.
_LIBC = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG = 1
RESTART_PAUSES = (0.0, 1.0, 2.0, 4.0, 8.0)
"""Seconds before each restart: at once, then doubling, as a kubelet does, on a smaller scale (it begins at 10 s)."""


class OperatorFailed(AssertionError):
    """The process did not do what the test waited for; the message ends with its log."""


@dataclass(frozen=True, slots=True)
class Exit:
    """How one run of the process ended. code: as in Python, negative for a signal (-9). at: on the monotonic clock."""

    run: int
    code: int
    at: float


class Operator:
    """One operator process, in a session of its own. Use as an async context manager: at its end nothing of it is left, nor is once this
    process is killed.

    argv, env: the whole command and the whole environment (nothing is inherited). log: a file that collects stdout and stderr of all
    runs. restarts: how often an ended process is started again; 0 for never.
    """

    def __init__(
        self, argv: Sequence[str], *, env: Mapping[str, str], log: Path, restarts: int = 5, cwd: Path | None = None, grace: float = 10.0
    ) -> None:
        self.argv = tuple(argv)
        self.env = dict(env)
        self.log = log
        self.restarts = restarts
        self.cwd = cwd
        self.grace = grace
        self.exits: list[Exit] = []
        self._started = 0
        self._process: asyncio.subprocess.Process | None = None
        self._supervisor: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()

    # -- life

    async def __aenter__(self) -> Operator:
        self.log.touch()
        await self._start()
        self._supervisor = asyncio.create_task(self._supervise())
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Ends the process for good: SIGTERM, `grace` seconds, then SIGKILL for all that is left of its session."""
        if self._supervisor:
            self._supervisor.cancel()
            await asyncio.gather(self._supervisor, return_exceptions=True)
        if self._process is None:
            return
        try:
            if self.is_running:
                _signal(self.pid, signal.SIGCONT)
                _signal(self.pid, signal.SIGTERM)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._process.wait(), self.grace)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            self._ended(await self._process.wait())

    async def _start(self) -> None:
        with self._opened_log() as log:
            self._process = await asyncio.create_subprocess_exec(
                *self.argv,
                env=self.env,
                cwd=self.cwd,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=functools.partial(_end_with, os.getpid()),
            )
        self._started += 1
        self._notify()

    def _opened_log(self) -> BinaryIO:
        return open(self.log, "ab")

    async def _supervise(self) -> None:
        while self._process:
            self._ended(await self._process.wait())
            if len(self.exits) > self.restarts:
                return
            await asyncio.sleep(RESTART_PAUSES[min(len(self.exits), len(RESTART_PAUSES)) - 1])
            await self._start()

    def _ended(self, code: int) -> None:
        """Records the exit of the present run, once."""
        if len(self.exits) < self._started:
            self.exits.append(Exit(len(self.exits), code, time.monotonic()))
            self._notify()

    def _notify(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    # -- for the test

    @property
    def pid(self) -> int:
        """The current process, or the last one."""
        assert self._process, "enter the context first"
        return self._process.pid

    @property
    def run(self) -> int:
        """Which run this is, from 0: the number of exits so far."""
        return len(self.exits)

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def strike(self, which: signal.Signals) -> None:
        """Sends a signal; for SIGKILL returns when the process is gone. Made for FaultProxy.on_kill."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        _signal(process.pid, which)
        if which is signal.SIGKILL:
            await process.wait()

    async def kill(self) -> Exit:
        """SIGKILL, and how it ended."""
        return await self._end(signal.SIGKILL, 10.0)

    async def terminate(self, within: float = 30.0) -> Exit:
        """SIGTERM, and how it ended. Raises OperatorFailed when it did not, within `within` seconds."""
        return await self._end(signal.SIGTERM, within)

    async def pause(self) -> None:
        """SIGSTOP: the process sleeps, its connections stay."""
        await self.strike(signal.SIGSTOP)

    async def resume(self) -> None:
        """SIGCONT."""
        await self.strike(signal.SIGCONT)

    async def _end(self, which: signal.Signals, within: float) -> Exit:
        run = self.run
        if not self.is_running:
            raise OperatorFailed(f"nothing to send {which.name} to: the process has ended\n{self.log_tail()}")
        _signal(self.pid, which)
        return await self.wait_exit(run, within=within)

    async def wait_exit(self, run: int | None = None, *, within: float = 30.0) -> Exit:
        """How a run (default: the present one) ended. Raises OperatorFailed when it has not, within `within` seconds."""
        wanted = self.run if run is None else run
        await self._until(lambda: len(self.exits) > wanted, within, f"run {wanted} to end")
        return self.exits[wanted]

    async def wait_run(self, run: int, *, within: float = 30.0) -> None:
        """Waits until this run has been started. Raises OperatorFailed after `within` seconds."""
        await self._until(lambda: self.run >= run and (self.is_running or self.run > run), within, f"run {run} to start")

    async def _until(self, condition: Callable[[], bool], within: float, wanted: str) -> None:
        end = time.monotonic() + within
        while not condition():
            changed = self._changed
            try:
                await asyncio.wait_for(changed.wait(), max(0.0, end - time.monotonic()))
            except TimeoutError as error:
                raise OperatorFailed(f"waited {within:g} s for {wanted} of {self.argv[0]}\n{self.log_tail()}") from error

    async def wait_log(self, text: str, *, count: int = 1, within: float = 30.0) -> None:
        """Waits until the log has this text so many times. Raises OperatorFailed after `within` seconds."""
        end = time.monotonic() + within
        # A file tells nobody that it grew, so it is read again and again, at the pace of a human eye.
        while self.log_text().count(text) < count:
            if time.monotonic() > end:
                raise OperatorFailed(f"waited {within:g} s for {text!r} in the log of {self.argv[0]}\n{self.log_tail()}")
            await asyncio.sleep(0.02)

    def log_text(self) -> str:
        """All that the runs have said so far."""
        return self.log.read_text(errors="replace")

    def log_tail(self, lines: int = 30) -> str:
        return "\n".join(["its log ends with:", *self.log_text().splitlines()[-lines:]])


def _end_with(parent: int) -> None:
    """Has the kernel kill this process with its parent: who is killed cannot end what it has started. Called in the new process."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)  # it was killed before this was said


def _signal(pid: int, which: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, which)
