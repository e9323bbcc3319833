"""Holds what `-o json` prints against the schemas of the repository."""

import json
from collections.abc import Sequence
from itertools import pairwise

from hardenctl.app import GROUPS


def verb_of(words: Sequence[str]) -> str:
    """Example: ["backup", "list", "shop"] -> "backup list"."""
    return " ".join(words[:2] if words[0] in GROUPS else words[:1])


def asks_for_json(words: Sequence[str]) -> bool:
    """In any of the ways that -o can be written."""
    return bool({"-ojson", "-o=json", "--output=json"} & set(words)) or any(
        pair in (("-o", "json"), ("--output", "json")) for pair in pairwise(words)
    )


def assert_fits(verb: str, printed: str) -> str:
    """What is printed has the fields that the schema names, of its types, and no others. Returns the shape that it has."""
    from manifests.schemas import adapter, named_shape

    read = adapter(verb).validate_json(printed, strict=True)
    # A field that no schema names is read by nobody's reader: it is left out of what was read.
    assert read == json.loads(printed), f"{verb} prints fields that {named_shape(verb, printed)} does not name"
    return named_shape(verb, printed)
