"""Has services looked at when one that they depend on comes or goes: nothing of themselves has changed that a watch would tell."""

from collections.abc import Callable, Mapping
from typing import Any

from hardened.core.needs.dependencies import is_available, named_services
from hardened.shell.workqueue import Key


class Dependents:
    """What each service that was looked at needs, and whether each of them is Available. look: called with each that is to be looked at."""

    def __init__(self, look: Callable[[Key], None]) -> None:
        self._look = look
        self._needs: dict[Key, frozenset[str]] = {}
        self._available: dict[Key, bool] = {}

    def saw(self, key: Key, body: Mapping[str, Any]) -> None:
        """Takes a service as it is now."""
        self._needs.pop(key, None)
        if needs := named_services(body):
            self._needs[key] = needs
        now = is_available(body)
        if self._available.get(key) != now:
            self._available[key] = now
            self._wake(key)

    def forget(self, key: Key) -> None:
        """The service is gone."""
        self._needs.pop(key, None)
        if self._available.pop(key, None) is not None:
            self._wake(key)

    def _wake(self, key: Key) -> None:
        for other, needs in self._needs.items():
            if key.name in needs and other.namespace == key.namespace:
                self._look(other)
