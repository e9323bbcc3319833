"""Looks at services that much is known of: many of them at once are more than the memory holds."""

from collections.abc import Callable

from hardened.shell.workqueue import Key


class Turns:
    """Who may begin, in the order in which they came. most: bytes that all have together; one alone may have more.

    look: called with whoever waited, once it may be its turn.
    """

    def __init__(self, most: int, look: Callable[[Key], None]) -> None:
        self._most, self._look = most, look
        self._held: dict[Key, int] = {}
        self._waiting: dict[Key, None] = {}

    def is_waiting(self, key: Key) -> bool:
        return key in self._waiting

    def begin(self, key: Key, wanted: int) -> bool:
        """Whether it may begin now, and is to `end`; else it waits, and is called."""
        self._waiting[key] = None
        is_first = next(iter(self._waiting)) == key
        if not is_first or (self._held and sum(self._held.values()) + wanted > self._most):
            return False
        self._held[key] = wanted
        self._leave(key)
        return True

    def hold(self, key: Key, found: int) -> None:
        """It began, and turned out to need this much."""
        self._held[key] = found

    def end(self, key: Key) -> None:
        """It has ended, or does not wait any more."""
        self._held.pop(key, None)
        self._leave(key)

    def _leave(self, key: Key) -> None:
        self._waiting.pop(key, None)
        for first in self._waiting:
            self._look(first)
            return
