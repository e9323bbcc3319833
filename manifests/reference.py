"""Writes docs/reference.md from the code: every field with its bounds, every condition reason, every setting."""

from collections.abc import Iterator
from typing import Any

from hardened.api.crd import action_schema, root_schema
from hardened.api.duration import DURATION_PATTERN
from hardened.api.service import REVISION_FIELDS
from hardened.core.desired.container import DEFAULT_LIMITS, DEFAULT_REQUESTS
from hardened.core.reasons import MEANING
from hardened.core.release.course import DEFAULT_REPLICAS

Schema = dict[str, Any]


def _listed(quantities: dict[str, str]) -> str:
    return ", ".join(f"{name} {amount}" for name, amount in quantities.items())


_HEAD = f"""# Reference

Generated from the code by `make gen`.

## What a two-line spec switches on

With `image` and one port, a service gets: {DEFAULT_REPLICAS} replicas, spread over nodes and zones; pods that run as the image's user
(root is refused) with a read-only root and a writable `/tmp`, no capabilities, the runtime's seccomp profile, no service account token;
requests of {_listed(DEFAULT_REQUESTS)} and limits of {_listed(DEFAULT_LIMITS)};
a TCP readiness probe on that port; 5 s of preStop sleep and 30 s of grace; a disruption budget of one pod; a NetworkPolicy that
closes every other port. The `Hardened` condition lists what is left for the team to do.

A change of any of these makes a new revision: {", ".join(f"`{name}`" for name in REVISION_FIELDS)}.
Everything else applies at once.

## Fields of `spec`

| field | type | bounds | |
|---|---|---|---|
"""
_RULES = "\n## Rules that span fields\n\n"
_ACTION = """
## Fields of `spec` of a HardenedServiceAction

It asks for one thing, once, and never changes.

| field | type | bounds | |
|---|---|---|---|
"""
_REASONS = "\n## Condition reasons\n\n| reason | meaning |\n|---|---|\n"
_EXITS = """
## Exit codes of hardenctl

| code | meaning |
|---|---|
| 0 | ok |
| 1 | failed, degraded, or findings |
| 2 | wrong usage, or an invalid file |
| 3 | the new version was rejected or taken back, and the previous one serves |
| 4 | refused by the cluster, or by the operator |
| 124 | the wait timed out |
| 130 | interrupted |
"""


_BOUNDS = (
    ("minimum", "maximum", ""),
    ("minLength", "maxLength", " characters"),
    ("minItems", "maxItems", " items"),
    ("minProperties", "maxProperties", " entries"),
)


def reference() -> str:
    """The whole page."""
    spec = root_schema()["properties"]["spec"]
    action = action_schema()["properties"]["spec"]
    rules = "".join(f"- `spec{path}`: {text}\n" for path, text in _rules("", spec))
    reasons = "".join(f"| `{reason}` | {meaning} |\n" for reason, meaning in MEANING.items())
    return _HEAD + _fields(spec) + _RULES + rules + _ACTION + _fields(action) + _REASONS + reasons + _EXITS


def _fields(spec: Schema) -> str:
    return "".join(f"| `{path}` | {_type(node)} | {_bounds(node)} | {node.get('description', '')} |\n" for path, node in _walk("", spec))


def _walk(path: str, node: Schema) -> Iterator[tuple[str, Schema]]:
    for name, child in (node.get("properties") or {}).items():
        place = f"{path}.{name}" if path else name
        is_required = name in node.get("required", ())
        yield place + (" *" if is_required else ""), child
        yield from _walk(place, child)
        if "items" in child:
            yield from _walk(f"{place}[]", child["items"])


def _rules(path: str, node: Schema) -> Iterator[tuple[str, str]]:
    for rule in node.get("x-kubernetes-validations") or ():
        if rule["message"].startswith("keys must match") or node["type"] == "string":
            continue  # the pattern of a map's keys: every map has one; the bounds of a duration: they stand with the field
        yield path + rule.get("fieldPath", ""), rule["message"]
    for name, child in (node.get("properties") or {}).items():
        yield from _rules(f"{path}.{name}", child)
        if "items" in child:
            yield from _rules(f"{path}.{name}[]", child["items"])


def _type(node: Schema) -> str:
    if "x-kubernetes-int-or-string" in node:
        return "integer or string"
    if node.get("pattern") == DURATION_PATTERN:
        return "duration"
    if "enum" in node:
        return "one of " + ", ".join(f"`{value}`" for value in node["enum"])
    if node.get("type") == "array":
        return f"list of {_type(node['items'])}"
    if "additionalProperties" in node:
        return f"map of {_type(node['additionalProperties'])}"
    return str(node.get("type", "object"))


def _bounds(node: Schema) -> str:
    if node.get("pattern") == DURATION_PATTERN:
        return str(node["x-kubernetes-validations"][0]["message"]).removeprefix("must be from ")
    return ", ".join(f"{node.get(low, 0)} to {node[high]}{unit}" for low, high, unit in _BOUNDS if high in node)
