"""Programs that the runner calls: one at a time, never through a shell, ended with it, and what they say has no secrets."""

import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import IO

from hardened.runner.elsewhere import PROGRAMS, Call, Elsewhere
from hardened.runner.failures import Failed, Reason
from hardened.runner.redaction import redacted, secrets_of

#: What is kept of an output: its last lines, each cut.
_LINES = 40
_LINE = 2000
#: Seconds that a program has after SIGTERM, where it ran out of time; a runner that gets SIGTERM leaves the end to the kubelet.
_GRACE = 20.0
_INTERRUPTED = "the run was ended before it was done"


@dataclass(frozen=True)
class Ended:
    """How a program ended. code: its exit status, negative for a signal; err: the last lines of its standard error, without secrets."""

    code: int
    out: str
    err: str


class OutOfTime(Exception):
    """The program was ended after the seconds that it had. err: its last lines."""

    def __init__(self, err: str) -> None:
        super().__init__(err)
        self.err = err


class Programs:
    """Runs programs with this environment, all of whose files are in `scratch`.

    After SIGTERM the one that runs gets it, too, and no other is begun: `run` raises Failed with Interrupted. See `tidying` for exceptions.
    """

    def __init__(self, env: Mapping[str, str], scratch: Path) -> None:
        self.scratch = scratch
        self._secrets = secrets_of(env)
        self._env = {**env, "HOME": str(scratch / "home"), "TMPDIR": str(scratch / "tmp"), "LC_ALL": "C.UTF-8"}
        self._env.pop("HARDENED_TASK", None)
        calls = self._env.pop("HARDENED_POSTGRES", "")
        self._elsewhere = Elsewhere(Path(calls)) if calls else None
        self._running: subprocess.Popen[bytes] | None = None
        self._is_stopped = False
        self._is_tidying = False

    @property
    def env(self) -> Mapping[str, str]:
        return self._env

    @property
    def has_postgres_elsewhere(self) -> bool:
        """Whether PostgreSQL's programs are those of another container."""
        return self._elsewhere is not None

    def heed_sigterm(self) -> None:
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)

    def redacted(self, text: str) -> str:
        return redacted(text, self._secrets)

    def hide(self, secret: str) -> None:
        """From now on it is taken out of what programs say."""
        if secret:
            self._secrets = (secret, *self._secrets)

    @contextmanager
    def tidying(self) -> Iterator[None]:
        """What is run meanwhile is run to its end, also after SIGTERM: nobody else would do it. It takes moments."""
        self._is_tidying = True
        try:
            yield
        finally:
            self._is_tidying = False

    def end_running(self) -> None:
        """Ends the program that runs now, for one of its `on_…`: what it has said is enough."""
        if self._running:
            self._running.terminate()

    def pause(self, seconds: float) -> None:
        """Waits, to look again. Raises Failed with Interrupted, within a second of SIGTERM."""
        until = time.monotonic() + seconds
        self._check()
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(left, 1.0))  # one that a signal comes upon goes on
            self._check()

    def say(self, text: str) -> None:
        """A line for the pod's log."""
        print(self.redacted(text), file=sys.stderr, flush=True)

    def run(
        self,
        argv: Sequence[str | Path],
        *,
        within: float | None = None,
        on_line: Callable[[str], None] | None = None,
        on_error: Callable[[str], None] | None = None,
        env: Mapping[str, str | None] | None = None,
        stdin: str | None = None,
        cwd: Path | None = None,
    ) -> Ended:
        """Runs it to its end; a program that is not there ends with 127, as in a shell.

        on_line: gets each line of its output, which then is not kept; on_error: gets each line of its standard error, too; within: seconds,
        or OutOfTime is raised; env: added to that of all, None for what is taken out.
        """
        self._check()
        if self._elsewhere and argv[0] in PROGRAMS:
            return self._called(self._elsewhere, argv, env or {}, stdin or "", within)
        for folder in ("home", "tmp"):
            (self.scratch / folder).mkdir(parents=True, exist_ok=True)
        out: deque[str] = deque(maxlen=None if on_line is None else 0)
        err: deque[str] = deque(maxlen=_LINES)

        def complain(line: str) -> None:
            err.append(self.redacted(line)[:_LINE])
            if on_error:
                on_error(err[-1])

        try:
            process = self._begun(argv, env or {}, cwd, subprocess.DEVNULL if stdin is None else subprocess.PIPE)
        except FileNotFoundError:
            return Ended(127, "", f"{argv[0]}: not found in this image")
        readers = [_reading(process.stdout, on_line or out.append), _reading(process.stderr, complain)]
        if stdin is not None:
            _written(process.stdin, stdin)
        try:
            code = process.wait(within)
        except subprocess.TimeoutExpired:
            _end(process)
            raise OutOfTime("\n".join(err)) from None
        finally:
            self._running = None
        for reader in readers:
            reader.join()
        self._check()
        return Ended(code, "\n".join(out), "\n".join(err))

    @contextmanager
    def serving(self, argv: Sequence[str | Path], log: Path, answers: Callable[[], bool], within: float) -> Iterator[None]:
        """Runs a server beside other programs for as long as this lasts. Raises Failed where it ends, or has not answered within seconds.

        log: a file for what it says; answers: whether it does, asked until it does.
        """
        self._check()
        if self._elsewhere and argv[0] in PROGRAMS:
            self._serve(self._elsewhere.call(argv, {}), answers, within)
            yield  # its container ends with this one
            return
        with log.open("ab") as sink:
            try:
                process = subprocess.Popen([str(word) for word in argv], env=self._env, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink)
            except FileNotFoundError:
                raise Failed(Reason.RESTORE_FAILED, f"{argv[0]}: not found in this image") from None
        try:
            until = time.monotonic() + within
            while not answers():
                if _has_ended(process, 0.1) or time.monotonic() > until:
                    raise self._no_answer(log.read_text(errors="replace"))
            yield
        finally:
            _end(process, signal.SIGINT)

    def _called(
        self, elsewhere: Elsewhere, argv: Sequence[str | Path], env: Mapping[str, str | None], stdin: str, within: float | None
    ) -> Ended:
        """How a program ended that another container runs. Of variables it gets those of PostgreSQL."""
        told = {name: value for name, value in {**self._env, **env}.items() if value is not None and name.startswith("PG")}
        call = elsewhere.call(argv, told, stdin)
        code = call.wait(self.pause, within)
        err = "\n".join(self.redacted(line)[:_LINE] for line in call.err.splitlines()[-_LINES:])
        if code is None:
            raise OutOfTime(err)
        return Ended(code, call.out, err)

    def _serve(self, call: Call, answers: Callable[[], bool], within: float) -> None:
        until = time.monotonic() + within
        while not answers():
            if call.wait(self.pause, 0.1) is not None or time.monotonic() > until:
                raise self._no_answer(call.err)

    def _no_answer(self, said: str) -> Failed:
        return Failed(Reason.RESTORE_FAILED, f"the scratch server does not answer: {' '.join(self.redacted(said[-1200:]).split())}")

    def _begun(self, argv: Sequence[str | Path], env: Mapping[str, str | None], cwd: Path | None, stdin: int) -> subprocess.Popen[bytes]:
        words = [str(word) for word in argv]
        whole = {name: value for name, value in {**self._env, **env}.items() if value is not None}
        process = subprocess.Popen(words, env=whole, cwd=cwd, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self._running = process
        if self._is_stopped and not self._is_tidying:  # between the check and here
            process.terminate()
        return process

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._is_stopped = True
        if self._running and not self._is_tidying:
            self._running.terminate()

    def _check(self) -> None:
        if self._is_stopped and not self._is_tidying:
            raise Failed(Reason.INTERRUPTED, _INTERRUPTED)


def _reading(stream: IO[bytes] | None, take: Callable[[str], None]) -> threading.Thread:
    def read() -> None:
        assert stream
        for line in stream:
            take(line.decode(errors="replace").rstrip("\r\n"))

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    return thread


def _written(stream: IO[bytes] | None, text: str) -> None:
    assert stream
    try:
        stream.write(text.encode())
        stream.close()
    except BrokenPipeError:
        pass  # it did not want to read; its exit status says why


def _has_ended(process: subprocess.Popen[bytes], within: float) -> bool:
    try:
        process.wait(within)
    except subprocess.TimeoutExpired:
        return False
    return True


def _end(process: subprocess.Popen[bytes], by: signal.Signals = signal.SIGTERM) -> None:
    process.send_signal(by)
    try:
        process.wait(_GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
