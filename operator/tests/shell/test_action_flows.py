"""What people ask for beside rollbacks, over the in-memory cluster in virtual time."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from tests.enumerations import Turn, turns
from tests.memory.api_server import Call
from tests.shell import virtual_time
from tests.shell.operator_world import RELEASED, OperatorWorld, asks, create_released, release, service
from tests.shell.test_release_flows import Watchman
from tests.shell.test_rollback_flows import end_the_same

from hardened.errors import ApiFailure, LookAgain, Refused, Vanished
from hardened.shell.kinds import HARDENED_SERVICE, HARDENED_SERVICE_ACTION

pytestmark = pytest.mark.one_of(3)

Step = Callable[[OperatorWorld], Any]
MANUAL = {"release": {**RELEASED["release"], "promotion": "Manual"}}


async def create_manual(world: OperatorWorld) -> None:
    """A team makes a service whose releases a person promotes."""
    await world.people.create(HARDENED_SERVICE, service(**{**RELEASED, **MANUAL}))


def names_wanted(action: str, name: str, **spec: Any) -> Step:
    """Somebody makes an action on the revision of the release at work, else on the one that is pinned."""

    async def make(world: OperatorWorld) -> None:
        status = world.server.all(HARDENED_SERVICE)[0]["status"]
        await asks(action, name, revision=(status.get("release") or status["pin"])["revision"], **spec)(world)

    return make


def played(*steps: Step) -> tuple[OperatorWorld, list[str]]:
    """The world after these steps, and the phases of the service after each."""

    async def play() -> tuple[OperatorWorld, list[str]]:
        world, phases = OperatorWorld(), []
        watchman = Watchman(world)
        for step in steps:
            await world.play(step)
            phases.append(world.server.all(HARDENED_SERVICE)[0]["status"]["phase"])
        assert watchman.wrongs == []
        return world, phases

    return virtual_time.run(play())


def phases_of(world: OperatorWorld) -> dict[str, str]:
    """What each action says of itself."""
    return {a["metadata"]["name"]: (a.get("status") or {}).get("phase", "") for a in world.server.all(HARDENED_SERVICE_ACTION)}


def serving(world: OperatorWorld) -> str:
    """The image that clients are led to."""
    return str(world.server.all(HARDENED_SERVICE)[0]["status"]["serving"]["image"])


def test_a_release_waits_for_its_promotion_and_an_abort_rejects_it_until_it_is_retried() -> None:
    world, phases = played(
        create_manual, names_wanted("Promote", "a"),
        release("web:2", **MANUAL), names_wanted("Abort", "b"),
        names_wanted("Retry", "c"), names_wanted("Promote", "d"),
    )  # fmt: skip
    assert phases == ["Pending", "Healthy", "Progressing", "Rejected", "Progressing", "Healthy"]
    assert phases_of(world) == dict.fromkeys("abcd", "Succeeded")
    assert serving(world) == "web:2"


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param((create_manual, names_wanted("Promote", "a")), id="a promotion"),
        pytest.param((create_released, release("web:2", **MANUAL), names_wanted("Abort", "a")), id="an abort"),
    ],
)
@pytest.mark.parametrize("turn", turns(1))
def test_killed_at_any_write_of_it_it_ends_the_same(steps: tuple[Step, ...], turn: Turn) -> None:
    end_the_same(steps, turn.of)


@pytest.mark.parametrize("error", [Vanished("not found", status=404), LookAgain("conflict", status=409)], ids=["404", "409"])
@pytest.mark.parametrize("nth", [1, 2, 3])
def test_a_wrong_reply_to_what_an_action_is_told_is_made_up_for(nth: int, error: ApiFailure) -> None:
    left = nth

    def strike(call: Call) -> None:
        nonlocal left
        if call.kind == HARDENED_SERVICE_ACTION and call.is_write and call.verb != "create":
            left -= 1
            if left == 0:
                raise error

    def rolls_back(world: OperatorWorld) -> Any:
        world.server.before = strike
        return asks("Rollback")(world)

    world, _ = played(create_released, release("web:2"), rolls_back)
    assert left <= 0, "it never struck"
    assert phases_of(world) == {"a": "Succeeded"}
    assert not [call for call in world.server.calls if call.verb == "get" and call.kind == HARDENED_SERVICE_ACTION], "nobody may"


def test_one_that_may_not_be_answered_keeps_no_other_one_waiting() -> None:
    def deny(call: Call) -> None:
        if call.kind == HARDENED_SERVICE_ACTION and call.name == "a" and call.is_write and call.verb != "create":
            raise Refused("denied by a policy", status=403, reason="Forbidden")

    def pauses(world: OperatorWorld) -> Any:
        world.server.before = deny
        return asks("Pause", "a")(world)

    world, _ = played(create_released, release("web:2"), pauses, asks("Rollback", "b"))
    assert phases_of(world) == {"a": "", "b": "Succeeded"}
    assert serving(world) == "web:1"


def test_a_paused_release_takes_up_nothing_until_it_is_resumed() -> None:
    slow = {"release": {**RELEASED["release"], "progressDeadline": "10m"}}
    world, phases = played(
        create_released, release("dead:1", **slow), asks("Pause", "a"), release("web:2", **slow), asks("Resume", "b"), asks("Pause", "c")
    )
    assert phases == ["Healthy", "Degraded", "Paused", "Paused", "Healthy", "Healthy"]
    assert phases_of(world) == {"a": "Succeeded", "b": "Succeeded", "c": "Refused"}
    assert serving(world) == "web:2"


def test_a_rollback_under_live_traffic_leads_back_at_once() -> None:
    watched = {"verify": {"afterCutover": {"window": "10m"}}}
    world, phases = played(create_released, release("web:2", **watched), asks("Rollback"))
    assert phases == ["Healthy", "Progressing", "RolledBack"]
    assert phases_of(world) == {"a": "Succeeded"}
    assert serving(world) == "web:1"


def test_an_action_that_is_kept_in_git_runs_once_and_goes_after_its_time() -> None:
    async def an_hour(world: OperatorWorld) -> None:
        await asyncio.sleep(3600)

    world, _ = played(create_released, release("web:2"), asks("Rollback", ttl="1m"), an_hour)
    assert phases_of(world) == {}, "its time has passed"
    world, phases = played(create_released, release("web:2"), asks("Rollback", ttl="1m"), an_hour, release("web:3"), asks("Rollback"))
    assert phases[-1] == "Healthy", "the same name again"
    (again,) = world.server.all(HARDENED_SERVICE_ACTION)
    assert again["status"]["phase"] == "Refused"
    assert "no action runs twice" in again["status"]["message"]
    assert serving(world) == "web:3"


def test_an_action_without_its_service_is_refused_after_a_while_and_one_that_cannot_be_read_at_once() -> None:
    async def minutes(world: OperatorWorld) -> None:
        await asyncio.sleep(400)

    world, _ = played(create_released, asks("Rollback", "a", service="other"), asks("Restore", "b"), minutes)
    assert phases_of(world) == {"a": "Refused", "b": "Refused"}


def test_an_action_goes_with_its_service() -> None:
    async def delete(world: OperatorWorld) -> None:
        live = await world.people.get(HARDENED_SERVICE, "shop", "web")
        await world.people.delete(HARDENED_SERVICE, "shop", "web", uid=live["metadata"]["uid"])
        world.server.collect_garbage()

    async def play() -> OperatorWorld:
        world = OperatorWorld()
        await world.play(create_released, asks("Pause"), delete)
        return world

    assert virtual_time.run(play()).server.all(HARDENED_SERVICE_ACTION) == []


def test_a_suspended_service_does_nothing_by_hand() -> None:
    world, phases = played(create_released, release("web:2"), release("web:2", suspend=True), asks("Rollback"))
    assert phases[-1] == "Suspended"
    assert phases_of(world) == {"a": "Refused"}
    assert serving(world) == "web:2"
