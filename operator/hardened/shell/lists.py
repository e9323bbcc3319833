"""kopf's lists, taken into the cache on their way.

kopf tells of what a list has and never of what it lacks: of a deletion between two watches nobody would hear until the next resync. And it
holds all objects until each has had a task of its own: at 1,000 services, 7,000 tasks and half as much memory again. So kopf gets to see
the lists without their objects.
"""

from collections.abc import Iterable
from typing import Any

from hardened.shell.cache import PARTIAL, Cache, Listing
from hardened.shell.kinds import Kind
from hardened.shell.workqueue import WorkQueue


class Lists:
    """For all sessions of one process. kinds: whose lists are taken."""

    def __init__(self, cache: Cache, queue: WorkQueue, kinds: Iterable[Kind]) -> None:
        self._cache, self._queue = cache, queue
        self._kinds = {kind.plural: kind for kind in kinds}
        self._open: dict[str, Listing] = {}  # by path: kopf lists, then watches, each kind in each namespace

    def taken(self, path: str, page: Any, *, is_first: bool) -> Any:
        """What kopf gets to see of a reply with status 200: of a list, everything but its objects. is_first: of a list's pages."""
        parts = path.split("/")
        kind = self._kinds.get(parts[-1])
        meta = page.get("metadata") or {}
        version = str(meta.get("resourceVersion", ""))
        if kind is None or page.get("kind") not in (f"{kind.name}List", f"{PARTIAL}List") or not version.isdecimal():
            return page
        if is_first:
            self._open[path] = self._cache.listing(kind, parts[-2] if parts[-3] == "namespaces" else None, version)
        listing = self._open.get(path)
        if listing is None:
            return page
        keys = listing.take(page.get("items") or ())
        if not meta.get("continue"):
            keys |= listing.end()
            del self._open[path]
        for key in keys:
            self._queue.add(key)
        return page | {"items": []}
