"""Follows one HardenedService by the API's watch, over cut connections and expired versions, until a deadline."""

import random
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass

from hardenctl import replies
from hardenctl.cluster import Cluster, Manifest
from hardenctl.duration import Deadline
from hardenctl.resources import service, services, with_query
from hardened.errors import TryAgain, Vanished

#: A watch is asked to end after this time: a connection that died without a word is noticed by then.
WATCH_SECONDS = 45.0
#: The reply has this much longer than the watch, so that the server ends it, not we.
GRACE_SECONDS = 5.0
_LONGEST_PAUSE = 10.0
_EXPIRED = 410
_SHORTEST = 1.0


class WaitTimedOut(Exception):
    """The deadline passed first."""


@dataclass
class Follower:
    """The states of one service. trace: is told of each reconnection; pause: waits some seconds before a retry."""

    cluster: Cluster
    namespace: str
    name: str
    deadline: Deadline
    trace: Callable[[str], None] = lambda _: None
    pause: Callable[[float], None] = time.sleep

    def states(self, first: Manifest) -> Iterator[Manifest | None]:
        """`first`, then each newer state as it comes; None once it is gone, and then nothing more.

        Raises WaitTimedOut at the deadline, and ApiFailure for what retrying does not mend.
        """
        live: Manifest | None = first
        yield first
        failures = 0
        while live is not None:
            began = self.deadline.clock()
            try:
                for state in self._watch(_version(live)):
                    yield state
                    if state is None:
                        return
                    live, failures = state, 0
                if self.deadline.clock() - began < _SHORTEST:
                    # Something between us and the server ends each watch at once: do not spin.
                    raise TryAgain("the watch ended at once")
                failures = 0
            except TryAgain as error:
                if error.status == 401:
                    raise
                failures += 1
                self._hold(error, failures)
            self._check_time()
            live = yield from self._read_anew(live, failures)

    def _watch(self, version: str) -> Iterator[Manifest | None]:
        self._check_time()
        span = max(1.0, self.deadline.within(WATCH_SECONDS))
        path = with_query(
            services(self.namespace),
            watch=True,
            fieldSelector=f"metadata.name={self.name}",
            resourceVersion=version,
            allowWatchBookmarks=True,
            timeoutSeconds=round(span),
        )
        # The deadline is ours to keep: a quiet watch must not outlast it.
        for event in self.cluster.watch(path, max(0.1, self.deadline.within(WATCH_SECONDS + GRACE_SECONDS))):
            kind, found = event.get("type"), event.get("object") or {}
            if kind == "ERROR":
                raise replies.of_watch(found)
            if kind in ("ADDED", "MODIFIED"):
                yield found
            elif kind == "DELETED":
                yield None
            self._check_time()

    def _read_anew(self, live: Manifest, failures: int) -> Generator[Manifest | None, None, Manifest | None]:
        """Yields the present state if it differs; returns what to go on from."""
        try:
            found = self.cluster.get(service(self.namespace, self.name))
        except Vanished:
            yield None
            return None
        except TryAgain as error:
            if error.status == 401:
                raise
            self._hold(error, failures + 1)
            return live
        if _version(found) != _version(live):
            yield found
        return found

    def _hold(self, error: TryAgain, failures: int) -> None:
        if error.status == _EXPIRED or self.deadline.has_passed:
            return
        self.trace(f"the watch was cut ({error}); trying again")
        wanted = error.retry_after or min(_LONGEST_PAUSE, 0.25 * 2**failures) * random.uniform(0.5, 1.0)
        self.pause(self.deadline.within(wanted))

    def _check_time(self) -> None:
        if self.deadline.has_passed:
            raise WaitTimedOut


def _version(live: Manifest) -> str:
    return str(live["metadata"].get("resourceVersion", ""))
