"""The CustomResourceDefinitions, generated from the models by the rules of structural schemas."""

from functools import cache
from typing import Any

from hardened.api import names
from hardened.api.action import HardenedServiceActionSpec, HardenedServiceActionStatus
from hardened.api.fields import ChangeRule, Model, Rule
from hardened.api.service import HardenedServiceSpec
from hardened.api.status import HardenedServiceStatus
from hardened.api.whole import WHOLE_RULES

Schema = dict[str, Any]

#: What `kubectl get` prints: heading, type, path, and 1 for what only `-o wide` shows.
_COLUMNS = [
    ("Ready", "string", '.status.conditions[?(@.type=="Ready")].status', 0),
    ("Phase", "string", ".status.phase", 0),
    ("Revision", "string", ".status.serving.revision", 0),
    ("Color", "string", ".status.serving.color", 0),
    ("Available", "integer", ".status.availableReplicas", 0),
    ("Age", "date", ".metadata.creationTimestamp", 0),
    ("Image", "string", ".status.serving.image", 1),
    ("Message", "string", '.status.conditions[?(@.type=="Ready")].message', 1),
]
_ACTION_COLUMNS = [
    ("Service", "string", ".spec.service", 0),
    ("Action", "string", ".spec.action", 0),
    ("Phase", "string", ".status.phase", 0),
    ("Requested-By", "string", ".spec.requestedBy", 0),
    ("Age", "date", ".metadata.creationTimestamp", 0),
    ("Revision", "string", ".spec.revision", 1),
    ("Reason", "string", ".spec.reason", 1),
    ("Message", "string", ".status.message", 1),
]
_OF_EVERY_OBJECT = {
    "apiVersion": {"type": "string", "description": f"{names.API_VERSION}."},
    "kind": {"type": "string", "description": "What the object is."},
}
# Without a description: the API server takes nothing of metadata but rules on the name, and describes it itself.
_METADATA = {"type": "object"}


def custom_resource_definition() -> Schema:
    """The CRD of HardenedService, complete."""
    called = {
        "kind": names.KIND,
        "listKind": f"{names.KIND}List",
        "plural": names.PLURAL,
        "singular": names.SINGULAR,
        "shortNames": ["hs"],
        "categories": ["all", "hardened"],
    }
    scale = {
        "specReplicasPath": ".spec.replicas",
        "statusReplicasPath": ".status.replicas",
        "labelSelectorPath": ".status.selector",
    }
    return _definition(called, root_schema(), {"status": {}, "scale": scale}, _COLUMNS)


def action_definition() -> Schema:
    """The CRD of HardenedServiceAction, complete."""
    called = {
        "kind": names.ACTION_KIND,
        "listKind": f"{names.ACTION_KIND}List",
        "plural": names.ACTION_PLURAL,
        "singular": names.ACTION_SINGULAR,
        "shortNames": ["hsa"],
        "categories": ["hardened"],
    }
    return _definition(called, action_schema(), {"status": {}}, _ACTION_COLUMNS)


def _definition(called: Schema, schema: Schema, subresources: Schema, columns: list[tuple[str, str, str, int]]) -> Schema:
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{called['plural']}.{names.GROUP}", "annotations": {names.SCHEMA_ANNOTATION: names.SCHEMA_REVISION}},
        "spec": {
            "group": names.GROUP,
            "scope": "Namespaced",
            "names": called,
            "versions": [
                {
                    "name": names.VERSION,
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": schema},
                    "subresources": subresources,
                    "additionalPrinterColumns": [_column(*column) for column in columns],
                }
            ],
        },
    }


def _column(name: str, kind: str, path: str, priority: int) -> Schema:
    return {"name": name, "type": kind, "jsonPath": path, "priority": priority}


@cache
def root_schema() -> Schema:
    """The OpenAPI schema of a whole HardenedService. Made once, which takes 50 ms; not to be changed."""
    return {
        "type": "object",
        "description": "A hardened service: the operator creates and maintains everything that it needs.",
        "required": ["spec"],
        "properties": {
            **_OF_EVERY_OBJECT,
            "metadata": {
                **_METADATA,
                "properties": {"name": {"type": "string", "maxLength": 63, "description": "Unique in its namespace."}},
            },
            "spec": schema_of(HardenedServiceSpec),
            "status": {**schema_of(HardenedServiceStatus), "default": {"observedGeneration": -1}},
        },
        "x-kubernetes-validations": [
            {
                "rule": f"size(self.metadata.name) <= {names.NAME_LIMIT}",
                "message": f"at most {names.NAME_LIMIT} characters, so that the names of its children fit",
                "fieldPath": ".metadata.name",
            },
            {
                "rule": f"self.metadata.name.matches('{names.NAME_PATTERN}')",
                "message": names.NAME_MESSAGE,
                "fieldPath": ".metadata.name",
            },
            *({**_validation(rule), "optionalOldSelf": True} for rule in WHOLE_RULES),
        ],
    }


