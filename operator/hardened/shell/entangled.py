"""Services that are in trouble together: on a cycle of dependencies, or in want of one name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hardened.core.needs.dependencies import cycle_of
from hardened.core.needs.services import namesakes
from hardened.core.observe.observed import Observed
from hardened.shell.workqueue import Key


@dataclass(frozen=True)
class _Known:
    """Other services that are in the same trouble as one of this generation."""

    names: frozenset[str]
    generation: int


_NOBODY = _Known(frozenset(), 0)


class Entangled:
    """Has those looked at that share a service's trouble, or no longer do: nothing of themselves has changed that anybody would tell.

    look: called with each of them.
    """

    def __init__(self, look: Callable[[Key], None]) -> None:
        self._look = look
        self._known: dict[Key, _Known] = {}

    def saw(self, key: Key, body: Mapping[str, Any], observed: Observed) -> None:
        """Takes a service, and what is known of those around it."""
        name = body["metadata"]["name"]
        names = frozenset(cycle_of(body, observed.needs)) - {name} | (namesakes(name) & observed.services.keys())
        self._take(key, _Known(names, body["metadata"].get("generation", 0)) if names else _NOBODY)

    def forget(self, key: Key) -> None:
        """The service is gone."""
        self._take(key, _NOBODY)

    def _take(self, key: Key, now: _Known) -> None:
        before = self._known.pop(key, _NOBODY)
        if now is not _NOBODY:
            self._known[key] = now
        if now != before:
            for name in before.names | now.names:
                self._look(Key(key.namespace, name))
