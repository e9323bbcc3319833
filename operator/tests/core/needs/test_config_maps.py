"""The ConfigMaps that pods cannot start without are found wherever a template names them; what is missing is named with its remedy."""

from typing import Any

import pytest

from hardened.core.model.manifest import Manifest
from hardened.core.needs.config_maps import Reference, missing, references


def template(**spec: Any) -> Manifest:
    return {"metadata": {}, "spec": {"containers": [{"name": "app"}], **spec}}


def in_variable(**more: Any) -> Manifest:
    return {"name": "c", "env": [{"name": "LEVEL", "valueFrom": {"configMapKeyRef": {"name": "log", "key": "level", **more}}}]}


def in_variables(**more: Any) -> Manifest:
    return {"name": "c", "envFrom": [{"configMapRef": {"name": "log", **more}}]}


ITEMS = {"items": [{"key": "a", "path": "x"}, {"key": "b", "path": "y"}]}


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param(template(), [], id="nothing"),
        pytest.param(template(containers=[in_variable()]), [Reference("log", "level", True)], id="a variable"),
        pytest.param(template(containers=[in_variable(optional=True)]), [], id="an optional variable"),
        pytest.param(template(containers=[in_variable(optional=False)]), [Reference("log", "level", True)], id="one that is not optional"),
        pytest.param(template(containers=[in_variables()]), [Reference("log")], id="all variables"),
        pytest.param(template(containers=[in_variables(optional=True)]), [], id="all variables, where they are there"),
        pytest.param(template(initContainers=[in_variables()]), [Reference("log")], id="an init container"),
        pytest.param(template(containers=[in_variables(), in_variables()]), [Reference("log")], id="twice the same"),
        pytest.param(template(volumes=[{"configMap": {"name": "log"}}]), [Reference("log")], id="a volume"),
        pytest.param(
            template(volumes=[{"configMap": {"name": "log", **ITEMS}}]),
            [Reference("log"), Reference("log", "a"), Reference("log", "b")], id="a volume of some keys",
        ),
        pytest.param(template(volumes=[{"configMap": {"name": "log", "optional": True, **ITEMS}}]), [], id="an optional volume"),
        pytest.param(
            template(volumes=[{"projected": {"sources": [{"configMap": {"name": "log"}}, {"secret": {"name": "key"}}]}}]),
            [Reference("log")], id="a projected volume",
        ),
        pytest.param(
            template(
                containers=[
                    {
                        "name": "c",
                        "env": [
                            {"name": "A", "value": "a"}, {"name": "B", "valueFrom": {"secretKeyRef": {"name": "key", "key": "k"}}},
                        ],
                        "envFrom": [{"secretRef": {"name": "key"}}],
                    }
                ],
                volumes=[{"secret": {"secretName": "key"}}, {"emptyDir": {}}],
            ),
            [], id="neither Secrets nor anything else",
        ),
    ],
)  # fmt: skip
def test_what_pods_need_is_found(found: Manifest, expected: list[Reference]) -> None:
    assert references(found) == expected


LIVE = {"data": {"level": "info"}, "binaryData": {"logo": "aGk="}}


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        (Reference("log"), ""),
        (Reference("log", "level"), ""),
        (Reference("log", "level", is_text=True), ""),
        (Reference("log", "logo"), ""),
        (Reference("log", "logo", is_text=True), "ConfigMap log has no key logo: add it, or mark the reference as optional"),
        (Reference("log", "colour"), "ConfigMap log has no key colour: add it, or mark the reference as optional"),
        (Reference("other"), "ConfigMap other does not exist: create it in this namespace, or mark the reference as optional"),
        (Reference("empty"), ""),
        (Reference("empty", "a"), "ConfigMap empty has no key a: add it, or mark the reference as optional"),
    ],
)
def test_what_is_missing_is_named_with_its_remedy(wanted: Reference, says: str) -> None:
    assert missing([wanted], {"log": LIVE, "empty": {"data": None}}) == ([says] if says else [])


def test_a_config_map_that_is_missing_is_named_once() -> None:
    assert len(missing([Reference("log"), Reference("log", "a"), Reference("log", "b", True)], {})) == 1
