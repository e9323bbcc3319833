"""Writes what the chart hardened-service holds a whole HardenedService against, from the CRD's own schema.

What one value may be is in values.schema.json. What spans values, and what is only known of the spec that the values make, is held by the
templates: each rule of the CRD becomes a template, and files/rules.json tells where in a spec it is asked.
"""

import json
from collections.abc import Iterator
from functools import cache
from typing import Any, Final

from hardened.api import names
from hardened.api.crd import root_schema
from manifests.chart.cel import Binary, Call, Loop, Node, Value, parsed
from manifests.chart.go_template import NotHere, template
from manifests.chart.words import sentence

Schema = dict[str, Any]

FOLDER: Final = "charts/hardened-service"
_HEAD = "{{/* Generated from the rules of the CRD by `make gen`. Each prints true for a value, the dot, that keeps the rule. */}}\n"


_OF_KEYS: Final = "keys must match "


def key_bounds(node: Schema) -> tuple[str, int] | None:
    """The pattern that the keys of a map match, and their longest length; None for what is no map. 0: any length."""
    for rule in node.get("x-kubernetes-validations", ()):
        if rule["message"].startswith(_OF_KEYS):
            body = parsed(rule["rule"])
            assert isinstance(body, Loop)
            calls = dict(_calls(body.body))
            return str(calls.get("matches", "")), int(calls.get("size", 0))
    return None


def _calls(node: Node) -> Iterator[tuple[str, Any]]:
    match node:
        case Binary(operator="&&", left=left, right=right):
            yield from _calls(left)
            yield from _calls(right)
        case Call(function="matches", arguments=(Value(value=pattern),)):
            yield "matches", pattern
        case Binary(operator="<=", left=Call(function="size"), right=Value(value=most)):
            yield "size", most


def rules() -> list[Schema]:
    """The rules of a spec in the order in which they are met, each once; those on changes are the API server's."""
    found = [rule for node in _nodes(root_schema()["properties"]["spec"]) for rule in _asked(node)]
    return list({rule["rule"]: rule for rule in (*_of_the_whole(), *found)}.values())


def _of_the_whole() -> list[Schema]:
    """Those on a whole object, but for what a name is: the chart says where the name comes from."""
    return [rule for rule in root_schema()["x-kubernetes-validations"] if ".spec" in rule["rule"]]


def server_only() -> dict[str, str]:
    """The rules that no template can hold, by what stands in the way."""
    found = {}
    for rule in rules():
        try:
            template(rule["rule"])
        except NotHere as error:
            found[rule["rule"]] = str(error)
    return found


def _asked(node: Schema) -> list[Schema]:
    """Those of one place. A rule on a change has nothing to compare with."""
    return [_in_words(rule) for rule in node.get("x-kubernetes-validations", ()) if "oldSelf" not in rule["rule"]]


def _in_words(rule: Schema) -> Schema:
    pattern = rule["message"].removeprefix(_OF_KEYS)
    return {**rule, "message": f"each key must be {sentence(pattern)}"} if pattern != rule["message"] and sentence(pattern) else rule


def _nodes(node: Schema) -> Iterator[Schema]:
    yield node
    for child in (*(node.get("properties") or {}).values(), *(node[part] for part in ("items", "additionalProperties") if part in node)):
        yield from _nodes(child)


@cache
def _numbers() -> dict[str, int]:
    left_out = server_only()
    return {rule["rule"]: number for number, rule in enumerate(each for each in rules() if each["rule"] not in left_out)}


def templates() -> str:
    """templates/_rules.tpl."""
    written = (f'{{{{- define "hardened-service.rule{number}" }}}}{template(rule)}{{{{- end }}}}\n' for rule, number in _numbers().items())
    return _HEAD + "".join(written)


def tree() -> str:
    """files/rules.json: `name`, what a name is; `spec` and `whole`, what is asked where. Short keys: Helm keeps it with each release."""
    found = {
        "name": {"pattern": names.NAME_PATTERN, "most": names.NAME_LIMIT, "message": names.NAME_MESSAGE},
        "spec": _tree(root_schema()["properties"]["spec"]),
        "whole": _rules_of({"of-the-whole": _of_the_whole()}),
    }
    return json.dumps(found, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def _tree(node: Schema) -> Schema:
    """p: of its fields, e: of each entry or item, r: its rules, k: what tells its items apart, m: how many there may be."""
    fields = {name: found for name, child in (node.get("properties") or {}).items() if (found := _tree(child))}
    each = node.get("items") or node.get("additionalProperties")
    kind = node.get("x-kubernetes-list-type", "atomic")
    found = {
        "p": fields,
        "e": _tree(each) if isinstance(each, dict) else {},
        "r": _rules_of(node),
        "k": node.get("x-kubernetes-list-map-keys", [""])[0] if kind != "atomic" else None,
        "m": node.get("maxItems") or node.get("maxProperties"),
    }
    return {key: value for key, value in found.items() if value not in ({}, [], None)}


def _rules_of(node: Schema) -> list[Schema]:
    return [
        {"t": f"hardened-service.rule{_numbers()[rule['rule']]}", "m": rule["message"], "f": rule.get("fieldPath", "")}
        for rule in (*_asked(node), *node.get("of-the-whole", ()))
        if rule["rule"] in _numbers()
    ]
