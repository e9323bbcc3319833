"""An event loop whose time is a number: waiting takes none of ours, and always the same of its own."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _Selector(selectors.DefaultSelector):  # type: ignore[misc,valid-type]
    """Jumps instead of waiting. What becomes ready by threads or sockets is still seen."""

    def __init__(self, now: float) -> None:
        super().__init__()
        self.now = now

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready and timeout is None:
            raise RuntimeError("everybody waits, and nothing will ever happen")
        if not ready and timeout is not None and timeout > 0:
            self.now += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self, begins: float) -> None:
        self._virtual = _Selector(begins)
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.now


def run(main: Coroutine[Any, Any, T], *, begins: float = 1000.0) -> T:
    """asyncio.run in virtual time. begins: the loop's time as it starts."""
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(begins)) as runner:
        return runner.run(main)


def now() -> float:
    """The running loop's time: the clock to hand to what is tested."""
    return asyncio.get_running_loop().time()
