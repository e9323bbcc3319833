"""Reads from an object's managedFields which fields one manager applied."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from hardened.core.manifest import Manifest


def applied_fields(live: Mapping[str, Any], manager: str) -> Manifest | None:
    """The part of a live object that `manager` applied, with its present values, or None if it applied nothing.

    The inverse of server-side apply, as client-go's ExtractInto does it: what defaulting and other managers added is left out.
    """
    for entry in live["metadata"].get("managedFields") or ():
        if entry.get("manager") == manager and entry.get("operation") == "Apply" and not entry.get("subresource"):
            found = _pick(live, entry.get("fieldsV1") or {})
            return found if isinstance(found, dict) else None
    return None


def _pick(value: Any, fields: Mapping[str, Any]) -> Any:
    names = [name for name in fields if name != "."]
    if not names:
        return value
    if isinstance(value, Mapping):
        return {name[2:]: _pick(value[name[2:]], fields[name]) for name in names if name.startswith("f:") and name[2:] in value}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_pick(item, fields[name]) for item in value for name in names if _is_item(item, name)]
    return value


def _is_item(item: Any, name: str) -> bool:
    if name.startswith("k:") and isinstance(item, Mapping):
        # A key field that the server defaulted (a port's protocol) is in the name and in the item alike.
        return all(item.get(key) == wanted for key, wanted in json.loads(name[2:]).items())
    return name.startswith("v:") and item == json.loads(name[2:])
