"""Follows one object of ours by the API's watch, over cut connections and expired versions, until a deadline.

Without the right to watch, by reading it every few seconds.
"""

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from hardenctl.cluster import replies
from hardenctl.cluster.api_cluster import Cluster
from hardenctl.cluster.paths import collection, one, with_query
from hardenctl.output.duration import Deadline
from hardened.api import names
from hardened.core.model.manifest import Manifest
from hardened.errors import Refused, TryAgain, Vanished

#: A watch is asked to end after this time: a connection that died without a word is noticed by then.
WATCH_SECONDS = 45.0
#: The reply has this much longer than the watch, so that the server ends it, not we.
GRACE_SECONDS = 5.0
#: The most that one read may take: a server that hangs is asked again.
READ_SECONDS = 30.0
#: So many failures in a row are told: a server that is away for longer than a connection is cut.
TOLD_AFTER = 3
#: The time between two reads where watching is refused.
POLL_SECONDS = 2.0
_LONGEST_PAUSE = 10.0
_SHORTEST = 1.0
#: The least that a request is given, in seconds: none takes 0.
_LEAST = 0.1


class WaitTimedOut(Exception):
    """The deadline passed first."""


@dataclass
class Follower:
    """The states of one object."""

    cluster: Cluster
    """Where it is."""
    namespace: str
    """Of the object."""
    name: str
    """Of the object."""
    deadline: Deadline
    """When to give up."""
    trace: Callable[[str], None] = lambda _: None
    """Is told of each reconnection."""
    tell: Callable[[str], None] = lambda _: None
    """Is told of a server that stays away."""
    pause: Callable[[float], None] = time.sleep
    """Waits some seconds before a retry."""
    plural: str = names.PLURAL
    """Its kind."""

    def states(self, first: Manifest) -> Iterator[Manifest | None]:
        """`first`, then each newer state as it comes; None once it is gone, and then nothing more.

        One of the same name that was made since is another object. Who may not list or watch is served by reading the object again and
        again. Raises WaitTimedOut at the deadline, and ApiFailure for what retrying does not mend.
        """
        for state in self._states(first):
            is_gone = state is None or state["metadata"].get("uid") != first["metadata"].get("uid")
            yield None if is_gone else state
            if is_gone:
                return

    def _states(self, first: Manifest) -> Iterator[Manifest | None]:
        seen = first
        yield first
        try:
            for state in self._watched(first):
                yield state
                if state is None:
                    return
                seen = state
        except Refused as error:
            self.trace(f"no watch ({error}); asking every {POLL_SECONDS:.0f} s")
            yield from self._polled(seen)

    def _watched(self, first: Manifest) -> Iterator[Manifest | None]:
        seen, since, failures = _version(first), "", 0
        while True:
            self._check_time()
            began = self.deadline.clock()
            try:
                if not since:
                    live, since = self._listed()
                    if live is None:
                        yield None
                        return
                    if _version(live) != seen:
                        seen = _version(live)
                        yield live
                for kind, found in self._watch(since):
                    since, failures = _version(found), 0
                    if kind == "DELETED":
                        yield None
                        return
                    if kind != "BOOKMARK":
                        seen = since
                        yield found
                if self.deadline.clock() - began < _SHORTEST:
                    # Something between us and the server ends each watch at once: do not spin.
                    raise TryAgain("the watch ended at once")
                failures = 0
            except TryAgain as error:
                if error.status == 401:
                    raise
                since, failures = "", failures + 1
                self._hold(error, failures)

    def _listed(self) -> tuple[Manifest | None, str]:
        """The object as it is now, None if it is gone, and the version to watch from.

        A list's version is the server's newest. The object's own may be older than all that the server remembers: it would
        answer a watch from there with 410 each time.
        """
        try:
            found = self.cluster.get(with_query(self._collection, fieldSelector=f"metadata.name={self.name}"), self._span(READ_SECONDS))
        except Vanished:
            return None, ""
        live = next((item for item in found.get("items") or () if item["metadata"]["name"] == self.name), None)
        return live, _version(found)

    def _watch(self, version: str) -> Iterator[tuple[str, Manifest]]:
        span = max(1.0, self.deadline.within(WATCH_SECONDS))
        path = with_query(
            self._collection,
            watch=True,
            fieldSelector=f"metadata.name={self.name}",
            resourceVersion=version,
            allowWatchBookmarks=True,
            timeoutSeconds=round(span),
        )
        # The deadline is ours to keep: a quiet watch must not outlast it.
        for event in self.cluster.watch(path, self._span(WATCH_SECONDS + GRACE_SECONDS)):
            kind, found = event.get("type"), event.get("object") or {}
            if kind == "ERROR":
                raise replies.of_watch(found)
            if kind in ("ADDED", "MODIFIED", "DELETED", "BOOKMARK"):
                yield kind, found
            self._check_time()

    def _polled(self, first: Manifest) -> Iterator[Manifest | None]:
        seen, failures = _version(first), 0
        while True:
            try:
                live = self.cluster.get(one(self._collection, self.name), self._span(READ_SECONDS))
                failures = 0
                if _version(live) != seen:
                    seen = _version(live)
                    yield live
                self.pause(self.deadline.within(POLL_SECONDS))
            except Vanished:
                yield None
                return
            except TryAgain as error:
                if error.status == 401:
                    raise
                failures += 1
                self._hold(error, failures)
            self._check_time()

    def _hold(self, error: TryAgain, failures: int) -> None:
        if self.deadline.has_passed:
            return
        self.trace(f"the watch was cut off ({error}); trying again")
        if failures == TOLD_AFTER:
            self.tell(f"        the cluster does not answer: {error}; trying again")
        wanted = error.retry_after or min(_LONGEST_PAUSE, 0.25 * 2 ** min(failures, 10)) * random.uniform(0.5, 1.0)
        self.pause(self.deadline.within(wanted))

    @property
    def _collection(self) -> str:
        return collection(self.namespace, self.plural)

    def _span(self, most: float) -> float:
        return max(_LEAST, self.deadline.within(most))

    def _check_time(self) -> None:
        if self.deadline.has_passed:
            raise WaitTimedOut


def _version(live: Manifest) -> str:
    return str(live["metadata"].get("resourceVersion", ""))
