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
        self._waiting: dict[Key, bool] = {}  # in the order in which they came; whether they take a place as soon as there is one

    def has_place(self, key: Key) -> bool:
        """Whether the release of this service may work now, or does already."""
        return len(self._working - {key}) < self._limit

    def saw(self, key: Key, status: Mapping[str, Any]) -> tuple[Key, ...]:
        """Takes the status of a service. The services to look at where a place may have become free: the first that takes one, and those
        before it that may be waiting for a person still."""
        record, before = record_of(status), self._state(key)
        rests = record is None or record.paused_at is not None or status.get("phase") == "Suspended"
        if record and record.step in (Step.QUEUED, Step.APPROVAL) and not rests:
            self._waiting[key] = record.step is Step.QUEUED
        else:
            self._waiting.pop(key, None)
        if record and record.step in WORKING:
            self._working.add(key)
        else:
            self._working.discard(key)
        has_left = before not in (self._state(key), (False, False)) and key not in self._working
        return self._next(key) if has_left else ()

    def forget(self, key: Key) -> tuple[Key, ...]:
        """The service is gone. The services to look at, as above."""
        return self.saw(key, {})

    def _state(self, key: Key) -> tuple[bool, bool]:
        return key in self._working, key in self._waiting

    def _next(self, left: Key) -> tuple[Key, ...]:
        found: list[Key] = []
        for key, takes in self._waiting.items():
            if key != left:
                found.append(key)
                if takes:
                    break
        return tuple(found)
