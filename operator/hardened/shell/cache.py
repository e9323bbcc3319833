"""What the watches have told about services and their children, never going back in time."""

import json
import logging
from collections import Counter, OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

from hardened.api import names
from hardened.core.needs.dependencies import named_services
from hardened.core.observe.observed import Ownership, owner_of
from hardened.shell import reading
from hardened.shell.api_server import Body
from hardened.shell.kinds import (
    CONFIG_MAP,
    CONTROLLER_REVISION,
    HARDENED_SERVICE,
    HARDENED_SERVICE_ACTION,
    POD_DISRUPTION_BUDGET,
    Kind,
)
from hardened.shell.workqueue import Key

logger = logging.getLogger(__name__)

#: Watched by metadata alone: their bodies, of up to 1.5 MB, are read by name.
BY_METADATA: Final = frozenset({CONFIG_MAP, CONTROLLER_REVISION})
#: The kind of an object in such a watch.
PARTIAL: Final = "PartialObjectMetadata"
#: How many deleted objects are remembered: at 1,000 services, all their children deleted once. About 100 bytes each.
TOMBSTONES: Final = 10_000
#: How many objects that cannot be read are known by name. About 500 bytes each.
MOST_UNREAD: Final = 1000
#: Bytes, as JSON, of the children of one service: their dictionaries have up to ten times that, for as long as it is looked at. Four of the
#: largest revisions with their files, as many as can be at work at once, have 7 MiB.
MOST_OF_SERVICE: Final = 8 * 1024 * 1024
#: The same of one namespace, kept between two looks: at 1,000 usual services 20 MiB.
MOST_OF_NAMESPACE: Final = 32 * 1024 * 1024
#: Bytes of a field, or of an object or list, as dictionaries have them; and what each of these begins with in a text.
BYTES_OF_ONE: Final = 100
_BEGINS: Final = (b'":', b"{", b"[")
#: Why a child is left out, after `it`.
TOO_MUCH: Final = f"does not fit in the {MOST_OF_SERVICE >> 20} MiB that the children of one service may have together"
#: Why an object is left out in which something is of another type than in each of its kind, after `it`.
MISSHAPEN: Final = "is not shaped as its kind is"
#: How many actions of one service are looked at at a time: a usual one has a few a day, and they go after a day.
MOST_ACTIONS: Final = 2000
#: What is kept of their metadata: the rest is anybody's, as large as they like.
_OF_ACTIONS: Final = ("namespace", "name", "uid", "resourceVersion", "creationTimestamp", "deletionTimestamp", "ownerReferences")
#: What people ask for: known whole, whatever it has.
_ASKED: Final = frozenset({HARDENED_SERVICE, HARDENED_SERVICE_ACTION})
#: What comes of reading such an object. One must not end the watch of all others, nor their list.
_ODD: Final = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)

_Id = tuple[str, str, str]  # kind, namespace, name


@dataclass(slots=True)
class _Entry:
    text: bytes | None  # the body as JSON: a sixth of the dictionaries' memory; None: known by name only
    uid: str
    version: str
    key: Key | None
    needs: frozenset[str] = frozenset()  # of a HardenedService: those that it depends on
    is_lacking: bool = False  # whether its body is to be read before anything is decided about its service

    @property
    def size(self) -> int:
        return len(self.text or b"")

    @property
    def body(self) -> Body | None:
        body: Body | None = None if self.text is None else json.loads(self.text)
        return body


class Child(NamedTuple):
    """Whom to read."""

    kind: str
    """Its name."""
    name: str
    uid: str


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


