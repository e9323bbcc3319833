"""Has services looked at when one that they depend on comes or goes, or its data is restored.

Nothing of themselves has changed that a watch would tell.
"""

from collections.abc import Callable, Mapping
from typing import Any

from hardened.core.hold.dependents import needed_services
from hardened.core.model.hold import hold_of
from hardened.core.needs.dependencies import is_available
from hardened.shell.workqueue import Key

#: Whether it is Available, the uid of the restore of its data, and whether that has failed.
_State = tuple[bool, str, bool]


class Dependents:
    """What each service that was looked at needs, and how each of them is. look: called with each that is to be looked at."""

    def __init__(self, look: Callable[[Key], None]) -> None:
        self._look = look
        self._needs: dict[Key, frozenset[str]] = {}
        self._states: dict[Key, _State] = {}

    def saw(self, key: Key, body: Mapping[str, Any]) -> None:
        """Takes a service as it is now."""
        self._needs.pop(key, None)
        if needs := needed_services(body):
            self._needs[key] = needs
        hold = hold_of(body.get("status") or {})
        now = is_available(body), hold.uid if hold else "", hold.has_failed if hold else False
        if self._states.get(key) != now:
            self._states[key] = now
            self._wake(key)

    def forget(self, key: Key) -> None:
        """The service is gone."""
        self._needs.pop(key, None)
        if self._states.pop(key, None) is not None:
            self._wake(key)

    def _wake(self, key: Key) -> None:
        for other, needs in self._needs.items():
            if key.name in needs and other.namespace == key.namespace:
                self._look(other)
