"""One look at one service: observe, plan, execute, tell."""

import asyncio
import itertools
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, assert_never

from hardened.api import names
from hardened.core.actions.replies import ActionReply, answers
from hardened.core.look import Ask, ListConstraints, ListPods, LookAround, Read, Tell, TellFirst, TryOut, Write, snapshot, turn_of
from hardened.core.model.manifest import ChildKey, digest, key_of
from hardened.core.model.policy import Policy
from hardened.core.needs.dependencies import cycle_of
from hardened.core.needs.services import namesakes
from hardened.core.observe.compare import difference
from hardened.core.observe.observed import Constraints, Made, Observed
from hardened.core.plan import Plan, plan
from hardened.core.status.status import has_news
from hardened.core.writes.writes import Apply
from hardened.errors import ApiFailure, LookAgain, Refused, TryAgain, Vanished
from hardened.shell.api_server import UNREADABLE, ApiServer, Body
from hardened.shell.cache import Cache, Child
from hardened.shell.kinds import ENDPOINT_SLICE, HARDENED_SERVICE, KINDS, POD, REPLICA_SET
from hardened.shell.metrics import Metrics
from hardened.shell.namespace_reader import NamespaceReader
from hardened.shell.prometheus import Prometheus
from hardened.shell.questions import Questions
from hardened.shell.recorder import Recorder
from hardened.shell.refusals import Refusals
from hardened.shell.release_slots import SHARE, ReleaseSlots
from hardened.shell.status_events import status_events
from hardened.shell.turns import Turns
from hardened.shell.workqueue import Key, WorkQueue
from hardened.shell.writer import LostLeadership, Writer

logger = logging.getLogger(__name__)

#: Plans in one reconcile: look, look at pods, write, and look at what was written; the rest is for a world that moves meanwhile.
ROUNDS: Final = 12
#: Seconds between two attempts at a status that the server does not keep, as under an older CRD.
UNKEPT_PAUSE: Final = 15.0
#: Numbers of pods alone are written this long after the last status at the soonest: while pods come and go there are others at once.
NUMBERS_PAUSE: Final = timedelta(seconds=5)
#: Pods of checks of one service of which it is remembered that they were made, or refused: more than a release has.
MOST_LACKED: Final = 64
#: Children that are read by name at the same time.
AT_ONCE: Final = 8
#: Rounds of that: what changes meanwhile is read again.
READS: Final = 3
#: Bytes, as JSON, of a service's children above which it is looked at in turn. A usual one has 20,000.
HEAVY: Final = 256 * 1024
#: Bytes in dictionaries that all of these have together, see Cache.spread; and what one is taken to have that is still to be read.
MOST_AT_ONCE: Final = 64 * 1024 * 1024
UNREAD_BYTES: Final = 4 * 1024 * 1024
#: Seconds until the next look, where the world moved on in each round of this one.
MOVING_PAUSE: Final = 1.0
#: The same, while its namespace is not known whole; it is looked at as soon as it is.
UNKNOWN_PAUSE: Final = 60.0


@dataclass(frozen=True)
class _Written:
    """What we last wrote as status, and what the server made of it: an older CRD prunes fields that it does not know.

    at: when; meant: with what it lacks of fields that it knows, None where it lacks nothing.
    """

    wanted: str
    stored: Any
    at: datetime
    meant: Body | None = None


@dataclass(frozen=True)
class _Entangled:
    """Other services that are in the same trouble as one of this generation."""

    names: frozenset[str]
    generation: int


_NOBODY = _Entangled(frozenset(), 0)


