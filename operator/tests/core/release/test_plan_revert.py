"""A spec that goes back to what is kept, or to what is stable: as it is planned, and when the service is Ready again."""

from datetime import timedelta
from typing import Any

import pytest
from tests.core.release.test_plan_migrations import UNDO, act, migrating
from tests.core.releases import CHECKED, SECOND, SPEC, lead, pods, released, sizes
from tests.core.worlds import World, body, condition, revision, settle, with_spec

from hardened.core.model.manifest import Manifest

pytestmark = pytest.mark.one_of(3)

LATE_UNDO = {"undo": {**UNDO["undo"], "afterCutover": True}}


def kept(spec: Manifest = SPEC, step: str = "Keep", **second: Any) -> tuple[Manifest, World, Any, Manifest]:
    """A service whose second revision has come to this step, and the spec of the first one."""
    cr, world = body(spec), World()
    now = released(cr, world)
    first = cr["spec"]
    cr = with_spec(cr, image="shop:2", **second)
    return cr, world, released(cr, world, now, until=step), first


def with_whole(cr: Manifest, spec: Manifest, **changes: Any) -> Manifest:
    """The same service with all of another spec."""
    return with_spec({**cr, "spec": spec}, **changes)


def looked(cr: Manifest, world: World, now: Any, seconds: int) -> Any:
    """Lets the cluster follow for so many seconds. The moment then."""
    for _ in range(seconds):
        settle(cr, world, now)
        world.follow(now)
        now += SECOND
    settle(cr, world, now)
    return now


def is_ready(cr: Manifest) -> bool:
    return condition(cr["status"], "Ready") == ("True", "Healthy")


@pytest.mark.parametrize("spec", [SPEC, CHECKED], ids=["without checks", "with checks"])
def test_in_keep_it_is_gone_back_to_at_once_without_checks_and_nothing_is_rejected(spec: Manifest) -> None:
    cr, world, now, first = kept(spec)
    left = revision(cr)
    world.failing |= {"smoke", "live", "zero-loss"}
    cr = with_whole(cr, first)
    settle(cr, world, now)
    assert lead(world) == {"color": "blue", "revision": revision(cr)}
    assert pods(world) == []
    world.follow(now)
    settle(cr, world, now)
    assert is_ready(cr)
    assert cr["status"]["stable"] == {"color": "blue", "revision": revision(cr), "promotion": 3}
    assert "pin" not in cr["status"]
    assert cr["status"]["release"]["step"] == "Keep"
    looked(cr, world, now, 55)
    assert sizes(world) == {"shop-blue": 2, "shop-green": 2}, "what it left is kept for keepPrevious"
    looked(cr, world, now + 55 * SECOND, 10)
    assert sizes(world) == {"shop-blue": 2, "shop-green": 0}
    cr = with_spec(cr, image="shop:2")
    world.failing.clear()
    released(cr, world, now + timedelta(hours=1))
    assert (revision(cr), is_ready(cr)) == (left, True), "what it left is not rejected"


def test_there_and_back_again_each_time_at_once() -> None:
    cr, world, now, first = kept()
    second = cr["spec"]
    for spec, color in ((first, "blue"), (second, "green"), (first, "blue")):
        cr = with_whole(cr, spec)
        now = looked(cr, world, now, 2)
        assert (lead(world)["color"], is_ready(cr)) == (color, True)
        assert sizes(world) == {"shop-blue": 2, "shop-green": 2}


def test_where_it_was_taken_down_by_then_it_is_a_release_as_any_other() -> None:
    cr, world, now, first = kept()
    now = released(cr, world, now)
    assert sizes(world) == {"shop-blue": 0, "shop-green": 2}
    cr = with_whole(cr, first)
    settle(cr, world, now)
    assert cr["status"]["release"]["step"] == "Preview"
    assert "rollback" not in cr["status"]["release"]


