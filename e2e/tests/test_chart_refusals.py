"""The chart hardened-service refuses what the API server would refuse, before anything is sent. What is not marked needs no helm."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from tests.api.bad_specs import bad_specs, fields
from tests.api.broken_rules import BROKEN, ESCAPES, IMAGE
from tests.api.edge_specs import edge_specs

from e2e.chart import CHART, Manifest, template
from e2e.samples import drawn, sample
from hardened.api.parse import parse
from hardened.errors import InvalidSpec
from manifests.chart import rules
from manifests.chart.schema import values_schema

#: Rules that no template can hold: the API server alone knows all time zones and how ranges of addresses lie in each other.
SERVER_ONLY = {"isCIDR", "timestamp"}
_OF_THE_SERVER = re.compile(r"cidr|except|timeZone")


def test_every_rule_is_held_by_the_chart_but_those_that_no_template_can_hold() -> None:
    assert set(rules.server_only().values()) == SERVER_ONLY
    assert len(rules.server_only()) == 3
    held = (CHART / "templates/_rules.tpl").read_text().count("{{- define ")
    assert held == len(rules.rules()) - 3


def test_every_value_is_described_and_has_a_default() -> None:
    known = json.loads(values_schema())["properties"]
    resolved = json.loads(values_schema())["definitions"]["service"]["properties"]
    assert [name for name, node in known.items() if not {**resolved.get(name, {}), **node}.get("description")] == []
    defaults = yaml.safe_load((CHART / "values.yaml").read_text())
    assert known.keys() - defaults.keys() == {"image", "global"}
    assert defaults.keys() <= known.keys()


# ---- names


@pytest.mark.cluster
@pytest.mark.parametrize(
    ("release", "values", "words"),
    [
        ("1web", {}, '"1web" cannot be the name of a service: use lower case letters'),
        ("my.app", {}, '"my.app" cannot be the name of a service'),
        ("a" * 45, {}, "it has 45 characters, and may have 40"),
        ("x", {"name": "1web"}, "at '/name': value must be 'lower case letters"),
        ("x", {"name": "a" * 41}, "at '/name': maxLength"),
        ("x" * 38, {"services": {"web": {}}}, "it has 42 characters, and may have 40"),
        ("x", {"services": {"a": {"name": "same"}, "b": {"name": "same"}}}, "services.b.name: there are two services same"),
        ("x", {"services": {"a_b": {}}}, "at '/services/a_b': value must be 'left out: its key is not lower case"),
    ],
)
def test_a_name_that_the_server_would_refuse_is_refused(tmp_path: Path, release: str, values: Manifest, words: str) -> None:
    found, said = template(tmp_path, {"image": "web:1", **values}, name=release)
    assert not found
    assert words in said


# ---- what the API server would refuse


def _files(**found: str) -> Manifest:
    return {"files": found if found else {f"/etc/{number}/a": "x" for number in range(9)}}


@pytest.mark.cluster
@pytest.mark.parametrize(
    ("values", "words"),
    [
        *(
            ({"image": image}, "at '/image': value must be 'an image ")
            for image in (
                "web:",
                "web@sha256:abc",
                "reg.example/Foo:1",
                "https://reg/web:1",
                "web:1:2",
                "web",
                "host:5000/web",
                "web:latest",
            )
        ),
        ({"image": 1}, "at '/image': got number, want "),
        ({"writablePaths": ["/tmp/../etc"]}, "at '/writablePaths/0': value must be 'a path that begins with / and has no .. in it"),
        ({"writablePaths": ["/tmp/"]}, "at '/writablePaths/0'"),
        ({"writablePaths": ["/a", "/a"]}, "at '/writablePaths'"),
        ({"writablePaths": ["/etc"]}, "spec.security.writablePaths: one of them is a system folder"),
        ({"resources": {"requests": {"cpu": "lots"}}}, "at '/resources/requests/cpu': value must be 'a quantity above zero"),
        (
            {"resources": {"requests": {"cpu": 2}, "limits": {"cpu": "1500m"}}},
            "spec.resources.requests: a request must not exceed its limit",
        ),
        ({"env": {"A": {"secretKeyRef": {"name": "s"}}}}, "at '/env/A/secretKeyRef': missing property 'key'"),
        ({"env": {"A": {"secretKeyRef": {"name": "s", "key": "k"}, "fieldRef": {"fieldPath": "metadata.name"}}}}, "at '/env/A'"),
        ({"env": {"ID": 12345678901234567890}}, "at '/env/ID': maximum"),
        ({"env": {"1A": "x"}}, "at '/env/1A': value must be 'left out: its key is not a variable"),
        (_files(**{"/tmp/a": "x"}), "spec.volumes: two entries of files, volumes and security.writablePaths have the same path"),
        (_files(), "spec.files: has 9 entries, and may have 8"),
        (_files(**{"/etc/../x/y": "z"}), "value must be 'left out: its key is not the path of a file in a folder, without .. in it"),
        (_files(**{"/x": "z"}), "at '/files/~1x'"),
        (_files(**{"relative/x": "z"}), "at '/files/relative~1x'"),
        *(
            (_files(**{f"{folder}/x": "z"}), "spec.files[0].mountPath: this is a system folder")
            for folder in ("/bin", "/usr/lib", "/proc/1", "/sys", "/dev")
        ),
        ({"port": 99999}, "at '/port': maximum"),
        ({"replicas": "two"}, "at '/replicas': got string, want "),
        (
            {"autoscale": {"minReplicas": 5, "maxReplicas": 3, "cpu": 70}},
            "spec.autoscale.minReplicas: minReplicas (2 when left out) must be",
        ),
        ({"autoscale": {"cpu": 70}}, "at '/autoscale': missing property 'maxReplicas'"),
        ({"release": {"keepPrevious": "soon"}}, "at '/release/keepPrevious': value must be 'a duration such as"),
        ({"release": {"progressDeadline": "1ms"}}, "spec.release.progressDeadline: must be from"),
        ({"release": {"promotion": "Manual"}, "port": 0}, "spec.release.promotion: "),
        ({"verify": {"beforeCutover": [{"name": "a"}]}}, "spec.verify.beforeCutover[0]: set exactly one of"),
        ({"imagePullSecrets": ["registry"]}, "at '/imagePullSecrets/0': got string, want object"),
        ({"imagePullSecrets": [{"name": "a"}, {"name": "a"}]}, "spec.imagePullSecrets[1]: there is another one of"),
        ({"backups": [{"name": "a"}]}, "at '/backups/0': missing properties"),
        ({"extraSpec": {"dependsOn": [{"service": "web"}]}}, "spec.dependsOn: a service cannot depend on itself"),
        ({"labels": {"a b": "c"}}, "at '/labels/a b'"),
        ({"labels": {"a": "c d"}}, "at '/labels/a'"),
        ({"ingress": {"enabled": True}}, "at '/ingress/hosts': minItems"),
        ({"ingress": {"enabled": True, "hosts": [{"host": "a"}]}, "port": 0}, "ingress.enabled: web has no port"),
        ({"httpRoute": {"enabled": True}}, "at '/httpRoute/parentRefs': minItems"),
        ({"extraObjects": [1]}, "at '/extraObjects/0'"),
    ],
    ids=str,
)
def test_a_value_of_the_wrong_kind_is_refused_with_its_path_in_plain_words(tmp_path: Path, values: Manifest, words: str) -> None:
    found, said = template(tmp_path, {"image": "web:1", **values})
    assert not found
    assert words in said
    assert "error calling" not in said, "a rule, and no accident of a template"


def refusal(folder: Path, spec: Any) -> str:
    """What the chart says of a whole spec, "" where it renders it."""
    values = {"image": IMAGE, "port": 0, "writablePaths": None, "extraSpec": spec}
    found, said = template(folder, values)
    if found:
        return ""
    assert "error calling" not in said, said
    return said


def is_refused_by_crd(spec: Any) -> bool:
    """The same as the API server does: tests hold parse against it."""
    try:
        parse({"metadata": {"name": "web", "namespace": "shop"}, "spec": {"image": IMAGE, **spec} if isinstance(spec, dict) else spec})
    except InvalidSpec:
        return True
    return False


def differing(folder: Path, specs: dict[str, Any], differ: Callable[[bool, bool], bool]) -> list[str]:
    """The specs of which the chart says another thing than the CRD. differ: of (refused by the chart, refused by the CRD)."""

    def differs(case: tuple[int, tuple[str, Any]]) -> str:
        number, (name, spec) = case
        place = folder / str(number)
        place.mkdir()
        said = refusal(place, spec)
        return f"{name}: {said}" if differ(bool(said), is_refused_by_crd(spec)) else ""

    with ThreadPoolExecutor(2) as pool:
        return list(filter(None, pool.map(differs, enumerate(specs.items()))))


def is_looser(chart: bool, crd: bool) -> bool:
    return crd and not chart


def is_different(chart: bool, crd: bool) -> bool:
    return crd != chart


@pytest.mark.cluster
def test_each_rule_that_is_broken_is_refused_by_the_chart_too(tmp_path: Path) -> None:
    specs = {name: spec for name, (spec, path) in {**BROKEN, **ESCAPES}.items() if not _OF_THE_SERVER.search(path)}
    assert len(specs) > 200
    assert differing(tmp_path, specs, is_looser) == []


@pytest.mark.cluster
def test_mistakes_in_any_field_are_refused_by_the_chart_too(tmp_path: Path) -> None:
    specs = {bad.name: bad.spec for bad in sample(bad_specs(), 60, by=lambda bad: bad.text) if not _OF_THE_SERVER.search(bad.path)}
    assert differing(tmp_path, specs, is_looser) == []


@pytest.mark.cluster
def test_at_the_edge_of_what_is_valid_the_chart_says_what_the_crd_says(tmp_path: Path) -> None:
    chosen = sample(edge_specs().items(), 60, by=lambda item: item[0])
    specs = {name: json.loads(text) for name, text in chosen if not _OF_THE_SERVER.search(name)}
    assert differing(tmp_path, specs, is_different) == []


VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-2, 70000),
        st.sampled_from(["", "a", "A", "1", "/a", "/..", "1m", "10s", "web:1", "é", "a b"]),
    ),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["name", "a", "path", "key"]), inner, max_size=2),
    max_leaves=3,
)


@pytest.mark.cluster
@drawn(240)
@given(field=st.sampled_from(fields()), value=VALUES)
def test_of_random_values_the_chart_takes_none_that_the_crd_refuses(
    tmp_path_factory: pytest.TempPathFactory, field: Any, value: Any
) -> None:
    spec = json.loads(field.holding(value))
    if spec is not None and is_refused_by_crd(spec) and not _OF_THE_SERVER.search(field.path):
        assert refusal(tmp_path_factory.mktemp("values"), spec), f"{field.path} = {value!r}"
