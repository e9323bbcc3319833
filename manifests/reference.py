"""Writes docs/reference.md from the code: every field with its bounds, every condition reason, every setting."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, get_args, get_origin

from hardened.api.action import HardenedServiceActionSpec
from hardened.api.autoscale import DEFAULT_REPLICAS
from hardened.api.crd import action_schema, root_schema
from hardened.api.duration import DURATION_PATTERN, duration_text
from hardened.api.fields import Model
from hardened.api.service import REVISION_FIELDS, HardenedServiceSpec
from hardened.api.whole import WHOLE_RULES
from hardened.core.desired.container import DEFAULT_LIMITS, DEFAULT_REQUESTS
from hardened.core.model.reasons import MEANING
from hardened.core.model.remedies import REMEDY

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
closes every other port, and does not restrict where pods connect to unless `network.egressTo` is set. The `Hardened`
condition lists what is left for the team to do; [checks.md](checks.md) says why, and what to do.

A change of any of these creates a new revision: {", ".join(f"`{name}`" for name in REVISION_FIELDS)}.
Everything else applies at once.

## Fields of `spec`

| field | type | bounds | default | |
|---|---|---|---|---|
"""
_RULES = "\n## Rules that span fields\n\n"
_CHANGES = """
## Changes that are refused

Kubernetes would refuse these changes later, or accept them without effect. Each line names the remedy.

"""
_ACTION = """
## Fields of `spec` of a HardenedServiceAction

An action requests one thing, once, and never changes.

| field | type | bounds | default | |
|---|---|---|---|---|
"""
_REASONS = "\n## Condition reasons\n\n| reason | meaning | what to do |\n|---|---|---|\n"
_EXITS = """
## Exit codes of hardenctl

| code | meaning |
|---|---|
| 0 | ok |
| 1 | failed, degraded, or findings |
| 2 | wrong usage, or an invalid file |
| 3 | the new version was rejected or rolled back, and the previous one serves |
| 4 | refused by the cluster, or by the operator |
| 5 | the cluster could not be asked: it stays away, is overloaded, or accepts no credentials; of the service nothing is known |
| 124 | the wait timed out, and the cluster answered until then; the release continues |
| 130 | interrupted by Ctrl-C; the release continues |
| 141 | whoever read the output has closed it |
| 128 + N | ended by signal N, 143 for SIGTERM; the release continues |
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
    said = [(path + rule.get("fieldPath", ""), rule) for path, rule in _rules("spec", spec)]
    rules = "".join(f"- `{path}`: {rule['message']}\n" for path, rule in said if "oldSelf" not in rule["rule"])
    rules += "".join(f"- `{rule.field.removeprefix('.')}`: {rule.message}\n" for rule in WHOLE_RULES)
    changes = "".join(f"- `{path}`: {rule['message']}\n" for path, rule in said if "oldSelf" in rule["rule"])
    reasons = "".join(f"| `{reason}` | {meaning} | {REMEDY[reason].fix} |\n" for reason, meaning in MEANING.items())
    fields, action_fields = _fields(spec, HardenedServiceSpec), _fields(action, HardenedServiceActionSpec)
    return _HEAD + fields + _RULES + rules + _CHANGES + changes + _ACTION + action_fields + _REASONS + reasons + _EXITS


def _fields(spec: Schema, model: type[Model]) -> str:
    defaults = dict(_defaults("", model))
    rows = (
        (f"`{path}{' *' if is_required else ''}`", _type(node), _bounds(node), defaults.get(path, ""), node.get("description", ""))
        for path, node, is_required in _walk("", spec)
    )
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _walk(path: str, node: Schema) -> Iterator[tuple[str, Schema, bool]]:
    for name, child in (node.get("properties") or {}).items():
        place = f"{path}.{name}" if path else name
        yield place, child, name in node.get("required", ())
        yield from _walk(place, child)
        if "items" in child:
            yield from _walk(f"{place}[]", child["items"])


def _defaults(path: str, model: type[Model]) -> Iterator[tuple[str, str]]:
    """What holds where a field is left out. The schema does not have it: what a team did not write is not to appear in its object."""
    for field in model.model_fields.values():
        place = f"{path}.{field.alias}" if path else str(field.alias)
        match field.default:
            case timedelta():
                yield place, duration_text(field.default)
            case bool():
                yield place, str(field.default).lower()
            case int() | float():
                yield place, f"{field.default:g}"
            case str() if field.default:
                yield place, field.default
        for is_listed, nested in _nested(field.annotation):
            yield from _defaults(f"{place}[]" if is_listed else place, nested)


def _nested(annotation: Any, is_listed: bool = False) -> Iterator[tuple[bool, type[Model]]]:
    if isinstance(annotation, type) and issubclass(annotation, Model):
        yield is_listed, annotation
    for each in get_args(annotation):
        yield from _nested(each, is_listed or get_origin(annotation) is list)


def _rules(path: str, node: Schema) -> Iterator[tuple[str, Schema]]:
    for rule in node.get("x-kubernetes-validations") or ():
        if rule["message"].startswith("keys must match") or node["type"] == "string":
            continue  # the pattern of a map's keys: every map has one; the bounds of a duration: they stand with the field
        yield path, rule
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
