"""How objects of the in-memory cluster go: deleted, with those that they own, and with their namespace."""

from tests.memory import fields
from tests.memory.controllers import write
from tests.memory.fields import Body
from tests.memory.store import Store

from hardened.shell.kinds import KINDS, Kind

_FOREGROUND = "foregroundDeletion"


def delete(store: Store, kind: Kind, namespace: str, name: str, propagation: str) -> Body:
    """Removes the object, or marks it when a finalizer holds it: its own or that of a Foreground deletion. The object as it was last."""
    stored = store.objects[kind.name, namespace, name]
    uid = stored.body["metadata"]["uid"]
    if propagation == "Orphan":
        for dependent in list(store.objects.values()):
            _disown(store, dependent.body, uid)
    finalizers = list(stored.body["metadata"].get("finalizers") or ())
    if (
        propagation == "Foreground"
        and _FOREGROUND not in finalizers
        and any(_is_owned(other.body, uid) for other in store.objects.values())
    ):
        finalizers.append(_FOREGROUND)
    if not finalizers:
        return store.remove(kind, namespace, name)
    if "deletionTimestamp" in stored.body["metadata"]:
        return stored.body
    new = fields.copy(stored.body)
    new["metadata"] |= {"finalizers": finalizers, "deletionTimestamp": store.now(), "deletionGracePeriodSeconds": 0}
    return write(store, kind, new)


def collect_garbage(store: Store) -> int:
    """Removes objects all of whose owners are gone, ends foreground deletions, empties and ends namespaces that terminate."""
    removed = 0
    while True:
        metas = [stored.body["metadata"] for stored in store.objects.values()]
        # Who waits for its dependents to go does not keep them.
        uids = {meta["uid"] for meta in metas if _FOREGROUND not in (meta.get("finalizers") or ())}
        goners = [this for this, stored in store.objects.items() if _must_go(store, stored.body, uids)]
        for kind, namespace, name in goners:
            store.remove(KINDS[kind], namespace, name)
        removed += len(goners)
        if not goners:
            break
    for kind, namespace, name in [this for this, stored in store.objects.items() if _is_orphan_held(stored.body["metadata"], uids)]:
        delete(store, KINDS[kind], namespace, name, "Background")
    for namespace in [name for name, phase in store.namespaces.items() if phase == "Terminating"]:
        del store.namespaces[namespace]
    return removed


def _must_go(store: Store, body: Body, uids: set[str]) -> bool:
    meta = body["metadata"]
    if store.namespaces.get(meta["namespace"]) == "Terminating":
        return True
    owners = {owner["uid"] for owner in meta.get("ownerReferences") or ()}
    if "deletionTimestamp" in meta and meta.get("finalizers") == [_FOREGROUND]:
        return not any(_is_owned(other.body, meta["uid"]) for other in store.objects.values())
    deleting = {
        stored.body["metadata"]["uid"]
        for stored in store.objects.values()
        if _FOREGROUND in (stored.body["metadata"].get("finalizers") or ())
    }
    return bool(owners) and not owners & (uids - deleting) and not meta.get("finalizers")


def _is_orphan_held(meta: Body, uids: set[str]) -> bool:
    """Whether it has lost its owners, and a finalizer of others holds it: it is marked."""
    owners = {owner["uid"] for owner in meta.get("ownerReferences") or ()}
    return bool(owners and meta.get("finalizers")) and not owners & uids and "deletionTimestamp" not in meta


def _is_owned(body: Body, uid: str) -> bool:
    return any(owner["uid"] == uid for owner in body["metadata"].get("ownerReferences") or ())


def _disown(store: Store, body: Body, uid: str) -> None:
    if not _is_owned(body, uid):
        return
    new = fields.copy(body)
    new["metadata"]["ownerReferences"] = [owner for owner in new["metadata"]["ownerReferences"] if owner["uid"] != uid]
    write(store, KINDS[body["kind"]], new)
