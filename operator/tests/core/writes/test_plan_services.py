"""Names that two services want, and a Service that cannot become what the spec says: told, and nothing that serves is touched."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.core.releases import CHECKED, SPEC, lead, released, released_until, sizes, target
from tests.core.worlds import NOW, OTHER_UID, WEB, World, body, condition, settle, with_spec

from hardened.api import names
from hardened.api.parse import parse
from hardened.core.desired.children import at_rest
from hardened.core.model.manifest import ChildKey, Manifest, key_of
from hardened.core.needs.services import namesakes
from hardened.core.observe.observed import Observed
from hardened.core.revisions.revision import render
from hardened.core.status.blockers import PATIENCE

Spec = dict[str, Any]
WORKER: Spec = {"image": "shop:1", "replicas": 1}
MANUAL: Spec = {**SPEC, "release": {**SPEC["release"], "promotion": "Manual"}}


class Shared(World):
    """A world with other HardenedServices."""

    def __init__(self, *others: Manifest) -> None:
        super().__init__()
        self.others = {each["metadata"]["name"]: each for each in others}

    def seen(self, service: str = "shop") -> Observed:
        return replace(super().seen(service), services=self.others)


def said(cr: Manifest, kind: str = "Ready") -> str:
    return str(next(c["message"] for c in cr["status"]["conditions"] if c["type"] == kind))


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("a", {"a-preview"}),
        ("a-preview", {"a-preview-preview", "a"}),
        ("a-preview-preview", {"a-preview-preview-preview", "a-preview"}),
        ("preview", {"preview-preview"}),
        ("a-previews", {"a-previews-preview"}),
    ],
)
def test_whose_names_may_be_wanted_twice(name: str, found: set[str]) -> None:
    assert namesakes(name) == found


def test_only_services_have_a_child_of_the_name_itself_and_another_one_of_the_same_kind() -> None:
    """So only of them two services can want one name; see test_two_children_share_a_name_only_if_they_are_one."""
    full: Spec = {
        **CHECKED,
        "files": [{"mountPath": "/etc/shop", "data": {"a": "b"}}],
        "volumes": [{"name": "data", "mountPath": "/data", "claim": {"size": "1Gi", "shared": True}}],
    }
    svc = parse(body(full))
    children = [key_of(child) for child in at_rest(svc, render(svc), 2)]
    plain = {key.kind for key in children if key.name == "shop"}
    assert plain == {"Service", "ServiceAccount"}
    assert {key.kind for key in children if key.name != "shop"} & plain == {"Service"}
    assert {key.name for key in children if key.kind == "Service"} == {"shop", "shop-preview"}


@pytest.mark.parametrize(
    ("name", "spec", "other", "theirs", "is_told"),
    [
        pytest.param("a", CHECKED, "a-preview", WEB, True, id="it previews, and another one is called like its preview"),
        pytest.param("a", MANUAL, "a-preview", SPEC, True, id="whoever promotes it looks at its preview"),
        pytest.param("a-preview", WEB, "a", CHECKED, True, id="it is called like the preview of another one"),
        pytest.param("a", SPEC, "a-preview", WEB, False, id="it has nothing to preview"),
        pytest.param("a", WEB, "a-preview", WEB, False, id="it is released in place"),
        pytest.param("a", CHECKED, "a-preview", WORKER, False, id="the other one is a worker, without a Service"),
        pytest.param("a-preview", WORKER, "a", CHECKED, False, id="it is a worker itself"),
        pytest.param("a-preview", WEB, "a", WEB, False, id="the other one is released in place"),
        pytest.param("a-preview", WEB, "a", {"image": 1}, False, id="the other one has a spec that nobody can use"),
        pytest.param("a", CHECKED, "a-previews", WEB, False, id="another name"),
    ],
)
def test_two_services_that_want_one_name_are_told_so_at_once(name: str, spec: Spec, other: str, theirs: Spec, is_told: bool) -> None:
    cr, world = body(spec, name=name), Shared(body(theirs, name=other, uid=OTHER_UID))
    decided = settle(cr, world)
    assert (condition(cr["status"], "Ready")[1] == "NameTaken") == is_told
    assert (condition(cr["status"], "Stalled")[0] == "True") == is_told
    if is_told:
        assert f"HardenedService {other} also needs Service a-preview" in said(cr)
        assert "delete one of the two" in said(cr)
        assert decided.requeue_after == PATIENCE


@pytest.mark.parametrize(("name", "spec", "other", "theirs"), [("a", CHECKED, "a-preview", WEB), ("a-preview", SPEC, "a", CHECKED)])
def test_what_serves_goes_on_and_what_has_the_name_is_released(name: str, spec: Spec, other: str, theirs: Spec) -> None:
    cr, world = body(spec, name=name), Shared()
    now = released(cr, world)
    world.others[other] = body(theirs, name=other, uid=OTHER_UID)
    cr = {**with_spec(cr, replicas=3), "status": cr["status"]}
    settle(cr, world, now)
    assert condition(cr["status"], "Ready") == ("False", "NameTaken")
    assert sizes(world)[f"{name}-blue"] == 3
    cr = {**with_spec(cr, image="shop:2"), "status": cr["status"]}
    now = released(cr, world, now + timedelta(minutes=5))
    assert lead(world, name)["color"] == "green"
    assert condition(cr["status"], "Ready") == ("False", "NameTaken")
    assert condition(cr["status"], "Available")[0] == "True"
    world.others.clear()
    settle(cr, world, now)
    assert condition(cr["status"], "Ready") == ("True", "Healthy")


def theirs(name: str, owner: str) -> Manifest:
    """A Service of another HardenedService."""
    refs = [{"apiVersion": names.API_VERSION, "kind": names.KIND, "name": owner, "uid": OTHER_UID, "controller": True}]
    meta = {"name": name, "namespace": "market", "uid": "x", "resourceVersion": "1", "ownerReferences": refs}
    return {"kind": "Service", "metadata": meta, "spec": {"selector": {}, "clusterIP": "10.0.0.1"}}


@pytest.mark.parametrize(("name", "spec", "other", "others"), [("a", CHECKED, "a-preview", WEB), ("a-preview", SPEC, "a", CHECKED)])
def test_what_comes_second_does_not_begin_until_the_name_is_free(name: str, spec: Spec, other: str, others: Spec) -> None:
    cr, world = body(spec, name=name), Shared(body(others, name=other, uid=OTHER_UID))
    key = ChildKey("Service", "a-preview")
    world.objects[key] = theirs("a-preview", other)
    settle(cr, world)
    settle(cr, world, NOW + timedelta(days=1))
    assert cr["status"]["release"]["step"] == "Preflight"
    assert sizes(world) == {}
    assert condition(cr["status"], "Ready") == ("False", "NameTaken")
    world.others.clear()
    settle(cr, world, NOW + timedelta(days=1))
    assert condition(cr["status"], "Ready") == ("False", "NameTaken"), "its Service is still there"
    assert f"Service/a-preview is HardenedService {other}'s" in said(cr) or "a-preview" in said(cr)
    del world.objects[key]
    released(cr, world, NOW + timedelta(days=1))
    assert condition(cr["status"], "Ready") == ("True", "Healthy")


def test_a_worker_that_has_yet_to_give_up_its_service_is_not_told_of_it() -> None:
    cr, world = body(HEADLESS), World()
    now = released(cr, world)
    cr = {**with_spec(cr, ports=None, service=None), "status": cr["status"]}
    settle(cr, world, now)
    assert condition(cr["status"], "Drifted")[0] == "False"
    released(cr, world, now)
    assert condition(cr["status"], "Ready") == ("True", "Healthy")
    assert ChildKey("Service", "shop") not in world.objects


HEADLESS = {**WEB, "release": {}, "service": {"type": "Headless"}}
FROM_HEADLESS = [
    pytest.param({"service": {"type": "ClusterIP"}}, True, id="with an address, and switched"),
    pytest.param({"service": None}, True, id="with an address by default"),
    pytest.param({"service": {"type": "LoadBalancer"}}, True, id="for clients outside"),
    pytest.param({"service": None, "release": {"strategy": "RollingUpdate"}}, False, id="with an address, and replaced in place"),
    pytest.param({"service": None, "release": {"strategy": "Recreate"}}, False, id="with an address, and recreated"),
]


def address(world: World) -> str:
    """Of the switch Service; the API server gives one to what does not say."""
    return str(world.objects[ChildKey("Service", "shop")]["spec"].setdefault("clusterIP", "10.0.0.1"))


@pytest.mark.parametrize(("change", "is_held"), FROM_HEADLESS)
def test_a_service_that_stays_headless_is_told_and_released_only_where_that_does_no_harm(change: Spec, is_held: bool) -> None:
    cr, world = body(HEADLESS), World()
    now = released(cr, world)
    assert address(world) == "None"
    cr = {**with_spec(cr, **change), "status": cr["status"]}
    now = released(cr, world, now)
    assert condition(cr["status"], "Ready") == ("False", "ServiceFixed")
    assert condition(cr["status"], "Drifted") == ("True", "ServiceFixed")
    assert condition(cr["status"], "Available")[0] == "True"
    assert "set spec.service.type back to Headless, or run: kubectl delete service shop -n market;" in said(cr)
    assert ("no other revision is released" in said(cr)) == is_held
    cr = {**with_spec(cr, image="shop:2", replicas=3), "status": cr["status"]}
    settle(cr, world, now)
    if not is_held:
        now = released(cr, world, now)
    settle(cr, world, now + timedelta(days=1))
    assert address(world) == "None"
    assert condition(cr["status"], "Ready") == ("False", "ServiceFixed")
    assert sum(sizes(world).values()) == 3, "what serves follows the size"
    assert cr["status"]["serving"]["image"] == ("registry.example/shop:1" if is_held else "shop:2")
    assert (cr["status"].get("release") or {}).get("step") == ("Preflight" if is_held else None)
    del world.objects[ChildKey("Service", "shop")]
    now = released(cr, world, now + timedelta(days=1))
    assert "clusterIP" not in world.objects[ChildKey("Service", "shop")]["spec"]
    assert condition(cr["status"], "Ready") == ("True", "Healthy")
    assert condition(cr["status"], "Drifted")[0] == "False"
    assert cr["status"]["serving"]["image"] == "shop:2"


def test_a_service_that_is_never_headless_is_written_as_it_is_also_in_its_switch_back() -> None:
    cr, world = body(SPEC), World()
    now = released(cr, world)
    cr = {**with_spec(cr, image="shop:2"), "status": cr["status"]}
    now = released(cr, world, now, until="VerifyAfter")
    assert lead(world)["color"] == "green"
    address(world)
    cr = {**with_spec(cr, release={"keepPrevious": "1m"}, service={"type": "Headless"}), "status": cr["status"]}
    world.dead.add("shop-green")
    world.follow(now)
    now = released(cr, world, now)
    assert world.objects[ChildKey("Service", "shop")]["spec"].get("clusterIP") != "None", "each write of that would be refused"
    assert lead(world)["color"] == "blue"
    assert condition(cr["status"], "Drifted") == ("True", "ServiceFixed")
    assert "Service shop is not headless" in said(cr, "Drifted")
    assert "back to ClusterIP" in said(cr, "Drifted")


def test_back_to_headless_by_hand_is_gone_back_to_in_place() -> None:
    cr, world = body(HEADLESS), World()
    now = released(cr, world)
    cr = {**with_spec(cr, image="shop:2"), "status": cr["status"]}
    now = released(cr, world, now)
    cr = {**with_spec(cr, service=None), "status": cr["status"]}
    now = released(cr, world, now)
    meta = {"name": "back", "namespace": "market", "uid": "b", "resourceVersion": "1", "labels": {names.SERVICE_LABEL: "shop"}}
    action = {"service": "shop", "action": "Rollback", "requestedBy": "jane"}
    world.objects[ChildKey(names.ACTION_KIND, "back")] = {
        "apiVersion": names.API_VERSION, "kind": names.ACTION_KIND, "metadata": meta, "spec": action,
    }  # fmt: skip
    released(cr, world, now)
    assert cr["status"]["serving"]["image"] == "registry.example/shop:1"
    assert list(sizes(world)) == ["shop-blue"], "no client of a headless Service hears of a switch"


def headless(live: Manifest) -> None:
    live["spec"]["clusterIP"] = "None"


@pytest.mark.parametrize("has_begun_headless", [True, False], ids=["headless before", "headless now"])
def test_a_service_that_leads_to_nobody_yet_is_made_anew_as_the_spec_says(has_begun_headless: bool) -> None:
    types = [{"type": "Headless"}, {"type": "ClusterIP"}]
    before, after = types if has_begun_headless else reversed(types)
    cr, world = body({**WEB, "service": before}), World()
    settle(cr, world)  # its pods are waited for
    world.writes.clear()
    world.objects[ChildKey("Service", "shop")]["spec"]["clusterIP"] = "None" if has_begun_headless else "10.0.0.1"
    cr = with_spec(cr, service=after)
    settle(cr, world)
    assert "delete Service shop" in world.writes
    assert (world.objects[ChildKey("Service", "shop")]["spec"].get("clusterIP") == "None") is not has_begun_headless
    assert condition(cr["status"], "Drifted")[0] == "False"


def test_a_preview_that_never_gets_an_address_is_made_anew() -> None:
    cr, world = body(MANUAL), World()
    settle(cr, world)
    now = NOW
    cr["spec"]["release"] = {**cr["spec"]["release"], "promotion": "Automatic"}
    now = released(cr, world, now)
    assert ChildKey("Service", "shop-preview") in world.objects
    headless(world.objects[ChildKey("Service", "shop-preview")])
    world.writes.clear()
    settle(cr, world, now)
    assert "delete Service shop-preview" in world.writes
    assert "delete Service shop" not in world.writes, "it has clients"


def test_nor_is_a_release_judged_by_such_a_preview() -> None:
    cr, world = body(CHECKED), World()
    now = released(cr, world)
    cr = with_spec(cr, image="shop:2")
    now = released_until(cr, world, now, "VerifyBefore")
    assert lead(world, "shop-preview") == target(cr, "green")
    headless(world.objects[ChildKey("Service", "shop-preview")])
    settle(cr, world, now)
    assert world.objects[ChildKey("Service", "shop-preview")]["spec"].get("clusterIP") != "None"
    assert lead(world, "shop-preview") == target(cr, "green")


def test_files_that_cannot_be_set_right_are_made_anew() -> None:
    cr, world = body({**WEB, "files": [{"mountPath": "/etc/shop", "data": {"a": "b"}}]}), World()
    released(cr, world)
    (key,) = (key for key in world.objects if key.kind == "ConfigMap")
    wanted = world.objects[key]["data"]
    world.objects[key]["data"] = {"theirs": "x"}
    world.writes.clear()
    settle(cr, world)
    assert f"delete {key}" in world.writes
    assert world.objects[key]["data"] == wanted
