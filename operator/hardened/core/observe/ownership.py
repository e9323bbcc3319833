"""Reads from an object's managedFields which fields one manager applied."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from hardened.core.model.manifest import Manifest

#: What the operator writes of each port of a Service.
_PORT_FIELDS = (".", "f:name", "f:port", "f:protocol", "f:targetPort")


def applied_fields(live: Mapping[str, Any], manager: str) -> Manifest | None:
    """The part of a live object that `manager` applied, with its present values, or None if it applied nothing.

    The inverse of server-side apply, as client-go's ExtractInto does it: what defaulting and other managers added is left out.
    """
    for entry in live["metadata"].get("managedFields") or ():
        if entry.get("manager") == manager and entry.get("operation") == "Apply" and not entry.get("subresource"):
            found = _pick(live, entry.get("fieldsV1") or {})
            return found if isinstance(found, dict) else None
    return None


def is_edited(live: Mapping[str, Any], manager: str, *path: str) -> bool:
    """Whether anyone but `manager` set a field under the path: what `manager` set there may have been changed, and is no longer its own."""
    others = (e for e in live["metadata"].get("managedFields") or () if e.get("manager") != manager and not e.get("subresource"))
    return any(_under(entry.get("fieldsV1") or {}, path) for entry in others)


def _under(fields: Mapping[str, Any], path: Sequence[str]) -> Mapping[str, Any]:
    for name in path:
        fields = fields.get(f"f:{name}") or {}
    return fields


def taken_over(live: Mapping[str, Any], manager: str) -> list[Manifest] | None:
    """managedFields in which `manager` has applied what others set in the spec as well; None where there is nothing to take.

    The next apply then removes what its manifest lacks: two ports of one name, or two handlers of one probe, are refused before anything
    is repaired. A subresource's fields (a scale), and a pod template's metadata, whose change restarts pods, stay their owners'.
    """
    entries = list(live["metadata"].get("managedFields") or ())
    mine = next((e for e in entries if e.get("manager") == manager and e.get("operation") == "Apply" and not e.get("subresource")), None)
    if mine is None:
        return None
    fields, kept = mine.get("fieldsV1") or {}, []
    for entry in entries:
        if entry is mine:
            continue
        spec = (entry.get("fieldsV1") or {}).get("f:spec")
        if not spec or entry.get("subresource") or entry.get("apiVersion") != mine.get("apiVersion"):
            kept.append(entry)
            continue
        metadata = (spec.get("f:template") or {}).get("f:metadata")
        fields = _merged(fields, {"f:spec": _without_template_metadata(spec)})
        left = {k: v for k, v in entry["fieldsV1"].items() if k != "f:spec"}
        if metadata:
            left["f:spec"] = {"f:template": {"f:metadata": metadata}}
        if left:
            kept.append({**entry, "fieldsV1": left})
    return [{**mine, "fieldsV1": fields}, *kept] if fields != mine.get("fieldsV1") else None


def ports_taken_over(live: Mapping[str, Any], manager: str) -> list[Manifest] | None:
    """managedFields of a Service in which `manager` alone has applied its ports; None where nobody else has set one.

    A port that others hold as well would stay for ever once it is wanted no more. What of it the operator does not write stays whose it is.
    """
    entries = list(live["metadata"].get("managedFields") or ())
    mine = next((e for e in entries if e.get("manager") == manager and e.get("operation") == "Apply" and not e.get("subresource")), None)
    split = [(each, *_without_ports({} if each.get("subresource") else each)) for each in entries if each is not mine]
    found = next((entry for entry, taken, _ in split if taken), None)
    if found is None:
        return None
    fields = (mine or {}).get("fieldsV1") or {}
    for _, taken, _ in split:
        fields = _merged(fields, {"f:spec": {"f:ports": taken}})
    own = mine or {**found, "manager": manager, "operation": "Apply"}
    kept = [{**entry, "fieldsV1": left} if taken else entry for entry, taken, left in split if left or not taken]
    return [{**own, "fieldsV1": fields}, *kept]


def _without_ports(entry: Mapping[str, Any]) -> tuple[Manifest, Manifest]:
    """What an entry holds of the ports as the operator writes them, and all else that it holds."""
    fields = entry.get("fieldsV1") or {}
    spec = fields.get("f:spec") or {}
    items = {key: value for key, value in (spec.get("f:ports") or {}).items() if key.startswith("k:")}
    taken = {key: mine for key, value in items.items() if (mine := {name: value[name] for name in value if name in _PORT_FIELDS})}
    left = {key: rest for key, value in items.items() if (rest := {name: value[name] for name in value if name not in _PORT_FIELDS})}
    others = {name: value for name, value in spec.items() if name != "f:ports"} | ({"f:ports": left} if left else {})
    return taken, {name: value for name, value in fields.items() if name != "f:spec"} | ({"f:spec": others} if others else {})


def _without_template_metadata(spec: Mapping[str, Any]) -> Manifest:
    template = spec.get("f:template")
    if not template:
        return dict(spec)
    return {**spec, "f:template": {name: value for name, value in template.items() if name != "f:metadata"}}


def _merged(mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> Manifest:
    return {**mine, **{name: _merged(mine.get(name) or {}, value) for name, value in theirs.items()}}


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