@pytest.mark.parametrize(
    ("migrate", "is_at_once"),
    [({}, False), (UNDO, False), (None, True)],
    ids=["it stays", "it is not undone after a cutover", "there was none"],
)
def test_not_over_a_migration_that_is_not_undone(migrate: Manifest | None, is_at_once: bool) -> None:
    cr, world, now, first = kept(**({} if migrate is None else {"release": migrating(**migrate)}))
    cr = with_whole(cr, first)
    now = looked(cr, world, now, 5)
    assert (lead(world)["color"] == "blue") is is_at_once
    if not is_at_once:
        assert not is_ready(cr)
    released(cr, world, now)
    assert lead(world)["color"] == "blue"
    assert is_ready(cr)


def test_what_a_rollback_left_is_rejected_and_not_gone_back_to() -> None:
    cr, world, now, _ = kept()
    act(world, "back", "Rollback")
    now = looked(cr, world, now, 2)
    assert (lead(world)["color"], condition(cr["status"], "Ready")) == ("blue", ("False", "RolledBack"))
    cr = with_spec(cr, verify={"afterCutover": {"window": "3s"}})
    looked(cr, world, now, 2)
    assert (lead(world)["color"], condition(cr["status"], "Ready")) == ("blue", ("False", "RollingOut")), "it has its checks to pass"


def test_the_spec_goes_on_to_another_one_meanwhile_which_waits_until_it_may_take_a_stack() -> None:
    cr, world, now, first = kept()
    cr = with_whole(cr, first)
    settle(cr, world, now)
    assert cr["status"]["release"]["step"] == "Cutover"
    cr = with_spec(cr, image="shop:3")
    now = looked(cr, world, now, 25)
    assert lead(world)["color"] == "blue"
    assert sizes(world) == {"shop-blue": 2, "shop-green": 2}
    released(cr, world, now)
    assert (lead(world), is_ready(cr)) == ({"color": "green", "revision": revision(cr)}, True)


def test_the_spec_comes_back_before_its_endpoints_have_followed() -> None:
    cr, world, now, first = kept()
    second = cr["spec"]
    cr = with_whole(cr, first)
    settle(cr, world, now)
    assert lead(world)["color"] == "blue"
    cr = with_whole(cr, second)
    now = looked(cr, world, now, 3)
    assert (lead(world)["color"], is_ready(cr)) == ("green", True)
    now = looked(cr, world, now, 25)
    assert sizes(world) == {"shop-blue": 2, "shop-green": 2}, "clients may be at both"
    assert "pin" not in cr["status"]


def test_it_waits_for_as_many_pods_as_serve_and_is_over_where_the_spec_goes_elsewhere() -> None:
    cr, world, now, first = kept()
    second = cr["spec"]
    world.dead.add("shop-blue")
    world.follow(now)
    cr = with_whole(cr, first)
    now = looked(cr, world, now, 5)
    assert (cr["status"]["release"]["step"], lead(world)["color"]) == ("ScaleUp", "green")
    cr = with_whole(cr, second)
    now = looked(cr, world, now, 1)
    assert (cr["status"]["release"]["step"], is_ready(cr)) == ("Keep", True)
    cr = with_whole(cr, first)
    now = looked(cr, world, now, 2)
    world.dead.clear()
    now = looked(cr, world, now, 2)
    assert (lead(world)["color"], is_ready(cr)) == ("blue", True)


def test_what_dies_once_it_is_gone_back_to_has_to_pass_its_checks_the_next_time() -> None:
    cr, world, now, first = kept()
    cr = with_whole(cr, first)
    settle(cr, world, now)
    assert lead(world)["color"] == "blue"
    world.dead.add("shop-blue")
    flips = []
    for _ in range(240):
        settle(cr, world, now)
        world.follow(now)
        now += 10 * SECOND
        if not flips or flips[-1] != lead(world)["color"]:
            flips.append(lead(world)["color"])
    assert flips == ["blue", "green"], "it is not tried again and again"
    assert condition(cr["status"], "Ready") == ("False", "Rejected")


