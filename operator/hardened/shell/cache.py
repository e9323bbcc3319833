"""What the watches have told about services and their children, never going back in time."""

import json
import logging
from collections.abc import Iterable
from typing import Final

from hardened.core.hold.dependents import needed_services
from hardened.core.needs.dependencies import named_services
from hardened.core.observe.observed import Ownership, owner_of
from hardened.shell import reading
from hardened.shell.api_server import Body
from hardened.shell.entries import Child, Entries, Entry
from hardened.shell.kept import kept_of_watched, without_managers
from hardened.shell.kinds import (
    CONFIG_MAP,
    CONTROLLER_REVISION,
    HARDENED_SERVICE,
    HARDENED_SERVICE_ACTION,
    HORIZONTAL_POD_AUTOSCALER,
    POD_DISRUPTION_BUDGET,
    Kind,
)
from hardened.shell.object_id import ODD, ObjectId, id_of, number_of, service_of, service_or_none, version_of
from hardened.shell.tombstones import TOMBSTONES, Tombstones
from hardened.shell.unread import Unread, UnreadObjects
from hardened.shell.workqueue import Key

logger = logging.getLogger(__name__)

#: Watched by metadata alone: their bodies, of up to 1.5 MB, are read by name.
BY_METADATA: Final = frozenset({CONFIG_MAP, CONTROLLER_REVISION})
#: The kind of an object in such a watch.
PARTIAL: Final = "PartialObjectMetadata"
#: Bytes, as JSON, of the children of one service: their dictionaries have up to ten times that, for as long as it is looked at. Four of the
#: largest revisions with their files, as many as can be at work at once, have 7 MiB.
MOST_OF_SERVICE: Final = 8 * 1024 * 1024
#: The same of one namespace, kept between two looks: at 1,000 usual services 20 MiB.
MOST_OF_NAMESPACE: Final = 32 * 1024 * 1024
#: Why a child is left out, after `it`.
TOO_MUCH: Final = f"does not fit in the {MOST_OF_SERVICE >> 20} MiB that the children of one service may have together"
#: Why an object is left out in which something is of another type than in each of its kind, after `it`.
MISSHAPEN: Final = "is not shaped as its kind is"
#: How many actions of one service are looked at at a time: a usual one has a few a day, and they go after a day.
MOST_ACTIONS: Final = 2000
#: What is kept without its status, or with some of it: others change that all the time.
_HALF_KEPT: Final = frozenset({POD_DISRUPTION_BUDGET, HORIZONTAL_POD_AUTOSCALER})
#: What people ask for: known whole, whatever it has.
_ASKED: Final = frozenset({HARDENED_SERVICE, HARDENED_SERVICE_ACTION})


