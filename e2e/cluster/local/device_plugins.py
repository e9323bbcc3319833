"""The one folder that the kubelets of all clusters share, whatever their root folders are: each empties it, and makes a socket in it.

Two that come up at once end each other, with "address already in use". So they come up one at a time.
"""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..lock import locked

FOLDER = Path("/var/lib/kubelet/device-plugins")
SOCKET = FOLDER / "kubelet.sock"
_LOCK = Path("/run/lock/hardened-kubelets.lock")
START_S = 60.0
"""How long a kubelet may take until it has made its socket. On a quiet machine it takes 0.4 s."""


@contextmanager
def turn(has_ended: Callable[[], bool]) -> Iterator[None]:
    """Nobody else's kubelet comes up during the block, nor before the one that it has started has made its socket, or has ended."""
    with locked(_LOCK):
        before = _identity()
        yield
        deadline = time.monotonic() + START_S
        while _identity() in (None, before) and not has_ended() and time.monotonic() < deadline:
            time.sleep(0.02)


def sweep() -> None:
    """Removes the socket where no kubelet listens to it any more, and folders that are empty then."""
    with locked(_LOCK), suppress(OSError):  # in use by others, or not there
        if not _has_listener(SOCKET):
            SOCKET.unlink(missing_ok=True)
        FOLDER.rmdir()
        FOLDER.parent.rmdir()


def _identity() -> tuple[int, int] | None:
    try:
        found = SOCKET.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_ctime_ns


def _has_listener(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as caller:
        return caller.connect_ex(str(path)) == 0
