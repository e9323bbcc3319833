"""A colour that gets another revision while pods of the one before are in it: nobody is served there, so those go first, all at once."""

from typing import Any

import pytest
from tests.core.release.test_plan_migrations import act
from tests.core.releases import GATED, SECOND, SPEC, lead, released, released_until, sizes, target
from tests.core.worlds import World, body, condition, revision, settle, with_spec

from hardened.api import names
from hardened.core.model.manifest import ChildKey, Manifest

GREEN = ChildKey("Deployment", "shop-green")


def runs(world: World, color: str = "green") -> tuple[str, int]:
    """The revision and the size that a colour's Deployment asks for."""
    spec = world.objects[ChildKey("Deployment", f"shop-{color}")]["spec"]
    return spec["template"]["metadata"]["labels"][names.REVISION_LABEL], spec["replicas"]


def superseded(until: str) -> tuple[Manifest, World, Any, str]:
    """A second version that was released until then, and a third one that is asked for: they, the world, the moment, the second one."""
    cr, world = body({**GATED, "replicas": 4}), World()
    now = released(cr, world)
    cr = with_spec(cr, image="shop:2")
    now = released_until(cr, world, now, until)
    return with_spec(cr, image="shop:3"), world, now, revision(cr)


@pytest.mark.parametrize("until", ["Preview", "VerifyBefore", "Approval", "ScaleUp"])
def test_pods_of_a_superseded_version_go_before_those_of_the_newer_one_are_made(until: str) -> None:
    cr, world, now, second = superseded(until)
    serving = runs(world, "blue")
    settle(cr, world, now)
    assert runs(world) == (second, 0)
    settle(cr, world, now)
    assert runs(world) == (second, 0), "its controller has not seen it yet"
    world.objects[GREEN]["status"] |= {"observedGeneration": world.objects[GREEN]["metadata"]["generation"], "replicas": 1}
    settle(cr, world, now)
    assert runs(world) == (second, 0), "one is left"
    world.follow(now)
    settle(cr, world, now)
    assert runs(world) == (revision(cr), 1)
    assert (runs(world, "blue"), lead(world)["color"]) == (serving, "blue")
    released(cr, world, now)
    assert condition(cr["status"], "Ready") == ("True", "Healthy")


def test_so_they_do_where_it_is_superseded_twice() -> None:
    cr, world, now, second = superseded("VerifyBefore")
    settle(cr, world, now)
    cr = with_spec(cr, image="shop:4")
    settle(cr, world, now)
    assert runs(world) == (second, 0)
    world.follow(now)
    settle(cr, world, now)
    assert runs(world) == (revision(cr), 1)
    cr = with_spec(cr, image="shop:5")
    fourth, _ = runs(world)
    settle(cr, world, now)
    assert runs(world) == (fourth, 0)
    released(cr, world, now)
    assert lead(world) == target(cr, "green")


def test_what_nobody_knows_any_more_is_overwritten() -> None:
    cr, world, now, _ = superseded("VerifyBefore")
    edited = world.objects[GREEN]
    edited["spec"]["template"]["metadata"]["labels"][names.REVISION_LABEL] = "edited"
    edited["metadata"]["managedFields"] = []
    settle(cr, world, now)
    assert runs(world) == (revision(cr), 1)


def test_a_kept_stack_goes_at_once_where_a_release_takes_its_colour() -> None:
    cr, world = body({**SPEC, "replicas": 4}), World()
    now = released(cr, world)
    cr = with_spec(cr, image="shop:2")
    now = released(cr, world, now, until="Keep") + 30 * SECOND
    cr = with_spec(cr, image="shop:3")
    settle(cr, world, now)
    assert sizes(world) == {"shop-blue": 0, "shop-green": 4}
    world.follow(now)
    settle(cr, world, now)
    assert runs(world, "blue") == (revision(cr), 4), "all of its pods, and not one by one"


def test_a_kept_stack_that_lost_a_pod_for_good_is_gone_back_to_at_once_where_nobody_serves() -> None:
    cr, world = body({**SPEC, "replicas": 3}), World()
    now = released(cr, world)
    first = target(cr, "blue")
    cr = with_spec(cr, image="shop:2")
    now = released(cr, world, now, until="Keep")
    world.follow(now)
    world.objects[ChildKey("Deployment", "shop-blue")]["status"] |= {"replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}
    world.objects[GREEN]["status"] |= {"availableReplicas": 0}
    act(world, "back", "Rollback")
    settle(cr, world, now)
    assert lead(world) == first
    assert sizes(world) == {"shop-blue": 3, "shop-green": 3}


def test_a_rollback_that_fails_leaves_what_it_found() -> None:
    cr, world = body({**SPEC, "replicas": 3}), World()
    now = released(cr, world)
    cr = with_spec(cr, image="shop:2")
    second, now = target(cr, "green"), released(cr, world, now, until="Keep")
    world.follow(now)
    one = {"replicas": 1, "updatedReplicas": 1, "availableReplicas": 1}
    world.objects[ChildKey("Deployment", "shop-blue")]["status"] |= one
    act(world, "back", "Rollback")
    for seconds in (0, 15, 300, 599):
        decided = settle(cr, world, now + seconds * SECOND)
        assert (cr["status"]["release"]["step"], lead(world)) == ("ScaleUp", second)
        assert seconds or decided.requeue_after is not None
        assert decided.requeue_after is not None
        assert decided.requeue_after <= 15 * SECOND
    settle(cr, world, now + 601 * SECOND)
    assert [entry["phase"] for entry in cr["status"]["actions"]] == ["Failed"]
    assert cr["status"]["release"]["step"] == "Keep"
    assert (sizes(world), lead(world)) == ({"shop-blue": 3, "shop-green": 3}, second)
    settle(cr, world, now + 660 * SECOND)
    assert sizes(world) == {"shop-blue": 3, "shop-green": 3}
    settle(cr, world, now + 662 * SECOND)
    assert sizes(world) == {"shop-blue": 0, "shop-green": 3}, "it was kept as long as after a release"
