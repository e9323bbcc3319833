"""Kubernetes Events about services, for people: counted, limited, and never in the way of a reconcile."""

import asyncio
import hashlib
import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal, NamedTuple

from hardened.api.text import plain
from hardened.errors import ApiFailure, LookAgain, Vanished
from hardened.shell.api_server import ApiServer, Body
from hardened.shell.kinds import EVENT

logger = logging.getLogger(__name__)

COMPONENT: Final = "hardened-operator"
#: Events that wait to be sent. Above it new ones are dropped, and counted: an API server in trouble is not helped by more of them.
CAPACITY: Final = 1000
#: Per object: this many at once, then one each REFILL_SECONDS, as client-go's spam filter (tools/record, 25 and 1/300 per second).
BURST: Final = 25
REFILL_SECONDS: Final = 300.0
#: Objects and Events that are remembered, as client-go's LRU caches are bound.
REMEMBERED: Final = 4096
#: The API server's bounds of an Event's message and reason, in characters (pkg/apis/core/validation/events.go).
MESSAGE_LIMIT: Final = 1024
REASON_LIMIT: Final = 128

EventType = Literal["Normal", "Warning"]


class _Wanted(NamedTuple):
    name: str
    involved: Body
    type_: EventType
    reason: str
    message: str
    at: str


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


class Recorder:
    """`record` puts an Event in line, `run` sends them. Both on the event loop's thread.

    clock: monotonic seconds; today: the time of day that the Events carry.
    """

    def __init__(
        self,
        api: ApiServer,
        identity: str,
        *,
        clock: Callable[[], float],
        today: Callable[[], datetime] = lambda: datetime.now(UTC),
        capacity: int = CAPACITY,
    ) -> None:
        self._api = api
        self._identity = identity
        self._clock = clock
        self._today = today
        self._waiting: asyncio.Queue[_Wanted] = asyncio.Queue(capacity)
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()
        self._counts: OrderedDict[tuple[str, str], int] = OrderedDict()
        self.dropped = 0

    def record(self, owner_body: Body, type_: EventType, reason: str, message: str) -> None:
        """Tells that `reason` happened to the object. Never raises, never waits; dropped at the limit of the object or of the queue."""
        try:
            wanted = self._wanted(owner_body, type_, reason, message)
            if not self._may_send(wanted.involved["uid"]):
                self.dropped += 1
                return
            self._waiting.put_nowait(wanted)
        except asyncio.QueueFull:
            self.dropped += 1
        except Exception:
            # An Event is never worth a reconcile, whatever shape the body has.
            logger.exception("an event %s could not be recorded", reason)
            self.dropped += 1

    async def run(self) -> None:
        """Sends what is recorded, one after the other, until cancelled."""
        while True:
            wanted = await self._waiting.get()
            try:
                await self._send(wanted)
            except ApiFailure as error:
                self.dropped += 1
                logger.info("event %s was not taken: %s", wanted.name, error)
            except Exception:
                # The next event may do better; a dead recorder would be silent for good.
                self.dropped += 1
                logger.exception("event %s could not be sent", wanted.name)
            finally:
                self._waiting.task_done()

    async def flush(self) -> None:
        """Returns when everything recorded so far was sent or dropped; `run` must be running."""
        await self._waiting.join()

    def _wanted(self, owner: Body, type_: EventType, reason: str, message: str) -> _Wanted:
        meta = owner["metadata"]
        involved = {
            "apiVersion": owner["apiVersion"],
            "kind": owner["kind"],
            "namespace": meta["namespace"],
            "name": meta["name"],
            "uid": meta["uid"],
            "resourceVersion": meta.get("resourceVersion", ""),
        }
        reason, message = reason[:REASON_LIMIT], plain(message[:MESSAGE_LIMIT])
        digest = hashlib.sha256("\0".join((meta["uid"], type_, reason, message)).encode(errors="replace")).hexdigest()[:16]
        stamp = self._today().strftime("%Y-%m-%dT%H:%M:%SZ")
        # 253 is the bound of an object's name; the digest and its dot take 17.
        return _Wanted(f"{meta['name'][:236]}.{digest}", involved, type_, reason, message, stamp)

    def _may_send(self, uid: str) -> bool:
        now = self._clock()
        bucket = self._buckets.setdefault(uid, _Bucket(BURST, now))
        self._buckets.move_to_end(uid)
        if len(self._buckets) > REMEMBERED:
            self._buckets.popitem(last=False)
        bucket.tokens = min(BURST, bucket.tokens + (now - bucket.at) / REFILL_SECONDS)
        bucket.at = now
        if bucket.tokens < 1:
            return False
        bucket.tokens -= 1
        return True

    async def _send(self, wanted: _Wanted) -> None:
        namespace = wanted.involved["namespace"]
        known = self._counts.get((namespace, wanted.name))
        try:
            count = await (self._create(wanted) if known is None else self._repeat(wanted, known))
        except LookAgain:
            # The name is taken: an earlier process recorded the same.
            seen = await self._api.get(EVENT, namespace, wanted.name)
            count = await self._repeat(wanted, int(seen.get("count") or 0))
        except Vanished:
            if known is None:
                raise  # the namespace is gone
            # The server forgets Events after an hour.
            count = await self._create(wanted)
        self._counts[namespace, wanted.name] = count
        self._counts.move_to_end((namespace, wanted.name))
        if len(self._counts) > REMEMBERED:
            self._counts.popitem(last=False)

    async def _create(self, wanted: _Wanted) -> int:
        body: dict[str, Any] = {
            "apiVersion": EVENT.api_version,
            "kind": EVENT.name,
            "metadata": {"namespace": wanted.involved["namespace"], "name": wanted.name},
            "involvedObject": wanted.involved,
            "type": wanted.type_,
            "reason": wanted.reason,
            "message": wanted.message,
            "count": 1,
            "firstTimestamp": wanted.at,
            "lastTimestamp": wanted.at,
            "source": {"component": COMPONENT},
            "reportingComponent": COMPONENT,
            "reportingInstance": self._identity,
        }
        await self._api.create(EVENT, body)
        return 1

    async def _repeat(self, wanted: _Wanted, count: int) -> int:
        patch: Body = {"count": count + 1, "lastTimestamp": wanted.at}
        await self._api.merge_patch(EVENT, wanted.involved["namespace"], wanted.name, patch)
        return count + 1
