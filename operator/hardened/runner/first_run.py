"""Two first runs must not make a repository at the same time: each would give it a key of its own, and nobody could open it any more."""

import fcntl
import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hardened.runner.failures import Failed, Reason
from hardened.runner.programs import Programs

#: Seconds over which first runs are spread that cannot see each other. `restic init` takes one; a person may wait for the first run.
SPREAD = 60.0


@contextmanager
def alone_in(programs: Programs, name: str, patience: float, spread: float) -> Iterator[None]:
    """Nobody else is in here: for sure in a folder, else most likely, by a moment that follows from the name.

    patience: seconds to wait for others; spread: see SPREAD. Raises Failed with RepositoryLocked.
    """
    folder = _folder(programs)
    if folder is None:
        seconds = _moment(name, spread)
        programs.say(f"waiting {seconds:.0f} s: two first runs must not make the repository at the same time")
        programs.pause(seconds)
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        until = time.monotonic() + patience
        while not _is_ours(handle):
            if time.monotonic() > until:
                raise Failed(Reason.REPOSITORY_LOCKED, "another first run has been making the repository for long")
            programs.pause(0.2)
        yield
    finally:
        os.close(handle)


def _folder(programs: Programs) -> Path | None:
    """Where the repository is, if that is a folder."""
    place = programs.env.get("RESTIC_REPOSITORY", "").removeprefix("local:")
    return Path(place) if place.startswith("/") else None


def _is_ours(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        pass  # a file system that has no locks on folders
    return True


def _moment(name: str, spread: float) -> float:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4]) / 2**32 * spread
