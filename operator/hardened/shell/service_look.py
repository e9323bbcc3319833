"""One look at one service: what its plan says is written, and told."""

import asyncio
import itertools
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from hardened.core.look import look
from hardened.core.model.manifest import ChildKey, key_of
from hardened.core.observe.compare import difference
from hardened.core.observe.observed import Observed
from hardened.core.plan import Plan, plan
from hardened.core.writes.write import Apply
from hardened.errors import LookAgain, Refused, TryAgain
from hardened.shell.api_server import Body
from hardened.shell.kinds import HARDENED_SERVICE, POD
from hardened.shell.refusals import Refusals
from hardened.shell.remembered import Remembered
from hardened.shell.service_reader import ServiceReader
from hardened.shell.shared import Shared
from hardened.shell.status_writer import StatusWriter
from hardened.shell.workqueue import Key

logger = logging.getLogger(__name__)

#: Plans in one look: questions, writes, and what was written; the rest is for a world that moves meanwhile.
ROUNDS: Final = 12
#: Seconds between two attempts at a status that the server does not keep, as under an older CRD.
UNKEPT_PAUSE: Final = 15.0
#: Seconds until the next look, where the world moved on in each round of this one.
MOVING_PAUSE: Final = 1.0


class ServiceLook:
    """A core.look.Looker. Decides nothing: `core.plan` does.

    body: the service as it is known, see Remembered.as_meant; known: what is remembered of it.
    """

    def __init__(self, shared: Shared, key: Key, body: Body, known: Remembered) -> None:
        self._shared, self._key, self._body, self._known = shared, key, body, known
        self._refusals = Refusals(known.refused)
        self._reader = ServiceReader(key, shared.api, shared.namespaces, shared.questions, self._refusals)
        self._status = StatusWriter(shared, key, known)
        self._last = Plan()

    async def take(self, observed: Observed) -> None:
        """Until nothing is left to do. Puts the service back into the queue where it is to be looked at later.

        Raises what failed first, so that it is tried again later, once all else is done; and at once what would fail for all else.
        """
        if await look(self, self._reader, observed, ROUNDS) is None:
            self._shared.queue.add_after(self._key, MOVING_PAUSE)
        self._known.refused = self._refusals.seen
        if self._last.requeue_after and not self._last.is_status_first:
            self._shared.queue.add_after(self._key, self._last.requeue_after.total_seconds())
        self._refusals.raise_first()

    def plan(self, observed: Observed) -> Plan:
        # Asked for right before each plan: the slots are all services'.
        has_slot, made = self._shared.slots.has_slot(self._key), dict(self._known.made)
        observed = replace(observed, has_slot=has_slot, made=made, unkept=self._known.unkept)
        self._last = plan(self._body, observed, self._shared.policy, self._shared.now())
        return self._last

    # ---- writing

    async def write(self, observed: Observed, decided: Plan) -> Observed:
        """All that the plan says, but for what is refused, and what needs that."""
        observed = await self._seed_replicas(observed, decided)
        for batch in _batches(decided.apply):
            for step, outcome in zip(batch, await self._apply(batch, observed), strict=True):
                if isinstance(outcome, LookAgain) and step.is_new:
                    unread = frozenset(key_of(each.manifest) for each in decided.apply if each.is_new) - observed.children.keys()
                    return await self._reader.read_children(observed, unread)
                observed = self._after(observed, step, outcome)
        return await self._let_go(await self._end(await self._delete(observed, decided), decided), decided)

    async def _seed_replicas(self, observed: Observed, decided: Plan) -> Observed:
        if decided.seed_replicas is not None:
            try:
                self._body = self._known.as_meant(await self._shared.writer.seed_replicas(self._key, self._body, decided.seed_replicas))
            except (Refused, TryAgain) as failure:
                return self._refusals.wrote(observed, ChildKey(HARDENED_SERVICE.name, self._key.name), failure)
        return observed

    async def _apply(self, batch: Sequence[Apply], observed: Observed) -> list[Body | ChildKey | BaseException]:
        """What became of each, all at once: the object, or a failure, or what it needs and was refused. All have ended by then."""

        async def apply(step: Apply) -> Body | ChildKey:
            lacks = next(iter(step.needs & observed.refused.keys()), None)
            return lacks or await self._shared.writer.apply(step)

        return await asyncio.gather(*map(apply, batch), return_exceptions=True)

    def _after(self, observed: Observed, step: Apply, outcome: Body | ChildKey | BaseException) -> Observed:
        """The world after one of them."""
        child = key_of(step.manifest)
        match outcome:
            case ChildKey():
                return observed.with_refused(child, observed.refused[outcome])
            case Refused() | TryAgain() if step.is_optional:
                if self._known.did_without(child, outcome):
                    logger.info("%s: done without it: %s", self._key, outcome)
                return observed.with_refused(child, outcome)
            case Refused() | TryAgain():
                return self._refusals.wrote(observed, child, outcome)
            case BaseException():
                raise outcome
            case live:
                if child.kind == POD.name and step.is_new:
                    self._known.made_pod(child, live)
                return self._saw(observed, step, live)

    def _saw(self, observed: Observed, step: Apply, live: Body) -> Observed:
        """The world after a write that was taken."""
        observed = observed.with_child(live)
        contested = difference(step.wish, live)
        if contested:
            return observed.with_contested(key_of(step.manifest), contested)
        if step.repairs:
            kind, name = key_of(step.manifest)
            self._shared.metrics.repairs.labels(kind).inc()
            text = f"{kind} {name}: somebody else changed {step.repairs}; the operator set it back"
            self._shared.recorder.record(self._body, "Warning", "Repaired", text)
        return observed

    async def _delete(self, observed: Observed, decided: Plan) -> Observed:
        for unwanted in decided.delete:
            try:
                await self._shared.writer.delete(self._key, unwanted)
            except (Refused, TryAgain) as failure:
                observed = self._refusals.wrote(observed, unwanted.key, failure)
            else:
                observed = observed.without_child(unwanted.key)
        return observed

    async def _end(self, observed: Observed, decided: Plan) -> Observed:
        for pod in decided.end:
            try:
                observed = observed.with_child(await self._shared.writer.end(self._key, pod))
            except (Refused, TryAgain) as failure:
                observed = self._refusals.wrote(observed, pod, failure)
        return observed

    async def _let_go(self, observed: Observed, decided: Plan) -> Observed:
        if decided.let_go:
            try:
                return observed.with_child(await self._shared.writer.let_go(self._key, decided.let_go))
            except (Refused, TryAgain) as failure:
                return self._refusals.wrote(observed, decided.let_go.key, failure)
        return observed

    # ---- telling

    async def tell(self, observed: Observed, decided: Plan) -> Observed | None:
        if not decided.is_status_first:
            await self._tell_last(decided)
            return None
        if await self._tell_first(decided):
            self._shared.queue.add(self._key)
            return None
        # The server does not keep it, as under an older CRD: nothing can follow from it, and all else goes on.
        self._shared.queue.add_after(self._key, UNKEPT_PAUSE)
        return replace(observed, keeps_status=False)

    async def _tell_first(self, decided: Plan) -> bool:
        """Whether the status is written that the rest depends on."""
        try:
            return await self._status.tell(self._body, decided.status)
        except (Refused, TryAgain) as failure:
            self._refusals.status(failure)
            return False

    async def _tell_last(self, decided: Plan) -> None:
        """Tells what is left to be told. Where it is not taken, the service is looked at again in time all the same."""
        try:
            await self._status.tell(self._body, decided.status)
            await self._shared.writer.answer_all(self._key.namespace, decided.answers)
        except (Refused, TryAgain) as failure:
            self._refusals.status(failure)


def _batches(steps: Iterable[Apply]) -> Iterator[list[Apply]]:
    """The steps in order. Those of a batch are written at once, each batch after the one before."""
    for may_be_made_at_once, group in itertools.groupby(steps, key=lambda step: step.may_be_made_at_once):
        found = list(group)
        yield from [found] if may_be_made_at_once else ([step] for step in found)
