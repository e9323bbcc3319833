"""Who may be drained when: a colour without clients holds no drain up, and the one that serves is guarded as the spec says."""

from typing import Any

import pytest
from tests.core.releases import CHECKED, GATED, SECOND, released, released_until
from tests.core.worlds import NOW, World, body, settle, with_spec

from hardened.core.model.manifest import ChildKey

GUARDED = {"minAvailable": 2}
OPEN = {"maxUnavailable": "100%"}
AVAILABILITY = {"availability": {"disruptionBudget": GUARDED}}


def budgets(world: World) -> dict[str, Any]:
    """What each colour's budget says, by colour."""
    found = {key.name.rpartition("-")[2]: live["spec"] for key, live in world.objects.items() if key.kind == "PodDisruptionBudget"}
    return {color: {k: v for k, v in spec.items() if k in ("minAvailable", "maxUnavailable")} for color, spec in found.items()}


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        pytest.param("VerifyBefore", {"blue": GUARDED, "green": OPEN}, id="a preview of one pod can never have two"),
        pytest.param("Approval", {"blue": GUARDED, "green": OPEN}, id="however long a person takes"),
        pytest.param("VerifyAfter", {"blue": GUARDED, "green": GUARDED}, id="either may serve the next moment"),
        pytest.param("Keep", {"blue": OPEN, "green": GUARDED}, id="what is kept has no clients any more"),
        pytest.param("", {"blue": OPEN, "green": GUARDED}, id="nor has what has no pods"),
    ],
)
def test_only_what_clients_use_is_guarded(step: str, expected: dict[str, Any]) -> None:
    cr, world = body({**(GATED if step == "Approval" else CHECKED), "replicas": 3, **AVAILABILITY}), World()
    now = released(cr, world)
    assert budgets(world) == {"blue": GUARDED}
    cr = with_spec(cr, image="shop:2")
    if step == "Approval":
        cr["spec"]["release"] = {**cr["spec"]["release"], "autoPromoteAfter": "1h"}
    now = released_until(cr, world, now, step)
    settle(cr, world, now)
    assert budgets(world) == expected


@pytest.mark.parametrize("step", ["VerifyBefore", "Approval"])
def test_a_first_preview_holds_no_drain_up(step: str) -> None:
    cr, world = body({**GATED, "replicas": 3, **AVAILABILITY}), World()
    released_until(cr, world, NOW, step)
    assert budgets(world) == {"blue": OPEN}
    released(cr, world, NOW + SECOND)
    assert budgets(world) == {"blue": GUARDED}


def test_without_a_budget_of_its_own_it_is_the_same() -> None:
    cr, world = body({**CHECKED, "replicas": 1}), World()
    now = released(cr, world)
    assert budgets(world) == {"blue": {"maxUnavailable": 1}}
    cr = with_spec(cr, image="shop:2")
    released_until(cr, world, now, "VerifyBefore")
    assert budgets(world) == {"blue": {"maxUnavailable": 1}, "green": OPEN}


def test_clients_are_led_on_before_the_budget_follows() -> None:
    """What a flip waits for can be refused, or hang."""
    cr, world = body({**CHECKED, **AVAILABILITY}), World()
    now = released(cr, world)
    cr = with_spec(cr, image="shop:2")
    world.writes.clear()
    released(cr, world, now, until="VerifyAfter")
    flip = world.writes.index("apply Service shop", world.writes.index("apply Deployment shop-green"))
    guarded = [n for n, write in enumerate(world.writes) if write == "apply PodDisruptionBudget shop-green"]
    assert len(guarded) == 2
    assert guarded[1] > flip
    assert budgets(world)["green"] == GUARDED
    assert ChildKey("Service", "shop") in world.objects


@pytest.mark.parametrize("strategy", ["RollingUpdate", "Recreate"])
def test_in_place_the_one_stack_is_guarded_throughout(strategy: str) -> None:
    cr, world = body({**CHECKED, "release": {"strategy": strategy}, "verify": {}, **AVAILABILITY}), World()
    now = released(cr, world)
    cr = with_spec(cr, image="shop:2")
    for _ in range(5):
        settle(cr, world, now)
        world.follow(now)
        assert GUARDED in budgets(world).values()
        now += 10 * SECOND
