"""What is known not to be there any more: late news does not bring it back."""

from collections import OrderedDict
from typing import Final

from hardened.shell.api_server import Body
from hardened.shell.kinds import Kind
from hardened.shell.object_id import number_of, version_of

#: How many deleted objects are remembered: at 1,000 services, all their children deleted once. About 100 bytes each.
TOMBSTONES: Final = 10_000


class Tombstones:
    """Deleted objects, and what complete lists lacked. limit: how many of the former are remembered."""

    def __init__(self, limit: int = TOMBSTONES) -> None:
        self._limit = limit
        self._ends: OrderedDict[str, int | None] = OrderedDict()  # uid -> resourceVersion of its end; None: we were told it is gone
        self._floors: dict[tuple[str, str | None], int] = {}  # kind, namespace or None for all -> resourceVersion of the last complete list

    def bury(self, uid: str, version: int | None) -> None:
        """An object is gone. version: the resourceVersion of its end, None where no later state of it is to be believed."""
        self._ends[uid] = version
        self._ends.move_to_end(uid)
        while len(self._ends) > self._limit:
            self._ends.popitem(last=False)

    def has_buried(self, meta: Body) -> bool:
        """Whether an object with this metadata is gone: it shows no later state than that."""
        if meta["uid"] not in self._ends:
            return False
        ended, version = self._ends[meta["uid"]], version_of(meta)
        if ended is None:
            return "deletionTimestamp" not in meta
        return not version.isdecimal() or int(version) <= ended

    def listed(self, kind: Kind, namespace: str | None, version: int) -> None:
        """All of a kind was listed in this namespace (None: in all), as it was at this resourceVersion."""
        self._floors[kind.name, namespace] = max(version, self._floors.get((kind.name, namespace), 0))

    def is_old_news(self, kind: Kind, meta: Body, as_of: int) -> bool:
        """Whether an object that is not known was deleted before the last complete list. as_of: it was there until then, 0 for unknown."""
        floor = max(self._floors.get((kind.name, scope), 0) for scope in (None, meta["namespace"]))
        return as_of < floor and number_of(version_of(meta), floor + 1) <= floor
