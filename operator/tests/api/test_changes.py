"""What cannot change is said in the CRD; the rules themselves are tried on a real API server (e2e/tests/test_refused_changes.py)."""

from typing import Any

import pytest
from tests.api.broken_rules import spec
from tests.api.changes import REFUSED, TAKEN

from hardened.api.crd import root_schema
from hardened.api.fields import Model
from hardened.api.parse import parse
from hardened.api.whole import WHOLE_RULES
from hardened.errors import InvalidSpec


def _models(model: type[Model]) -> list[type[Model]]:
    return [found for sub in model.__subclasses__() for found in (sub, *_models(sub))]


def _schema(path: str) -> dict[str, Any]:
    """The part of the schema that a rule on this field stands at: the nearest object above it that has rules on changes."""
    node: dict[str, Any] = root_schema()
    for name in path.split("."):
        node = node["properties"][name.partition("[")[0]]
        node = node["items"] if "[" in name else node
    return node


@pytest.mark.parametrize("path", ["spec", "spec.volumes[].claim"])
def test_every_rule_on_changes_stands_in_the_crd_and_has_a_case(path: str) -> None:
    (model,) = [m for m in _models(Model) if m.__name__ == {"spec": "HardenedServiceSpec"}.get(path, "Claim")]
    said = {v["message"]: v for v in _schema(path)["x-kubernetes-validations"] if "oldSelf" in v["rule"]}
    assert set(said) == {change.message for change in model.changes}
    named = {given[2].replace("[0]", "[]") for given in REFUSED.values()}
    assert {path + change.field for change in model.changes} <= named


def test_no_other_model_has_rules_on_changes() -> None:
    assert {m.__name__ for m in _models(Model) if m.changes} == {"HardenedServiceSpec", "Claim"}


@pytest.mark.parametrize("name", [*REFUSED, *TAKEN])
def test_each_side_of_a_change_is_a_spec_that_can_be_used(name: str) -> None:
    before, after = REFUSED[name][:2] if name in REFUSED else TAKEN[name]
    parse({"metadata": {"name": "edge"}, "spec": before})
    parse({"metadata": {"name": "other"}, "spec": after})


def test_a_service_that_depends_on_itself_is_refused_at_that_field() -> None:
    given = spec(dependsOn=[{"service": "db"}, {"service": "shop"}])
    assert parse({"metadata": {"name": "other"}, "spec": given})
    with pytest.raises(InvalidSpec, match=r"^spec\.dependsOn: a service cannot depend on itself"):
        parse({"metadata": {"name": "shop"}, "spec": given})
    (rule,) = [v for v in root_schema()["x-kubernetes-validations"] if v["message"] == WHOLE_RULES[0].message]
    assert rule["fieldPath"] == ".spec.dependsOn"
    assert rule["optionalOldSelf"] is True, "its status could not be told otherwise, where the spec is older than the rule"
