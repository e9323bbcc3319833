"""The shape of a HardenedService: what a field may hold, and what is taken out until the parser takes it."""

import copy
import re
from collections.abc import Mapping
from typing import Any

from hardenctl.converting.notes import CannotConvert, Notes, without_empty
from hardened.api.crd import root_schema
from hardened.api.parse import parse
from hardened.core.model.manifest import Manifest
from hardened.errors import FieldError, InvalidSpec

#: What the server adds to objects that it shows, and what means nothing here.
_SILENT = frozenset({"defaultMode", "apiVersion", "terminationMessagePath", "terminationMessagePolicy", "imagePullPolicy"})
#: Each round takes at least one field out.
_ROUNDS = 200


def known(notes: Notes, where: str, field: str, value: Any) -> Any:
    """The part of a value that a field of the spec has a place for. where: in the source; field: its path, as "probes.readiness"."""
    schema: Any = root_schema()["properties"]["spec"]
    for part in field.split("."):
        schema = schema.get("items", schema)["properties"][part]
    return _pruned(notes, where, schema, value)


def _pruned(notes: Notes, where: str, schema: Mapping[str, Any], value: Any) -> Any:
    if isinstance(value, list) and "items" in schema:
        return [_pruned(notes, f"{where}[{at}]", schema["items"], each) for at, each in enumerate(value)]
    if not isinstance(value, Mapping) or "properties" not in schema:
        return value
    found = {}
    for name, each in value.items():
        if name in schema["properties"]:
            found[name] = _pruned(notes, f"{where}.{name}", schema["properties"][name], each)
        elif name not in _SILENT and each is not None:
            notes.left_out(f"{where}.{name}", "a HardenedService has no such field")
    return found


def fitted(notes: Notes, body: Manifest) -> Manifest:
    """The HardenedService without what the parser does not take, each noted with the parser's own words. Raises CannotConvert."""
    body = copy.deepcopy(body)
    for _ in range(_ROUNDS):
        try:
            parse(body)
        except InvalidSpec as error:
            _take_out(notes, body, error.errors[-1])
            continue
        return {**body, "spec": without_empty(body["spec"])}
    raise CannotConvert("too much of it is not what a HardenedService takes", "begin with a smaller file")


def _take_out(notes: Notes, body: Manifest, wrong: FieldError) -> None:
    """Takes out the field, or, where it is missing, what it is missing in."""
    steps = [int(index) if index else key for key, index in re.findall(r"([^.\[\]]+)|\[(\d+)\]", wrong.path)]
    steps = steps[: len(steps) - len(_missing(body, steps))]
    if len(steps) < 2 or steps[0] != "spec" or steps == ["spec", "image"]:
        raise CannotConvert(f"{wrong.path}: {wrong.message}")
    parent: Any = body
    for step in steps[:-1]:
        parent = parent[step]
    del parent[steps[-1]]
    notes.left_out(wrong.path, wrong.message)


def _missing(body: Any, steps: list[Any]) -> list[Any]:
    """The steps of a path that lead nowhere."""
    for at, step in enumerate(steps):
        is_there = step in body if isinstance(body, Mapping) else isinstance(body, list) and isinstance(step, int) and step < len(body)
        if not is_there:
            return steps[at:]
        body = body[step]
    return []
