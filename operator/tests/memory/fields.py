"""Field paths of objects, as server-side apply sees them: what is a leaf, which lists merge by key, and how managedFields spell it.

A path is a tuple of steps: a string is a field of a map; an Item, an element of a list that merges by keys; a Member, an element of a set.
"""

import json
from collections.abc import Iterator, Set
from functools import cache
from typing import Any, NamedTuple

Body = dict[str, Any]


class Item(NamedTuple):
    """An element of a keyed list: (("name", "web"),)."""

    keys: tuple[tuple[str, Any], ...]


class Member(NamedTuple):
    """An element of a set: a finalizer."""

    value: Any


Step = str | Item | Member
Path = tuple[Step, ...]

#: Keyed lists by the name of their field; `ports` depend on where they stand. From the API's x-kubernetes-list-map-keys.
_KEYS: dict[str, tuple[str, ...]] = {
    "containers": ("name",),
    "initContainers": ("name",),
    "ephemeralContainers": ("name",),
    "volumes": ("name",),
    "imagePullSecrets": ("name",),
    "env": ("name",),
    "volumeMounts": ("mountPath",),
    "volumeDevices": ("devicePath",),
    "topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"),
    "schedulingGates": ("name",),
    "hostAliases": ("ip",),
    "ownerReferences": ("uid",),
    "conditions": ("type",),
}
_NESTED = (dict, list)
_CONTAINERS = ("containers", "initContainers", "ephemeralContainers")
_KEY_DEFAULTS = {"protocol": "TCP"}
#: Maps that one manager owns as a whole, from x-kubernetes-map-type: atomic.
_ATOMIC_MAPS = {
    "nodeSelector",
    "labelSelector",
    "namespaceSelector",
    "podSelector",
    "requiredDuringSchedulingIgnoredDuringExecution",
    "fieldRef",
    "resourceFieldRef",
    "configMapKeyRef",
    "secretKeyRef",
    "involvedObject",
    "selector",
}
#: What identifies an object is nobody's field.
_IDENTITY = {
    "name",
    "namespace",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "managedFields",
    "selfLink",
}


def leaves(body: Body, kind: str) -> dict[Path, Any]:
    """Every leaf with its value, and every element of a keyed list with None. Without identity, apiVersion and kind."""
    found: dict[Path, Any] = {}
    for field, value in body.items():
        if field == "metadata":
            for name, part in (value or {}).items():
                if name not in _IDENTITY:
                    found.update(_walk(part, (field, name), (field, name), kind))
        elif field not in ("apiVersion", "kind"):
            found.update(_walk(value, (field,), (field,), kind))
    return found


def _walk(value: Any, path: Path, names: tuple[str, ...], kind: str) -> Iterator[tuple[Path, Any]]:
    if value is None:
        return
    if isinstance(value, dict) and value and not is_atomic(names, kind):
        for field, part in value.items():
            yield from _walk(part, (*path, field), (*names, field), kind)
    elif isinstance(value, list) and value and (keys := list_keys(names, kind)) is not None:
        for element in value:
            step = step_of(element, keys)
            yield (*path, step), None
            if isinstance(step, Item):
                for field, part in element.items():
                    yield from _walk(part, (*path, step, field), (*names, field), kind)
    else:
        yield path, value


def is_atomic(names: tuple[str, ...], kind: str) -> bool:
    if kind == "ControllerRevision" and names == ("data",):
        return True
    return names[-1] in _ATOMIC_MAPS and names[0] != "metadata"


def list_keys(names: tuple[str, ...], kind: str) -> tuple[str, ...] | None:
    """The keys a list merges by; () for a set; None for a list that is replaced as a whole."""
    if names[-1] == "ports":
        if kind == "Service" and len(names) == 2:
            return ("port", "protocol")
        return ("containerPort", "protocol") if len(names) > 1 and names[-2] in _CONTAINERS else None
    if names == ("metadata", "finalizers"):
        return ()
    return _KEYS.get(names[-1])


