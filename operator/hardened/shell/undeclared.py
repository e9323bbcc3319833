"""What the CRD on the cluster lacks of a status, as the API server names it, and the status without it."""

import re
from collections.abc import Mapping
from typing import Any, Final

#: Names from the status down. What one item of a list may not have, no other one of it may.
Path = tuple[str, ...]

_ITEM: Final = r'\[(?:[^\]"]|"(?:[^"\\]|\\.)*")*\]'
#: How the API server (1.36) names a field of an apply that the schema lacks. It need not name all of them at once. Examples:
#: `.status.serving: field not declared in schema`, `.status.actions[name="a"].left: …`, `.status.list[0].field: …`.
_UNDECLARED: Final = re.compile(rf"\.status((?:\.\w+|{_ITEM})+): field not declared in schema")


def undeclared(message: str) -> frozenset[Path]:
    """The fields of a status that a refusal names as undeclared."""
    return frozenset(tuple(re.sub(_ITEM, "", said).split(".")[1:]) for said in _UNDECLARED.findall(message))


def without(status: Any, paths: frozenset[Path]) -> Any:
    """The status, less exactly these fields."""
    if isinstance(status, list):
        return [without(item, paths) for item in status]
    if not isinstance(status, Mapping) or not paths:
        return status
    below = {name: frozenset(path[1:] for path in paths if path[0] == name) for name in {path[0] for path in paths}}
    return {name: without(value, below.get(name, frozenset())) for name, value in status.items() if () not in below.get(name, ())}
