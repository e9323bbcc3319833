"""One look at one service: observe, plan, execute, tell."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from hardened.api import names
from hardened.core.compare import difference
from hardened.core.manifest import ChildKey, digest, key_of
from hardened.core.observed import Observed, Trouble
from hardened.core.plan import Apply, Plan, plan
from hardened.core.policy import Policy
from hardened.errors import ApiFailure, LookAgain, Refused, TryAgain, Vanished
from hardened.shell.announcements import announcements
from hardened.shell.api_server import ApiServer, Body
from hardened.shell.cache import Cache
from hardened.shell.kinds import HARDENED_SERVICE, KINDS, POD
from hardened.shell.metrics import Metrics
from hardened.shell.recorder import Recorder
from hardened.shell.workqueue import Key, WorkQueue
from hardened.shell.writer import LostLeadership, Writer

logger = logging.getLogger(__name__)

#: Plans in one reconcile: look, look at pods, write, and look at what was written; the rest is for a world that moves meanwhile.
ROUNDS: Final = 8


@dataclass(frozen=True)
class _Written:
    """What we last wrote as status, and what the server made of it: an older CRD prunes fields that it does not know."""

    wanted: str
    stored: Any


class Reconciler:
    """Brings one service at a time in line. Decides nothing: `core.plan` does.

    now: the wall clock, timezone-aware; may_write: asked before each write; crd_schema: the schema revision of the CRD on
    the cluster, "" if unknown.
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
    ) -> None:
        self._api, self._cache, self._queue = api, cache, queue
        self._policy, self._metrics, self._recorder = policy, metrics, recorder
        self._now, self._crd_schema = now, crd_schema
        self._writer = Writer(api, cache, may_write)
        self._status: dict[Key, _Written] = {}
        self._refused: dict[Key, str] = {}

    async def reconcile(self, key: Key) -> None:
        """Looks at one service until nothing is left to do, and puts it back into the queue where that is later."""
        with self._metrics.reconcile_seconds.time():
            try:
                await self._look(key)
            except LostLeadership:
                return
            except ApiFailure as failure:
                self._failed(key, failure)
            else:
                self._queue.forget(key)

    async def _look(self, key: Key) -> None:
        body = self._cache.get(HARDENED_SERVICE, key.namespace, key.name)
        if body is None:
            self._gone(key)
            return
        observed = Observed.of(self._cache.children(key.namespace, key.name), crd_schema=self._crd_schema())
        decided = Plan()
        for _ in range(ROUNDS):
            decided = plan(body, observed, self._policy, self._now())
            if decided.look:
                observed = await self._read(key, observed, decided.look)
            elif decided.look_at_pods:
                observed = observed.with_pods(await self._pods(key))
            elif decided.has_writes:
                try:
                    body, observed = await self._execute(key, body, observed, decided)
                except Refused as refusal:
                    await self._report(key, body, observed, refusal)
                    raise
            else:
                break
        self._refused.pop(key, None)
        await self._tell(key, body, decided)
        if decided.requeue_after:
            self._queue.add_after(key, decided.requeue_after.total_seconds())

    # ---- reading

    async def _read(self, key: Key, observed: Observed, wanted: frozenset[ChildKey]) -> Observed:
        """Wanted children that the caches lack: they may be there, unlabelled, or made a moment ago."""
        replies = await asyncio.gather(*(self._get(key, child) for child in sorted(wanted)))
        for child, live in replies:
            observed = observed.with_child(live) if live else observed.without_child(child)
        return observed

    async def _get(self, key: Key, child: ChildKey) -> tuple[ChildKey, Body | None]:
        try:
            live = await self._api.get(KINDS[child.kind], key.namespace, child.name)
        except Vanished:
            return child, None
        live["metadata"].setdefault("managedFields", [])
        return child, KINDS[child.kind].named(live)

    async def _pods(self, key: Key) -> list[Body]:
        return (await self._api.list(POD, key.namespace, f"{names.SERVICE_LABEL}={key.name}")).items

    # ---- writing

    async def _execute(self, key: Key, body: Body, observed: Observed, decided: Plan) -> tuple[Body, Observed]:
        if decided.seed_replicas is not None:
            body = await self._writer.seed_replicas(key, body, decided.seed_replicas)
        for step in decided.apply:
            try:
                live = await self._writer.apply(step)
            except LookAgain:
                if not step.is_new:
                    raise
                unread = frozenset(key_of(s.manifest) for s in decided.apply if s.is_new) - observed.children.keys()
                return body, await self._read(key, observed, unread)
            observed = observed.with_child(live)
            contested = difference(step.manifest, live)
            if contested:
                observed = observed.with_contested(key_of(step.manifest), contested)
            elif step.repairs:
                self._tell_of_repair(body, step)
        for unwanted in decided.delete:
            await self._writer.delete(key, unwanted)
            observed = observed.without_child(unwanted.key)
        return body, observed

    # ---- telling

    async def _tell(self, key: Key, body: Body, decided: Plan) -> None:
        """One status write, if it differs."""
        if decided.status is None:
            return
        self._metrics.set_phase(key, decided.status["phase"])
        before = body.get("status")
        written = self._status.get(key)
        wanted = digest(decided.status, 64)
        if before == decided.status or (written and written.wanted == wanted and written.stored == before):
            return
        try:
            live = await self._writer.apply_status(key, body, decided.status)
        except Vanished:
            await self._see_whether_it_is_gone(key, body)
            raise
        self._status[key] = _Written(wanted, live.get("status"))
        for event in announcements(before or {}, decided.status):
            self._recorder.record(body, event.type, event.reason, event.message)

    def _tell_of_repair(self, body: Body, step: Apply) -> None:
        kind, name = key_of(step.manifest)
        self._metrics.repairs.labels(kind).inc()
        self._recorder.record(body, "Warning", "Repaired", f"{kind} {name}: {step.repairs} was changed by somebody else and is set back")

    async def _see_whether_it_is_gone(self, key: Key, body: Body) -> None:
        """A service that nobody told us is gone would get its children anew as often as the garbage collector removes them."""
        try:
            await self._api.get(HARDENED_SERVICE, key.namespace, key.name)
        except Vanished:
            self._cache.deleted(HARDENED_SERVICE, key.namespace, key.name, body["metadata"]["uid"])

    async def _report(self, key: Key, body: Body, observed: Observed, refusal: Refused) -> None:
        """Says in status what the server refuses, once it refused the same thing twice: a single refusal may be a mistake of the moment."""
        doing = next(iter(getattr(refusal, "__notes__", ())), "look at its children")
        is_repeated = self._refused.get(key) == doing
        self._refused[key] = doing
        if is_repeated:
            seen = observed.with_trouble(Trouble(doing, refusal))
            await self._tell(key, body, plan(body, seen, self._policy, self._now()))

    def _failed(self, key: Key, failure: ApiFailure) -> None:
        self._metrics.reconcile_errors.labels(failure.reason or type(failure).__name__).inc()
        at_least = failure.retry_after if isinstance(failure, TryAgain) else None
        seconds = self._queue.retry(key, at_least)
        logger.info("%s: %s; again in %.1f s", key, failure, seconds)

    def _gone(self, key: Key) -> None:
        """No finalizer, nothing to do: the garbage collector removes the children by their owner."""
        self._metrics.set_phase(key, None)
        self._status.pop(key, None)
        self._refused.pop(key, None)