@cache
def action_schema() -> Schema:
    """The OpenAPI schema of a whole HardenedServiceAction; not to be changed."""
    spec = schema_of(HardenedServiceActionSpec)
    never_changes = {"rule": "self == oldSelf", "message": "an action cannot change: create another one"}
    return {
        "type": "object",
        "description": "One request to a HardenedService, and its result.",
        "required": ["spec"],
        "properties": {
            **_OF_EVERY_OBJECT,
            "metadata": _METADATA,
            "spec": {**spec, "x-kubernetes-validations": [*spec["x-kubernetes-validations"], never_changes]},
            "status": schema_of(HardenedServiceActionStatus),
        },
    }


def schema_of(model: type[Model]) -> Schema:
    """The structural schema of a model: references inlined, `null` alternatives flattened, rules added as CEL."""
    raw = model.model_json_schema(by_alias=True)
    return _structural(raw, raw.get("$defs", {}), _rules_by_title(model))


def _rules_by_title(model: type[Model]) -> dict[str, list[Schema]]:
    found: dict[str, list[Schema]] = {}

    def visit(cls: type[Model]) -> None:
        for sub in cls.__subclasses__():
            found[sub.__name__] = [*map(_validation, sub.rules), *map(_validation, sub.changes)]
            visit(sub)

    visit(Model)
    return found


def _validation(rule: Rule | ChangeRule) -> Schema:
    validation = {"rule": rule.cel, "message": rule.message}
    # The server refuses a fieldPath into a list or map; our rules name plain fields only.
    return validation | ({"fieldPath": rule.field} if rule.field else {})


_KEPT = (
    "type", "format", "pattern", "minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems", "maxProperties",
    "minProperties", "enum", "description", "required",
    "x-kubernetes-list-type", "x-kubernetes-list-map-keys", "x-kubernetes-int-or-string", "x-kubernetes-validations",
)  # fmt: skip


def _structural(node: Schema, defs: dict[str, Schema], rules: dict[str, list[Schema]]) -> Schema:
    node = _resolved(node, defs)
    out: Schema = {key: node[key] for key in _KEPT if key in node}
    if "x-kubernetes-int-or-string" in node:
        out["anyOf"] = node["anyOf"]
        out.pop("type", None)
        return out
    if "const" in node:
        out["enum"] = [node["const"]]
    if "properties" in node:
        out["properties"] = {name: _structural(sub, defs, rules) for name, sub in node["properties"].items()}
        _keep_merge_keys(node, out)
    elif isinstance(node.get("additionalProperties"), dict):
        out["additionalProperties"] = _structural(node["additionalProperties"], defs, rules)
    elif "patternProperties" in node:
        ((pattern, value),) = node["patternProperties"].items()
        out["additionalProperties"] = _structural(value, defs, rules)
        node = {**node, "propertyNames": {**node.get("propertyNames", {}), "pattern": pattern}}
    if "items" in node:
        out["items"] = _structural(node["items"], defs, rules)
    # A field has a title, too, by its own name: only what has fields is a model.
    if "properties" in node and rules.get(node.get("title", "")):
        out["x-kubernetes-validations"] = rules[node["title"]]
    if "propertyNames" in node:
        out.setdefault("x-kubernetes-validations", []).append(_key_rule(_resolved(node["propertyNames"], defs)))
    return out


def _keep_merge_keys(node: Schema, out: Schema) -> None:
    # Only this default may be materialised by the server: what the team did not write must not appear in their object.
    if "observedGeneration" in node["properties"] and "phase" in node["properties"]:
        out["properties"]["observedGeneration"]["default"] = -1


def _resolved(node: Schema, defs: dict[str, Schema]) -> Schema:
    own = {k: v for k, v in node.items() if k not in ("$ref", "anyOf", "title", "default")}
    if "$ref" in node:
        return {**_resolved(defs[node["$ref"].rsplit("/", 1)[1]], defs), **own}
    if "anyOf" in node and "x-kubernetes-int-or-string" not in node:
        kinds = [sub for sub in node["anyOf"] if sub.get("type") != "null"]
        if len(kinds) != 1:
            raise ValueError(f"not structural, give it a schema of its own: {node}")
        return {**_resolved(kinds[0], defs), **own}
    return node


def _key_rule(key: Schema) -> Schema:
    checks = [f"k.size() <= {key['maxLength']}"] if "maxLength" in key else []
    if "pattern" in key:
        checks.append("k.matches(r'" + key["pattern"] + "')" if "'" not in key["pattern"] else 'k.matches(r"' + key["pattern"] + '")')
    return {"rule": f"self.all(k, {' && '.join(checks)})", "message": f"keys must match {key.get('pattern', 'the bound on their length')}"}
