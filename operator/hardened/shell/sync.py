"""Complete lists: at start, so that nothing is decided on half a world, and from time to time, since a watch can miss a deletion."""

import asyncio
import logging
import random
from collections.abc import Callable, Sequence
from typing import Final

from hardened.api import names
from hardened.errors import ApiFailure, Refused, Vanished
from hardened.shell.api_server import ApiServer
from hardened.shell.cache import Cache
from hardened.shell.kinds import CUSTOM_RESOURCE_DEFINITION, HARDENED_SERVICE, Kind
from hardened.shell.watches import OPTIONAL, SELECTORS, WATCHED
from hardened.shell.workqueue import WorkQueue

logger = logging.getLogger(__name__)

CRD_NAME: Final = f"{names.PLURAL}.{names.GROUP}"
FIRST_PAUSE: Final = 1.0
#: The bound keeps the promise that 5 s after an outage changes are heard of again, also by a process that started in it.
LAST_PAUSE: Final = 3.0
#: Between two attempts at a later round: what a watch has missed is not to stay unheard of for another period.
RETRY_PAUSE: Final = 15.0


class Sync:
    """Lists every watched kind into the cache. namespaces: empty for the whole cluster; period: seconds between two rounds."""

    def __init__(
        self, api: ApiServer, cache: Cache, queue: WorkQueue, *, namespaces: Sequence[str], period: float, rng: random.Random
    ) -> None:
        self._api, self._cache, self._queue = api, cache, queue
        self._namespaces, self._period, self._rng = tuple(namespaces), period, rng
        self.crd_schema = ""

    async def first(self, saw: Callable[[str], None]) -> None:
        """Lists until it succeeds. saw: told the plural of each kind that was listed."""
        pause = FIRST_PAUSE
        while True:
            try:
                await self.once(saw)
                return
            except Vanished as failure:
                logger.warning("%s; is the CRD installed? `hardenctl check` tells; again in %.0f s", failure, pause)
            except ApiFailure as failure:
                logger.warning("%s; again in %.0f s", failure, pause)
            await asyncio.sleep(pause * self._rng.uniform(0.8, 1.2))
            pause = min(LAST_PAUSE, 2 * pause)

    async def run(self, saw: Callable[[str], None]) -> None:
        """Lists again and again, and looks at every service each time."""
        pause = self._period
        while True:
            await asyncio.sleep(pause * self._rng.uniform(0.9, 1.1))
            pause = self._period
            try:
                await self.once(saw)
            except ApiFailure as failure:
                logger.warning("the resync is put off: %s", failure)
                pause = min(self._period, RETRY_PAUSE)

    async def once(self, saw: Callable[[str], None]) -> None:
        """One complete round. Raises ApiFailure; the kinds listed until then are in the cache."""
        await self._round(WATCHED, saw)
        self.crd_schema = await self._schema()
        for key in self._cache.services():
            self._queue.add(key)

    async def services(self) -> None:
        """Lists the HardenedServices alone, and looks at those that changed. Raises ApiFailure."""
        await self._round((HARDENED_SERVICE,), lambda _: None)

    async def _round(self, kinds: Sequence[Kind], saw: Callable[[str], None]) -> None:
        """A namespace that may not be read, since it is gone or its rights are, does not hold up the others; all of them together do."""
        refusals = []
        for namespace in self._namespaces or (None,):
            try:
                for kind in kinds:
                    await self._list(kind, namespace)
                    saw(kind.plural)
            except Refused as refusal:
                logger.warning("namespace %s is left out: %s", namespace, refusal)
                refusals.append(refusal)
        if refusals and len(refusals) >= len(self._namespaces):
            raise refusals[0]

    async def _list(self, kind: Kind, namespace: str | None) -> None:
        try:
            found = await self._api.list(kind, namespace, SELECTORS[kind])
        except (Vanished, Refused) as failure:
            if kind not in OPTIONAL:
                raise
            logger.info("%s are left out: %s", kind.plural, failure)
            return
        listing = self._cache.listing(kind, namespace, found.version)
        for key in listing.take(found.items) | listing.end():
            self._queue.add(key)

    async def _schema(self) -> str:
        """The schema revision of the CRD; "" where the operator may not read it."""
        try:
            crd = await self._api.get(CUSTOM_RESOURCE_DEFINITION, None, CRD_NAME)
        except (Vanished, Refused):
            return ""
        return str((crd["metadata"].get("annotations") or {}).get(names.SCHEMA_ANNOTATION, "0"))
