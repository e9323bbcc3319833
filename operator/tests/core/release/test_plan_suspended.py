"""A service that is suspended in the middle of a release: nothing moves, but half a switch, which is none, comes to its end first."""

from datetime import timedelta
from typing import Any

import pytest
from tests.core.releases import GATED, SECOND, lead, released, released_until, sizes, target
from tests.core.worlds import World, body, condition, decide, settle, with_spec

from hardened.core.model.manifest import Manifest


def suspended_in(step: str) -> tuple[Manifest, World, Any]:
    """The service, suspended when the release of its second version was in this step; its world, and the moment."""
    cr, world = body(GATED), World()
    now = released(cr, world)
    cr = with_spec(cr, image="shop:2")
    now = released_until(cr, world, now, step)
    return with_spec(cr, suspend=True), world, now


@pytest.mark.parametrize("step", ["Preview", "VerifyBefore", "Approval", "ScaleUp", "Keep"])
def test_nothing_moves(step: str) -> None:
    cr, world, now = suspended_in(step)
    before = cr["status"]["release"]
    for seconds in (0, 1, 3600):
        decided = settle(cr, world, now + seconds * SECOND)
        after = cr["status"]["release"]
        assert not decided.has_writes
        assert cr["status"]["phase"] == "Suspended"
        assert ("remaining" in after) == ("deadline" in before), "its time stands still"
        assert after.keys() - {"remaining"} == before.keys() - {"deadline"}
        assert all(before[name] == value for name, value in after.items() if name != "remaining")


@pytest.mark.parametrize("step", ["Cutover", "VerifyAfter"])
@pytest.mark.parametrize(("is_bad", "color"), [(False, "green"), (True, "blue")], ids=["a good version", "one that dies"])
def test_a_switch_comes_to_its_end_first(step: str, is_bad: bool, color: str) -> None:
    cr, world, now = suspended_in(step)
    if is_bad:
        world.dead.add("shop-green")
    for _ in range(90):
        world.follow(now)
        now += SECOND
        settle(cr, world, now)
    assert lead(world)["color"] == color
    assert cr["status"]["stable"]["color"] == color
    assert cr["status"]["phase"] == "Suspended"
    assert condition(cr["status"], "Available")[0] == "True"
    assert sizes(world) == {"shop-blue": 2, "shop-green": 2}, "nothing is taken down any more"
    assert not decide(cr, world, now + timedelta(hours=1)).has_writes


def test_it_goes_on_where_it_was() -> None:
    cr, world, now = suspended_in("VerifyBefore")
    settle(cr, world, now + 5 * SECOND)
    cr = with_spec(cr, suspend=None)
    released(cr, world, now + 6 * SECOND, until="Keep")
    assert lead(world) == target(cr, "green")
