"""How many releases are at work in the whole operator: a new base image for 200 services is not to start 200 stacks at once."""

from collections.abc import Iterator, Mapping
from typing import Any

from hardened.core.release.model import Step
from hardened.core.release.record import record_of
from hardened.shell.workqueue import Key


class Places:
    """A place for each release at work, as the statuses tell. limit: at most so many, at least 1."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._working: set[Key] = set()
        self._waiting: dict[Key, bool] = {}  # in the order in which they came -> whether it takes a place as soon as it is looked at

    def has_place(self, key: Key) -> bool:
        """Whether the release of this service may work now, or does already."""
        return len(self._working - {key}) < self._limit

    def saw(self, key: Key, status: Mapping[str, Any]) -> tuple[Key, ...]:
        """Takes the status of a service. The services to look at since a place has become free, if any."""
        record = record_of(status)
        was_working, was_waiting = key in self._working, key in self._waiting
        if record and (record.step in (Step.QUEUED, Step.APPROVAL) or record.has_yielded):
            # One that is paused, suspended or not approved yet, or waits for others, stands in line, and takes no place.
            self._waiting[key] = status.get("phase") == "Queued"
        else:
            self._waiting.pop(key, None)
        if record and record.is_working:
            self._working.add(key)
            return ()
        self._working.discard(key)
        has_left = was_working or (was_waiting and key not in self._waiting)
        return tuple(self._next(key)) if has_left and len(self._working) < self._limit else ()

    def forget(self, key: Key) -> tuple[Key, ...]:
        """The service is gone. The services to look at since a place has become free, if any."""
        return self.saw(key, {})

    def _next(self, but: Key) -> Iterator[Key]:
        """Those that may take the place, up to the first that is sure to."""
        for key, is_sure in self._waiting.items():
            if key != but:
                yield key
                if is_sure:
                    return
