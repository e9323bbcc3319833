"""How many releases are at work in the whole operator: a new base image for 200 services is not to start 200 stacks at once."""

from collections.abc import Mapping
from typing import Any

from hardened.core.release import WORKING, Step
from hardened.core.release_record import record_of
from hardened.shell.workqueue import Key


class Places:
    """A place for each release at work, as the statuses tell. limit: at most so many, at least 1."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._working: set[Key] = set()
        self._waiting: dict[Key, None] = {}  # in the order in which they came

    def has_place(self, key: Key) -> bool:
        """Whether the release of this service may work now, or does already."""
        return len(self._working - {key}) < self._limit

    def saw(self, key: Key, status: Mapping[str, Any]) -> Key | None:
        """Takes the status of a service. The service to look at since a place has become free, if any."""
        record = record_of(status)
        if record and record.step in (Step.QUEUED, Step.APPROVAL):
            self._waiting.setdefault(key)
        else:
            self._waiting.pop(key, None)
        if record and record.step in WORKING:
            self._working.add(key)
            return None
        was_working = key in self._working
        self._working.discard(key)
        return next((other for other in self._waiting if other != key), None) if was_working else None

    def forget(self, key: Key) -> Key | None:
        """The service is gone. The service to look at since a place has become free, if any."""
        return self.saw(key, {})
