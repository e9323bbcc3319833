"""A wrong field is named by its path, with what to do; all of them at once, in the order of the document."""

import json
from typing import Any

import pytest
from tests.api.bad_specs import Bad, bad_specs, fields, is_about
from tests.api.broken_rules import BROKEN, BROKEN_ACTIONS, ESCAPES, spec

from hardened.api.fields import Model
from hardened.api.parse import field_path, parse, parse_spec
from hardened.api.parse_action import parse_action
from hardened.errors import InvalidSpec


def errors(given: Any) -> list[tuple[str, str]]:
    with pytest.raises(InvalidSpec) as caught:
        parse_spec(given)
    return [(e.path, e.message) for e in caught.value.errors]


def action_errors(given: Any) -> list[tuple[str, str]]:
    with pytest.raises(InvalidSpec) as caught:
        parse_action({"spec": given})
    return [(e.path, e.message) for e in caught.value.errors]


PORT = {"name": "http", "containerPort": 8080}


@pytest.mark.parametrize(
    ("given", "path", "message"),
    [
        pytest.param(None, "spec", "must be an object", id="no spec"),
        pytest.param([], "spec", "must be an object", id="a list for a spec"),
        pytest.param({}, "spec.image", "Required value", id="no image"),
        pytest.param({"image": None}, "spec.image", "Required value", id="a null for an image"),
        pytest.param(spec(replicas="3"), "spec.replicas", "must be a whole number", id="a number as text"),
        pytest.param(spec(replicas=True), "spec.replicas", "must be a whole number", id="true is no number"),
        pytest.param(spec(replicas=1.5), "spec.replicas", "must be a whole number", id="half a replica"),
        pytest.param(spec(suspend="true"), "spec.suspend", "must be true or false", id="true as text"),
        pytest.param(spec(suspendUntil="2h"), "spec.suspendUntil", "must be a moment in UTC such as 2026-01-31T18:00:00Z", id="a time for a moment"),
        pytest.param(spec(suspendUntil="2026-02-30T00:00:00Z"), "spec.suspendUntil", "must be a moment in UTC such as 2026-01-31T18:00:00Z", id="no such day"),
        pytest.param(spec(suspendUntil="2026-01-31T18:00:00+01:00"), "spec.suspendUntil", "must be a moment in UTC such as 2026-01-31T18:00:00Z", id="another zone"),
        pytest.param(spec(suspendUntil=1780000000), "spec.suspendUntil", "must be a moment in UTC such as 2026-01-31T18:00:00Z", id="a number for a moment"),
        pytest.param(
            spec(env=[{"name": "A", "value": 1}]), "spec.env[0].value", "must be a string; quote it where YAML would read something else",
            id="a number for a variable",
        ),
        pytest.param(spec(command="run"), "spec.command", "must be a list", id="a command as text"),
        pytest.param(spec(probes=[]), "spec.probes", "must be an object", id="a list for an object"),
        pytest.param(spec(podMetadata={"labels": []}), "spec.podMetadata.labels", "must be an object", id="a list for a map"),
        pytest.param(spec(imagePullSecret=[]), "spec.imagePullSecret", "unknown field", id="a field that is misspelt"),
        pytest.param(spec(env_from=[]), "spec.env_from", "unknown field", id="a field by its Python name"),
        pytest.param(spec(ports=[PORT, {**PORT, "containerPort": 1}]), "spec.ports[1]", "Duplicate value: http", id="a name that is there"),
        pytest.param(
            spec(security={"writablePaths": ["/a", "/a"]}), "spec.security.writablePaths[1]", "Duplicate value: /a", id="a path that is there"
        ),
        pytest.param(
            spec(podMetadata={"labels": {"a_b/c_d e": "x"}}), "spec.podMetadata.labels.a_b/c_d e", None, id="a key is spelt as it was written"
        ),
        pytest.param(spec(shutdown={"drainSeconds": 30}), "spec.shutdown.drainSeconds", None, id="a rule names the field that it is about"),
    ],
)  # fmt: skip
def test_one_mistake_is_named(given: Any, path: str, message: str | None) -> None:
    ((found, said),) = errors(given)
    assert found == path
    assert message is None or said == message


@pytest.mark.parametrize(
    ("given", "path", "example"),
    [
        ({"image": "Shop:1"}, "spec.image", "registry.example/shop:1.4"),
        (spec(ports=[{**PORT, "name": "HTTP"}]), "spec.ports[0].name", "lower case letters"),
        (spec(env=[{"name": "1A", "value": ""}]), "spec.env[0].name", "not beginning with a digit"),
        (spec(imagePullSecrets=[{"name": "A_b"}]), "spec.imagePullSecrets[0].name", "the name of an object"),
        (spec(dependsOn=[{"tcp": "redis"}]), "spec.dependsOn[0].tcp", "redis:6379"),
        (spec(network={"egressTo": [{"ipBlock": {"cidr": "all"}}]}), "spec.network.egressTo[0].ipBlock.cidr", "10.0.0.0/8"),
        (spec(files=[{"mountPath": "etc", "data": {"a": ""}}]), "spec.files[0].mountPath", "/etc/shop"),
        (spec(podMetadata={"labels": {"team": "a b"}}), "spec.podMetadata.labels.team", "letters, digits"),
    ],
)
def test_what_a_text_has_to_look_like_is_said_in_words(given: Any, path: str, example: str) -> None:
    ((found, message),) = errors(given)
    assert found == path
    assert message.startswith("must be ")
    assert example in message


