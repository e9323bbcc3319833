"""Objects as the cache holds them: by name, and by the service they belong to, with the bytes that its children have."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, NamedTuple

from hardened.shell.api_server import Body
from hardened.shell.kinds import HARDENED_SERVICE, HARDENED_SERVICE_ACTION, Kind
from hardened.shell.object_id import ObjectId, version_of
from hardened.shell.workqueue import Key

#: Bytes of a field, or of an object or list, as dictionaries have them; and what each of these begins with in a text.
BYTES_OF_ONE: Final = 100
_BEGINS: Final = (b'":', b"{", b"[")
_NONE: Final[Mapping[ObjectId, "Entry"]] = MappingProxyType({})


@dataclass(slots=True)
class Entry:
    """One object."""

    text: bytes | None
    """The body as JSON: a sixth of the dictionaries' memory; None: known by name only."""
    uid: str
    version: str
    """Its resourceVersion."""
    key: Key | None
    """The service that it belongs to; itself, where it is one."""
    needs: frozenset[str] = frozenset()
    """Of a HardenedService: those that it depends on."""
    is_lacking: bool = False
    """Whether its body is to be read before anything is decided about its service."""

    @property
    def size(self) -> int:
        """Bytes of the body that is known."""
        return len(self.text or b"")

    @property
    def spread(self) -> int:
        """About how many bytes that has as dictionaries."""
        return self.size + BYTES_OF_ONE * sum(map((self.text or b"").count, _BEGINS))

    @property
    def body(self) -> Body | None:
        """A copy of its own."""
        body: Body | None = None if self.text is None else json.loads(self.text)
        return body

    def is_before(self, meta: Body) -> bool:
        """Whether `meta`, of the same name, is later. resourceVersions grow across all objects of a kind, whatever their uid."""
        mine, theirs = self.version, version_of(meta)
        if mine.isdecimal() and theirs.isdecimal():
            return int(theirs) > int(mine)
        return theirs != mine or meta["uid"] != self.uid

    def is_same_as(self, other: "Entry") -> bool:
        """Whether the bodies of both are known, and differ in nothing but their versions."""
        mine, theirs = self.body, other.body
        return mine is not None and theirs is not None and _unversioned(mine) == _unversioned(theirs)

    def lacks(self, meta: Body) -> bool:
        """Whether `meta` is that of the body which is to be read."""
        return self.is_lacking and (meta["uid"], version_of(meta)) == (self.uid, self.version)


class Child(NamedTuple):
    """Whom to read."""

    kind: str
    """Its name."""
    name: str
    uid: str


def _unversioned(body: Body) -> Body:
    return body | {"metadata": {name: value for name, value in body["metadata"].items() if name != "resourceVersion"}}


class Entries:
    """A HardenedService stands for itself; every other object is a child of the service that it belongs to."""

    def __init__(self) -> None:
        self._all: dict[ObjectId, Entry] = {}
        self._children: dict[Key, dict[ObjectId, Entry]] = {}
        self._sizes: Counter[Key | str] = Counter()  # bytes of the children of a service, and of those of a namespace

    def __len__(self) -> int:
        return len(self._all)

    def get(self, this: ObjectId) -> Entry | None:
        return self._all.get(this)

    def items(self, kind: Kind) -> Iterator[tuple[ObjectId, Entry]]:
        """Those of one kind."""
        return ((this, entry) for this, entry in self._all.items() if this[0] == kind.name)

    def children(self, key: Key) -> Mapping[ObjectId, Entry]:
        """Those of a service, whether it is known or not."""
        return self._children.get(key, _NONE)

    def size(self, whose: Key | str) -> int:
        """Bytes of the bodies that are known of the children of a service, or of all services of a namespace."""
        return self._sizes[whose]

    def put(self, this: ObjectId, entry: Entry) -> None:
        """Takes an object, or its next state. What is known by name only of the children of a new service is needed from now on."""
        is_new = this not in self._all
        self._all[this] = entry
        if entry.key is None:
            return
        if this[0] != HARDENED_SERVICE.name:
            self._children.setdefault(entry.key, {})[this] = entry
            self._weigh(entry.key, entry.size)
        elif is_new:
            for child in self.children(entry.key).values():
                child.is_lacking = child.text is None

    def unlink(self, this: ObjectId) -> None:
        """A child is none of its service any more."""
        entry = self._all.get(this)
        if entry is None or entry.key is None or this[0] == HARDENED_SERVICE.name:
            return
        children = self._children.get(entry.key, {})
        if children.pop(this, None) is not None:
            self._weigh(entry.key, -entry.size)
            if not children:
                del self._children[entry.key]

    def drop(self, this: ObjectId) -> Key | None:
        """It is gone. The service that it belonged to.

        Of the children of a service that is gone the names are known from now on; but for its actions, which are answered all the same.
        """
        self.unlink(this)
        entry = self._all.pop(this, None)
        if entry is None:
            return None
        if this[0] == HARDENED_SERVICE.name:
            self.strip_children(Key(*this[1:]), are_lacking=False)
        return entry.key

    def strip_children(self, key: Key, *, are_lacking: bool) -> None:
        """Of the children of the service no more than the names are known from now on, but for actions.

        are_lacking: whether the bodies that were known are to be read.
        """
        for this, child in self.children(key).items():
            if this[0] != HARDENED_SERVICE_ACTION.name and (child.text is not None or not are_lacking):
                self._weigh(key, -child.size)
                child.text, child.is_lacking = None, are_lacking

    def _weigh(self, key: Key, change: int) -> None:
        for whose in (key, key.namespace):
            self._sizes[whose] += change
            if not self._sizes[whose]:
                del self._sizes[whose]