class Reconciler:
    """Brings one service at a time in line. Decides nothing: `core.plan` does.

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
        self._policy, self._metrics, self._recorder = policy, metrics, recorder
        self._now, self._crd_schema, self._is_known = now, crd_schema, is_known
        self._writer, self._lookout = Writer(api, cache, may_write), NamespaceReader(api)
        self._places = ReleaseSlots(releases, share)
        self._questions = Questions(prometheus or Prometheus(""), queue.add)
        self._status: dict[Key, _Written] = {}
        self._refused: dict[Key, frozenset[str]] = {}
        self._entangled: dict[Key, _Entangled] = {}
        self._unread: dict[Key, frozenset[str]] = {}
        self._lacked: dict[Key, dict[ChildKey, str]] = {}
        self._made: dict[Key, dict[ChildKey, Made]] = {}
        self._turns = Turns(MOST_AT_ONCE, queue.add)

    def resume(self) -> None:
        """Counts the releases at work that the cache knows of. To be called before the first reconcile of a leader."""
        for key in self._cache.services():
            body = self._cache.get(HARDENED_SERVICE, *key)
            status = (body or {}).get("status") or {}
            self._see_place(key, status)
            self._metrics.releases.saw(key, status, self._now())

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
                await self._complete(key)
                if self._cache.size(key) > HEAVY:
                    self._turns.hold(key, self._cache.spread(key))
                    await self._look(key)
                    return
            finally:
                self._turns.end(key)
        await self._look(key)

    async def _look(self, key: Key) -> None:
        await self._complete(key)
        body = self._cache.get(HARDENED_SERVICE, key.namespace, key.name)
        self._tell_of_unread(key, body)
        if body is None:
            await self._gone(key)
            return
        if body["metadata"].get("deletionTimestamp"):
            # A finalizer can hold it for ever, and nobody works for it any more.
            self._see_place(key, {})
        body = self._as_meant(key, body)
        observed = snapshot(
            body,
            self._cache.children(key.namespace, key.name),
            service=lambda name: self._cache.get(HARDENED_SERVICE, key.namespace, name),
            needs=lambda name: self._cache.needs(key.namespace, name),
            crd_schema=self._crd_schema(),
        )
        self._look_at_entangled(key, _entangled(body, observed), body["metadata"].get("generation", 0))
        decided, refusals = Plan(), Refusals(self._refused.get(key, frozenset()))
        for _ in range(ROUNDS):
            # Asked for right before each plan: the places are all services'.
            observed = replace(observed, has_slot=self._places.has_slot(key), made=dict(self._made.get(key, {})))
            decided = plan(body, observed, self._policy, self._now())
            match turn_of(decided):
                case Read(keys):
                    observed = await self._read(key, observed, keys, refusals)
                case Ask(queries):
                    samples, unanswered = await self._questions.ask(key, queries)
                    observed = replace(observed, samples=samples, unanswered=unanswered)
                case LookAround(config_maps):
                    observed = replace(observed, surroundings=await self._lookout.look(key.namespace, config_maps))
                case ListConstraints():
                    observed = await self._see_constraints(key, observed, refusals)
                case TryOut(pods):
                    observed = observed.with_tried(await self._lookout.refused(pods))
                case ListPods():
                    observed = await self._see_pods(key, observed, refusals)
                case Write():
                    body, observed = await self._execute(key, body, observed, decided, refusals)
                    body = self._as_meant(key, body)
                case TellFirst():
                    if await self._tell_first(key, body, decided, refusals):
                        self._queue.add(key)
                        break
                    # The server does not keep it, as under an older CRD: nothing can follow from it, and all else goes on.
                    observed = replace(observed, keeps_status=False)
                    self._queue.add_after(key, UNKEPT_PAUSE)
                case Tell():
                    await self._tell_last(key, body, decided, refusals)
                    break
                case other:
                    assert_never(other)
        else:
            self._queue.add_after(key, MOVING_PAUSE)
        if refusals.seen:
            self._refused[key] = refusals.seen
        else:
            self._refused.pop(key, None)
        if decided.requeue_after and not decided.is_status_first:
            self._queue.add_after(key, decided.requeue_after.total_seconds())
        refusals.raise_first()

    # ---- reading

    def _as_meant(self, key: Key, body: Body) -> Body:
        """The service with what its CRD could not keep of the status that this process wrote, as long as that status stands.

        Else a release would differ from what was written of it at every look, and never come to anything. A field of which nothing was
        kept is not added: nothing can follow from a release that the next process would know nothing of.
        """
        written = self._status.get(key)
        is_known = written is not None and written.meant is not None and body.get("status") == written.stored
        return body | {"status": written.meant} if written and is_known else body

    def _look_at_entangled(self, key: Key, names: frozenset[str], generation: int) -> None:
        """Has those looked at that share this one's trouble, or no longer do: nothing of themselves has changed that anybody would tell."""
        before = self._entangled.get(key, _NOBODY)
        now = _Entangled(names, generation) if names else _NOBODY
        if now == before:
            return
        self._entangled[key] = now
        if now is _NOBODY:
            del self._entangled[key]
        for name in before.names | now.names:
            self._queue.add(Key(key.namespace, name))

    async def _complete(self, key: Key) -> None:
        """Reads what the cache knows by name only. Once of each state of an object: its own writes are known without."""
        refused: set[Child | None] = set()
        for _ in range(READS):
            lacking = [child for child in self._cache.lacking(key) if child not in refused]
            slices = [child for child in lacking if child.kind == ENDPOINT_SLICE.name]
            if slices:
                # There is no right to get one.
                for live in (await self._api.list(ENDPOINT_SLICE, key.namespace, f"{names.SERVICE_LABEL}={key.name}")).items:
                    self._cache.wrote(ENDPOINT_SLICE, live)
            others = [child for child in lacking if child not in slices]
            for begin in range(0, len(others), AT_ONCE):
                refused.update(await asyncio.gather(*(self._complete_one(key, child) for child in others[begin : begin + AT_ONCE])))

    async def _complete_one(self, key: Key, child: Child) -> Child | None:
        """The child, where it may not be read."""
        kind = KINDS[child.kind]
        try:
            self._cache.wrote(kind, kind.named(await self._api.get(kind, key.namespace, child.name)))
        except Vanished:
            self._cache.deleted(kind, key.namespace, child.name, child.uid)
        except Refused as refusal:
            if refusal.reason == UNREADABLE:
                self._cache.unreadable(kind, key.namespace, child.name)
            logger.info("%s: done without it: %s", key, refusal)
            return child
        return None

    async def _read(self, key: Key, observed: Observed, wanted: frozenset[ChildKey], refusals: Refusals) -> Observed:
        """Wanted children that the caches lack: they may be there, unlabelled, or made a moment ago."""
        replies = await asyncio.gather(*(self._get(key, child) for child in sorted(wanted)))
        for child, live in replies:
            if isinstance(live, Refused):
                observed = refusals.read(observed, child, live)
            else:
                observed = observed.with_child(live) if live else observed.without_child(child)
        return observed

    async def _get(self, key: Key, child: ChildKey) -> tuple[ChildKey, Body | Refused | None]:
        try:
            live = await self._api.get(KINDS[child.kind], key.namespace, child.name)
        except Vanished:
            return child, None
        except Refused as refusal:
            return child, refusal
        live["metadata"].setdefault("managedFields", [])
        return child, KINDS[child.kind].named(live)

    async def _see_pods(self, key: Key, observed: Observed, refusals: Refusals) -> Observed:
        try:
            pods = await self._pods(key)
            return observed.with_pods(pods, await self._replica_sets(key))
        except (Refused, TryAgain) as failure:
            return refusals.pods(observed, failure)

    async def _see_constraints(self, key: Key, observed: Observed, refusals: Refusals) -> Observed:
        try:
            return replace(observed, constraints=await self._lookout.constraints(key.namespace))
        except (Refused, TryAgain) as failure:
            # All else goes on without the pods that are to be made: traffic may have to be led back.
            return refusals.constraints(replace(observed, constraints=Constraints(is_known=False)), failure)

    async def _pods(self, key: Key) -> list[Body]:
        # The application's: a verifier pod that has ended says nothing about why the service is not there.
        selector = f"{names.SERVICE_LABEL}={key.name},{names.COMPONENT_LABEL}=app"
        return (await self._api.list(POD, key.namespace, selector)).items

    async def _replica_sets(self, key: Key) -> list[Body] | None:
        """Those of the pods, listed after them: none of these is younger than its owner. None under the rights of an older chart."""
        try:
            return (await self._api.list(REPLICA_SET, key.namespace, f"{names.SERVICE_LABEL}={key.name}")).items
        except Refused as refusal:
            if refusal.status != 403:
                raise
            return None

    # ---- writing

    async def _execute(self, key: Key, body: Body, observed: Observed, decided: Plan, refusals: Refusals) -> tuple[Body, Observed]:
        """Writes all that the plan says, but for what is refused, and what needs that. The service and the world afterwards."""
        if decided.seed_replicas is not None:
            try:
                body = await self._writer.seed_replicas(key, body, decided.seed_replicas)
            except (Refused, TryAgain) as failure:
                observed = refusals.wrote(observed, ChildKey(HARDENED_SERVICE.name, key.name), failure)
        for batch in _batches(decided.apply):
            for step, outcome in zip(batch, await self._write(batch, observed), strict=True):
                child = key_of(step.manifest)
                match outcome:
                    case ChildKey():
                        observed = observed.with_refused(child, observed.refused[outcome])
                    case LookAgain() if step.is_new:
                        unread = frozenset(key_of(s.manifest) for s in decided.apply if s.is_new) - observed.children.keys()
                        return body, await self._read(key, observed, unread, refusals)
                    case Refused() | TryAgain() if step.is_optional:
                        self._done_without(key, step, outcome)
                        observed = observed.with_refused(child, outcome)
                    case Refused() | TryAgain():
                        observed = refusals.wrote(observed, child, outcome)
                    case BaseException():
                        raise outcome
                    case live:
                        observed = self._see(body, observed, step, live)
                        self._remember(key, step, live)
        return body, await self._tidy(key, observed, decided, refusals)

    async def _write(self, batch: Sequence[Apply], observed: Observed) -> list[Body | ChildKey | BaseException]:
        """What became of each, all at once: the object, or a failure, or what it needs and was refused. All have ended by then."""

        async def write(step: Apply) -> Body | ChildKey:
            lacks = next(iter(step.needs & observed.refused.keys()), None)
            return lacks or await self._writer.apply(step)

        return await asyncio.gather(*map(write, batch), return_exceptions=True)

    def _see(self, body: Body, observed: Observed, step: Apply, live: Body) -> Observed:
        """The world after a write that was taken."""
        observed = observed.with_child(live)
        contested = difference(step.wish, live)
        if contested:
            return observed.with_contested(key_of(step.manifest), contested)
        if step.repairs:
            self._tell_of_repair(body, step)
        return observed

    def _remember(self, key: Key, step: Apply, live: Body) -> None:
        """That a pod was made by this process: another one in its place is none that anybody asked for."""
        child = key_of(step.manifest)
        if child.kind != POD.name or not step.is_new:
            return
        known = self._made.setdefault(key, {})
        known.pop(child, None)
        own: Body = next((each for each in live["spec"]["containers"] if each["name"] == names.VERIFIER), {})
        known[child] = Made(live["metadata"]["uid"], own.get("image", ""))
        if len(known) > MOST_LACKED:
            del known[next(iter(known))]

    async def _tidy(self, key: Key, observed: Observed, decided: Plan, refusals: Refusals) -> Observed:
        """What a plan writes after its children."""
        for unwanted in decided.delete:
            try:
                await self._writer.delete(key, unwanted)
            except (Refused, TryAgain) as failure:
                observed = refusals.wrote(observed, unwanted.key, failure)
            else:
                observed = observed.without_child(unwanted.key)
        for pod in decided.end:
            try:
                observed = observed.with_child(await self._writer.end(key, pod))
            except (Refused, TryAgain) as failure:
                observed = refusals.wrote(observed, pod, failure)
        return observed

    def _done_without(self, key: Key, step: Apply, failure: ApiFailure) -> None:
        """Said once: it is tried again at every look."""
        known, child = self._lacked.setdefault(key, {}), key_of(step.manifest)
        if known.get(child) != str(failure):
            logger.info("%s: done without it: %s", key, failure)
        if len(known) > MOST_LACKED:
            known.clear()  # those of releases that are over
        known[child] = str(failure)

    # ---- telling

    async def _tell_first(self, key: Key, body: Body, decided: Plan, refusals: Refusals) -> bool:
        """Whether the status is written that the rest depends on."""
        try:
            return await self._tell(key, body, decided)
        except (Refused, TryAgain) as failure:
            refusals.status(failure)
            return False

    async def _tell_last(self, key: Key, body: Body, decided: Plan, refusals: Refusals) -> None:
        """Tells what is left to be told. Where it is not taken, the service is looked at again in time all the same."""
        try:
            await self._tell(key, body, decided)
            await self._answer_all(key, decided.answers)
        except (Refused, TryAgain) as failure:
            refusals.status(failure)

    async def _tell(self, key: Key, body: Body, decided: Plan) -> bool:
        """One status write, if it differs. Whether there was one. Other numbers alone wait for their time, or for something to be said."""
        if decided.status is None:
            return False
        self._metrics.set_phase(key, decided.status["phase"])
        before = body.get("status")
        self._metrics.releases.saw(key, before or {}, self._now())
        written = self._status.get(key)
        wanted = digest(decided.status, 64)
        # Taken before the status is written: while that is under way, others are planned.
        self._see_place(key, decided.status)
        if before == decided.status or (written and written.wanted == wanted and before in (written.stored, written.meant)):
            return False
        since = self._now() - written.at if written else NUMBERS_PAUSE
        if before and timedelta() <= since < NUMBERS_PAUSE and not has_news(before, decided.status):
            self._queue.add_after(key, (NUMBERS_PAUSE - since).total_seconds())
            return False
        try:
            told = await self._writer.apply_status(key, body, decided.status)
        except Vanished:
            await self._see_whether_it_is_gone(key, body)
            raise
        self._status[key] = _Written(wanted, told.live.get("status"), self._now(), told.meant)
        self._metrics.releases.saw(key, told.live.get("status") or {}, self._now())
        for event in status_events(before or {}, decided.status):
            self._recorder.record(body, event.type, event.reason, event.message)
        return True

    def _tell_of_unread(self, key: Key, body: Body | None) -> None:
        """Once of each object that belongs to it and cannot be read; of the service itself, where it cannot."""
        unread = self._cache.unread(key)
        known = self._unread.pop(key, frozenset())
        for one in unread:
            itself = HARDENED_SERVICE.named({"metadata": {"namespace": one.namespace, "name": one.name, "uid": one.uid}})
            whose = itself if one.kind == HARDENED_SERVICE else body
            if one.uid not in known and whose:
                self._recorder.record(whose, "Warning", "Unreadable", f"{one}; delete it, or write it anew")
        if unread:
            self._unread[key] = frozenset(one.uid for one in unread)

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

    async def _answer_all(self, key: Key, found: Iterable[ActionReply]) -> None:
        """To actions, once status says the same. One that may not be answered keeps no other one waiting.

        Raises the first refusal once all have had their turn.
        """
        refused: Refused | None = None
        for answer in found:
            try:
                await self._writer.answer(key.namespace, answer)
            except Refused as error:
                refused = refused or error
        if refused:
            raise refused

    def _failed(self, key: Key, failure: ApiFailure) -> None:
        self._metrics.reconcile_errors.labels(failure.reason or type(failure).__name__).inc()
        at_least = failure.retry_after if isinstance(failure, TryAgain) else None
        seconds = self._queue.retry(key, at_least)
        logger.info("%s: %s; again in %.1f s", key, failure, seconds)

    def _see_place(self, key: Key, status: Body) -> None:
        for waiting in self._places.saw(key, status):
            self._queue.add(waiting)

    async def _gone(self, key: Key) -> None:
        """No finalizer, nothing to do: the garbage collector removes the children by their owner. Actions may ask for what never was."""
        self._see_place(key, {})
        self._metrics.set_phase(key, None)
        self._metrics.releases.forget(key, self._now())
        self._status.pop(key, None)
        self._refused.pop(key, None)
        self._look_at_entangled(key, frozenset(), 0)
        self._lacked.pop(key, None)
        self._questions.forget(key)
        self._made.pop(key, None)
        found, look_at = answers(Observed.of(self._cache.children(key.namespace, key.name)).actions, (), None, self._now())
        await self._answer_all(key, found)
        if look_at:
            self._queue.add_after(key, max(0.0, (look_at - self._now()).total_seconds()))


def _entangled(body: Body, observed: Observed) -> frozenset[str]:
    """Those on a cycle of dependencies with it, and those that may want one of its names."""
    name = body["metadata"]["name"]
    return frozenset(cycle_of(body, observed.needs)) - {name} | (namesakes(name) & observed.services.keys())


def _batches(steps: Iterable[Apply]) -> Iterator[list[Apply]]:
    """The steps in order. Those of a batch are written at once, each batch after the one before."""
    for may_be_made_at_once, group in itertools.groupby(steps, key=lambda step: step.may_be_made_at_once):
        found = list(group)
        yield from [found] if may_be_made_at_once else ([step] for step in found)
