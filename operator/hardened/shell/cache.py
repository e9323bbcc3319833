"""What the watches have told about services and their children, never going back in time."""

import json
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from hardened.api import names
from hardened.core.needs.dependencies import named_services
from hardened.shell.api_server import Body
from hardened.shell.kinds import HARDENED_SERVICE, HARDENED_SERVICE_ACTION, POD_DISRUPTION_BUDGET, Kind
from hardened.shell.workqueue import Key

#: How many deleted objects are remembered: at 1,000 services, all their children deleted once. About 100 bytes each.
TOMBSTONES: Final = 10_000

_Id = tuple[str, str, str]  # kind, namespace, name


@dataclass(slots=True)
class _Entry:
    text: bytes  # the body as JSON: a sixth of the dictionaries' memory
    uid: str
    version: str
    key: Key | None
    needs: frozenset[str] = frozenset()  # of a HardenedService: those that it depends on

    @property
    def body(self) -> Body:
        body: Body = json.loads(self.text)
        return body


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
    """

    def __init__(self, *, tombstones: int = TOMBSTONES) -> None:
        self._entries: dict[_Id, _Entry] = {}
        self._children: dict[Key, dict[_Id, _Entry]] = {}
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
        """All known children of the service, of every kind, in no particular order; the HardenedService is not among them."""
        return tuple(entry.body for entry in self._children.get(Key(namespace, service), {}).values())

    def needs(self, namespace: str, name: str) -> frozenset[str]:
        """The names of the services that a HardenedService depends on, none where it is not known."""
        entry = self._entries.get((HARDENED_SERVICE.name, namespace, name))
        return entry.needs if entry else frozenset()

    def services(self) -> tuple[Key, ...]:
        """The keys of all known HardenedServices."""
        return tuple(Key(namespace, name) for kind, namespace, name in self._entries if kind == HARDENED_SERVICE.name)

    # ---- being told

    def see(self, kind: Kind, event_type: str | None, obj: Body) -> Key | None:
        """Takes one watch event: ADDED, MODIFIED, None (from the initial list) or DELETED. The service to look at, or None: nothing new.

        An object that changes hands names the service that lost it.
        """
        if event_type == "DELETED":
            meta = obj["metadata"]
            version = _version(meta)
            return self._gone(kind, meta["namespace"], meta["name"], meta["uid"], int(version) if version.isdecimal() else None)
        return self._put(kind, obj)

    def wrote(self, kind: Kind, obj: Body) -> None:
        """Takes the reply to our own write, so that the next look sees it. The watch's echo of it is then nothing new."""
        self._put(kind, obj)

    def deleted(self, kind: Kind, namespace: str, name: str, uid: str) -> Key | None:
        """This object is gone: our delete was taken, or a GET of it answered 404. Late events do not bring it back, except such as carry
        a deletionTimestamp: then a finalizer still holds it."""
        return self._gone(kind, namespace, name, uid, None)

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
        # No tombstone: an object that lost its label is not in the list either, and is to be seen again when it has it back.
        return {key for key in map(self._drop, missing) if key is not None}

    def _put(self, kind: Kind, obj: Body, as_of: int = 0) -> Key | None:
        """as_of: the version of the list that the object is in: it was there until then."""
        meta = obj["metadata"]
        if self._is_buried(meta):
            return None
        this = _id(kind, obj)
        known = self._entries.get(this)
        if known is None and self._is_old_news(kind, meta, as_of):
            return None
        if known is not None and not _is_newer(meta, known):
            return None
        lost = known.key if known is not None else None
        key = _key(kind, obj)
        if kind == POD_DISRUPTION_BUDGET:
            # Nothing follows from its status, which changes with each pod that comes or goes.
            obj = {name: value for name, value in obj.items() if name != "status"}
        if "managedFields" in meta:
            obj = obj | {"metadata": {name: value for name, value in meta.items() if name != "managedFields"}}
        if lost is not None and lost != key:
            self._unlink(lost, this)
        text = json.dumps(obj, ensure_ascii=False, separators=(",", ":")).encode(errors="surrogatepass")
        needs = named_services(obj) if kind == HARDENED_SERVICE else frozenset()
        entry = self._entries[this] = _Entry(text, meta["uid"], _version(meta), key, needs)
        if key is not None and kind != HARDENED_SERVICE:
            self._children.setdefault(key, {})[this] = entry
        if kind == POD_DISRUPTION_BUDGET and known is not None and lost == key and _unversioned(known.body) == _unversioned(entry.body):
            return None
        return lost if lost is not None and lost != key else key

    def _gone(self, kind: Kind, namespace: str, name: str, uid: str, version: int | None) -> Key | None:
        self._tombstones[uid] = version
        self._tombstones.move_to_end(uid)
        while len(self._tombstones) > self._limit:
            self._tombstones.popitem(last=False)
        this = (kind.name, namespace, name)
        known = self._entries.get(this)
        # Another uid: the object was made anew under the same name, and this is news of its predecessor.
        if known is None or known.uid != uid or (version is not None and _number(known.version, 0) > version):
            return None
        return self._drop(this)

    def _drop(self, this: _Id) -> Key | None:
        entry = self._entries.pop(this, None)
        if entry is None:
            return None
        if entry.key is not None:
            self._unlink(entry.key, this)
        return entry.key

    def _unlink(self, key: Key, this: _Id) -> None:
        children = self._children.get(key)
        if children is not None:
            children.pop(this, None)
            if not children:
                del self._children[key]

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
            self._listed.add(_id(self._kind, obj))
            keys.add(self._cache._put(self._kind, obj, self._version))
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
