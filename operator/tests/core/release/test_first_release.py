"""A first release: it has nothing to go back to, and waits for nothing that nobody asked for."""

from datetime import timedelta
from typing import Any

import pytest
from tests.core.releases import SECOND, lead, sizes
from tests.core.worlds import NOW, WEB, WORKER, World, body, condition, settle, with_spec

from hardened.core.model.manifest import ChildKey, Manifest

pytestmark = pytest.mark.one_of(3)

STRATEGIES = pytest.mark.parametrize("strategy", ["BlueGreen", "RollingUpdate", "Recreate"])
#: Declares nothing.
EMPTY = pytest.mark.parametrize("verify", [None, {}, {"afterCutover": {}}, {"beforeCutover": [], "afterCutover": {"checks": []}}])


def spec_of(strategy: str, verify: Manifest | None = None, *, deadline: str = "10m") -> Manifest:
    return {**WEB, "release": {"strategy": strategy, "progressDeadline": deadline}, **({} if verify is None else {"verify": verify})}


def played(cr: Manifest, world: World, now: Any = NOW, *, until: str = "Healthy", seconds: int = 60) -> Any:
    """Lets pods and endpoints follow, a second at a time, until this is the reason of Ready. The moment then."""
    for _ in range(seconds):
        settle(cr, world, now)
        if condition(cr["status"], "Ready")[1] == until:
            return now
        world.follow(now)
        now += SECOND
    raise AssertionError(f"never there: {cr['status']}")


@EMPTY
@STRATEGIES
def test_without_declared_checks_it_is_ready_as_soon_as_its_pods_and_the_endpoints_are_there(
    strategy: str, verify: Manifest | None
) -> None:
    cr, world = body(spec_of(strategy, verify)), World()
    ended = played(cr, world)
    assert ended - NOW <= 3 * SECOND
    assert cr["status"]["stable"]["promotion"] == 1
    assert "release" not in cr["status"]
    assert lead(world)["color"] == "blue"
    assert condition(cr["status"], "Available") == ("True", "PodsAvailable")


@STRATEGIES
@pytest.mark.parametrize(
    "verify",
    [
        {"afterCutover": {"window": "10s"}},
        {"afterCutover": {"maxRestarts": 0}},
        {"afterCutover": {"checks": [{"name": "live", "tcp": {}}]}},
    ],
    ids=["a window", "restarts", "a check on live traffic"],
)
def test_with_anything_declared_it_is_watched_as_declared(strategy: str, verify: Manifest) -> None:
    cr, world = body(spec_of(strategy, verify)), World()
    ended = played(cr, world)
    assert ended - NOW >= timedelta(seconds=10)


def test_a_check_before_the_cutover_declares_the_window_after_it_too() -> None:
    cr, world = body(spec_of("BlueGreen", {"beforeCutover": [{"name": "smoke", "tcp": {}}]})), World()
    ended = played(cr, world)
    assert ended - NOW >= timedelta(seconds=10)


@STRATEGIES
def test_a_later_release_has_its_window_whatever_is_declared(strategy: str) -> None:
    cr, world = body(spec_of(strategy)), World()
    now = played(cr, world)
    cr = with_spec(cr, image="shop:2")
    settle(cr, world, now)
    ended = played(cr, world, now)
    assert ended - now >= timedelta(seconds=10)


def test_a_worker_is_ready_as_soon_as_its_pods_are_there() -> None:
    cr, world = body(WORKER), World()
    assert played(cr, world) - NOW <= 3 * SECOND


@STRATEGIES
def test_it_waits_for_all_of_its_pods(strategy: str) -> None:
    cr, world = body(spec_of(strategy)), World()
    world.dead.add("shop-blue")
    now = NOW
    for _ in range(20):
        settle(cr, world, now)
        world.follow(now)
        now += SECOND
    assert condition(cr["status"], "Ready")[0] == "False"
    assert lead(world) == {"revision": "none"}
    assert "stable" not in cr["status"]
    world.dead.clear()
    played(cr, world, now)


@STRATEGIES
def test_it_waits_until_every_endpoint_has_followed(strategy: str) -> None:
    cr, world = body(spec_of(strategy)), World()
    now = NOW
    for _ in range(20):
        settle(cr, world, now)
        world.follow(now)
        slices = world.objects[ChildKey("EndpointSlice", "shop-x")]
        for endpoint in slices["endpoints"]:
            endpoint["conditions"] = {"ready": False}
        now += SECOND
    assert condition(cr["status"], "Ready")[0] == "False"
    assert "stable" not in cr["status"]
    played(cr, world, now)


@STRATEGIES
def test_one_whose_pods_never_come_is_rejected_at_its_deadline_and_leaves_nothing(strategy: str) -> None:
    cr, world = body(spec_of(strategy, deadline="1m")), World()
    world.dead.add("shop-blue")
    assert timedelta(minutes=1) <= played(cr, world, until="Rejected", seconds=80) - NOW
    assert (lead(world), sizes(world)) == ({"revision": "none"}, {"shop-blue": 0})


def test_a_rejected_first_revision_is_followed_by_a_first_release_of_the_next_one() -> None:
    cr, world = body(spec_of("BlueGreen", deadline="1m")), World()
    world.dead.add("shop-blue")
    now = played(cr, world, until="Rejected", seconds=80)
    world.dead.clear()
    cr = with_spec(cr, image="shop:2")
    settle(cr, world, now)
    assert played(cr, world, now) - now <= 3 * SECOND
