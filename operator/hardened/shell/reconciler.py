"""Which service is looked at, and when: one look at a time of each, as soon as enough is known of it."""

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Final

from hardened.core.actions.replies import answers
from hardened.core.look import snapshot
from hardened.core.model.policy import Policy
from hardened.core.observe.observed import Observed
from hardened.errors import ApiFailure, LookAgain, TryAgain
from hardened.shell.api_server import ApiServer, Body
from hardened.shell.bodies import complete
from hardened.shell.cache import Cache
from hardened.shell.dependents import Dependents
from hardened.shell.entangled import Entangled
from hardened.shell.kinds import HARDENED_SERVICE
from hardened.shell.metrics import Metrics
from hardened.shell.namespace_reader import NamespaceReader
from hardened.shell.prometheus import Prometheus
from hardened.shell.questions import Questions
from hardened.shell.recorder import Recorder
from hardened.shell.release_slots import SHARE, ReleaseSlots
from hardened.shell.remembered import Remembered
from hardened.shell.service_look import ServiceLook
from hardened.shell.shared import Shared
from hardened.shell.turns import Turns
from hardened.shell.workqueue import Key, WorkQueue
from hardened.shell.writer import LostLeadership, Writer

logger = logging.getLogger(__name__)

#: Bytes, as JSON, of a service's children above which it is looked at in turn. A usual one has 20,000.
HEAVY: Final = 256 * 1024
#: Bytes in dictionaries that all of these have together, see Cache.spread; and what one is taken to have that is still to be read.
MOST_AT_ONCE: Final = 64 * 1024 * 1024
UNREAD_BYTES: Final = 4 * 1024 * 1024
#: Seconds until the next look at a service while its namespace is not known whole; it is looked at as soon as it is.
UNKNOWN_PAUSE: Final = 60.0


