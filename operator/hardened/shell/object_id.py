"""Which object a body is, whose it is, and how late a state it shows."""

from typing import Final

from hardened.api import names
from hardened.shell.api_server import Body
from hardened.shell.kinds import HARDENED_SERVICE, HARDENED_SERVICE_ACTION, Kind
from hardened.shell.workqueue import Key

#: kind, namespace, name.
ObjectId = tuple[str, str, str]
#: What comes of reading an object in which something is of another type than in each of its kind. One must not end the watch of all
#: others, nor their list.
ODD: Final = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


def id_of(kind: Kind, obj: Body) -> ObjectId:
    """Raises one of ODD where it has no name."""
    meta = obj["metadata"]
    return (kind.name, meta["namespace"], meta["name"])


def service_of(kind: Kind, obj: Body) -> Key | None:
    """The service to look at when `obj` changes: itself, the one an action names, its controller, or the one its label names.

    Raises one of ODD for what may have any shape.
    """
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


def service_or_none(kind: Kind, obj: Body) -> Key | None:
    """The same, of what may have any shape: None where it cannot be read."""
    try:
        return service_of(kind, obj)
    except ODD:
        return None


def version_of(meta: Body) -> str:
    """Its resourceVersion, "" for none."""
    return str(meta.get("resourceVersion", ""))


def number_of(version: str, otherwise: int) -> int:
    """A resourceVersion as a number; otherwise: for one that is none."""
    return int(version) if version.isdecimal() else otherwise