class Cache:
    """Bodies by kind, namespace and name, and by the service they belong to.

    An object belongs to the HardenedService that is its controller, else to the one that its label `hardened.dev/service` names: so a child
    whose label somebody stripped is still seen, and repaired. A HardenedServiceAction belongs to the service that its spec names.

    An object older (by resourceVersion) than the one known is ignored; so is one that is known to be deleted. Bodies are kept as given,
    less metadata.managedFields, which is half of most objects, and the status of budgets; what is got out is a copy of its own.
    So is one that is not known and no younger than the last complete list of its kind: it was deleted before that. And a list drops what is
    no younger than itself and not in it; so one that comes late, or from a server that lags behind, does no harm.
    A watch with a label selector reports an object that no longer matches as DELETED, with the resourceVersion of that change: a later
    state of the same object is believed again.
    An object that cannot be read is as one that is not there, but for `unread`, which names it: it ends no watch and no list.

    What could fill the memory is known by name only: children of services that are not there, ConfigMaps and ControllerRevisions that carry
    the label of a service and are not its own, what a watch of metadata tells of, and what a namespace has beyond MOST_OF_NAMESPACE. What
    of these its service needs is `lacking`. What a service has beyond MOST_OF_SERVICE is `unread`.
    """

    def __init__(self, *, tombstones: int = TOMBSTONES) -> None:
        self._entries: dict[_Id, _Entry] = {}
        self._children: dict[Key, dict[_Id, _Entry]] = {}
        self._unread: OrderedDict[_Id, Unread] = OrderedDict()
        self._sizes: Counter[Key | str] = Counter()  # bytes of the children of a service, and of those of a namespace
        self._limit = tombstones
        self._tombstones: OrderedDict[str, int | None] = OrderedDict()  # uid -> resourceVersion of its end; None: we were told it is gone
        self._floors: dict[tuple[str, str | None], int] = {}  # kind, namespace or None for all -> resourceVersion of the last complete list

    def __len__(self) -> int:
        return len(self._entries)

    # ---- reading

    def get(self, kind: Kind, namespace: str, name: str) -> Body | None:
        entry = self._entries.get((kind.name, namespace, name))
        return entry.body if entry else None

    def children(self, namespace: str, service: str) -> tuple[Body, ...]:
        """The children of the service whose bodies are known, of every kind, in no particular order; it is not among them itself.

        Of its actions, those that came first: the others once those are gone.
        """
        found, actions = [], 0
        for (kind, _, _), entry in self._children.get(Key(namespace, service), {}).items():
            actions += kind == HARDENED_SERVICE_ACTION.name
            if (kind != HARDENED_SERVICE_ACTION.name or actions <= MOST_ACTIONS) and (body := entry.body) is not None:
                found.append(body)
        return tuple(found)

    def lacking(self, key: Key) -> tuple[Child, ...]:
        """The children of a service whose bodies are to be read by name."""
        children = self._children.get(key, {})
        return tuple(Child(kind, name, entry.uid) for (kind, _, name), entry in children.items() if entry.is_lacking)

    def size(self, key: Key) -> int:
        """Bytes of the bodies that are known of a service's children."""
        return self._sizes[key]

    def spread(self, key: Key) -> int:
        """About how many bytes the bodies of a service's children have as dictionaries."""
        texts = (entry.text or b"" for entry in self._children.get(key, {}).values())
        return sum(len(text) + BYTES_OF_ONE * sum(map(text.count, _BEGINS)) for text in texts)

    def let_go(self, key: Key) -> None:
        """A look at the service has ended: where its namespace has too much, the bodies of its children are read anew for the next."""
        if self._sizes[key.namespace] > MOST_OF_NAMESPACE:
            for this, child in self._children.get(key, {}).items():
                if this[0] != HARDENED_SERVICE_ACTION.name and child.text is not None:
                    self._strip(key, child, is_lacking=True)

    def needs(self, namespace: str, name: str) -> frozenset[str]:
        """The names of the services that a HardenedService depends on, none where it is not known."""
        entry = self._entries.get((HARDENED_SERVICE.name, namespace, name))
        return entry.needs if entry else frozenset()

    def services(self) -> tuple[Key, ...]:
        """The keys of all known HardenedServices."""
        return tuple(Key(namespace, name) for kind, namespace, name in self._entries if kind == HARDENED_SERVICE.name)

    def unread(self, key: Key) -> tuple[Unread, ...]:
        """What belongs to the service and cannot be read, itself included."""
        return tuple(unread for unread in self._unread.values() if unread.key == key)

    def count_unread(self, kind: str) -> int:
        """How many objects of this kind, by its name, cannot be read; at most MOST_UNREAD of all kinds are known."""
        return sum(unread.kind.name == kind for unread in tuple(self._unread.values()))

    # ---- being told

    def see(self, kind: Kind, event_type: str | None, obj: Body) -> Key | None:
        """Takes one watch event: ADDED, MODIFIED, None (from the initial list) or DELETED. The service to look at, or None: nothing new.

        An object that changes hands names the service that lost it. Never raises: what cannot be read is left out, see `unread`.
        """
        if event_type != "DELETED":
            return self._take(kind, obj)
        try:
            meta = obj["metadata"]
            version = _version(meta)
            return self._gone(kind, meta["namespace"], meta["name"], meta["uid"], int(version) if version.isdecimal() else None)
        except _ODD as error:
            logger.warning("the end of an object of the kind %s cannot be read: %s", kind, type(error).__name__)
            return None

    def wrote(self, kind: Kind, obj: Body) -> None:
        """Takes the reply to our own write, or read, so that the next look sees it. The watch's echo of it is then nothing new."""
        self._take(kind, obj, is_reply=True)

    def deleted(self, kind: Kind, namespace: str, name: str, uid: str) -> Key | None:
        """This object is gone: our delete was taken, or a GET of it answered 404. Late events do not bring it back, except such as carry
        a deletionTimestamp: then a finalizer still holds it."""
        return self._gone(kind, namespace, name, uid, None)

    def unreadable(self, kind: Kind, namespace: str, name: str) -> None:
        """The body of this object cannot be read: see `unread`."""
        entry = self._entries.get((kind.name, namespace, name))
        if entry is not None:
            self._drop((kind.name, namespace, name))
            self._know_unread(Unread(kind, namespace, name, entry.uid, entry.version, entry.key, reading.UNUSABLE))

    def listing(self, kind: Kind, namespace: str | None, version: str) -> "Listing":
        """Begins to take a complete list of one kind in this namespace (None: in all). version: the list's own resourceVersion."""
        return Listing(self, kind, namespace, int(version))

    # ---- inside

    def _drop_unlisted(self, kind: Kind, namespace: str | None, listed: set[_Id], version: int) -> set[Key]:
        self._floors[kind.name, namespace] = max(version, self._floors.get((kind.name, namespace), 0))
        missing = [
            known
            for known, entry in self._entries.items()
            if known[0] == kind.name
            and known not in listed
            and namespace in (None, known[1])
            and _number(entry.version, version + 1) <= version
        ]
        for known in [known for known in self._unread if known[0] == kind.name and known not in listed and namespace in (None, known[1])]:
            del self._unread[known]
        # No tombstone: an object that lost its label is not in the list either, and is to be seen again when it has it back.
        return {key for key in map(self._drop, missing) if key is not None}

    def _take(self, kind: Kind, obj: Body, as_of: int = 0, *, is_reply: bool = False) -> Key | None:
        """_put, for what may have any shape."""
        try:
            if "managedFields" in obj["metadata"]:
                obj = obj | {"metadata": {name: value for name, value in obj["metadata"].items() if name != "managedFields"}}
            if not reading.is_usable(obj):
                return self._leave_out(kind, obj, reading.UNUSABLE)
            return self._put(kind, obj, as_of, is_reply=is_reply)
        except _ODD:
            return self._leave_out(kind, obj, MISSHAPEN)

    def _leave_out(self, kind: Kind, obj: Body, why: str) -> Key | None:
        """Known by name only, as far as it has one. Said once of each object."""
        try:
            meta, this = obj["metadata"], _id(kind, obj)
            if self._is_buried(meta):
                return None
            unread = Unread(kind, *this[1:], str(meta["uid"]), _version(meta), _key_or_none(kind, obj), why)
        except _ODD:
            logger.warning("an object of the kind %s has no name, and is left out: it %s", kind, why)
            return None
        lost = self._drop(this)
        return unread.key if self._know_unread(unread) else lost

    def _know_unread(self, unread: Unread) -> bool:
        """Whether it is news."""
        this = (unread.kind.name, unread.namespace, unread.name)
        known = self._unread.pop(this, None)
        self._unread[this] = unread
        while len(self._unread) > MOST_UNREAD:
            self._unread.popitem(last=False)
        if known is not None and known.uid == unread.uid:
            return False
        logger.warning("%s", unread)
        return True

    def _put(self, kind: Kind, obj: Body, as_of: int, *, is_reply: bool) -> Key | None:
        """as_of: the version of the list that the object is in: it was there until then; is_reply: somebody needs it now."""
        meta = obj["metadata"]
        if self._is_buried(meta):
            return None
        this = _id(kind, obj)
        known = self._entries.get(this)
        if known is None and self._is_old_news(kind, meta, as_of):
            return None
        is_partial = obj.get("kind") == PARTIAL
        if is_partial:
            unread = self._unread.get(this)
            if unread is not None and (unread.uid, unread.version) == (meta["uid"], _version(meta)):
                return None
        if known is not None and not _is_newer(meta, known) and (is_partial or not _completes(meta, known)):
            return None
        lost = known.key if known is not None else None
        key = _key(kind, obj)
        if kind == POD_DISRUPTION_BUDGET:
            # Nothing follows from its status, which changes with each pod that comes or goes.
            obj = {name: value for name, value in obj.items() if name != "status"}
        if kind == HARDENED_SERVICE_ACTION:
            obj = obj | {"metadata": {name: meta[name] for name in _OF_ACTIONS if name in meta}}
        is_needed = self._is_needed(kind, obj, key)
        text = json.dumps(obj, ensure_ascii=False, separators=(",", ":")).encode() if is_needed and not is_partial else None
        needs = named_services(obj) if kind == HARDENED_SERVICE else frozenset()
        if lost is not None and kind != HARDENED_SERVICE:
            self._unlink(lost, this)
        if text and key and kind not in _ASKED and self._sizes[key] + len(text) > MOST_OF_SERVICE:
            self._entries.pop(this, None)
            left_out = self._leave_out(kind, obj, TOO_MUCH)
            return lost if lost is not None and lost != key else left_out
        if text and key and kind not in _ASKED and not is_reply and self._sizes[key.namespace] + len(text) > MOST_OF_NAMESPACE:
            text = None
        self._unread.pop(this, None)
        entry = self._entries[this] = _Entry(text, meta["uid"], _version(meta), key, needs, is_needed and text is None)
        if kind == HARDENED_SERVICE:
            if known is None and key is not None:
                for child in self._children.get(key, {}).values():
                    child.is_lacking = child.text is None
        elif key is not None:
            self._children.setdefault(key, {})[this] = entry
            self._weigh(key, entry.size)
        if kind == POD_DISRUPTION_BUDGET and known is not None and lost == key and text is not None and _is_same(known.body, entry.body):
            return None
        return lost if lost is not None and lost != key else key

    def _gone(self, kind: Kind, namespace: str, name: str, uid: str, version: int | None) -> Key | None:
        self._tombstones[uid] = version
        self._tombstones.move_to_end(uid)
        while len(self._tombstones) > self._limit:
            self._tombstones.popitem(last=False)
        this = (kind.name, namespace, name)
        unread = self._unread.get(this)
        if unread is not None and unread.uid == uid:
            del self._unread[this]
            return unread.key
        known = self._entries.get(this)
        # Another uid: the object was made anew under the same name, and this is news of its predecessor.
        if known is None or known.uid != uid or (version is not None and _number(known.version, 0) > version):
            return None
        return self._drop(this)

    def _drop(self, this: _Id) -> Key | None:
        entry = self._entries.pop(this, None)
        if entry is None:
            return None
        if this[0] == HARDENED_SERVICE.name:
            self._forget_children(Key(*this[1:]))
        elif entry.key is not None:
            self._unlink(entry.key, this)
        return entry.key

    def _forget_children(self, key: Key) -> None:
        """Their bodies, once their service is gone; not those of actions, which are answered all the same."""
        for this, child in self._children.get(key, {}).items():
            if this[0] != HARDENED_SERVICE_ACTION.name:
                self._strip(key, child, is_lacking=False)

    def _is_needed(self, kind: Kind, obj: Body, key: Key | None) -> bool:
        """Whether anything is decided by the body of this object."""
        if kind in _ASKED:
            return True
        service = self._entries.get((HARDENED_SERVICE.name, *key)) if key is not None else None
        if key is None or service is None:
            return False
        # Whoever may write these can make them as large as the server takes them, and they are read by name where their name is wanted.
        return kind not in BY_METADATA or owner_of(obj, key.name, service.uid) is not Ownership.FOREIGN

    def _unlink(self, key: Key, this: _Id) -> None:
        children = self._children.get(key, {})
        child = children.pop(this, None)
        if child is not None:
            self._weigh(key, -child.size)
            if not children:
                del self._children[key]

    def _strip(self, key: Key, child: _Entry, *, is_lacking: bool) -> None:
        """Of this child of the service no more than the name is known from now on."""
        self._weigh(key, -child.size)
        child.text, child.is_lacking = None, is_lacking

    def _weigh(self, key: Key, change: int) -> None:
        for whose in (key, key.namespace):
            self._sizes[whose] += change
            if not self._sizes[whose]:
                del self._sizes[whose]

    def _is_old_news(self, kind: Kind, meta: Body, as_of: int) -> bool:
        floor = max(self._floors.get((kind.name, scope), 0) for scope in (None, meta["namespace"]))
        return as_of < floor and _number(_version(meta), floor + 1) <= floor

    def _is_buried(self, meta: Body) -> bool:
        if meta["uid"] not in self._tombstones:
            return False
        ended, version = self._tombstones[meta["uid"]], _version(meta)
        if ended is None:
            return "deletionTimestamp" not in meta
        return not version.isdecimal() or int(version) <= ended


