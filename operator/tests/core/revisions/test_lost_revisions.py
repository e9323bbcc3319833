"""What is stored of a revision is deleted by hand while it, or another one, is being released."""

import pytest
from tests.core.release.test_plan_migrations import act
from tests.core.releases import CHECKED, SPEC, lead, passes, released, sizes, target
from tests.core.worlds import NOW, WEB, World, body, condition, revision, settle, with_spec

from hardened.core.model.manifest import Manifest

pytestmark = pytest.mark.one_of(3)


def delete_stored(world: World, name: str) -> None:
    """Somebody deletes what is stored of a revision."""
    (key,) = (key for key in world.objects if key.kind == "ControllerRevision" and key.name.endswith(name))
    del world.objects[key]


def scaled(cr: Manifest, replicas: int) -> Manifest:
    return {**with_spec(cr, replicas=replicas), "status": cr["status"]}


def test_what_serves_follows_its_replicas_all_the_same_and_goes_when_its_time_is_over() -> None:
    cr, world = body(SPEC), World()
    now = released(cr, world)
    first = revision(cr)
    cr = with_spec(cr, image="shop:2")
    now = released(cr, world, now, until="Preview")
    delete_stored(world, first)
    cr = scaled(cr, 4)
    settle(cr, world, now)
    assert sizes(world)["shop-blue"] == 4
    released(cr, world, now)
    assert sizes(world) == {"shop-blue": 0, "shop-green": 4}
    assert condition(cr["status"], "Ready") == ("True", "Healthy")


def test_what_serves_beside_a_rejected_spec_follows_its_replicas() -> None:
    cr, world = body(CHECKED), World()
    now = released(cr, world)
    first = revision(cr)
    world.failing.add("smoke")
    cr = with_spec(cr, image="shop:2")
    now = released(cr, world, now)
    delete_stored(world, first)
    cr = scaled(cr, 6)
    released(cr, world, now)
    assert (sizes(world), condition(cr["status"], "Ready")) == ({"shop-blue": 6, "shop-green": 0}, ("False", "Rejected"))


def test_recreated_the_pods_of_what_served_go_and_the_next_one_comes() -> None:
    cr, world = body({**WEB, "release": {"strategy": "Recreate", "progressDeadline": "1m"}}), World()
    now = passes(cr, world, NOW, 60)
    delete_stored(world, revision(cr))
    cr = with_spec(cr, image="shop:2")
    passes(cr, world, now, 120)
    assert (sizes(world), condition(cr["status"], "Ready")) == ({"shop-blue": 0, "shop-green": 2}, ("True", "Healthy"))


@pytest.mark.parametrize("images", [["shop:1"], ["shop:1", "shop:1b"]])
def test_rolling_the_deployment_is_left_as_it_is_where_the_next_one_fails(images: list[str]) -> None:
    cr, world, now = body({**WEB, "release": {"strategy": "RollingUpdate", "progressDeadline": "1m"}}), World(), NOW
    for image in images:
        cr = with_spec(cr, image=image)
        now = passes(cr, world, now, 60)
    cr = with_spec(cr, image="shop:2")
    world.dead.add("shop-blue")
    served = cr["status"]["stable"]["revision"]
    settle(cr, world, now)
    world.follow(now)
    delete_stored(world, served)
    now = passes(cr, world, now, 150)
    assert sizes(world) == {"shop-blue": 2}, "pods of what served may be there yet"
    assert (condition(cr["status"], "Ready"), cr["status"].get("release")) == (("False", "RolledBack"), None)
    world.dead.clear()
    cr = with_spec(cr, image="shop:3")
    passes(cr, world, now, 60)
    assert (cr["status"]["serving"]["image"], condition(cr["status"], "Ready")) == ("shop:3", ("True", "Healthy"))


