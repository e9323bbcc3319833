"""Programs are called here: by argument list, never through a shell, and a failure says what was called and what it answered."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from .errors import ClusterError

Argument = str | Path

#: What a called program begins with, so that it ends with a killed caller. A daemon is a fork of one, and stays.
_BOUND = ("setpriv", "--pdeathsig", "KILL", "--")


def run(
    argv: Sequence[Argument],
    *,
    stdin: str | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout: float | None = 600,
    log: Path | None = None,
) -> str:
    """What the program printed. Raises ClusterError with the end of its complaint when it fails or takes longer than `timeout` seconds.

    env: added to this process's own. log: a file that gets stdout and stderr instead of the caller (the result is then empty).
    """
    result = attempt(argv, stdin=stdin, env=env, cwd=cwd, timeout=timeout, log=log)
    if result.returncode:
        said = log.read_text(errors="replace") if log else f"{result.stderr}\n{result.stdout}"
        raise ClusterError(f"{_shown(argv)} failed ({result.returncode}): {_tail(said)}" + (f"\n  all of it: {log}" if log else ""))
    return result.stdout


def attempt(
    argv: Sequence[Argument],
    *,
    stdin: str | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout: float | None = 600,
    log: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """As `run`, for callers to whom a non-zero exit status is an answer. Raises ClusterError where the program is not there."""
    words = [str(word) for word in argv]
    if not has(words[0]):
        raise ClusterError(f"the program {words[0]} is not on this machine: install it and try again")
    try:
        with open(log or os.devnull, "w") as sink:
            return subprocess.run(
                [*_BOUND, *words] if has(_BOUND[0]) else words,
                check=False,
                input=stdin,
                stdin=subprocess.DEVNULL if stdin is None else None,
                stdout=sink if log else subprocess.PIPE,
                stderr=sink if log else subprocess.PIPE,
                env={**os.environ, **(env or {})},
                cwd=cwd,
                timeout=timeout,
                text=True,
                errors="replace",
            )
    except subprocess.TimeoutExpired as error:
        raise ClusterError(f"{_shown(argv)} gave no answer within {error.timeout:.0f} s") from error


def has(program: str) -> bool:
    """Whether a program of that name is on PATH."""
    return shutil.which(program) is not None


def _shown(argv: Sequence[Argument]) -> str:
    return " ".join([Path(argv[0]).name, *(str(word) for word in argv[1:6])]) + (" …" if len(argv) > 6 else "")


def _tail(text: str, lines: int = 12) -> str:
    kept = [line for line in text.strip().splitlines() if line.strip()][-lines:]
    return "\n  ".join(kept) or "it said nothing"
