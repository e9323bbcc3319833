"""Manifests are plain data: fresh dictionaries, shaped as the API server takes them."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

Manifest = dict[str, Any]


class ChildKey(NamedTuple):
    """Names one child within the namespace of its service."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


def key_of(manifest: Mapping[str, Any]) -> ChildKey:
    """The key of a manifest or of a live object."""
    return ChildKey(manifest["kind"], manifest["metadata"]["name"])


_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def canonical(value: Any) -> str:
    """One text for equal JSON values: sorted keys, no white space."""
    return _ENCODER.encode(value)


def digest(value: Any, length: int = 12) -> str:
    """The first `length` hex digits (at most 64) of the SHA-256 of the canonical JSON of a value."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()[:length]


def without_none(**fields: Any) -> Manifest:
    """A dictionary of the fields that are not None. Names are given as they stand in the manifest."""
    return {name: value for name, value in fields.items() if value is not None}
