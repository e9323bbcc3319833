"""Bad specs, derived from the schema: for every field of the API, everything that can be wrong with it."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from hardened.api.crd import schema_of
from hardened.api.duration import DURATION_PATTERN
from hardened.api.fields import Model
from hardened.api.service import HardenedServiceSpec

Schema = dict[str, Any]


@dataclass(frozen=True)
class Bad:
    """A spec that must be refused, and the path that must be named. is_unknown: the API server drops the field unless told to be strict."""

    name: str
    text: str
    path: str
    is_unknown: bool = False

    @property
    def spec(self) -> Any:
        return json.loads(self.text)


@dataclass(frozen=True)
class Field:
    """One place in the schema. around: a spec in which the text `@` stands for the value of this field."""

    path: str
    schema: Schema
    around: str

    def holding(self, value: Any) -> str:
        return self.around.replace('"@"', json.dumps(value))


#: A value for each required field, and the first of each set of alternatives.
_MINIMAL: dict[str, Any] = {
    "image": "registry.example/shop:1", "name": "a", "key": "a", "mountPath": "/a", "containerPort": 1, "port": 1, "size": "1Gi",
    "cidr": "10.0.0.0/8", "fieldPath": "metadata.name", "resource": "limits.cpu", "path": "a", "secretName": "a", "value": "a",
    "topologyKey": "a", "operator": "Exists", "weight": 1, "labelSelector": {}, "command": ["a"], "data": {"a": "a"},
    "matchExpressions": [{"key": "a", "operator": "Exists"}], "preference": {"matchExpressions": [{"key": "a", "operator": "Exists"}]},
    "podAffinityTerm": {"labelSelector": {}, "topologyKey": "a"}, "nodeSelectorTerms": [{"matchExpressions": [{"key": "a", "operator": "Exists"}]}], "rate": 5000, "query": "a",
    "service": "a", "action": "Rollback", "requestedBy": "a", "schedule": "30 3 * * *", "repository": {"secretName": "a"}, "source": {"postgres": {"secretName": "a"}},
    "maxReplicas": 1000, "type": "Pods",
}  # fmt: skip
_ALTERNATIVES: tuple[dict[str, Any], ...] = (
    {"tcpSocket": {"port": 1}, "httpGet": None, "grpc": None, "exec": None},
    {"fieldRef": {"fieldPath": "metadata.name"}, "secretKeyRef": None, "configMapKeyRef": None, "resourceFieldRef": None},
    {"secretRef": {"name": "a"}, "configMapRef": None},
    {"emptyDir": {}, "claim": None, "secret": None, "configMap": None},
    {"maxUnavailable": 1, "minAvailable": None},
    {"podSelector": {}, "namespaceSelector": None, "ipBlock": None},
    {"prometheus": {"query": "a", "max": 1}, "http": None, "grpc": None, "tcp": None, "job": None, "load": None},
    {"max": 1, "min": None},
    {"service": "a", "tcp": None},
    {"postgres": {"secretName": "a"}, "redis": None, "volume": None, "command": None},
    {"last": 1, "daily": None},
    {"cpu": 70, "memory": None},
)
#: Field -> what must stand beside it.
_BESIDE: dict[str, dict[str, Any]] = {
    "release": {"ports": [{"name": "http", "containerPort": 1}]},
    "verify": {"ports": [{"name": "http", "containerPort": 1}]},
    "autoPromoteAfter": {"promotion": "Manual"},
    "checks": {"window": "1h"},
    "backups": {"volumes": [{"name": "a", "mountPath": "/a", "claim": {"size": "1Gi"}}]},
    "backup": {"action": "Backup"},
}


def _least(schema: Schema, name: str) -> Any:
    """A value for a required field. A `value` may be a text, or a number."""
    known = _MINIMAL.get(name)
    return schema["minimum"] if schema.get("type") == "integer" and not isinstance(known, int) else known


def _item(schema: Schema, chosen: str = "", key: str = "") -> dict[str, Any]:
    """The least that this object needs beside the field `chosen`."""
    beside = {name: value for name, value in _BESIDE.get(chosen, {}).items() if name in schema["properties"]}
    found = {name: _least(schema["properties"][name], name) for name in schema.get("required", ()) if name != chosen} | beside
    group = next((a for a in _ALTERNATIVES if a.keys() <= schema["properties"].keys()), {})
    if group and chosen not in group:
        first = next(iter(group))
        found[first] = group[first]
    return found | ({key: _MINIMAL[key]} if key and key != chosen else {})


@cache
def fields(model: type[Model] = HardenedServiceSpec) -> tuple[Field, ...]:
    """Every field of a spec, with a place for its value."""
    return tuple(_fields(schema_of(model), "spec", '"@"'))


def _fields(schema: Schema, path: str, around: str) -> Iterator[Field]:
    yield Field(path, schema, around)
    if "properties" in schema:
        for name, sub in schema["properties"].items():
            inner = json.dumps({**_item(schema, name), name: "@"})
            yield from _fields(sub, f"{path}.{name}", around.replace('"@"', inner))
    elif "additionalProperties" in schema:
        key = "memory" if "resources" in path else "a"
        yield from _fields(schema["additionalProperties"], f"{path}.{key}", around.replace('"@"', json.dumps({key: "@"})))
    elif "items" in schema:
        yield from _fields(schema["items"], f"{path}[0]", around.replace('"@"', '["@"]'))


@cache
def bad_specs(model: type[Model] = HardenedServiceSpec) -> tuple[Bad, ...]:
    """One case per mistake."""
    found: dict[str, Bad] = {}
    for field in fields(model):
        for what, value, suffix in _mistakes(field):
            case = Bad(f"{field.path}: {what}", field.holding(value), field.path + suffix, what.startswith("unknown"))
            found.setdefault(case.text, case)
    return tuple(found.values())


Mistake = tuple[str, Any, str]


def _mistakes(field: Field) -> Iterator[Mistake]:
    schema = field.schema
    if schema.get("x-kubernetes-int-or-string"):
        yield from _of_int_or_string(schema)
    elif "enum" in schema:
        yield from _wrong_types("", 1, True, [], {})
        yield from (("not in the list", value, "") for value in ("nope", "", "Restricted", schema["enum"][0] + " "))
    else:
        kinds = {
            "string": _of_string,
            "integer": _of_integer,
            "number": _of_number,
            "boolean": _of_boolean,
            "array": _of_array,
            "object": _of_object,
        }
        yield from kinds[schema["type"]](schema)
    if "[" in field.path.rpartition(".")[2]:
        yield "null as an item", None, ""


def _wrong_types(*values: Any) -> Iterator[Mistake]:
    return (("wrong type", value, "") for value in values)


_NOT_NAMES = (
    "", " ", "a b", "-a", "a-", "A", "a.", ".a", "..", "a/../b", "é", "а", "\u202ea", "a\u0000b", "a\nb", "a\r\nb", "a\n", "$(rm)", "{{a}}",
    "`a`", "a" * 70, "/", "../a", "a//b", "%", "1.5.0", "latest", "a:latest", "https://user:pw@example.org/a:1", "host:5000/app",
    "a@sha256:00", "a/-b", "Registry/A:1", "::1/", "10.0.0.0", "999.0.0.0/8", "spec.hostNetwork", "limits.gpu", "1", "-1s", "+1s", "1.5s", "1 s", "1d", "1S", "1us", "s", "1s1s1s1s1s", "100000s",
    "//a", "/a?b=//c", "a.b:1", "a:0", "a:65536", "a:01", "a:", ":1",
)  # fmt: skip


def _of_string(schema: Schema) -> Iterator[Mistake]:
    yield from _wrong_types(1, 1.5, True, [], {}, ["a"])
    if "maxLength" in schema:
        yield "too long", "a" * (schema["maxLength"] + 1), ""
    if schema.get("minLength"):
        yield "too short", "", ""
    pattern = re.compile(schema.get("pattern", "").removesuffix("$"))
    yield from (("bad text", text, "") for text in _NOT_NAMES if schema.get("pattern") and not pattern.fullmatch(text))
    if schema.get("pattern") == DURATION_PATTERN:
        # But for the age of a snapshot, nothing takes more than a month.
        most = "721h" if "9000h" not in json.dumps(schema) else "9001h"
        yield from (("out of bounds", text, "") for text in ("0s", "0ms", "99999h", most))


def _of_integer(schema: Schema) -> Iterator[Mistake]:
    yield from _wrong_types("1", "", True, 1.5, [], {}, "NaN")
    yield from (("too small", value, "") for value in (schema["minimum"] - 1, -(2**31), -(2**63)))
    yield from (("too large", value, "") for value in (schema["maximum"] + 1, 2**31, 2**63, 1e300))


def _of_number(schema: Schema) -> Iterator[Mistake]:
    yield from _wrong_types("1", "", "0.5", True, [], {}, "NaN")
    yield from (("too small", value, "") for value in (schema["minimum"] - 0.5, -1e16, -1e300))
    yield from (("too large", value, "") for value in (schema["maximum"] + 0.5, 1e16, 2**63, 1e300))


def _of_boolean(_: Schema) -> Iterator[Mistake]:
    yield from _wrong_types("true", "no", "", 0, 1, [], {})


def _of_int_or_string(schema: Schema) -> Iterator[Mistake]:
    yield from _wrong_types(True, 1.5, [], {}, [1])
    yield from (("too small", value, "") for value in (schema["minimum"] - 1, -(2**31)))
    yield from (("too large", value, "") for value in (schema["maximum"] + 1, 2**63))
    pattern = re.compile(schema["pattern"].removesuffix("$"))
    bad = ("", "0", "0.0", "-1m", "1e99Gi", "1E3", "NaN", "Inf", "1.5.0", "1.2345", "0.5m", "1 Gi", "1gi", "1Gi\n", "101%", "-1%", "5 %", "%",
           "1.5%", "http_x", "a--b", "12", "+1", "9999Pi", "1" * 30, "\u0661", "１")  # fmt: skip
    yield from (("bad text", text, "") for text in bad if not pattern.fullmatch(text))


def _of_array(schema: Schema) -> Iterator[Mistake]:
    yield from _wrong_types("a", 1, True, {})
    keys, item = schema.get("x-kubernetes-list-map-keys"), schema["items"]
    one = (
        _item(item, key=keys[0] if keys else "")
        if "properties" in item
        else item["enum"][0]
        if "enum" in item
        else item["minimum"]
        if item.get("type") == "integer"
        else "/a"
        if _is_path(item)
        else "a"
    )
    if "cidr" in json.dumps(one) or item.get("maxLength") == 49:
        one = one if isinstance(one, dict) else "10.1.0.0/16"
    yield "too many", [_numbered(one, keys, i) for i in range(schema["maxItems"] + 1)], ""
    if schema.get("minItems"):
        yield "too few", [], ""
    if schema["x-kubernetes-list-type"] != "atomic":
        yield "twice the same", [one, one], "[1]"


def _is_path(item: Schema) -> bool:
    return str(item.get("pattern", "")).startswith("^(/")


def _numbered(one: Any, keys: list[str] | None, number: int) -> Any:
    if isinstance(one, dict) and keys:
        return {**one, keys[0]: f"{one[keys[0]]}{number}"}
    return f"{one}{number}" if isinstance(one, str) and one in ("a", "/a") else one


def _of_object(schema: Schema) -> Iterator[Mistake]:
    yield from _wrong_types("a", 1, True, [], [{}])
    if "properties" not in schema:
        yield from _of_map(schema)
        return
    least = _item(schema)
    for name in schema.get("required", ()):
        yield f"{name} is missing", {k: v for k, v in least.items() if k != name}, f".{name}"
        yield f"{name} is null", {**least, name: None}, f".{name}"
    yield "unknown field", {**least, "hostPath": {"path": "/"}}, ".hostPath"
    snake = next((n for n in schema["properties"] if n != n.lower()), "")
    if snake:
        spelt = re.sub("([A-Z])", r"_\1", snake).lower()
        yield "unknown spelling", {**least, spelt: "a"}, f".{spelt}"


def _of_map(schema: Schema) -> Iterator[Mistake]:
    value: Any = 1 if schema["additionalProperties"].get("x-kubernetes-int-or-string") else "a"
    name = "example.com/a" if value == 1 else "a"
    yield "too many", {f"{name}{i}": value for i in range(schema["maxProperties"] + 1)}, ""
    if schema.get("minProperties"):
        yield "too few", {}, ""
    for key in ("", " ", "é", "a b", "-a/b", "a/b/c", "a\n", "a\u0000", "$(a)", "/a", "\u202ea"):
        yield f"bad key {key!r}", {key: value}, ""


def is_about(path: str, found: str) -> bool:
    """True when an error at `found` is about `path`: the same, or one within the other. Only an error of the whole spec names `spec`."""
    shorter, longer = sorted((path, found), key=len)
    return path == found or (shorter != "spec" and longer.startswith(shorter) and longer[len(shorter)] in ".[")
