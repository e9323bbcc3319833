"""One process at a time, across processes: a lock on a file, let go by the kernel however its holder ends."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .progress import say


@contextmanager
def locked(path: Path, *, waiting_for: str = "") -> Iterator[None]:
    """Holds the lock of that file for the block. The file is gone after it, unless others wait for it.

    waiting_for: what to tell a person while another process holds it; nothing where it is left out.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = _acquire(path, waiting_for)
    try:
        yield
    finally:
        # Removed while held: who opened it before finds out in `_acquire` that the name no longer means this file.
        path.unlink(missing_ok=True)
        # Closing alone would not do where a child that this process forked has the file open, too.
        fcntl.flock(handle, fcntl.LOCK_UN)
        os.close(handle)


def _acquire(path: Path, waiting_for: str) -> int:
    told = False
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if waiting_for and not told:
                say(f"  waiting for {waiting_for}")
                told = True
            fcntl.flock(handle, fcntl.LOCK_EX)
        if _still_named(path, handle):
            return handle
        os.close(handle)


def _still_named(path: Path, handle: int) -> bool:
    try:
        named = path.stat()
    except FileNotFoundError:
        return False
    mine = os.fstat(handle)
    return (named.st_dev, named.st_ino) == (mine.st_dev, mine.st_ino)
