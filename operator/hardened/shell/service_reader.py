"""What a look at one service reads, beside what the caches know."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from hardened.api import names
from hardened.core.model.manifest import ChildKey
from hardened.core.model.measurement import Query
from hardened.core.model.question import ReadLog
from hardened.core.observe.observed import Constraints, Observed
from hardened.errors import ApiFailure, Refused, TryAgain, Vanished
from hardened.shell.api_server import ApiServer, Body
from hardened.shell.kinds import KINDS, POD, REPLICA_SET
from hardened.shell.namespace_reader import NamespaceReader
from hardened.shell.questions import Questions
from hardened.shell.refusals import Refusals
from hardened.shell.workqueue import Key

logger = logging.getLogger(__name__)

#: How long the log of a pod is waited for, which its node has to send, in seconds; and the most of it that is read, in bytes.
LOG_SECONDS: Final = 5.0
LOG_BYTES: Final = 16 * 1024


class ServiceReader:
    """A core.look.Reader: answers what one look at one service asks. What may not be read is done without, see Refusals."""

    def __init__(self, key: Key, api: ApiServer, namespaces: NamespaceReader, questions: Questions, refusals: Refusals) -> None:
        self._key, self._api, self._namespaces = key, api, namespaces
        self._questions, self._refusals = questions, refusals

    async def read_children(self, observed: Observed, keys: frozenset[ChildKey]) -> Observed:
        replies = await asyncio.gather(*(self._get(child) for child in sorted(keys)))
        for child, live in replies:
            match live:
                # A chart from before the operator knew of the kind: nothing else waits for it, and status says so.
                case Refused() if live.status == 403 and KINDS[child.kind].is_optional:
                    observed = observed.with_hidden(child)
                case Refused():
                    observed = self._refusals.read(observed, child, live)
                case Vanished():
                    # Of a kind that it does not know the server says no more than the code.
                    observed = observed.with_gone(child, is_kind_known=bool(live.reason) or not KINDS[child.kind].is_optional)
                case _:
                    observed = observed.with_child(live)
        return observed

    async def ask_prometheus(self, observed: Observed, queries: tuple[Query, ...]) -> Observed:
        samples, unanswered = await self._questions.ask(self._key, queries)
        return replace(observed, samples=samples, unanswered=unanswered)

    async def read_namespace(self, observed: Observed, config_maps: frozenset[str]) -> Observed:
        return replace(observed, namespace_snapshot=await self._namespaces.look(self._key.namespace, config_maps))

    async def list_constraints(self, observed: Observed) -> Observed:
        try:
            return replace(observed, constraints=await self._namespaces.constraints(self._key.namespace))
        except (Refused, TryAgain) as failure:
            # All else goes on without the pods that are to be made: traffic may have to be led back.
            return self._refusals.constraints(replace(observed, constraints=Constraints(is_known=False)), failure)

    async def try_pods(self, observed: Observed, pods: tuple[Body, ...]) -> Observed:
        return observed.with_tried(await self._namespaces.refused(pods))

    async def list_pods(self, observed: Observed) -> Observed:
        try:
            pods = await self._pods()
            return observed.with_pods(pods, await self._replica_sets())
        except (Refused, TryAgain) as failure:
            return self._refusals.pods(observed, failure)

    async def list_mounts(self, observed: Observed) -> Observed:
        try:
            owners = await self._replica_sets()
            return observed.with_mounts((await self._api.list(POD, self._key.namespace, "")).items, owners)
        except (Refused, TryAgain) as failure:
            return self._refusals.pods(observed, failure)

    async def list_former(self, observed: Observed, selector: Mapping[str, str]) -> Observed:
        wanted = ",".join(f"{name}={value}" for name, value in sorted(selector.items()))
        try:
            return replace(observed, former=tuple((await self._api.list(POD, self._key.namespace, wanted)).items))
        except (Refused, TryAgain) as failure:
            # Nothing waits for it: who served before goes on, and is told of later.
            logger.info("%s: the pods that its Service led to before cannot be listed: %s", self._key, failure)
            return replace(observed, sees_former=False)

    async def read_log(self, observed: Observed, wanted: ReadLog) -> Observed:
        try:
            async with asyncio.timeout(LOG_SECONDS):
                log = await self._api.log(
                    self._key.namespace,
                    wanted.pod,
                    wanted.container,
                    is_previous=wanted.is_previous,
                    lines=wanted.lines,
                    most=LOG_BYTES,
                )
        except (ApiFailure, TimeoutError) as failure:
            # Why a revision is rejected is known without it; nothing waits for a node that does not answer.
            logger.info("%s: the log of pod %s cannot be read: %s", self._key, wanted.pod, failure)
            log = ""
        return replace(observed, crash_log=log)

    async def _get(self, child: ChildKey) -> tuple[ChildKey, Body | Refused | Vanished]:
        try:
            live = await self._api.get(KINDS[child.kind], self._key.namespace, child.name)
        except (Refused, Vanished) as failure:
            return child, failure
        live["metadata"].setdefault("managedFields", [])
        return child, KINDS[child.kind].named(live)

    async def _pods(self) -> list[Body]:
        # The application's: a verifier pod that has ended says nothing about why the service is not there.
        selector = f"{names.SERVICE_LABEL}={self._key.name},{names.COMPONENT_LABEL}=app"
        return (await self._api.list(POD, self._key.namespace, selector)).items

    async def _replica_sets(self) -> list[Body] | None:
        """Those of the pods, listed after them: none of these is younger than its owner. None under the rights of an older chart."""
        try:
            return (await self._api.list(REPLICA_SET, self._key.namespace, f"{names.SERVICE_LABEL}={self._key.name}")).items
        except Refused as refusal:
            if refusal.status != 403:
                raise
            return None
