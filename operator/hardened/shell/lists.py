"""kopf's lists, taken into the cache on their way.

kopf tells of what a list has and never of what it lacks: of a deletion between two watches nobody would hear until the next resync. And it
holds all objects until each has had a task of its own: at 1,000 services, 7,000 tasks and half as much memory again. So kopf gets to see
the lists without their objects.
"""

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import aiohttp

from hardened.shell.cache import Cache, Listing
from hardened.shell.kinds import Kind
from hardened.shell.workqueue import WorkQueue


class Lists:
    """For all sessions of one process. kinds: whose lists are taken."""

    def __init__(self, cache: Cache, queue: WorkQueue, kinds: Iterable[Kind]) -> None:
        self._cache, self._queue = cache, queue
        self._kinds = {kind.plural: kind for kind in kinds}
        self._open: dict[str, tuple[Kind, Listing]] = {}  # by path: kopf lists, then watches, each kind in each namespace

    async def asked(self, _: aiohttp.ClientSession, __: SimpleNamespace, params: aiohttp.TraceRequestStartParams) -> None:
        """A request is about to be sent; where it begins a list, what is written from now on is not dropped by it."""
        path, query = params.url.path, params.url.query
        parts = path.split("/")
        kind = self._kinds.get(parts[-1])
        if kind and params.method == "GET" and not {"watch", "continue"} & query.keys():
            namespaces = (parts[-2],) if parts[-3] == "namespaces" else None
            self._open[path] = (kind, self._cache.listing(kind, namespaces))

    def taken(self, path: str, page: Any) -> Any:
        """What kopf gets to see of a reply with status 200: of a list, everything but its objects."""
        kind, listing = self._open.get(path, (None, None))
        meta = page.get("metadata") or {}
        if kind is None or listing is None or page.get("kind") != f"{kind.name}List" or not meta.get("resourceVersion"):
            return page
        keys = listing.take(map(kind.named, page.get("items") or ()))
        if not meta.get("continue"):
            keys |= listing.end(meta["resourceVersion"])
            del self._open[path]
        for key in keys:
            self._queue.add(key)
        return page | {"items": []}

    def response_class(self) -> type[aiohttp.ClientResponse]:
        """What aiohttp makes the session's responses of."""
        taken = self.taken

        class Response(aiohttp.ClientResponse):
            async def json(self, **how: Any) -> Any:
                page = await super().json(**how)
                return taken(self.url.path, page) if self.status == 200 and isinstance(page, dict) else page

        return Response
