"""Writes values.schema.json of the chart hardened-service: as strict as the CRD, since it is made of the CRD's own schema."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, Final

from hardened.api import names
from hardened.api.crd import root_schema, schema_of
from hardened.api.fields import AbsolutePath, DataKey
from hardened.api.service import PullSecret
from manifests.chart.beside import BESIDE
from manifests.chart.rules import key_bounds
from manifests.chart.words import sentence

Schema = dict[str, Any]

_KEPT: Final = ("minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems", "minProperties", "maxProperties", "description")
#: What is found more than once, and is longer than this, is written once.
_SHARED: Final = 250


#: Beyond it Helm loses the last digits of a number: such a value has to be quoted.
_EXACT: Final = 2**53 - 1


def said(pattern: str, words: str = "") -> Schema:
    """That a text matches, refused in words where there are some: Helm prints of a constant what it should be, of a pattern the pattern.

    The constant itself is refused as well.
    """
    words = words or sentence(pattern)
    if not words:
        return {"pattern": pattern}
    return {"if": {"pattern": pattern}, "else": {"const": words, "not": {"const": words}}}


def of_field(node: Schema, *, may_be_null: bool = False) -> Schema:
    """A field of the CRD as JSON Schema. may_be_null: as for the API server, a null says that the field is left out."""
    found: Schema = {key: node[key] for key in _KEPT if (key in node and node[key] != 0) or (key == "minimum" and key in node)}
    kinds = ["integer", "string"] if "x-kubernetes-int-or-string" in node else [node["type"]]
    kinds += ["null"] if may_be_null else []
    found["type"] = kinds if len(kinds) > 1 else kinds[0]
    if "enum" in node:
        found["enum"] = [*node["enum"], *([None] if may_be_null else [])]
    if "pattern" in node:
        found |= _of_texts(said(node["pattern"])) if kinds[0] != "string" or may_be_null else said(node["pattern"])
    if "properties" in node:
        required = node.get("required", [])
        found |= {
            "additionalProperties": False,
            "properties": {name: of_field(child, may_be_null=name not in required) for name, child in node["properties"].items()},
        }
        found |= {"required": list(required)} if required else {}
    if isinstance(node.get("additionalProperties"), dict):
        found |= _of_map(node, of_field(node["additionalProperties"], may_be_null=True))
    if "items" in node:
        found["items"] = of_field(node["items"])
        found |= {"uniqueItems": True} if node.get("x-kubernetes-list-type") == "set" else {}
    return found


def _of_texts(schema: Schema) -> Schema:
    """The same for texts alone: a pattern says nothing of a number, but an `else` does."""
    if "if" not in schema:
        return schema
    return {"if": {"type": "string", "not": schema["if"]}, "then": schema["else"]}


def _of_map(node: Schema, value: Schema) -> Schema:
    bounds = key_bounds(node)
    return keyed(bounds[0], value, most=bounds[1]) if bounds else {"additionalProperties": value}


def keyed(pattern: str, value: Schema, *, most: int, words: str = "") -> Schema:
    """A map whose keys match, and are no longer than that. Helm names the wrong place for a wrong `propertyNames`."""
    words = f"left out: its key is not {words or sentence(pattern)}"
    return {
        "patternProperties": {pattern: value},
        "additionalProperties": {"const": words, "not": {"const": words}},
        "propertyNames": {"maxLength": most},
    }


def _spec() -> Schema:
    return dict(root_schema()["properties"]["spec"])


def _field(name: str) -> Schema:
    return of_field(_spec()["properties"][name], may_be_null=True)


def _pattern(of: Any) -> str:
    return str(of.__metadata__[0].pattern)


def _env() -> Schema:
    """name -> a text, or where it comes from."""
    variable = _spec()["properties"]["env"]["items"]["properties"]
    source = of_field(variable["valueFrom"])
    kinds = ["string", "number", "boolean", "object", "null"]
    value = {
        "type": kinds,
        "minimum": -_EXACT,
        "maximum": _EXACT,
        "maxLength": variable["value"]["maxLength"],
        **{key: source[key] for key in ("additionalProperties", "properties")},
        "minProperties": 1,
        "maxProperties": 1,
    }
    name = variable["name"]
    found = keyed(name["pattern"], value, most=name["maxLength"])
    return {"type": ["object", "null"], "maxProperties": _spec()["properties"]["env"]["maxItems"], **found}


def _files() -> Schema:
    """folder/name -> text."""
    folder, name = (_pattern(each).removeprefix("^").removesuffix("$") for each in (AbsolutePath, DataKey))
    text = _spec()["properties"]["files"]["items"]["properties"]["data"]["additionalProperties"]
    words = "the path of a file in a folder, without .. in it, such as /etc/shop/app.toml"
    value = {"type": ["string", "null"], "maxLength": text["maxLength"]}
    return {"type": ["object", "null"], **keyed(f"^{folder}/{name}$", value, most=512, words=words)}


def _image() -> Schema:
    """One that names a version: what the rule of the CRD says beside the pattern."""
    node = of_field(_spec()["properties"]["image"], may_be_null=True)
    words = "an image with a digest, or with a tag other than latest: a release deploys one fixed version"
    pinned = {"anyOf": [{"pattern": "@sha256:"}, {"pattern": ":[^/]*$", "not": {"pattern": ":latest$"}}]}
    refused = {"const": words, "not": {"const": words}}
    return {**node, "allOf": [{"if": {"type": "string", "not": pinned}, "then": refused}]}


def _name() -> Schema:
    words = "lower case letters, digits and dashes, beginning with a letter and not ending with a dash"
    return {"type": ["string", "null"], "maxLength": names.NAME_LIMIT, **_of_texts(said(f"^$|{names.NAME_PATTERN}", words))}


def _http_path() -> Schema:
    path = _spec()["properties"]["probes"]["properties"]["readiness"]["properties"]["httpGet"]["properties"]["path"]
    words = sentence(path["pattern"])
    return {"type": ["string", "null"], "maxLength": path["maxLength"], **_of_texts(said(f"^$|{path['pattern']}", words))}


def _of_metadata(name: str) -> Schema:
    """Of the object itself: as of its pods, in any number."""
    node = _spec()["properties"]["podMetadata"]["properties"][name]
    return of_field({key: value for key, value in node.items() if key != "maxProperties"}, may_be_null=True)


def _of_a_service() -> dict[str, Schema]:
    """The values of one service."""
    port = _spec()["properties"]["ports"]["items"]["properties"]["containerPort"]
    paths = _spec()["properties"]["security"]["properties"]["writablePaths"]
    secrets = {"type": "array", "maxItems": 8, "items": schema_of(PullSecret)}
    extra = of_field({**_spec(), "required": []})
    found: dict[str, Schema] = {
        "enabled": {"type": ["boolean", "null"]},
        "image": _image(),
        "name": _name(),
        "port": {"type": ["integer", "null"], "minimum": 0, "maximum": port["maximum"]},
        "replicas": _field("replicas"),
        "env": _env(),
        "probePath": _http_path(),
        "livenessPath": _http_path(),
        "resources": _field("resources"),
        "files": _files(),
        "writablePaths": of_field(paths, may_be_null=True),
        "imagePullSecrets": of_field(secrets, may_be_null=True),
        **{name: _field(name) for name in ("release", "verify", "autoscale", "backups")},
        "extraSpec": extra,
        **BESIDE,
        **{name: _of_metadata(name) for name in ("labels", "annotations")},
    }
    return {name: {**node, "description": DESCRIPTIONS[name]} for name, node in found.items()}


DESCRIPTIONS: Final = {
    "enabled": "False: nothing is made. For `condition` of a dependency, and for one of `services`.",
    "image": "The image of the application, by a digest or by a tag other than latest.",
    "name": "The name of the service. Empty: the release's name, with an alias RELEASE-ALIAS, in `services` RELEASE-KEY.",
    "port": "The port that the application listens on; clients use port 80 of the Service. 0 or null: a worker, without a Service.",
    "replicas": "How many pods. null: the operator decides, or `autoscale`.",
    "env": "Environment variables: name -> a text, or an object as in `valueFrom`.",
    "probePath": "The HTTP path that answers 200 while the application can take requests. Empty: a TCP connection.",
    "livenessPath": "The HTTP path that answers 200 while the application is alive. Empty: none.",
    "resources": "Requests and limits, as in a Pod.",
    "files": "Files that the application reads: path -> text. A change creates a new revision of the service.",
    "writablePaths": "The only folders that the application may write to. They are empty at each start.",
    "imagePullSecrets": "Secrets of the namespace for registries that ask for a password, each as {name: …}.",
    "release": "How a new version takes over, as in a HardenedService.",
    "verify": "What a new version has to pass, as in a HardenedService.",
    "autoscale": "How many pods by what they use, as in a HardenedService. Leave `replicas` out beside it.",
    "backups": "What is backed up, where to, and when, as in a HardenedService.",
    "ingress": "An Ingress that leads to the Service.",
    "httpRoute": "An HTTPRoute of the Gateway API that leads to the Service.",
    "extraSpec": "Any field of a HardenedService's spec, merged last: it overrides the other values.",
    "labels": "Labels of the HardenedService itself.",
    "annotations": "Annotations of the HardenedService itself.",
}


def values_schema() -> str:
    """The whole file."""
    service = _of_a_service()
    one = {"type": "object", "additionalProperties": False, "properties": service}
    key = "lower case letters, digits and dashes"
    services = {
        "type": ["object", "null"],
        "description": "Several services: key -> values as above. What is set above holds for each of them, unless it says otherwise.",
        "maxProperties": 64,
        **keyed("^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", {"$ref": "#/definitions/service"}, most=names.NAME_LIMIT, words=key),
    }
    several = {"required": ["services"], "properties": {"services": {"type": "object", "minProperties": 1}}}
    each_has = {"properties": {"services": {"additionalProperties": {"required": ["image"]}}}}
    whole: Schema = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$comment": "Generated by `make gen` from the schema of the CRD.",
        "title": "Values of hardened-service",
        "type": "object",
        "additionalProperties": False,
        "if": several,
        "then": {"if": {"required": ["image"]}, "else": each_has},
        "else": {"required": ["image"]},
        "properties": {
            "global": {"type": "object", "description": "Helm gives it to every subchart; nothing here reads it."},
            "services": services,
            "extraObjects": {
                "type": ["array", "null"],
                "description": "Further objects of any kind, each as YAML or as a text with templates.",
                "items": {"type": ["object", "string"]},
            },
            **{name: {"$ref": f"#/definitions/service/properties/{name}"} for name in service},
        },
        "definitions": {"service": one},
    }
    return json.dumps(_shared(whole), indent=1, ensure_ascii=False) + "\n"


def _shared(whole: Schema) -> Schema:
    """The same with what is found more than once in `definitions`."""
    seen = Counter(json.dumps(node) for node in _schemas(whole))
    often = [text for text, count in seen.items() if count > 1 and len(text) > _SHARED]
    numbers = {text: f"shared{at}" for at, text in enumerate(sorted(often, key=len, reverse=True))}

    def replaced(node: Schema, *, is_root: bool = False) -> Schema:
        name = None if is_root else numbers.get(json.dumps(node))
        return {"$ref": f"#/definitions/{name}"} if name else {key: _of_part(key, part, replaced) for key, part in node.items()}

    found = {name: replaced(json.loads(text), is_root=True) for text, name in numbers.items()}
    top = replaced(whole, is_root=True)
    return {**top, "definitions": {**top["definitions"], **found}}


#: The keywords whose value is a schema, has one for each name, or is a list of them.
_ONE: Final = frozenset({"additionalProperties", "items", "propertyNames", "if", "then", "else", "not"})
_NAMED: Final = frozenset({"properties", "patternProperties", "definitions"})
_LISTED: Final = frozenset({"allOf", "anyOf"})


def _of_part(key: str, part: Any, change: Callable[[Schema], Schema]) -> Any:
    """A part of a schema with all schemas in it changed."""
    if key in _NAMED:
        return {name: change(each) for name, each in part.items()}
    if key in _LISTED:
        return [change(each) for each in part]
    return change(part) if key in _ONE and isinstance(part, dict) else part


def _schemas(node: Schema) -> Iterator[Schema]:
    yield node
    for key, part in node.items():
        found: list[Schema] = []
        _of_part(key, part, lambda each, found=found: found.append(each) or each)  # type: ignore[misc]
        for each in found:
            yield from _schemas(each)
