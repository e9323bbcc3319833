"""Of a suspended service nothing is written but that its autoscaler leaves it as it is."""

from typing import Any

import pytest
from tests.core.releases import GATED, SECOND, released, released_until
from tests.core.worlds import WEB, World, body, decide, running, settle, with_spec

from hardened.core.model.manifest import ChildKey
from hardened.errors import Refused

pytestmark = pytest.mark.one_of(3)

HPA, SERVICE = ChildKey("HorizontalPodAutoscaler", "shop"), ChildKey("Service", "shop")
AUTOSCALE: dict[str, Any] = {"minReplicas": 2, "maxReplicas": 6, "cpu": 70}
SCALED = {**WEB, "autoscale": AUTOSCALE}
DISABLED = {"scaleUp": "Disabled", "scaleDown": "Disabled"}


def policies(world: World) -> dict[str, str]:
    """By the direction: which policy counts."""
    behavior = world.objects[HPA]["spec"].get("behavior") or {}
    return {way: rules.get("selectPolicy", "") for way, rules in behavior.items()}


def test_it_is_frozen_once_and_nothing_else_is_written() -> None:
    cr, world = running(SCALED)
    del world.objects[SERVICE]
    cr = with_spec(cr, suspend=True, image="shop:9")
    settle(cr, world)
    assert world.writes == ["apply HorizontalPodAutoscaler shop"]
    assert policies(world) == DISABLED
    assert cr["status"]["phase"] == "Suspended"
    assert cr["status"]["autoscale"]["reason"] == "Suspended"
    decided = decide(cr, world)
    assert (decided.has_writes, decided.question, decided.requeue_after) == (False, None, None)


def test_it_scales_again_once_the_service_goes_on() -> None:
    cr, world = running(SCALED)
    before = world.objects[HPA]["spec"]
    cr = with_spec(cr, suspend=True)
    settle(cr, world)
    settle(with_spec(cr, suspend=None), world)
    assert world.objects[HPA]["spec"] == before
    assert world.writes == ["apply HorizontalPodAutoscaler shop"] * 2


@pytest.mark.parametrize("size", [1, 9])
def test_a_size_that_somebody_sets_meanwhile_stays_though_it_is_out_of_bounds(size: int) -> None:
    cr, world = running(SCALED)
    cr = with_spec(cr, suspend=True)
    settle(cr, world)
    settle(with_spec(cr, replicas=size), world)
    spec = world.objects[HPA]["spec"]
    assert spec["minReplicas"] <= size <= spec["maxReplicas"]
    assert not [write for write in world.writes if write != "apply HorizontalPodAutoscaler shop"]


def test_none_is_made_of_a_service_that_is_suspended_from_the_beginning() -> None:
    cr, world = body({**SCALED, "suspend": True}), World()
    settle(cr, world)
    assert world.objects == {}


@pytest.mark.parametrize(
    "autoscale",
    [
        pytest.param(None, id="none any more"),
        pytest.param({**AUTOSCALE, "maxReplicas": 40}, id="other bounds"),
        pytest.param({**AUTOSCALE, "minReplicas": 40}, id="what cannot be used"),
    ],
)
def test_whatever_the_spec_says_of_it_meanwhile_it_is_frozen_as_it_was(autoscale: Any) -> None:
    cr, world = running(SCALED)
    before = world.objects[HPA]["spec"]
    cr = with_spec(cr, suspend=True, autoscale=autoscale)
    settle(cr, world)
    after = dict(world.objects[HPA]["spec"])
    assert policies(world) == DISABLED
    assert after.pop("behavior")
    assert after == before
    assert world.writes == ["apply HorizontalPodAutoscaler shop"]
    settle(with_spec(cr, suspend=None, autoscale=None), world)
    assert HPA not in world.objects


def test_somebody_elses_is_left_as_it_is() -> None:
    cr, world = running(SCALED)
    world.objects[HPA]["metadata"]["ownerReferences"] = [{"kind": "Team", "name": "x", "uid": "y", "controller": True}]
    assert not decide(with_spec(cr, suspend=True), world).has_writes


def test_that_it_could_not_be_frozen_is_told() -> None:
    cr, world = running(SCALED)
    world.refused[HPA] = Refused("horizontalpodautoscalers is forbidden", status=403)
    decided = decide(with_spec(cr, suspend=True), world)
    assert not decided.has_writes, "what was refused is not written again in the same look"


@pytest.mark.parametrize("step", ["Preview", "VerifyBefore", "Approval", "ScaleUp", "Cutover", "VerifyAfter", "Keep"])
def test_it_is_frozen_in_every_step_of_a_release_also_in_one_that_comes_to_its_end_first(step: str) -> None:
    cr, world = body({**GATED, "autoscale": AUTOSCALE}), World()
    now = released(cr, world)
    cr = with_spec(cr, image="shop:2")
    now = released_until(cr, world, now, step)
    cr = with_spec(cr, suspend=True)
    settle(cr, world, now)
    assert policies(world) == DISABLED
    for _ in range(90):
        world.follow(now)
        now += SECOND
        settle(cr, world, now)
    assert cr["status"]["phase"] == "Suspended"
    assert policies(world) == DISABLED


# ---- a spec that says nothing of it any more, or nothing that can be used


def test_without_a_word_of_it_it_goes_and_the_size_stays() -> None:
    cr, world = running(SCALED)
    cr = with_spec(cr, replicas=5)
    settle(cr, world)
    cr = with_spec(cr, autoscale=None)
    settle(cr, world)
    assert HPA not in world.objects
    assert world.objects[ChildKey("Deployment", "shop-blue")]["spec"]["replicas"] == cr["spec"]["replicas"] == 5
    assert "autoscale" not in cr["status"]


def test_one_that_the_spec_describes_in_a_way_that_cannot_be_used_stays_as_it_is() -> None:
    cr, world = running(SCALED)
    before = world.objects[HPA]
    settle(with_spec(cr, autoscale={**AUTOSCALE, "minReplicas": 9}), world)
    assert world.objects[HPA] == before
