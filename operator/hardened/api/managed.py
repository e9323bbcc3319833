"""Who set the size of a service, by its metadata.managedFields. Anybody can write those: what is not shaped as they are says nothing."""

from collections.abc import Mapping
from typing import Any


def size_entries(meta: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The entries of managedFields that set spec.replicas in the spec itself, and not through /scale; of their fields no more than that."""
    given = meta.get("managedFields")
    return [
        {"manager": entry["manager"], "operation": entry.get("operation"), "fieldsV1": {"f:spec": {"f:replicas": {}}}}
        for entry in (given if isinstance(given, list) else ())
        if isinstance(entry, Mapping) and isinstance(entry.get("manager"), str) and _sets_size(entry)
    ]


def size_manager(meta: Mapping[str, Any]) -> str:
    """The first of those who set spec.replicas in the spec; "" for nobody, as far as is known."""
    return next((str(entry["manager"]) for entry in size_entries(meta)), "")


def _sets_size(entry: Mapping[str, Any]) -> bool:
    fields = entry.get("fieldsV1")
    spec = fields.get("f:spec") if isinstance(fields, Mapping) else None
    return not entry.get("subresource") and isinstance(spec, Mapping) and "f:replicas" in spec
