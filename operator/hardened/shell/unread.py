"""Objects that are there and cannot be read: known by name, and said once."""

import logging
from collections import OrderedDict
from collections.abc import Container
from dataclasses import dataclass
from typing import Final

from hardened.shell.kinds import Kind
from hardened.shell.object_id import ObjectId
from hardened.shell.workqueue import Key

logger = logging.getLogger(__name__)

#: How many objects that cannot be read are known by name. About 500 bytes each.
MOST_UNREAD: Final = 1000


@dataclass(frozen=True, slots=True)
class Unread:
    """An object that is there and cannot be read."""

    kind: Kind
    namespace: str
    name: str
    uid: str
    version: str
    key: Key | None
    why: str
    """After `it`."""

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name} is left out: it {self.why}"


class UnreadObjects:
    """The last MOST_UNREAD of them."""

    def __init__(self) -> None:
        self._known: OrderedDict[ObjectId, Unread] = OrderedDict()

    def __contains__(self, this: ObjectId) -> bool:
        return this in self._known

    def of(self, key: Key) -> tuple[Unread, ...]:
        """Those that belong to a service, itself included."""
        return tuple(unread for unread in self._known.values() if unread.key == key)

    def count(self, kind: str) -> int:
        """How many of this kind, by its name."""
        return sum(unread.kind.name == kind for unread in tuple(self._known.values()))

    def is_known(self, this: ObjectId, uid: str, version: str) -> bool:
        """Whether it is known that this very state of the object cannot be read."""
        unread = self._known.get(this)
        return unread is not None and (unread.uid, unread.version) == (uid, version)

    def add(self, unread: Unread) -> bool:
        """Whether it is news."""
        this = (unread.kind.name, unread.namespace, unread.name)
        known = self._known.pop(this, None)
        self._known[this] = unread
        while len(self._known) > MOST_UNREAD:
            self._known.popitem(last=False)
        if known is not None and known.uid == unread.uid:
            return False
        logger.warning("%s", unread)
        return True

    def drop(self, this: ObjectId) -> None:
        """It can be read."""
        self._known.pop(this, None)

    def drop_gone(self, this: ObjectId, uid: str) -> Unread | None:
        """This object is gone. What was known of it, None where it was not known."""
        unread = self._known.get(this)
        if unread is None or unread.uid != uid:
            return None
        return self._known.pop(this)

    def drop_unlisted(self, kind: Kind, namespace: str | None, listed: Container[ObjectId]) -> None:
        """All of a kind was listed in this namespace (None: in all)."""
        for this in [known for known in self._known if known[0] == kind.name and known not in listed and namespace in (None, known[1])]:
            del self._known[this]
