"""What is being done and how long it takes, one line a step, on stderr: stdout is for what a script reads."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

REPEAT_S = 20.0
"""A step that takes longer than this says so again each time this many seconds have passed."""


def span(seconds: float) -> str:
    """A duration as people say it. Examples: 0.42 -> 0.4s; 59.96 -> 1m00s; 160 -> 2m40s."""
    if seconds < 59.95:
        return f"{seconds:.1f}s"
    return f"{round(seconds) // 60}m{round(seconds) % 60:02d}s"


def say(text: str) -> None:
    """One line for whoever waits."""
    print(text, file=sys.stderr, flush=True)


@contextmanager
def step(title: str, *, quiet_below_s: float = 0.0) -> Iterator[None]:
    """Says the title with the time the block took, and every 20 seconds that it still goes on.

    quiet_below_s: a step that ends well in less says nothing (a cache that was warm is no news).
    """
    began = time.monotonic()
    ended = threading.Event()

    def remind() -> None:
        while not ended.wait(REPEAT_S):
            say(f"  … {title} {span(time.monotonic() - began)}")

    reminder = threading.Thread(target=remind, daemon=True)
    reminder.start()
    outcome = "failed after"
    try:
        yield
        outcome = ""
    finally:
        ended.set()
        took = time.monotonic() - began
        if outcome or took >= quiet_below_s:
            say(f"  {title} {outcome + ' ' if outcome else ''}{span(took)}")