def step_of(element: Any, keys: tuple[str, ...]) -> Item | Member:
    if not keys:
        return Member(element)
    return Item(tuple((key, element.get(key, _KEY_DEFAULTS.get(key))) for key in keys))


def find(body: Any, path: Path) -> Any:
    """The value at the path; None where there is none. An element of a keyed list is itself."""
    value = body
    for step in path:
        value = _element(value, step) if not isinstance(step, str) else value.get(step) if isinstance(value, dict) else None
        if value is None:
            return None
    return value


def remove(body: Body, path: Path, held: Set[Path] = frozenset()) -> None:
    """Takes the value at the path away, and every map and list that is empty because of it, unless somebody holds just that."""
    holder = find(body, path[:-1]) if len(path) > 1 else body
    last = path[-1]
    if isinstance(last, str):
        if isinstance(holder, dict):
            holder.pop(last, None)
    elif isinstance(holder, list):
        element = _element(holder, last)
        if element is not None:
            holder.remove(element)
    if len(path) > 1 and holder in ({}, []) and path[:-1] not in held:
        remove(body, path[:-1], held)


def _element(value: Any, step: Item | Member) -> Any:
    if not isinstance(value, list):
        return None
    if isinstance(step, Member):
        return step.value if step.value in value else None
    keys = tuple(key for key, _ in step.keys)
    return next((element for element in value if isinstance(element, dict) and step_of(element, keys) == step), None)


def merge(live: Any, wanted: Any, names: tuple[str, ...], kind: str) -> Any:
    """`wanted` laid over `live`: maps and keyed lists element by element, all else replaced. Changes neither."""
    if isinstance(live, dict) and isinstance(wanted, dict) and not (names and is_atomic(names, kind)):
        merged = dict(live)
        for field, value in wanted.items():
            if value is not None:
                merged[field] = merge(live.get(field), value, (*names, field), kind)
        return merged
    if isinstance(live, list) and isinstance(wanted, list) and (keys := list_keys(names, kind)) is not None:
        if not keys:
            return live + [element for element in wanted if element not in live]
        old = {step_of(element, keys): element for element in live}
        new = {step_of(element, keys): element for element in wanted}
        first = [merge(old.get(step), element, names, kind) for step, element in new.items()]
        return first + [element for step, element in old.items() if step not in new]
    return copy(wanted)


def copy(value: Any) -> Any:
    """A deep copy of JSON data; several times faster than copy.deepcopy, which tests of many writes spend their time on."""
    if type(value) is dict:
        return {key: copy(part) if type(part) in _NESTED else part for key, part in value.items()}
    if type(value) is list:
        return [copy(part) if type(part) in _NESTED else part for part in value]
    return value


def without_nulls(value: Any) -> Any:
    """A deep copy without fields that are null: the server reads them as absent."""
    if isinstance(value, dict):
        return {key: without_nulls(part) for key, part in value.items() if part is not None}
    return [without_nulls(part) for part in value] if isinstance(value, list) else value


def fields_v1(paths: Set[Path]) -> Body:
    """The paths as metadata.managedFields[].fieldsV1 spells them."""
    found: Body = copy(_fields_v1(frozenset(paths)))
    return found


@cache
def _fields_v1(paths: frozenset[Path]) -> Body:
    root: Body = {}
    for path in sorted(paths, key=lambda p: tuple(map(_spelt, p))):
        node = root
        for step in path:
            node = node.setdefault(_spelt(step), {})
        if isinstance(path[-1], Item):
            node["."] = {}
    return root


def _spelt(step: Step) -> str:
    if isinstance(step, str):
        return f"f:{step}"
    if isinstance(step, Item):
        return f"k:{json.dumps(dict(step.keys), separators=(',', ':'))}"
    return f"v:{json.dumps(step.value)}"