def test_aborted_before_its_cutover_it_is_rejected_or_it_would_begin_anew() -> None:
    cr, world, now, first = kept()
    world.dead.add("shop-blue")
    world.follow(now)
    cr = with_whole(cr, first)
    now = looked(cr, world, now, 2)
    act(world, "stop", "Abort", revision=revision(cr))
    now = looked(cr, world, now, 2)
    world.dead.clear()
    looked(cr, world, now, 60)
    assert condition(cr["status"], "Ready") == ("False", "Rejected")
    assert lead(world)["color"] == "green"


def test_somebody_who_goes_back_to_the_same_one_by_hand_rejects_what_it_leaves() -> None:
    cr, world, now, first = kept()
    second = cr["spec"]
    world.dead.add("shop-blue")
    world.follow(now)
    cr = with_whole(cr, first)
    now = looked(cr, world, now, 1)
    act(world, "back", "Rollback")
    now = looked(cr, world, now, 1)
    world.dead.clear()
    now = looked(cr, world, now, 3)
    assert [entry["phase"] for entry in cr["status"]["actions"]] == ["Succeeded"]
    assert (lead(world)["color"], is_ready(cr)) == ("blue", True)
    cr = with_whole(cr, second)
    looked(cr, world, now, 60)
    assert condition(cr["status"], "Ready") == ("False", "RolledBack")


def test_suspended_it_waits_and_in_its_cutover_it_comes_to_its_end() -> None:
    cr, world, now, first = kept()
    cr = with_whole(cr, first, suspend=True)
    now = looked(cr, world, now, 5)
    assert (lead(world)["color"], cr["status"]["phase"]) == ("green", "Suspended")
    cr = with_spec(cr, suspend=None)
    settle(cr, world, now)
    assert lead(world)["color"] == "blue"
    cr = with_spec(cr, suspend=True)
    looked(cr, world, now, 3)
    assert (lead(world)["color"], cr["status"]["stable"]["color"], cr["status"]["phase"]) == ("blue", "blue", "Suspended")


# ---- to what is stable


def test_under_live_traffic_it_is_ready_as_soon_as_traffic_is_back() -> None:
    cr, world, now, first = kept(CHECKED, "VerifyAfter")
    cr = with_whole(cr, first)
    settle(cr, world, now)
    assert (lead(world)["color"], is_ready(cr)) == ("blue", False)
    world.follow(now)
    settle(cr, world, now)
    assert (cr["status"]["release"]["step"], is_ready(cr), cr["status"]["phase"]) == ("SwitchBack", True, "Healthy")
    now = looked(cr, world, now, 28)
    assert (sizes(world), is_ready(cr)) == ({"shop-blue": 2, "shop-green": 2}, True)
    looked(cr, world, now, 5)
    assert (sizes(world), is_ready(cr)) == ({"shop-blue": 2, "shop-green": 0}, True)


def test_what_waits_behind_it_is_not_ready_nor_is_it_before_its_migration_is_undone() -> None:
    cr, world, now, first = kept(CHECKED, "VerifyAfter")
    cr = with_whole(cr, first)
    now = looked(cr, world, now, 2)
    assert is_ready(cr)
    cr = with_spec(cr, image="shop:3")
    looked(cr, world, now, 2)
    assert condition(cr["status"], "Ready") == ("False", "RollingOut")

    cr, world, now, first = kept(CHECKED, "VerifyAfter", release=migrating(**LATE_UNDO))
    cr = with_whole(cr, first)
    now = looked(cr, world, now, 2)
    assert (cr["status"]["release"]["step"], condition(cr["status"], "Ready")) == ("SwitchBack", ("False", "RollingOut"))
    released(cr, world, now)
    assert is_ready(cr)


def test_a_version_that_was_rejected_is_not_ready_before_it_has_gone() -> None:
    cr, world, now, first = kept(CHECKED, "VerifyAfter")
    world.dead.add("shop-green")
    world.follow(now)
    settle(cr, world, now)
    world.follow(now)
    cr = with_whole(cr, first)
    settle(cr, world, now)
    assert (cr["status"]["release"]["step"], is_ready(cr)) == ("SwitchBack", False)
    looked(cr, world, now, 8)
    assert is_ready(cr)
