"""How many releases are at work in the whole operator: a new base image for 200 services is not to start 200 stacks at once."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from hardened.api.steps import Step
from hardened.core.model.written import stable_of, state_of
from hardened.shell.workqueue import Key

#: What one namespace holds at most while others wait, of all places.
SHARE = 0.5


class ReleaseSlots:
    """A place for each release at work, as the statuses tell. limit: at most so many, at least 1; share: of a namespace, more than 0.

    While others wait no namespace holds more than its share, and at least one: what it has taken beyond it, while nobody waited, counts for
    nobody else. So at most half as many again are at work as may be, with a share of a half.
    """

    def __init__(self, limit: int, share: float = SHARE) -> None:
        self._limit, self._share = limit, max(1, int(limit * share))
        self._working: set[Key] = set()
        self._waiting: dict[Key, bool] = {}  # in the order in which they came -> whether it takes a place as soon as it is looked at

    def has_slot(self, key: Key) -> bool:
        """Whether a release of this service may begin to work now.

        One that takes the place of another release of its service goes to the end of the line, as every other does: who changes a spec
        again and again would hold a place for ever.
        """
        if key not in self._working or not self._fits(key):
            return self._fits(key)
        # Whether one may work depends on its namespace alone.
        waiting = {each.namespace: each for each, is_sure in self._waiting.items() if is_sure and each != key}
        return all(self._fits(each) or not self._fits(each, but=key) for each in waiting.values())

    def _fits(self, key: Key, but: Key | None = None) -> bool:
        """Whether there is a place for this service. but: one that would wait as well."""
        held = Counter(each.namespace for each in self._working if each not in (key, but))
        own = held.pop(key.namespace, 0)
        is_alone = (but is None or but.namespace == key.namespace) and not any(
            is_sure and each.namespace != key.namespace for each, is_sure in self._waiting.items()
        )
        if own >= self._share and not is_alone:
            return False
        return own + sum(min(count, self._share) for count in held.values()) < self._limit

    def saw(self, key: Key, status: Mapping[str, Any]) -> tuple[Key, ...]:
        """Takes the status of a service. The services to look at since a place has become free, if any."""
        record = state_of(status)
        was_working, was_waiting = key in self._working, key in self._waiting
        if record and (record.step in (Step.QUEUED, Step.APPROVAL) or record.has_released_slot):
            # One that is paused, suspended or not approved yet, or waits for others, stands in line, and takes no place.
            self._waiting[key] = status.get("phase") == "Queued"
        else:
            self._waiting.pop(key, None)
        # The first release of a service takes none: nothing serves before it. Nor does one that is suspended.
        if record and record.holds_slot and stable_of(status) and status.get("phase") != "Suspended":
            self._working.add(key)
            return ()
        self._working.discard(key)
        has_left = was_working or (was_waiting and key not in self._waiting)
        return tuple(self._next(key)) if has_left else ()

    def forget(self, key: Key) -> tuple[Key, ...]:
        """The service is gone. The services to look at since a place has become free, if any."""
        return self.saw(key, {})

    def _next(self, but: Key) -> Iterator[Key]:
        """Those that may take the place, up to the first that is sure to."""
        for key, is_sure in self._waiting.items():
            if key != but and self.has_slot(key):
                yield key
                if is_sure:
                    return
