"""Complete lists: at start, so that nothing is decided on half a world, and from time to time, since a watch can miss a deletion."""

import asyncio
import logging
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from hardened.api import names
from hardened.errors import ApiFailure, Refused, TryAgain, Vanished
from hardened.shell.api_server import ApiServer
from hardened.shell.cache import Cache, Listing
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
        self._scopes: tuple[str | None, ...] = tuple(namespaces) or (None,)
        self._unknown: set[str | None] = set(self._scopes)  # not listed whole yet
        self._stale: set[str | None] = set()  # whose specs could not be listed when a leader began
        self._has_begun = asyncio.Event()  # so: `run` may sleep until its next round
        self._failed: dict[str | None, ApiFailure] = {}  # at the last attempt
        self._period, self._rng = period, rng
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
        """Lists again and again, and looks at every service each time; meanwhile, what has not been listed since it was to be."""
        pause, clock = self._period, asyncio.get_running_loop().time
        while True:
            ends = clock() + pause * self._rng.uniform(0.9, 1.1)
            while (pause := ends - clock()) > 0:
                left = self._unknown | self._stale
                if not left or pause <= RETRY_PAUSE:
                    await self._sleep(pause)
                    continue
                is_refused = all(isinstance(self._failed.get(scope), Refused) for scope in left)
                await asyncio.sleep(RETRY_PAUSE if is_refused else LAST_PAUSE)
                await self._catch_up(saw)
            pause = self._period
            try:
                await self.once(saw)
            except ApiFailure as failure:
                logger.warning("the resync is put off: %s", failure)
                pause = min(self._period, RETRY_PAUSE)

    async def once(self, saw: Callable[[str], None]) -> None:
        """One complete round. Raises ApiFailure; the kinds listed until then are in the cache."""
        await self._round(WATCHED, self._scopes, saw)
        self.crd_schema = await self._schema()
        for key in self._cache.services():
            self._queue.add(key)

    async def services(self) -> None:
        """Lists the HardenedServices alone, and looks at those that changed. Raises ApiFailure."""
        try:
            await self._round((HARDENED_SERVICE,), self._scopes, lambda _: None, self._stale)
        finally:
            self._has_begun.set()

    def is_known(self, namespace: str) -> bool:
        """Whether all of this namespace has been listed, and its specs when they were to be: nothing is to be decided on half of it."""
        return not {namespace, None} & (self._unknown | self._stale)

    async def _sleep(self, seconds: float) -> None:
        """So long, or until a leader begins."""
        self._has_begun.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._has_begun.wait()

    async def _catch_up(self, saw: Callable[[str], None]) -> None:
        unknown = sorted(self._unknown | self._stale, key=str)
        with suppress(ApiFailure):
            await self._round(WATCHED, unknown, saw)
        for key in self._cache.services():
            if key.namespace in unknown and self.is_known(key.namespace):
                self._queue.add(key)

    async def _round(
        self, kinds: Sequence[Kind], scopes: Sequence[str | None], saw: Callable[[str], None], failed: set[str | None] | None = None
    ) -> None:
        """A namespace that cannot be listed, whatever the reason, does not hold up the others; all of them together do.

        failed: gets those that could not be listed, and loses those that could.
        """
        failures = []
        for scope in scopes:
            try:
                for kind in kinds:
                    await self._list(kind, scope)
                    saw(kind.plural)
            except (Refused, TryAgain) as failure:
                if scope is not None and str(failure) != str(self._failed.get(scope)):
                    logger.warning("namespace %s is left out: %s", scope, failure)
                self._failed[scope] = failure
                failures.append(failure)
                if failed is not None:
                    failed.add(scope)
            else:
                self._failed.pop(scope, None)
                self._stale.discard(scope)
                if failed is None:
                    self._unknown.discard(scope)
        if failures and len(failures) >= len(scopes):
            raise failures[0]

    async def _list(self, kind: Kind, namespace: str | None) -> None:
        try:
            try:
                await self._take(kind, namespace)
            except TryAgain as failure:
                if failure.status != 410:
                    raise
                await self._take(kind, namespace)
        except (Vanished, Refused) as failure:
            if kind not in OPTIONAL:
                raise
            logger.info("%s are left out: %s", kind.plural, failure)

    async def _take(self, kind: Kind, namespace: str | None) -> None:
        """Page by page: the whole can be larger than the memory."""
        listing: Listing | None = None
        async for page in self._api.pages(kind, namespace, SELECTORS[kind]):
            listing = listing or self._cache.listing(kind, namespace, page.version)
            for key in listing.take(page.items):
                self._queue.add(key)
        for key in listing.end() if listing else ():
            self._queue.add(key)

    async def _schema(self) -> str:
        """The schema revision of the CRD; "" where the operator may not read it."""
        try:
            crd = await self._api.get(CUSTOM_RESOURCE_DEFINITION, None, CRD_NAME)
        except (Vanished, Refused):
            return ""
        return str((crd["metadata"].get("annotations") or {}).get(names.SCHEMA_ANNOTATION, "0"))
