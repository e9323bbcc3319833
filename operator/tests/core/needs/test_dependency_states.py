"""What status says of an address: what the last check pod found, until another one finds otherwise."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.core.releases import SECOND, SPEC, pods, released
from tests.core.worlds import NOW, World, body, settle

from hardened.api.parse import parse
from hardened.core.model.manifest import ChildKey
from hardened.core.needs.dependency_states import dependency_states
from hardened.core.observe.facts import Facts

BEFORE = "2026-01-01T00:00:00Z"


def facts(before: Any, services: dict[str, Any] | None = None) -> Facts:
    cr = body({**SPEC, "dependsOn": [{"tcp": "db:5432"}, {"service": "base"}]}, name="a")
    observed = replace(World().seen("a"), services=services or {})
    return Facts(parse(cr), {"dependencies": before}, observed)


@pytest.mark.parametrize(
    ("before", "state", "is_since_before"),
    [
        pytest.param(None, "Unknown", False, id="nothing is known"),
        pytest.param([{"tcp": "db:5432", "state": "Available", "since": BEFORE}], "Available", True, id="it was there"),
        pytest.param([{"tcp": "db:5432", "state": "Unavailable", "since": BEFORE}], "Unavailable", True, id="it was not"),
        pytest.param([{"tcp": "db:5433", "state": "Available", "since": BEFORE}], "Unknown", False, id="another address"),
        pytest.param([{"tcp": "db:5432", "state": "Fine", "since": BEFORE}], "Unknown", False, id="a state that nobody writes"),
        pytest.param([{"tcp": "db:5432", "state": "Available", "since": 1}], "Available", False, id="no time"),
        pytest.param(["db:5432", None], "Unknown", False, id="no entries"),
        pytest.param("db:5432", "Unknown", False, id="no list"),
    ],
)
def test_an_address_that_nobody_asks_for_now_is_as_it_was_found(before: Any, state: str, is_since_before: bool) -> None:
    found, _ = dependency_states(facts(before), (), NOW)
    assert (found["tcp"], found["state"]) == ("db:5432", state)
    assert (found["since"] == BEFORE) == is_since_before


@pytest.mark.parametrize(
    ("services", "state"),
    [
        pytest.param({}, "Missing", id="none"),
        pytest.param({"base": {}}, "Unavailable", id="one without a status"),
        pytest.param(
            {"base": {"status": {"conditions": [{"type": "Available", "status": "False"}]}}}, "Unavailable", id="one without pods"
        ),
        pytest.param({"base": {"status": {"conditions": [{"type": "Available", "status": "True"}]}}}, "Available", id="one that serves"),
    ],
)
def test_a_service_is_as_its_available_condition_says_and_since_moves_with_the_state_alone(services: dict[str, Any], state: str) -> None:
    _, first = dependency_states(facts(None, services), (), NOW)
    assert (first["service"], first["state"], bool(first.get("message"))) == ("base", state, state != "Available")
    _, again = dependency_states(facts([first], services), (), NOW + timedelta(hours=1))
    assert again == first


def test_how_long_a_connection_took_is_told_and_stays_until_another_one_is_made() -> None:
    known = [{"tcp": "db:5432", "state": "Available", "since": BEFORE, "message": "connected in 3 ms"}]
    found, _ = dependency_states(facts(known), (), NOW)
    assert found == known[0]

    cr, world = body({**SPEC, "dependsOn": [{"tcp": "db:5432"}]}), World()
    settle(cr, world, NOW)
    world.follow(NOW)
    (name,) = pods(world)
    ended = world.objects[ChildKey("Pod", name)]["status"]["containerStatuses"][0]["state"]["terminated"]
    ended["message"] = ended["message"].replace("as asked", "1 of 1 requests passed, the slowest took 12 ms")
    settle(cr, world, NOW)
    assert cr["status"]["dependencies"][0]["message"] == "connected in 12 ms"


def test_what_check_pods_find_of_each_address_is_told_while_the_release_waits() -> None:
    cr, world = body({**SPEC, "dependsOn": [{"tcp": "redis:6379"}, {"tcp": "db:5432"}]}), World()
    world.failing.add("depends-1")
    now = NOW
    for _ in range(3):
        settle(cr, world, now)
        world.follow(now)
        now += SECOND
    settle(cr, world, now)
    found = {each["tcp"]: (each["state"], each.get("message")) for each in cr["status"]["dependencies"]}
    assert found == {"redis:6379": ("Available", None), "db:5432": ("Unavailable", "nobody accepts connections at db:5432")}
    world.failing.clear()
    released(cr, world, now)
    assert {each["state"] for each in cr["status"]["dependencies"]} == {"Available"}
