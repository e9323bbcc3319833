"""What holds for every valid service, whatever it says."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.strategies import backed_up_specs, generated
from tests.core.worlds import NOW, World, body, decide, settle

from hardened.api import names
from hardened.api.parse import parse, parse_spec
from hardened.api.service import REVISION_FIELDS
from hardened.core.desired.children import at_rest
from hardened.core.desired.controller_revision import controller_revision
from hardened.core.model.kit import BackupKit
from hardened.core.model.manifest import Manifest, canonical, key_of
from hardened.core.revisions.pod_standard import BASELINE, RESTRICTED, containers, violations
from hardened.core.revisions.revision import render, revision_fields, revision_name, stored

Spec = dict[str, Any]


@pytest.fixture(scope="module")
def specs() -> list[Spec]:
    """Valid specs, the smallest first: the first that breaks a promise is easy to read."""
    return generated(60)


def children(spec: Spec) -> list[Manifest]:
    svc = parse(body(spec))
    return at_rest(svc, render(svc), 2, BackupKit("backup:1"))


def test_every_pod_passes_its_pod_security_standard(specs: list[Spec]) -> None:
    for spec in specs:
        template = render(parse(body(spec))).template
        profile = (spec.get("security") or {}).get("profile", "restricted")
        assert violations(template, RESTRICTED if profile == "restricted" else BASELINE) == []
        pod = template["spec"]
        assert pod["automountServiceAccountToken"] is False
        assert pod["serviceAccountName"] == "shop"
        assert {"nodeName", "hostAliases", "hostUsers", "shareProcessNamespace", "dnsConfig"}.isdisjoint(pod)
        assert all(t.get("key") for t in pod["tolerations"])
        for container in containers(pod):
            assert container["securityContext"]["readOnlyRootFilesystem"] is True
            bounds = container["resources"]
            assert {"cpu", "memory", "ephemeral-storage"} <= bounds["limits"].keys() & bounds["requests"].keys()


def test_so_does_every_pod_of_a_backup() -> None:
    schedules = [made for spec in generated(40, backed_up_specs) for made in children(spec) if made["kind"] == "CronJob"]
    assert len(schedules) >= 10
    assert {len(made["spec"]["jobTemplate"]["spec"]["template"]["spec"].get("initContainers", ())) for made in schedules} == {0, 1}
    for made in schedules:
        template = made["spec"]["jobTemplate"]["spec"]["template"]
        assert violations(template, RESTRICTED) == []
        assert template["spec"]["automountServiceAccountToken"] is False
        assert "serviceAccountName" not in template["spec"]
        assert len(made["metadata"]["name"]) <= 52
        for container in containers(template["spec"]):
            assert container["securityContext"]["readOnlyRootFilesystem"] is True
            bounds = container["resources"]
            assert {"cpu", "memory", "ephemeral-storage"} <= bounds["limits"].keys() & bounds["requests"].keys()


def test_planning_on_the_applied_world_writes_nothing(specs: list[Spec]) -> None:
    for spec in specs:
        # Alone in its world: what it depends on would never come, but for ConfigMaps.
        alone = {name: value for name, value in spec.items() if name not in ("release", "verify", "dependsOn")}
        cr, world, now = body({**alone, "replicas": 2, "suspend": False}), World(config_maps=None), NOW
        settle(cr, world)
        while "release" in cr["status"] or now == NOW:
            assert now < NOW + timedelta(hours=1), cr["status"]["release"]
            assert not decide(cr, world, now).has_writes
            world.follow()
            now += timedelta(seconds=10)
            settle(cr, world, now)
        again = decide(cr, world, NOW + timedelta(days=1))
        assert (again.has_writes, again.status) == (False, cr["status"])


def test_every_child_stays_in_the_namespace_and_is_tied_to_its_service(specs: list[Spec]) -> None:
    for spec in specs:
        made = children(spec)
        assert len({key_of(m) for m in made}) == len(made)
        for manifest in made:
            meta = manifest["metadata"]
            assert meta["namespace"] == "market"
            assert len(meta["name"]) <= 63
            assert meta["labels"][names.SERVICE_LABEL] == "shop"
            assert all(len(value) <= 63 for value in meta["labels"].values())
            assert bool(meta.get("ownerReferences")) == (manifest["kind"] != "PersistentVolumeClaim")


def test_a_mount_has_its_volume_and_a_path_of_its_own(specs: list[Spec]) -> None:
    for spec in specs:
        pod = render(parse(body(spec))).template["spec"]
        known = {volume["name"] for volume in pod.get("volumes", ())}
        assert len(known) == len(pod.get("volumes", ()))
        for container in containers(pod):
            mounts = container.get("volumeMounts", [])
            assert {mount["name"] for mount in mounts} <= known
            assert len({mount["mountPath"] for mount in mounts}) == len(mounts)


def test_a_revision_depends_on_its_fields_and_comes_back_from_its_object(specs: list[Spec]) -> None:
    for spec in specs:
        svc = parse(body(spec))
        revision = render(svc)
        assert parse_spec(revision.fields) == parse_spec(revision_fields(svc.spec))
        found = stored(live := controller_revision(svc, revision, 1, {}))
        assert found == replace(revision, data=live["data"])
        assert controller_revision(svc, found, 7, {})["data"] == live["data"], "what is stored is never written in another way"
        running = {k: v for k, v in spec.items() if k not in REVISION_FIELDS}
        others = {"replicas": 7, "suspend": False, "service": {"annotations": {"a": "b"}}, "availability": {}}
        assert revision_name(parse(body({**spec, **running, **others})).spec) == revision.name
        assert revision_name(parse(body({**spec, "token": "another"})).spec) != revision.name or spec.get("token") == "another"


def test_rendering_twice_gives_the_same_text(specs: list[Spec]) -> None:
    for spec in specs:
        shuffled = {name: spec[name] for name in reversed(spec)}
        assert canonical(children(spec)) == canonical(children(shuffled))


NAMES = st.from_regex("[a-z]([a-z0-9-]{0,38}[a-z0-9])?", fullmatch=True)
PARTS = st.from_regex("[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", fullmatch=True)
PAIRS = st.tuples(NAMES, PARTS)


@settings(max_examples=30, deadline=None, derandomize=True, database=None)
@given(PAIRS, PAIRS)
def test_two_children_share_a_name_only_if_they_are_one(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert (names.child_name(*one) == names.child_name(*other)) == (one == other)
    assert all(len(names.child_name(*pair)) <= 63 for pair in (one, other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(("a", "b-green"), ("a-b", "green"), id="a and b-green, a-b and green"),
        pytest.param(("a", "b", "c"), ("a-b", "c"), id="two parts, one part"),
        pytest.param(("a", "b", "c"), ("a", "b-c"), id="a dash in a part"),
        pytest.param(("a" * 40, "b" * 60), ("a" * 40, "b" * 61), id="cut at the same place"),
        pytest.param(("a" * 40, "b" * 63), ("a" * 40 + "-" + "b" * 20, "b" * 42), id="cut and not cut"),
    ],
)
def test_names_that_look_alike_differ(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    assert names.child_name(*one) != names.child_name(*other)
    assert len(names.child_name(*one)) <= 63


@pytest.mark.parametrize(
    ("parts", "expected"), [(("shop", "blue"), "shop-blue"), (("my-shop", "blue"), "my-shop-blue"), (("shop",), "shop")]
)
def test_ordinary_names_are_plain(parts: tuple[str, ...], expected: str) -> None:
    assert names.child_name(*parts) == expected