def test_all_mistakes_are_named_at_once_in_the_order_of_the_document() -> None:
    given = {
        "shutdown": {"graceSeconds": 0},
        "ports": [{"name": "A", "containerPort": 0}, {"containerPort": 1}],
        "nonsense": 1,
        "image": "UPPER:1",
        "env": [{"value": "a", "name": ""}],
    }
    assert [path for path, _ in errors(given)] == [
        "spec.shutdown.graceSeconds", "spec.ports[0].name", "spec.ports[0].containerPort", "spec.ports[1].name", "spec.nonsense", "spec.image",
        "spec.env[0].name",
    ]  # fmt: skip


def test_one_text_holds_them_all() -> None:
    with pytest.raises(InvalidSpec, match=r"^spec\.replicas: must be a whole number; spec\.image: Required value$"):
        parse_spec({"replicas": "1", "image": None})


@pytest.mark.parametrize(
    "given",
    [
        spec(command=None, probes=None, shutdown=None, security=None, replicas=None),
        spec(podMetadata={"labels": {"a": None}, "annotations": None}),
        spec(resources={"limits": {"cpu": None}}, env=[{"name": "A", "valueFrom": None, "value": ""}]),
        spec(volumes=[{"name": "a", "mountPath": "/a", "emptyDir": {}, "claim": None}]),
    ],
)
def test_a_null_is_an_absent_field_as_for_the_api_server(given: dict[str, Any]) -> None:
    assert parse_spec(given)


def test_a_null_in_a_list_is_an_item_and_a_null_of_an_unknown_field_is_unknown() -> None:
    assert errors(spec(args=[None]))[0][0] == "spec.args[0]"
    assert errors(spec(nonsense=None)) == [("spec.nonsense", "unknown field")]


def test_a_map_that_is_empty_without_its_nulls_is_too_small() -> None:
    assert errors(spec(files=[{"mountPath": "/a", "data": {"a": None}}]))[0][0] == "spec.files[0].data"


@pytest.mark.parametrize(
    ("name", "is_valid"),
    [
        ("shop", True), ("my-shop-2", True), ("a" * 40, True), ("a" * 41, False), ("a.b", False), ("2nd", False), ("shop-", False), ("-shop", False),
        ("Shop", False), ("shop.", False), ("sh\u00f6p", False), ("\u202eshop", False), ("shop\n", False), ("sh\u0000p", False), ("a_b", False),
    ],
)  # fmt: skip
def test_a_service_has_a_name_that_a_kubernetes_service_can_have(name: str, is_valid: bool) -> None:
    body = {"metadata": {"name": name}, "spec": {"image": "shop:1"}}
    if is_valid:
        assert parse(body).name == name
    else:
        with pytest.raises(InvalidSpec, match=r"^metadata\.name: "):
            parse(body)


@pytest.mark.parametrize(("name", "case"), BROKEN.items(), ids=BROKEN)
def test_a_rule_across_fields_is_reported_at_its_field(name: str, case: tuple[dict[str, Any], str]) -> None:
    given, path = case
    assert path in [found for found, _ in errors(given)], name


@pytest.mark.parametrize(("name", "case"), BROKEN_ACTIONS.items(), ids=BROKEN_ACTIONS)
def test_a_rule_of_an_action_is_reported_at_its_field(name: str, case: tuple[dict[str, Any], str]) -> None:
    given, path = case
    assert [found for found, _ in action_errors(given)] == [path], name


def test_every_rule_of_every_model_is_broken_by_some_case() -> None:
    said = {message for given, _ in BROKEN.values() for _, message in errors(given)}
    said |= {message for given, _ in BROKEN_ACTIONS.values() for _, message in action_errors(given)}
    assert [(m.__name__, r.message) for m in _models(Model) for r in m.rules if r.message not in said] == []


def _models(model: type[Model]) -> list[type[Model]]:
    return [found for sub in model.__subclasses__() for found in (sub, *_models(sub))]


@pytest.mark.parametrize(("name", "case"), ESCAPES.items(), ids=ESCAPES)
def test_what_a_pod_may_say_and_a_service_may_not_is_unknown(name: str, case: tuple[dict[str, Any], str]) -> None:
    given, path = case
    assert (path, "unknown field") in errors(given), name


CASES: dict[str, list[Bad]] = {field.path: [] for field in fields()}
for _case in bad_specs():
    CASES[_case.name.split(": ")[0]].append(_case)


@pytest.mark.parametrize("field", CASES)
def test_everything_that_can_be_wrong_with_a_field_is_refused_at_the_field(field: str) -> None:
    assert len(CASES[field]) >= 4
    for bad in CASES[field]:
        found = [path for path, _ in errors(bad.spec)]
        assert any(is_about(bad.path, path) for path in found), (bad.name, bad.text[:200], found)


def test_values_are_not_echoed_where_they_may_be_secret() -> None:
    secret = "HS-CANARY-1"
    for given in (
        spec(env=[{"name": "A", "value": [secret]}]),
        spec(env=[{"name": "A", "value": secret + "\u0000"}]),
        spec(token=[secret]),
    ):
        assert secret not in json.dumps(errors(given))


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ((), "spec"),
        (("ports", 0, "port"), "spec.ports[0].port"),
        (("podMetadata", "labels", "my_key", "[key]"), "spec.podMetadata.labels.my_key"),
    ],
)
def test_paths_are_as_kubectl_prints_them(location: tuple[int | str, ...], expected: str) -> None:
    assert field_path(location) == expected