class Reconciler:
    """Brings one service at a time in line, see ServiceLook.

    now: the wall clock, timezone-aware; may_write: asked before each write; crd_schema: the schema revision of the CRD on
    the cluster, "" if unknown; is_known: whether all of a namespace has been listed; releases: how many may be at work at a time; share: of
    one namespace, of those; prometheus: who is asked.
    """

    def __init__(
        self,
        api: ApiServer,
        cache: Cache,
        queue: WorkQueue,
        *,
        policy: Policy,
        metrics: Metrics,
        recorder: Recorder,
        now: Callable[[], datetime],
        may_write: Callable[[], bool],
        crd_schema: Callable[[], str] = lambda: "",
        is_known: Callable[[str], bool] = lambda _: True,
        releases: int = 1000,
        share: float = SHARE,
        prometheus: Prometheus | None = None,
    ) -> None:
        self._api, self._cache, self._queue = api, cache, queue
        self._metrics, self._recorder = metrics, recorder
        self._now, self._crd_schema, self._is_known = now, crd_schema, is_known
        self._writer = Writer(api, cache, may_write)
        self._questions = Questions(prometheus or Prometheus(""), queue.add)
        self._shared = Shared(
            api=api,
            cache=cache,
            queue=queue,
            writer=self._writer,
            namespaces=NamespaceReader(api),
            questions=self._questions,
            metrics=metrics,
            recorder=recorder,
            slots=ReleaseSlots(releases, share),
            policy=policy,
            now=now,
        )
        self._remembered: dict[Key, Remembered] = {}
        self._unread: dict[Key, frozenset[str]] = {}
        self._entangled = Entangled(queue.add)
        self._dependents = Dependents(queue.add)
        self._turns = Turns(MOST_AT_ONCE, queue.add)

    def resume(self) -> None:
        """Counts the releases at work that the cache knows of. To be called before the first reconcile of a leader."""
        for key in self._cache.services():
            body = self._cache.get(HARDENED_SERVICE, *key)
            status = (body or {}).get("status") or {}
            self._shared.see_slot(key, status)
            self._metrics.releases.saw(key, status, self._now())
            self._metrics.backups.saw(key, status)

    async def reconcile(self, key: Key) -> None:
        """Looks at one service until nothing is left to do, and puts it back into the queue where that is later."""
        with self._metrics.reconcile_seconds.time():
            try:
                await self._look_in_turn(key)
            except LostLeadership:
                return
            except ApiFailure as failure:
                self._failed(key, failure)
            else:
                self._queue.forget(key)
            finally:
                self._cache.let_go(key)

    async def _look_in_turn(self, key: Key) -> None:
        """What much is known of, or is still to be read, waits for its turn; it is looked at as soon as it has come."""
        if not self._is_known(key.namespace):
            self._turns.end(key)
            self._queue.add_after(key, UNKNOWN_PAUSE)
            return
        if self._turns.is_waiting(key) or self._cache.size(key) > HEAVY or self._cache.lacking(key):
            if not self._turns.begin(key, max(UNREAD_BYTES, self._cache.spread(key))):
                return
            try:
                await complete(self._api, self._cache, key)
                if self._cache.size(key) > HEAVY:
                    self._turns.hold(key, self._cache.spread(key))
                    await self._look(key)
                    return
            finally:
                self._turns.end(key)
        await self._look(key)

    async def _look(self, key: Key) -> None:
        await complete(self._api, self._cache, key)
        body = self._cache.get(HARDENED_SERVICE, key.namespace, key.name)
        self._tell_of_unread(key, body)
        if body is None:
            await self._gone(key)
            return
        if body["metadata"].get("deletionTimestamp"):
            # A finalizer can hold it for ever, and nobody works for it any more.
            self._shared.see_slot(key, {})
        known = self._remembered.setdefault(key, Remembered())
        body = known.as_meant(body)
        observed = snapshot(
            body,
            self._cache.children(key.namespace, key.name),
            service=lambda name: self._cache.get(HARDENED_SERVICE, key.namespace, name),
            needs=lambda name: self._cache.needs(key.namespace, name),
            crd_schema=self._crd_schema(),
            dependents=lambda name: self._cache.dependents(key.namespace, name),
        )
        self._entangled.saw(key, body, observed)
        self._dependents.saw(key, body)
        await ServiceLook(self._shared, key, body, known).take(observed)

    def _tell_of_unread(self, key: Key, body: Body | None) -> None:
        """Once of each object that belongs to it and cannot be read; of the service itself, where it cannot."""
        unread = self._cache.unread(key)
        known = self._unread.pop(key, frozenset())
        for one in unread:
            itself = HARDENED_SERVICE.named({"metadata": {"namespace": one.namespace, "name": one.name, "uid": one.uid}})
            whose = itself if one.kind == HARDENED_SERVICE else body
            if one.uid not in known and whose:
                self._recorder.record(whose, "Warning", "Unreadable", f"{one}; delete it or recreate it")
        if unread:
            self._unread[key] = frozenset(one.uid for one in unread)

    def _failed(self, key: Key, failure: ApiFailure) -> None:
        self._metrics.reconcile_errors.labels(failure.reason or type(failure).__name__).inc()
        if isinstance(failure, LookAgain):
            seconds = self._queue.retry_conflict(key)
        else:
            seconds = self._queue.retry(key, failure.retry_after if isinstance(failure, TryAgain) else None)
        logger.info("%s: %s; again in %.2f s", key, failure, seconds)

    async def _gone(self, key: Key) -> None:
        """No finalizer, nothing to do: the garbage collector removes the children by their owner. Actions may ask for what never was."""
        self._shared.see_slot(key, {})
        self._metrics.set_phase(key, None)
        self._metrics.releases.forget(key, self._now())
        self._metrics.backups.forget(key)
        self._remembered.pop(key, None)
        self._entangled.forget(key)
        self._dependents.forget(key)
        self._questions.forget(key)
        found, look_at = answers(Observed.of(self._cache.children(key.namespace, key.name)).actions, (), None, self._now())
        await self._writer.answer_all(key.namespace, found)
        if look_at:
            self._queue.add_after(key, max(0.0, (look_at - self._now()).total_seconds()))
