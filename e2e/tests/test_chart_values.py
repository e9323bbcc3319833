"""The chart hardened-service: what it makes of values. All of it needs helm."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from e2e.chart import CHART, ROOT, Manifest, services, template, umbrella_of
from e2e.cluster import tools
from e2e.cluster.command import attempt
from hardened.api.parse import parse

CI = sorted((ROOT / "charts").glob("**/ci/*-values.yaml"))


# ---- every values file


@pytest.mark.cluster
@pytest.mark.parametrize("path", CI, ids=lambda path: f"{path.parts[-3]}-{path.stem}")
def test_values_files_are_linted_strictly_and_rendered(path: Path) -> None:
    chart = path.parents[1]
    linted = attempt([tools.helm(), "lint", "--strict", chart, "--values", path])
    assert linted.returncode == 0, linted.stdout + linted.stderr
    done = attempt([tools.helm(), "template", "web", chart, "--namespace", "shop", "--values", path])
    assert done.returncode == 0, done.stderr
    for body in filter(None, yaml.safe_load_all(done.stdout)):
        if body["kind"] == "HardenedService":
            parse(body | {"metadata": body["metadata"] | {"uid": "1"}})


# ---- several services


@pytest.mark.cluster
def test_components_of_an_umbrella_are_services_of_their_own(tmp_path: Path) -> None:
    umbrella = umbrella_of(tmp_path, "web", "api", "")
    values: Manifest = {
        "web": {"image": "web:1", "env": {"VERSION": "web"}},
        "api": {"image": "web:1", "port": 0, "replicas": 1},
        "hardened-service": {"image": "web:2"},
    }
    found = services(tmp_path, values, name="shop", chart=umbrella)
    assert found.keys() == {"shop-web", "shop-api", "shop"}, "without an alias there is one of them, and it keeps the release's name"
    assert found["shop-web"]["env"] == [{"name": "VERSION", "value": "web"}]
    assert "ports" not in found["shop-api"]
    values["api"]["name"] = "backend"
    assert services(tmp_path, values, name="shop", chart=umbrella).keys() == {"shop-web", "backend", "shop"}
    values["api"]["name"] = "shop-web"
    assert "web and api both make the service shop-web" in template(tmp_path, values, name="shop", chart=umbrella)[1]
    values["api"]["name"] = "1"
    assert "api:\n- at '/name'" in template(tmp_path, values, name="shop", chart=umbrella)[1]


@pytest.mark.cluster
def test_an_alias_that_is_no_name_is_refused_with_the_way_out(tmp_path: Path) -> None:
    umbrella = umbrella_of(tmp_path, "webApi")
    assert (
        '"shop-webApi" cannot be the name of a service' in template(tmp_path, {"webApi": {"image": "a:1"}}, name="shop", chart=umbrella)[1]
    )
    assert services(tmp_path, {"webApi": {"image": "a:1", "name": "api"}}, name="shop", chart=umbrella).keys() == {"api"}


@pytest.mark.cluster
def test_a_map_of_services_makes_several_that_share_what_stands_above(tmp_path: Path) -> None:
    values = {
        "image": "web:1",
        "env": {"SHARED": "a", "OTHER": "b"},
        "services": {
            "web": {"probePath": "/health"},
            "api": {"image": "api:2", "port": 9000, "env": {"OTHER": "c"}},
            "worker": {"port": None, "name": "jobs", "env": {"SHARED": None}},
        },
    }
    found = services(tmp_path, values, name="shop")
    assert found.keys() == {"shop-web", "shop-api", "jobs"}
    assert [spec["image"] for _, spec in sorted(found.items())] == ["web:1", "api:2", "web:1"]
    assert found["shop-api"]["env"] == [{"name": "OTHER", "value": "c"}, {"name": "SHARED", "value": "a"}]
    assert found["jobs"]["env"] == [{"name": "OTHER", "value": "b"}]
    assert ("ports" in found["jobs"], found["shop-api"]["ports"][0]["containerPort"]) == (False, 9000)
    values["services"]["api"]["enabled"] = False  # type: ignore[index]
    assert services(tmp_path, values, name="shop").keys() == {"shop-web", "jobs"}
    said = template(tmp_path, {"services": {"web": {}}})[1]
    assert "at '/services/web': missing property 'image'" in said
    said = template(tmp_path, {"image": "web:1", "services": {"web": {"prot": 1}}})[1]
    assert "additional properties 'prot' not allowed" in said


# ---- values of their own


@pytest.mark.cluster
def test_a_file_of_etc_is_mounted_by_itself(tmp_path: Path) -> None:
    spec = services(tmp_path, {"image": "web:1", "files": {"/etc/app.conf": "a", "/etc/b": "c", "/etc/shop/x": "d"}})["web"]
    assert spec["files"] == [{"mountPath": "/etc", "data": {"app.conf": "a", "b": "c"}}, {"mountPath": "/etc/shop", "data": {"x": "d"}}]


@pytest.mark.cluster
def test_values_of_their_own_say_what_the_spec_says_and_extra_spec_goes_over_them(tmp_path: Path) -> None:
    values: Manifest = {
        "imagePullSecrets": [{"name": "registry"}],
        "release": {"promotion": "Manual", "keepPrevious": "10m"},
        "verify": {"afterCutover": {"window": "1m"}},
        "autoscale": {"maxReplicas": 5, "cpu": 70},
        "backups": [
            {"name": "a", "schedule": "30 3 * * *", "repository": {"secretName": "r"}, "source": {"postgres": {"secretName": "s"}}}
        ],
    }
    spec = services(tmp_path, {"image": "web:1", **values})["web"]
    assert {name: spec[name] for name in values} == values
    over = {"release": {"promotion": "Automatic"}, "autoscale": None, "replicas": 3}
    spec = services(tmp_path, {"image": "web:1", **values, "extraSpec": over})["web"]
    assert spec["release"] == {"promotion": "Automatic", "keepPrevious": "10m"}
    assert ("autoscale" in spec, spec["replicas"]) == (False, 3)


@pytest.mark.cluster
def test_numbers_of_a_values_file_are_texts_of_variables(tmp_path: Path) -> None:
    spec = services(
        tmp_path, {"image": "web:1", "env": {"A": 1000000, "B": 9007199254740991, "C": 0.5, "D": True, "E": "1.10", "F": None}}
    )["web"]
    assert {each["name"]: each["value"] for each in spec["env"]} == {
        "A": "1000000", "B": "9007199254740991", "C": "0.5", "D": "true", "E": "1.10",
    }  # fmt: skip


@pytest.mark.cluster
def test_ways_from_outside_lead_to_the_port_of_the_service(tmp_path: Path) -> None:
    ways: Manifest = {
        "ingress": {
            "enabled": True,
            "className": "nginx",
            "hosts": [{"host": "a.example"}, {"host": "b.example", "paths": [{"path": "/v1"}]}],
        },
        "httpRoute": {"enabled": True, "parentRefs": [{"name": "gateway"}], "hostnames": ["a.example"]},
    }
    found = {each["kind"]: each for each in template(tmp_path, {"image": "web:1", **ways})[0]}
    paths = [path for rule in found["Ingress"]["spec"]["rules"] for path in rule["http"]["paths"]]
    assert [(each["path"], each["pathType"]) for each in paths] == [("/", "Prefix"), ("/v1", "Prefix")]
    assert all(each["backend"] == {"service": {"name": "web", "port": {"number": 80}}} for each in paths)
    assert found["HTTPRoute"]["spec"]["rules"] == [{"backendRefs": [{"name": "web", "port": 80}]}]
    other = {"ports": [{"name": "http", "containerPort": 9000}]}
    found = {each["kind"]: each for each in template(tmp_path, {"image": "web:1", **ways, "extraSpec": other})[0]}
    assert found["HTTPRoute"]["spec"]["rules"][0]["backendRefs"] == [{"name": "web", "port": 9000}]
    assert {each["kind"] for each in template(tmp_path, {"image": "web:1"})[0]} == {"HardenedService"}


@pytest.mark.cluster
def test_further_objects_are_rendered_as_templates(tmp_path: Path) -> None:
    one: Manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "{{ .Release.Name }}-extra"}, "data": {"a": "1"}}
    text = "apiVersion: v1\nkind: Secret\nmetadata: {name: '{{ .Values.port }}'}\n"
    found = {each["kind"]: each for each in template(tmp_path, {"image": "web:1", "extraObjects": [one, text]})[0]}
    assert found["ConfigMap"] == {**one, "metadata": {"name": "web-extra"}}
    assert found["Secret"]["metadata"] == {"name": "8080"}


@pytest.mark.cluster
@pytest.mark.parametrize(
    ("values", "said", "unsaid"),
    [
        ({}, ["web in the cluster: web.shop\n", "svc/web 8080:80", "hs/web"], ["worker", "Helm has waited"]),
        ({"port": 0}, ["web is a worker"], ["in the cluster", "port-forward"]),
        ({"extraSpec": {"ports": [{"name": "grpc", "containerPort": 9000}]}}, ["web in the cluster: web.shop:9000"], []),
        ({"extraSpec": {"suspend": True}}, ["web is suspended"], ["kubectl wait"]),
        ({"release": {"promotion": "Manual"}}, ["hardenctl promote web -n shop", "--wait"], []),
        ({"services": {"a": {}, "b": {"port": 0}}}, ["The services web-a, web-b are", "web-b is a worker"], ["hs/web "]),
        ({"ingress": {"enabled": True, "hosts": [{"host": "a.example"}]}}, ["http://a.example/"], ["https"]),
    ],
    ids=str,
)
def test_the_notes_are_about_what_was_installed(tmp_path: Path, values: Manifest, said: list[str], unsaid: list[str]) -> None:
    file = tmp_path / "values.json"
    file.write_text(json.dumps({"image": "web:1", **values}))
    done = attempt([tools.helm(), "install", "web", CHART, "--namespace", "shop", "--values", file, "--dry-run=client"])
    assert done.returncode == 0, done.stderr
    notes = done.stdout.partition("NOTES:\n")[2]
    assert [each for each in said if each not in notes] == [], notes
    assert [each for each in unsaid if each in notes] == []
