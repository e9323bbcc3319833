"""Follows one object of ours by the API's watch, over cut connections and expired versions, until a deadline.

Without the right to watch, by reading it every few seconds.
"""

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from hardenctl.cluster import replies
from hardenctl.cluster.api_cluster import Cluster
from hardenctl.cluster.paths import collection, one, with_query
from hardenctl.output.duration import Deadline
from hardenctl.output.outcome import CommandEnd, Exit
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
#: How long a server may be away: one that is restarted or upgraded comes back within two minutes.
PATIENCE = 300.0
#: How long credentials may be refused, in seconds: each try gets new ones where the kubeconfig says how.
PATIENCE_WITH_LOGIN = 15.0
#: A wait whose time is up has not asked in vain for longer than this; else it is not known how things are.
PATIENCE_AT_THE_END = 3.0


class WaitTimedOut(Exception):
    """The deadline passed first, and until then the cluster has answered."""


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
    _away_since: float | None = field(default=None, init=False)
    """When the first of the reads began that all have failed since."""
    _refused_since: float | None = field(default=None, init=False)
    """When credentials were refused first, without a watch that was let in since."""
    _error: TryAgain | CommandEnd | None = field(default=None, init=False)
    """The last failure."""
    _asked_at: float | None = field(default=None, init=False)
    """When the read began that has not been answered. A watch may be quiet for as long as it likes."""

    def states(self, first: Manifest) -> Iterator[Manifest | None]:
        """`first`, then each newer state as it comes; None once it is gone, and then nothing more.

        One of the same name that was made since is another object. Who may not list or watch is served by reading the object again and
        again. Raises WaitTimedOut at the deadline. Raises TryAgain for a server that stays away or does not accept any credentials,
        CommandEnd where there are none any more, and Refused.
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
                    since, failures, self._refused_since = _version(found), 0, None
                    if kind == "DELETED":
                        yield None
                        return
                    if kind != "BOOKMARK":
                        seen = since
                        yield found
                if self.deadline.clock() - began < _SHORTEST:
                    # Something between us and the server ends each watch at once: do not spin.
                    raise TryAgain("the watch ended at once")
                failures, self._refused_since = 0, None
            except (TryAgain, CommandEnd) as error:
                since, failures = "", failures + 1
                self._hold(error, failures)

    def _listed(self) -> tuple[Manifest | None, str]:
        """The object as it is now, None if it is gone, and the version to watch from.

        A list's version is the server's newest. The object's own may be older than all that the server remembers: it would
        answer a watch from there with 410 each time.
        """
        self._asked_at = self.deadline.clock()
        try:
            found = self.cluster.get(with_query(self._collection, fieldSelector=f"metadata.name={self.name}"), self._span(READ_SECONDS))
        except Vanished:
            return None, ""
        self._away_since = self._asked_at = None
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
            self._asked_at = self.deadline.clock()
            try:
                live = self.cluster.get(one(self._collection, self.name), self._span(READ_SECONDS))
                self._away_since = self._asked_at = self._refused_since = None
                failures = 0
                if _version(live) != seen:
                    seen = _version(live)
                    yield live
                self.pause(self.deadline.within(POLL_SECONDS))
            except Vanished:
                yield None
                return
            except (TryAgain, CommandEnd) as error:
                failures += 1
                self._hold(error, failures)
            self._check_time()

    def _hold(self, error: TryAgain | CommandEnd, failures: int) -> None:
        """Waits a while before the next try; raises the error once it has been too long."""
        if isinstance(error, CommandEnd) and error.code != Exit.UNANSWERED:
            raise error
        if self._has_been_too_long(error):
            raise error
        if self.deadline.has_passed:
            return
        self.trace(f"the watch was cut off ({error}); trying again")
        if failures == TOLD_AFTER:
            self.tell(f"        the cluster does not answer: {error}; trying again")
        wanted = getattr(error, "retry_after", None) or min(_LONGEST_PAUSE, 0.25 * 2 ** min(failures, 10)) * random.uniform(0.5, 1.0)
        self.pause(self.deadline.within(wanted))

    def _has_been_too_long(self, error: TryAgain | CommandEnd) -> bool:
        is_refused = isinstance(error, CommandEnd) or error.status == 401
        now = self.deadline.clock()
        if is_refused:
            self._refused_since = now if self._refused_since is None else self._refused_since
        elif self._away_since is None:
            self._away_since = self._asked_at  # None for a watch that was cut: reading the object again tells whether the server is there
        self._error = error
        return self._lost_for() >= (PATIENCE_WITH_LOGIN if is_refused else PATIENCE)

    def _lost_for(self) -> float:
        """Seconds since the cluster was last heard of."""
        since = [each for each in (self._refused_since, self._away_since) if each is not None]
        return self.deadline.clock() - min(since) if since else 0.0

    @property
    def _collection(self) -> str:
        return collection(self.namespace, self.plural)

    def _span(self, most: float) -> float:
        return max(_LEAST, self.deadline.within(most))

    def _check_time(self) -> None:
        if self.deadline.has_passed:
            if self._error and self._lost_for() >= PATIENCE_AT_THE_END:
                raise self._error
            raise WaitTimedOut


def _version(live: Manifest) -> str:
    return str(live["metadata"].get("resourceVersion", ""))
