"""The folder for certificates and keys: nobody else reads it, and it is gone whenever the process ends, but for SIGKILL."""

import atexit
import shutil
import signal
import sys
import tempfile
import threading
from pathlib import Path

#: What ends a process that does not ask for it. Ctrl-C is an exception already.
_ENDINGS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP", "SIGQUIT") if hasattr(signal, name))


def private_folder() -> Path:
    """A new one."""
    _end_in_order()
    folder = Path(tempfile.mkdtemp(prefix="hardenctl-"))
    atexit.register(_remove, folder)
    return folder


def _end_in_order() -> None:
    """A signal ends the process as an error does. By itself it would leave the folder behind, with the keys in it."""
    if threading.current_thread() is not threading.main_thread():
        return
    for each in _ENDINGS:
        # Who starts a program with a signal ignored, as nohup does, wants it to go on.
        if signal.getsignal(each) is signal.SIG_DFL:
            signal.signal(each, lambda number, _: sys.exit(128 + number))


def _remove(folder: Path) -> None:
    # A second Ctrl-C, from somebody in a hurry, must not end it half way.
    if threading.current_thread() is threading.main_thread():
        for each in (signal.SIGINT, *_ENDINGS):
            signal.signal(each, signal.SIG_IGN)
    shutil.rmtree(folder, ignore_errors=True)