class Cache:
    """Bodies by kind, namespace and name, and by the service they belong to.

    An object belongs to the HardenedService that is its controller, else to the one that its label `hardened.dev/service` names: so a child
    whose label somebody stripped is still seen, and repaired. A HardenedServiceAction belongs to the service that its spec names.

    An object older (by resourceVersion) than the one known is ignored; so is one that is known to be deleted. Bodies are kept as given,
    less metadata.managedFields, which is half of most objects, the status of budgets, and what autoscalers measure; of who manages a
    HardenedService those are known who set its size. What is got out is a copy of its own.
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
        self._entries = Entries()
        self._unread = UnreadObjects()
        self._tombstones = Tombstones(tombstones)

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
        for (kind, _, _), entry in self._entries.children(Key(namespace, service)).items():
            actions += kind == HARDENED_SERVICE_ACTION.name
            if (kind != HARDENED_SERVICE_ACTION.name or actions <= MOST_ACTIONS) and (body := entry.body) is not None:
                found.append(body)
        return tuple(found)

    def lacking(self, key: Key) -> tuple[Child, ...]:
        """The children of a service whose bodies are to be read by name."""
        children = self._entries.children(key).items()
        return tuple(Child(kind, name, entry.uid) for (kind, _, name), entry in children if entry.is_lacking)

    def size(self, key: Key) -> int:
        """Bytes of the bodies that are known of a service's children."""
        return self._entries.size(key)

    def spread(self, key: Key) -> int:
        """About how many bytes the bodies of a service's children have as dictionaries."""
        return sum(entry.spread for entry in self._entries.children(key).values())

    def let_go(self, key: Key) -> None:
        """A look at the service has ended: where its namespace has too much, the bodies of its children are read anew for the next."""
        if self._entries.size(key.namespace) > MOST_OF_NAMESPACE:
            self._entries.strip_children(key, are_lacking=True)

    def needs(self, namespace: str, name: str) -> frozenset[str]:
        """The names of the services that a HardenedService depends on, none where it is not known."""
        entry = self._entries.get((HARDENED_SERVICE.name, namespace, name))
        return entry.needs if entry else frozenset()

    def dependents(self, namespace: str, name: str) -> tuple[Body, ...]:
        """The HardenedServices of the namespace that depend on the one of this name, or are held by its restore."""
        known = self._entries.items(HARDENED_SERVICE)
        bodies = (entry.body for (_, where, _), entry in known if where == namespace)
        return tuple(body for body in bodies if body is not None and name in needed_services(body))

    def services(self) -> tuple[Key, ...]:
        """The keys of all known HardenedServices."""
        return tuple(Key(namespace, name) for (_, namespace, name), _ in self._entries.items(HARDENED_SERVICE))

    def unread(self, key: Key) -> tuple[Unread, ...]:
        """What belongs to the service and cannot be read, itself included."""
        return self._unread.of(key)

    def count_unread(self, kind: str) -> int:
        """How many objects of this kind, by its name, cannot be read; at most MOST_UNREAD of all kinds are known."""
        return self._unread.count(kind)

    # ---- being told

    def see(self, kind: Kind, event_type: str | None, obj: Body) -> Key | None:
        """Takes one watch event: ADDED, MODIFIED, None (from the initial list) or DELETED. The service to look at, or None: nothing new.

        An object that changes hands names the service that lost it. Never raises: what cannot be read is left out, see `unread`.
        """
        if event_type != "DELETED":
            return self._take(kind, obj)
        try:
            meta = obj["metadata"]
            version = version_of(meta)
            return self._gone(kind, meta["namespace"], meta["name"], meta["uid"], int(version) if version.isdecimal() else None)
        except ODD as error:
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
            self._entries.drop((kind.name, namespace, name))
            self._unread.add(Unread(kind, namespace, name, entry.uid, entry.version, entry.key, reading.UNUSABLE))

    def listing(self, kind: Kind, namespace: str | None, version: str) -> "Listing":
        """Begins to take a complete list of one kind in this namespace (None: in all). version: the list's own resourceVersion."""
        return Listing(self, kind, namespace, int(version))

    # ---- inside

    def _drop_unlisted(self, kind: Kind, namespace: str | None, listed: set[ObjectId], version: int) -> set[Key]:
        self._tombstones.listed(kind, namespace, version)
        missing = [
            known
            for known, entry in self._entries.items(kind)
            if known not in listed and namespace in (None, known[1]) and number_of(entry.version, version + 1) <= version
        ]
        self._unread.drop_unlisted(kind, namespace, listed)
        # No tombstone: an object that lost its label is not in the list either, and is to be seen again when it has it back.
        return {key for key in map(self._entries.drop, missing) if key is not None}

    def _take(self, kind: Kind, obj: Body, as_of: int = 0, *, is_reply: bool = False) -> Key | None:
        """_put, for what may have any shape."""
        try:
            if "managedFields" in obj["metadata"]:
                obj = obj | {"metadata": without_managers(kind, obj["metadata"])}
            if not reading.is_usable(obj):
                return self._leave_out(kind, obj, reading.UNUSABLE)
            return self._put(kind, obj, as_of, is_reply=is_reply)
        except ODD:
            return self._leave_out(kind, obj, MISSHAPEN)

    def _leave_out(self, kind: Kind, obj: Body, why: str) -> Key | None:
        """Known by name only, as far as it has one. Said once of each object."""
        try:
            meta, this = obj["metadata"], id_of(kind, obj)
            if self._tombstones.has_buried(meta):
                return None
            unread = Unread(kind, *this[1:], str(meta["uid"]), version_of(meta), service_or_none(kind, obj), why)
        except ODD:
            logger.warning("an object of the kind %s has no name, and is left out: it %s", kind, why)
            return None
        lost = self._entries.drop(this)
        return unread.key if self._unread.add(unread) else lost

    def _put(self, kind: Kind, obj: Body, as_of: int, *, is_reply: bool) -> Key | None:
        """as_of: the version of the list that the object is in: it was there until then; is_reply: somebody needs it now."""
        if self._tombstones.has_buried(obj["metadata"]):
            return None
        this = id_of(kind, obj)
        known = self._entries.get(this)
        if not self._is_news(kind, obj, known, as_of):
            return None
        entry, lost = self._entry(kind, obj), known.key if known is not None else None
        self._entries.unlink(this)
        if self._is_too_much(kind, entry, entry.key, MOST_OF_SERVICE):
            self._entries.drop(this)
            return _first_other(lost, entry.key, self._leave_out(kind, obj, TOO_MUCH))
        if not is_reply and self._is_too_much(kind, entry, entry.key and entry.key.namespace, MOST_OF_NAMESPACE):
            entry.text, entry.is_lacking = None, True
        self._unread.drop(this)
        self._entries.put(this, entry)
        # Of which only the status has changed, which is not kept.
        is_same = kind in _HALF_KEPT and known is not None and lost == entry.key and known.is_same_as(entry)
        return None if is_same else _first_other(lost, entry.key, entry.key)

    def _is_news(self, kind: Kind, obj: Body, known: Entry | None, as_of: int) -> bool:
        """Whether it is a later state than the one that is known, or the body of what is known by name only."""
        meta, is_partial = obj["metadata"], obj.get("kind") == PARTIAL
        if known is None and self._tombstones.is_old_news(kind, meta, as_of):
            return False
        if is_partial and self._unread.is_known(id_of(kind, obj), meta["uid"], version_of(meta)):
            return False
        return known is None or known.is_before(meta) or (not is_partial and known.lacks(meta))

    def _entry(self, kind: Kind, obj: Body) -> Entry:
        meta, key, text = obj["metadata"], service_of(kind, obj), None
        is_needed = self._is_needed(kind, obj, key)
        if is_needed and obj.get("kind") != PARTIAL:
            text = json.dumps(kept_of_watched(kind, obj), ensure_ascii=False, separators=(",", ":")).encode()
        needs = named_services(obj) if kind == HARDENED_SERVICE else frozenset()
        return Entry(text, meta["uid"], version_of(meta), key, needs, is_needed and text is None)

    def _is_too_much(self, kind: Kind, entry: Entry, whose: Key | str | None, most: int) -> bool:
        return bool(entry.text) and whose is not None and kind not in _ASKED and self._entries.size(whose) + entry.size > most

    def _gone(self, kind: Kind, namespace: str, name: str, uid: str, version: int | None) -> Key | None:
        self._tombstones.bury(uid, version)
        this = (kind.name, namespace, name)
        unread = self._unread.drop_gone(this, uid)
        if unread is not None:
            return unread.key
        known = self._entries.get(this)
        # Another uid: the object was made anew under the same name, and this is news of its predecessor.
        if known is None or known.uid != uid or (version is not None and number_of(known.version, 0) > version):
            return None
        return self._entries.drop(this)

    def _is_needed(self, kind: Kind, obj: Body, key: Key | None) -> bool:
        """Whether anything is decided by the body of this object."""
        if kind in _ASKED:
            return True
        service = self._entries.get((HARDENED_SERVICE.name, *key)) if key is not None else None
        if key is None or service is None:
            return False
        # Whoever may write these can make them as large as the server takes them, and they are read by name where their name is wanted.
        return kind not in BY_METADATA or owner_of(obj, key.name, service.uid) is not Ownership.FOREIGN


class Listing:
    """A complete list of one kind, page by page. Made by Cache.listing."""

    def __init__(self, cache: Cache, kind: Kind, namespace: str | None, version: int) -> None:
        self._cache, self._kind, self._namespace, self._version = cache, kind, namespace, version
        self._listed: set[ObjectId] = set()

    def take(self, page: Iterable[Body]) -> set[Key]:
        """Takes some of the list's objects. The keys of services for which they are news."""
        keys = set()
        for obj in page:
            try:
                named = self._kind.named(obj)
                self._listed.add(id_of(self._kind, named))
            except ODD:
                logger.warning("an item of a list of %s has no name, and is left out", self._kind.plural)
                continue
            keys.add(self._cache._take(self._kind, named, self._version))
        return {key for key in keys if key is not None}

    def end(self) -> set[Key]:
        """Drops what the list lacked. The keys of services that this is news for."""
        return self._cache._drop_unlisted(self._kind, self._namespace, self._listed, self._version)


def _first_other(lost: Key | None, key: Key | None, otherwise: Key | None) -> Key | None:
    """The service to look at: the one that lost the object to another one, where there is one."""
    return lost if lost is not None and lost != key else otherwise
