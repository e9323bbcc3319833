"""What a release needs before its first pod: what is planned while it is not there, and what status says meanwhile."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.core.releases import SECOND, SPEC, released, sizes
from tests.core.worlds import ANY_KEY, NOW, WEB, World, body, condition, decide, revision, settle, with_spec

from hardened.api import names
from hardened.core.model.manifest import ChildKey, Manifest
from hardened.core.model.question import ReadNamespace
from hardened.core.plan import plan

HOUR = timedelta(hours=1)
CHECKED = {"beforeCutover": [{"name": "smoke", "http": {}}]}
_MANY = [{"name": "a", "http": {}}, {"name": "b", "tcp": {}}, {"name": "c", "job": {"command": ["true"], "deadline": "5s"}}]
WATCHED = {"afterCutover": {"checks": [*_MANY, {"name": "d", "load": {"rate": 1, "duration": "5s"}}]}}


def quota(left: int, resource: str = "pods") -> Manifest:
    """A quota that leaves so much."""
    counted = {"hard": {resource: str(10 + left)}, "used": {resource: "10"}}
    return {"metadata": {"name": "small"}, "spec": {"hard": counted["hard"]}, "status": counted}


def ready(cr: Manifest) -> str:
    """What Ready says."""
    return str(next(c["message"] for c in cr["status"]["conditions"] if c["type"] == "Ready"))


def in_place(strategy: str) -> Manifest:
    return {**WEB, "replicas": 4, "release": {"strategy": strategy}}


def blue_green(**more: Any) -> Manifest:
    return {**SPEC, "replicas": 4, **more}


@pytest.mark.parametrize(
    ("spec", "first", "second"),
    [
        pytest.param(blue_green(), 4, 5, id="BlueGreen: as many as serve, and the probe's"),
        pytest.param(blue_green(verify=CHECKED), 4, 5, id="BlueGreen: the preview with its check first, and then as many, and the probe's"),
        pytest.param(in_place("RollingUpdate"), 4, 1, id="RollingUpdate: its surge, and then the probe's in its place"),
        pytest.param(in_place("Recreate"), 4, 1, id="Recreate: the probe's"),
    ],
)
def test_each_strategy_waits_for_the_room_that_it_needs(spec: Manifest, first: int, second: int) -> None:
    cr, world = body(spec), World()
    now = NOW
    for needed, image in ((first, "shop:1"), (second, "shop:2")):
        cr = {**with_spec(cr, image=image), **({"status": cr["status"]} if "status" in cr else {})}
        before = sizes(world)
        if needed:
            world.quotas = [quota(needed - 1)]
            settle(cr, world, now)
            assert cr["status"]["release"]["step"] == "Preflight"
            assert sizes(world) == before
            said = f"ResourceQuota small has {needed - 1} pods left, and the release needs {needed}"
            assert ready(cr).startswith(f"Preflight: revision {revision(cr)} waits for room: {said}")
            assert ready(cr).endswith("; raise the ResourceQuota or free some of it")
            assert condition(cr["status"], "Ready") == ("False", "QuotaExceeded")
            assert condition(cr["status"], "Stalled")[0] == "False"
        world.quotas = [quota(needed)]
        now = released(cr, world, now)
        assert condition(cr["status"], "Ready") == ("True", "Healthy")
        now += HOUR


@pytest.mark.parametrize("spec", [blue_green(), in_place("RollingUpdate"), in_place("Recreate")], ids=["BlueGreen", "Rolling", "Recreate"])
def test_requests_share_one_pod_and_each_load_and_job_has_its_own(spec: Manifest) -> None:
    cr, world = body({**spec, "verify": WATCHED}), World()
    world.quotas = [quota(6)]
    settle(cr, world)
    assert "has 6 pods left, and the release needs 7, check pods included" in ready(cr)
    world.quotas = [quota(7)]
    settle(cr, world)
    assert cr["status"]["release"]["step"] == ("Preview" if spec == blue_green() else "Cutover")


def test_larger_pods_of_a_recreated_service_need_the_difference() -> None:
    cr, world = body(in_place("Recreate")), World()
    now = released(cr, world)
    cr = with_spec(cr, resources={"requests": {"cpu": "150m"}})  # 50m by default
    world.quotas = [quota(0, "requests.cpu")]
    settle(cr, world, now)
    assert "has 0 requests.cpu left, and the release needs 420m, check pods included; raise" in ready(cr)


def test_a_quota_for_pods_that_end_counts_those_of_checks_alone() -> None:
    cr, world = body({**SPEC, "verify": CHECKED}), World()
    world.quotas = [{**quota(0), "spec": {"scopes": ["Terminating"]}}]
    settle(cr, world)
    assert "has 0 pods left, and the release needs 1, check pods included" in ready(cr)
    world.quotas = [{**quota(1), "spec": {"scopes": ["Terminating"]}}]
    released(cr, world)
    assert condition(cr["status"], "Ready") == ("True", "Healthy")


def test_it_is_waited_for_without_a_deadline_and_looked_at_again_soon() -> None:
    cr, world = body(SPEC), World()
    world.quotas = [quota(1)]
    settle(cr, world)
    decided = settle(cr, world, NOW + timedelta(days=1))
    assert cr["status"]["release"]["step"] == "Preflight"
    assert "deadline" not in cr["status"]["release"]
    assert decided.requeue_after == timedelta(seconds=5)
    assert sizes(world) == {}


def without_room_beside_a_kept_stack(spec: Manifest, left: int = 0) -> tuple[Manifest, World, datetime]:
    """A third version of a service is asked for while the first one is kept, and the quota leaves so much: it, its world, the moment."""
    cr, world = body(spec), World()
    now: datetime = released(cr, world)
    cr = with_spec(cr, image="shop:2")
    now = released(cr, world, now, until="Keep") + 40 * SECOND
    cr = {**with_spec(cr, image="shop:3"), "status": cr["status"]}
    world.quotas = [quota(left)]
    settle(cr, world, now)
    return cr, world, now


def test_the_previous_colour_of_a_kept_release_makes_room() -> None:
    cr, world, now = without_room_beside_a_kept_stack(blue_green(), left=1)  # for the probe
    assert cr["status"]["release"]["step"] == "Preview", "its pods go first, all at once"
    assert sizes(world) == {"shop-blue": 0, "shop-green": 4}
    released(cr, world, now)
    assert condition(cr["status"], "Ready") == ("True", "Healthy")


def test_a_preview_takes_the_place_of_previous_pods() -> None:
    cr, _, _ = without_room_beside_a_kept_stack(blue_green(verify=CHECKED), left=1)  # for the probe
    assert cr["status"]["release"]["step"] == "Preview"


def test_a_release_that_begins_anew_needs_nothing_for_the_pods_that_it_has() -> None:
    cr, world = body(blue_green()), World()
    now = released(cr, world)
    cr = with_spec(cr, image="shop:2")
    settle(cr, world, now)
    world.dead.add("shop-green")
    world.follow(now)
    cr = {**with_spec(cr, verify={"afterCutover": {"window": "20s"}}), "status": cr["status"]}
    world.quotas = [quota(0)]
    settle(cr, world, now)
    assert cr["status"]["release"]["step"] == "Preview"


def test_traffic_is_led_back_without_a_look_around() -> None:
    cr, world = body(SPEC), World()
    now = released(cr, world)
    cr = with_spec(cr, image="shop:2")
    now = released(cr, world, now, until="VerifyAfter")
    del cr["status"]["release"]
    found = plan_of(cr, world, now)
    assert found.question is None
    assert found.status["release"]["step"] == "SwitchBack"


def test_the_quota_is_asked_once() -> None:
    cr, world = body(SPEC), World()
    settle(cr, world)
    assert cr["status"]["release"]["step"] == "Preview"
    world.quotas = [quota(-10)]
    released(cr, world)
    assert condition(cr["status"], "Ready") == ("True", "Healthy")


def test_where_no_release_begins_nobody_looks() -> None:
    cr, world = body(SPEC), World()
    assert plan_of(cr, world).question == ReadNamespace(frozenset())
    settle(cr, world)
    assert not isinstance(plan_of(cr, world).question, ReadNamespace)
    released(cr, world)
    assert not isinstance(plan_of(cr, world, NOW + HOUR).question, ReadNamespace)


def plan_of(cr: Manifest, world: World, now: Any = NOW) -> Any:
    """The first plan of a look."""
    return plan(cr, world.seen(), ANY_KEY, now)


def rollback() -> Manifest:
    """Somebody asks for the revision before."""
    meta = {"name": "back", "namespace": "market", "uid": "b", "resourceVersion": "1", "labels": {names.SERVICE_LABEL: "shop"}}
    spec = {"service": "shop", "action": "Rollback", "requestedBy": "jane"}
    return {"apiVersion": names.API_VERSION, "kind": names.ACTION_KIND, "metadata": meta, "spec": spec}


def test_a_rollback_by_hand_is_held_up_by_nothing() -> None:
    cr, world = body({**SPEC, "envFrom": [{"configMapRef": {"name": "settings"}}]}), World()
    world.config_maps = {"settings": {}}
    now = released(cr, world)
    cr = with_spec(cr, image="shop:2")
    now = released(cr, world, now)
    world.quotas, world.config_maps = [quota(-10)], {}
    world.objects[ChildKey(names.ACTION_KIND, "back")] = rollback()
    assert not isinstance(plan_of(cr, world, now).question, ReadNamespace)
    settle(cr, world, now)
    assert cr["status"]["release"]["step"] == "ScaleUp"
    assert sizes(world) == {"shop-blue": 2, "shop-green": 2}


VARIABLE = {"name": "LEVEL", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "level"}}}


@pytest.mark.parametrize("spec", [SPEC, in_place("RollingUpdate"), in_place("Recreate")], ids=["BlueGreen", "RollingUpdate", "Recreate"])
def test_a_config_map_that_is_missing_stalls_the_release_after_a_minute_until_it_is_there(spec: Manifest) -> None:
    cr, world = body({**spec, "env": [VARIABLE]}), World()
    for seconds, stalled in ((0, ("False", "InStep")), (59, ("False", "InStep")), (60, ("True", "ConfigMissing"))):
        decided = settle(cr, world, NOW + timedelta(seconds=seconds))
        assert condition(cr["status"], "Ready") == ("False", "ConfigMissing")
        assert condition(cr["status"], "Stalled") == stalled, f"after {seconds} s"
        assert condition(cr["status"], "Reconciling")[0] == ("True" if stalled[0] == "False" else "False"), "else kstatus takes it for done"
        assert cr["status"]["phase"] == ("Pending" if stalled[0] == "False" else "Degraded")
        assert "ConfigMap settings does not exist: create it" in ready(cr)
        assert (sizes(world), decided.requeue_after) == ({}, timedelta(seconds=5))
    world.config_maps = {"settings": {"data": {}}}
    settle(cr, world, NOW + HOUR)
    assert "ConfigMap settings has no key level: add it" in ready(cr)
    assert condition(cr["status"], "Stalled") == ("True", "ConfigMissing")
    world.config_maps = {"settings": {"data": {"level": "info"}}}
    released(cr, world, NOW + HOUR)
    assert condition(cr["status"], "Ready") == ("True", "Healthy")
    assert condition(cr["status"], "Stalled") == ("False", "InStep")


def test_nothing_is_written_in_the_name_of_a_missing_config_map_that_says_otherwise() -> None:
    cr, world = body({**SPEC, "env": [VARIABLE]}), World()
    decided = decide(cr, world)
    assert decided.is_status_first
    assert decided.status
    assert condition(decided.status, "Ready") == ("False", "ConfigMissing")


def test_the_files_of_the_revision_itself_are_not_asked_for() -> None:
    cr, world = body({**SPEC, "files": [{"mountPath": "/etc/shop", "data": {"a": "b"}}]}), World()
    settle(cr, world)
    assert cr["status"]["release"]["step"] == "Preview"
