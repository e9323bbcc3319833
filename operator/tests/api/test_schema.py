"""The schema is structural, bounded everywhere, and says nothing that would let a service out of its namespace."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from tests.api.bad_specs import fields

from hardened.api import names
from hardened.api.crd import action_schema, custom_resource_definition, root_schema
from hardened.api.service import REVISION_FIELDS, HardenedServiceSpec
from hardened.api.steps import Step

Node = tuple[str, dict[str, Any]]


def nodes(schema: dict[str, Any], path: str = "") -> Iterator[Node]:
    yield path, schema
    for name, sub in schema.get("properties", {}).items():
        yield from nodes(sub, f"{path}.{name}")
    for part, suffix in (("items", "[]"), ("additionalProperties", "{}")):
        if isinstance(schema.get(part), dict):
            yield from nodes(schema[part], path + suffix)


def of(kind: str, under: str = ".spec") -> list[Node]:
    return [(path, node) for path, node in nodes(root_schema()) if node.get("type") == kind and path.startswith(under)]


def test_every_list_is_bounded_and_says_how_it_merges() -> None:
    for path, node in of("array", ""):
        assert node["maxItems"] <= 256, path
        assert node["x-kubernetes-list-type"] in ("map", "set", "atomic"), path
        keys = node.get("x-kubernetes-list-map-keys", [])
        assert bool(keys) == (node["x-kubernetes-list-type"] == "map"), path
        assert set(keys) <= set(node["items"].get("required", [])) if keys else True, path


def test_every_text_is_bounded() -> None:
    unbounded = [p for p, n in of("string", "") if not (n.get("maxLength") or n.get("enum") or n.get("format"))]
    assert unbounded == [".apiVersion", ".kind"], "those two the API server bounds itself"


def test_every_field_is_explained() -> None:
    fields = [each for schema in (root_schema(), action_schema()) for each in nodes(schema) if each[0] and each[0][-1] not in "]}"]
    assert len(fields) > 700
    bare = [path for path, node in fields if not node.get("description", "").endswith((".", "`", "?"))]
    assert bare == [".metadata", ".metadata"], "that one the API server describes itself, and takes no description of it"


def test_every_number_is_bounded() -> None:
    assert [p for p, n in of("integer") + of("number") if "minimum" not in n or "maximum" not in n] == []
    mixed = [(p, n) for p, n in nodes(root_schema()) if n.get("x-kubernetes-int-or-string")]
    assert mixed
    assert [p for p, n in mixed if not {"minimum", "maximum", "pattern", "maxLength"} <= n.keys()] == []


def test_every_map_is_bounded_in_its_keys_too() -> None:
    maps = [(p, n) for p, n in nodes(root_schema()) if isinstance(n.get("additionalProperties"), dict)]
    assert len(maps) > 8
    for path, node in maps:
        assert node["maxProperties"] <= 32, path
        rules = " ".join(rule["rule"] for rule in node["x-kubernetes-validations"])
        assert "k.matches(" in rules, path
        assert "k.size() <= " in rules, path


def test_every_object_is_closed() -> None:
    for path, node in of("object"):
        assert "properties" in node or "additionalProperties" in node or node == {"type": "object"}, path
        assert "x-kubernetes-preserve-unknown-fields" not in node, path
        assert node.get("additionalProperties") is not True, path


def test_a_rule_stands_on_what_has_the_fields_that_it_names() -> None:
    ruled = [(path, node) for path, node in nodes(root_schema()) if any("fieldPath" in r for r in node.get("x-kubernetes-validations", ()))]
    assert ruled
    assert [path for path, node in ruled if "properties" not in node] == []


def test_no_field_names_a_namespace_or_a_host() -> None:
    last = {path.rstrip("[]{}").rpartition(".")[2] for path, _ in nodes(root_schema())}
    assert {name for name in last if "namespace" in name.lower()} == {"namespaceSelector"}
    assert last.isdisjoint(
        {"host", "hostPath", "hostPort", "hostNetwork", "hostPID", "hostIPC", "nodeName", "privileged", "serviceAccountName", "url"}
    )


def test_nothing_is_left_of_what_is_not_structural() -> None:
    text = json.dumps(custom_resource_definition())
    for word in (
        '"$ref"',
        '"$defs"',
        '"null"',
        '"oneOf"',
        '"allOf"',
        '"const"',
        '"patternProperties"',
        '"propertyNames"',
        '"title"',
        '"nullable"',
    ):
        assert word not in text, word
    assert text.count('"anyOf"') == text.count('"x-kubernetes-int-or-string"')


def test_only_the_status_has_a_default() -> None:
    assert [path for path, node in nodes(root_schema()) if "default" in node] == [".status", ".status.observedGeneration"]


def test_the_crd_fits_into_an_annotation_of_kubectl() -> None:
    assert len(json.dumps(custom_resource_definition())) < 256 * 1024


def test_the_crd_says_which_schema_it_is() -> None:
    crd = custom_resource_definition()
    assert crd["metadata"]["annotations"] == {names.SCHEMA_ANNOTATION: names.SCHEMA_REVISION}
    assert crd["metadata"]["name"] == f"{names.PLURAL}.{names.GROUP}"
    assert crd["spec"]["versions"][0]["subresources"].keys() == {"status", "scale"}


def test_every_field_of_a_revision_is_a_field_and_the_rest_applies_at_once() -> None:
    every = {field.alias for field in HardenedServiceSpec.model_fields.values()}
    assert every - set(REVISION_FIELDS) == {
        "replicas",
        "autoscale",
        "service",
        "availability",
        "release",
        "verify",
        "backups",
        "suspend",
        "suspendUntil",
    }
    assert set(REVISION_FIELDS) <= every


def test_status_may_name_each_step() -> None:
    (named,) = [node["enum"] for path, node in nodes(root_schema()) if path.endswith(".status.release.step")]
    assert set(named) == set(Step)


@pytest.mark.parametrize("where", ["spec", "spec.security", "spec.scheduling", "spec.volumes[0]"])
def test_the_walk_over_the_schema_reaches(where: str) -> None:
    assert where in {field.path for field in fields()}
