"""The fields that one manager applied are read back from what the API server recorded."""

import copy
from typing import Any

import pytest
from tests.core.worlds import live_sample

from hardened.api import names
from hardened.core.observe.ownership import applied_fields


@pytest.fixture(name="deployment")
def _deployment() -> dict[str, Any]:
    return copy.deepcopy(live_sample("web")["Deployment"])


def app(template: dict[str, Any]) -> dict[str, Any]:
    return next(c for c in template["spec"]["containers"] if c["name"] == "app")


def test_what_defaulting_added_to_a_real_deployment_is_left_out(deployment: dict[str, Any]) -> None:
    applied = applied_fields(deployment, names.MANAGER)
    assert applied
    spec = applied["spec"]["template"]["spec"]
    assert set(applied) == {"metadata", "spec"}
    assert {"dnsPolicy", "restartPolicy", "schedulerName"}.isdisjoint(spec)
    assert {"terminationMessagePath", "terminationMessagePolicy"}.isdisjoint(app({"spec": spec}))
    assert "failureThreshold" not in app({"spec": spec})["readinessProbe"]


def test_lists_keep_their_order_and_their_items(deployment: dict[str, Any]) -> None:
    applied = applied_fields(deployment, names.MANAGER)
    assert applied
    live, found = deployment["spec"]["template"], applied["spec"]["template"]
    for path in ("env", "volumeMounts", "ports"):
        assert len(app(found)[path]) == len(app(live)[path])
    assert [v["name"] for v in found["spec"]["volumes"]] == [v["name"] for v in live["spec"]["volumes"]]
    assert app(found)["envFrom"] == app(live)["envFrom"]
    assert found["spec"]["tolerations"] == live["spec"]["tolerations"]
    assert found["spec"]["topologySpreadConstraints"] == live["spec"]["topologySpreadConstraints"]


def test_values_are_those_of_now_not_those_that_were_applied(deployment: dict[str, Any]) -> None:
    app(deployment["spec"]["template"])["image"] = "registry.example/other:2"
    applied = applied_fields(deployment, names.MANAGER)
    assert applied
    assert app(applied["spec"]["template"])["image"] == "registry.example/other:2"


def test_what_somebody_removed_is_left_out(deployment: dict[str, Any]) -> None:
    del app(deployment["spec"]["template"])["resources"]
    applied = applied_fields(deployment, names.MANAGER)
    assert applied
    assert "resources" not in app(applied["spec"]["template"])


def entry(manager: str, operation: str, **more: Any) -> dict[str, Any]:
    return {"manager": manager, "operation": operation, "fieldsV1": {"f:spec": {"f:a": {}}}, **more}


@pytest.mark.parametrize(
    "entries",
    [
        pytest.param(None, id="an object without managed fields"),
        pytest.param([], id="no manager"),
        pytest.param([entry("other", "Apply")], id="another manager"),
        pytest.param([entry("hardened", "Update")], id="an update is not an apply"),
        pytest.param([entry("hardened", "Apply", subresource="status")], id="an apply of status is not one of the object"),
    ],
)
def test_nothing_was_applied(entries: list[Any] | None) -> None:
    assert applied_fields({"metadata": {"managedFields": entries}, "spec": {"a": 1}}, "hardened") is None


@pytest.mark.parametrize(
    ("fields", "live", "expected"),
    [
        pytest.param({"f:spec": {"f:a": {}}}, {"spec": {"a": {"b": 1}}}, {"spec": {"a": {"b": 1}}}, id="a leaf is taken whole"),
        pytest.param({"f:spec": {".": {}, "f:a": {}}}, {"spec": {"a": 1, "b": 2}}, {"spec": {"a": 1}}, id="the dot is the map itself"),
        pytest.param(
            {"f:l": {'k:{"name":"a"}': {".": {}, "f:name": {}, "f:v": {}}}},
            {"l": [{"name": "b", "v": 1}, {"name": "a", "v": 2, "w": 3}]},
            {"l": [{"name": "a", "v": 2}]},
            id="an item of a merged list, by its key",
        ),
        pytest.param(
            {"f:l": {'k:{"containerPort":8080,"protocol":"TCP"}': {".": {}, "f:containerPort": {}}}},
            {"l": [{"containerPort": 8080, "protocol": "UDP"}, {"containerPort": 8080, "protocol": "TCP"}]},
            {"l": [{"containerPort": 8080}]},
            id="an item by two keys, one of them defaulted",
        ),
        pytest.param({"f:l": {'v:"a"': {}}}, {"l": ["b", "a"]}, {"l": ["a"]}, id="a member of a set"),
    ],
)
def test_fields_are_picked(fields: dict[str, Any], live: dict[str, Any], expected: dict[str, Any]) -> None:
    managed = [{"manager": "hardened", "operation": "Apply", "fieldsV1": fields}]
    assert applied_fields({**live, "metadata": {"managedFields": managed}}, "hardened") == expected
