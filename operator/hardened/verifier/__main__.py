"""`python -m hardened.verifier`: the task in HARDENED_TASK, the report in /dev/termination-log, or the path in HARDENED_REPORT.

Ends with 0 when it could report, whatever the checks said, and with 1 otherwise. SIGTERM ends it early, with what it has.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import NoReturn

from hardened.verifier.program import verify
from hardened.verifier.task import BadTask, Task, parse


async def run(task: Task, path: Path) -> NoReturn:
    """Ends the process itself: a look-up of a name that hangs in its thread would hold it up for long."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    end(await verify(task, stop), path)


def end(report: bytes, path: Path) -> NoReturn:
    """Writes the report, and ends the process: with 1 where it cannot be written."""
    try:
        path.write_bytes(report)
    except OSError as error:
        print(f"hardened: the report cannot be written: {error.strerror}", file=sys.stderr, flush=True)
        os._exit(1)
    os._exit(0)


if __name__ == "__main__":
    try:
        asyncio.run(run(parse(os.environ.get("HARDENED_TASK", "")), Path(os.environ.get("HARDENED_REPORT", "/dev/termination-log"))))
    except BadTask as error:
        sys.exit(f"hardened: {error}")
