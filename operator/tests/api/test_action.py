"""A HardenedServiceAction: what it takes, what it refuses, and its schema."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.api.bad_specs import Bad, bad_specs, fields, is_about

from hardened.api import names
from hardened.api.action import HardenedServiceActionSpec
from hardened.api.crd import action_definition, action_schema
from hardened.api.parse_action import parse_action
from hardened.errors import InvalidSpec

REVISION = "0123456789ab"


def _action(**more: Any) -> dict[str, Any]:
    return {"spec": {"service": "shop", "action": "Rollback", "requestedBy": "jane", **more}}


def paths(body: dict[str, Any]) -> list[str]:
    try:
        parse_action(body)
    except InvalidSpec as error:
        return [e.path for e in error.errors]
    return []


@pytest.mark.parametrize("action", ["Rollback", "Promote", "Abort", "Retry", "Pause", "Resume"])
def test_every_action_is_taken_with_a_revision(action: str) -> None:
    assert parse_action(_action(action=action, revision=REVISION)).spec.action == action


@pytest.mark.parametrize("action", ["Rollback", "Pause", "Resume"])
def test_some_need_none(action: str) -> None:
    assert parse_action(_action(action=action)).spec.revision is None


TAKEN: dict[str, list[Any]] = {
    "service": ["a", "my-shop-2", "a" * 40],
    "revision": [REVISION, "ffffffffffff"],
    "reason": ["", "p99 doubled", "\u20ac 5 too much", "x" * 512],
    "requestedBy": ["jane", "system:serviceaccount:shop:pipeline", "CN=Jane Doe,O=shop", "https://issuer.example#jane", "x" * 512],
    "ttl": ["1m", "60s", "24h", "720h"],
}
REFUSED: dict[str, list[Any]] = {
    "service": ["", "a" * 41, "Shop", "a.b", "2nd", "shop-", "other/shop", "shop\n"],
    "action": ["", "rollback", "Recover", "Delete"],
    "revision": ["", "0123456789a", "0123456789abc", "0123456789AB", "latest", "0123456789a\n"],
    "reason": ["a\nb", "a\r", "\x1b[31m", "a\x00", "\x7f", "x" * 513],
    "requestedBy": ["", "a\nb", "x" * 513],
    "ttl": ["59s", "720h1ms", "0s", "forever", 60],
}


@pytest.mark.parametrize(("field", "value"), [pytest.param(f, v, id=ascii(f"{f} {v}"[:40])) for f, vs in TAKEN.items() for v in vs])
def test_it_is_taken(field: str, value: Any) -> None:
    assert paths(_action(**{field: value})) == []


@pytest.mark.parametrize(("field", "value"), [pytest.param(f, v, id=ascii(f"{f} {v}"[:40])) for f, vs in REFUSED.items() for v in vs])
def test_it_is_refused(field: str, value: Any) -> None:
    assert paths(_action(**{field: value})) == [f"spec.{field}"]


@pytest.mark.parametrize("bad", bad_specs(HardenedServiceActionSpec), ids=lambda bad: ascii(bad.name))
def test_a_mistake_is_refused_at_its_field(bad: Bad) -> None:
    assert any(is_about(bad.path, path) for path in paths({"spec": bad.spec}))


def test_what_is_left_out_and_what_only_the_server_says() -> None:
    meta = {"name": "a", "namespace": "shop", "uid": "1", "creationTimestamp": "2030-01-01T00:00:00Z"}
    action = parse_action(_action() | {"metadata": meta})
    assert (action.name, action.namespace, action.uid) == ("a", "shop", "1")
    assert action.created_at == datetime(2030, 1, 1, tzinfo=UTC)
    assert (action.spec.ttl, action.spec.reason) == (timedelta(hours=24), None)
    assert parse_action(_action()).created_at is None


def test_the_spec_never_changes() -> None:
    assert {"rule": "self == oldSelf", "message": "an action cannot change: create another one"} in action_schema()["properties"]["spec"][
        "x-kubernetes-validations"
    ]


def test_the_definition_is_of_the_second_kind() -> None:
    definition = action_definition()
    assert definition["metadata"]["name"] == "hardenedserviceactions.hardened.dev"
    assert definition["metadata"]["annotations"] == {names.SCHEMA_ANNOTATION: names.SCHEMA_REVISION}
    assert definition["spec"]["names"]["shortNames"] == ["hsa"]
    assert definition["spec"]["versions"][0]["subresources"] == {"status": {}}


def test_every_field_is_bounded() -> None:
    for field in fields(HardenedServiceActionSpec):
        schema = field.schema
        assert schema["type"] in ("object", "boolean") or "enum" in schema or schema["maxLength"] <= 512, field.path