def test_what_cannot_be_promoted_is_switched_back_before_a_newer_spec_has_its_turn() -> None:
    cr, world = body(CHECKED), World()
    now = released(cr, world)
    serving = target(cr, "blue")
    cr = with_spec(cr, image="shop:2")
    now = released(cr, world, now, until="VerifyAfter")
    delete_stored(world, revision(cr))
    cr = with_spec(cr, image="shop:3")
    now = passes(cr, world, now, 15)
    assert (cr["status"]["release"]["step"], lead(world)) == ("SwitchBack", serving)
    assert cr["status"]["stable"]["revision"] == serving["revision"]
    world.failing.clear()
    released(cr, world, now)
    assert (cr["status"]["stable"]["revision"], condition(cr["status"], "Ready")) == (revision(cr), ("True", "Healthy"))


@pytest.mark.parametrize("step", ["ScaleUp", "Cutover"])
def test_a_rollback_to_what_is_lost_meanwhile_ends(step: str) -> None:
    cr, world = body(SPEC), World()
    now = released(cr, world)
    first = revision(cr)
    cr = with_spec(cr, image="shop:2")
    now = released(cr, world, now)
    serving = target(cr, "green")
    act(world, "back", "Rollback")
    now = released(cr, world, now, until=step)
    delete_stored(world, first)
    passes(cr, world, now, 1200)
    assert [entry["phase"] for entry in cr["status"]["actions"]] == ["Failed"]
    assert (lead(world), condition(cr["status"], "Ready")) == (serving, ("True", "Healthy"))


@pytest.mark.parametrize("strategy", ["RollingUpdate", "Recreate"])
def test_in_place_such_a_rollback_ends_too(strategy: str) -> None:
    cr, world, now = body({**WEB, "release": {"strategy": strategy, "progressDeadline": "1m"}}), World(), NOW
    now = passes(cr, world, now, 60)
    first = revision(cr)
    cr = with_spec(cr, image="shop:2")
    now = passes(cr, world, now, 120)
    act(world, "back", "Rollback")
    settle(cr, world, now)
    assert cr["status"]["release"]["step"] == "Cutover"
    delete_stored(world, first)
    passes(cr, world, now, 1200)
    assert [entry["phase"] for entry in cr["status"]["actions"]] == ["Failed"]
    assert (cr["status"]["serving"]["image"], condition(cr["status"], "Ready")) == ("shop:2", ("True", "Healthy"))


def test_what_would_be_undone_once_the_pods_of_a_failed_version_are_gone_is_told_where_they_stay() -> None:
    rolling = {"strategy": "RollingUpdate", "progressDeadline": "1m"}
    cr, world, now = body({**WEB, "release": rolling}), World(), NOW
    now = passes(cr, world, now, 60)
    first = revision(cr)
    undo = {"command": ["undo"], "afterCutover": True}
    cr = with_spec(cr, image="shop:2", release={**rolling, "migrate": {"command": ["migrate"], "undo": undo}})
    world.dead.add("shop-blue")
    now = passes(cr, world, now, 15)
    assert cr["status"]["release"]["step"] == "Cutover"
    delete_stored(world, first)
    now = passes(cr, world, now, 300)
    assert condition(cr["status"], "Ready") == ("False", "MigrationNotUndone")
    assert "this version's pods keep running" in cr["status"]["conditions"][0]["message"]
    world.dead.clear()
    cr = with_spec(cr, image="shop:3", release=rolling)
    passes(cr, world, now, 60)
    assert condition(cr["status"], "Ready") == ("True", "Healthy")


@pytest.mark.parametrize("strategy", ["BlueGreen", "Recreate", "RollingUpdate"])
@pytest.mark.parametrize("remembers", [True, False])
def test_what_served_comes_up_again_where_its_deployment_and_what_was_stored_of_it_are_deleted(strategy: str, remembers: bool) -> None:
    cr, world = body({**WEB, "release": {"strategy": strategy, "progressDeadline": "1m"}}), World()
    now = passes(cr, world, NOW, 60)
    delete_stored(world, revision(cr))
    world.objects = {key: live for key, live in world.objects.items() if key.kind != "Deployment"}
    if not remembers:
        del cr["status"]
    passes(cr, world, now, 120)
    assert condition(cr["status"], "Ready") == ("True", "Healthy")
    assert "pin" not in cr["status"]