class Listing:
    """A complete list of one kind, page by page. Made by Cache.listing."""

    def __init__(self, cache: Cache, kind: Kind, namespace: str | None, version: int) -> None:
        self._cache, self._kind, self._namespace, self._version = cache, kind, namespace, version
        self._listed: set[_Id] = set()

    def take(self, page: Iterable[Body]) -> set[Key]:
        """Takes some of the list's objects. The keys of services for which they are news."""
        keys = set()
        for obj in page:
            try:
                named = self._kind.named(obj)
                self._listed.add(_id(self._kind, named))
            except _ODD:
                logger.warning("an item of a list of %s has no name, and is left out", self._kind.plural)
                continue
            keys.add(self._cache._take(self._kind, named, self._version))
        return {key for key in keys if key is not None}

    def end(self) -> set[Key]:
        """Drops what the list lacked. The keys of services that this is news for."""
        return self._cache._drop_unlisted(self._kind, self._namespace, self._listed, self._version)


def _id(kind: Kind, obj: Body) -> _Id:
    meta = obj["metadata"]
    return (kind.name, meta["namespace"], meta["name"])


def _key(kind: Kind, obj: Body) -> Key | None:
    """The service to look at when `obj` changes: itself, the one an action names, its controller, or the one its label names."""
    meta = obj["metadata"]
    if kind == HARDENED_SERVICE:
        return Key(meta["namespace"], meta["name"])
    if kind == HARDENED_SERVICE_ACTION:
        # Whoever owns it: it is this service that it asks something of.
        return Key(meta["namespace"], str((obj.get("spec") or {}).get("service", "")))
    for owner in meta.get("ownerReferences") or ():
        if owner.get("controller") and owner.get("kind") == names.KIND and owner.get("apiVersion", "").startswith(f"{names.GROUP}/"):
            return Key(meta["namespace"], owner["name"])
    service = (meta.get("labels") or {}).get(names.SERVICE_LABEL)
    return Key(meta["namespace"], service) if service else None


def _key_or_none(kind: Kind, obj: Body) -> Key | None:
    """_key, of what may have any shape."""
    try:
        return _key(kind, obj)
    except _ODD:
        return None


def _completes(meta: Body, known: _Entry) -> bool:
    """Whether it is the body of an object that is known by name only."""
    return known.is_lacking and (meta["uid"], _version(meta)) == (known.uid, known.version)


def _is_same(one: Body | None, other: Body | None) -> bool:
    return one is not None and other is not None and _unversioned(one) == _unversioned(other)


def _unversioned(body: Body) -> Body:
    return body | {"metadata": {name: value for name, value in body["metadata"].items() if name != "resourceVersion"}}


def _version(meta: Body) -> str:
    return str(meta.get("resourceVersion", ""))


def _number(version: str, otherwise: int) -> int:
    return int(version) if version.isdecimal() else otherwise


def _is_newer(meta: Body, known: _Entry) -> bool:
    """Whether `meta` is later than `known`, of the same name. resourceVersions grow across all objects of a kind, whatever their uid."""
    mine, theirs = _version(meta), known.version
    if mine.isdecimal() and theirs.isdecimal():
        return int(mine) > int(theirs)
    return mine != theirs or meta["uid"] != known.uid
