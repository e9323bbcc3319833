"""Several waits at once."""

import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import TypeVar

T = TypeVar("T")


def side_by_side(works: Sequence[Callable[[], T]]) -> list[T]:
    """The results, in the order of the works; the first error of any of them ends all.

    One alone needs no thread. The others are daemons: Ctrl-C, a signal, or an error ends the process without them.
    """
    if len(works) == 1:
        return [works[0]()]
    done: SimpleQueue[tuple[int, T | BaseException]] = SimpleQueue()
    for at, work in enumerate(works):
        threading.Thread(target=_put, args=(done, at, work), daemon=True).start()
    found: dict[int, T] = {}
    while len(found) < len(works):
        at, came = done.get()
        if isinstance(came, BaseException):
            raise came
        found[at] = came
    return [found[at] for at in range(len(works))]


def _put(done: "SimpleQueue[tuple[int, T | BaseException]]", at: int, work: Callable[[], T]) -> None:
    try:
        done.put((at, work()))
    except BaseException as error:  # noqa: BLE001 - whoever waits is told, and raises it
        done.put((at, error))
