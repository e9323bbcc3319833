"""Actions over the in-memory cluster in virtual time: a rollback by hand, killed at any write, ends the same."""

import asyncio
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from tests.memory.api_server import Call
from tests.shell import virtual_time
from tests.shell.operator_world import RELEASED, Killed, Operator, Strike, World, create_released, release, service
from tests.shell.test_release_flows import Watchman

from hardened.shell.kinds import DEPLOYMENT, HARDENED_SERVICE, HARDENED_SERVICE_ACTION, SERVICE

Body = dict[str, Any]
Step = Callable[[World], Any]
#: Long enough for the previous stack to be up when the world is quiet.
LONG = {"release": {**RELEASED["release"], "keepPrevious": "10m"}}


def asks(action: str, name: str = "a", **spec: Any) -> Step:
    """Somebody makes an action."""

    async def make(world: World) -> None:
        manifest = {
            "apiVersion": "hardened.dev/v1alpha1",
            "kind": "HardenedServiceAction",
            "metadata": {"name": name, "namespace": "shop"},
            "spec": {"service": "web", "action": action, "requestedBy": "jane", "reason": "p99 doubled", **spec},
        }
        await world.people.create(HARDENED_SERVICE_ACTION, manifest)

    return make


async def create_long(world: World) -> None:
    """A team makes a service whose previous stack is kept for long."""
    await world.people.create(HARDENED_SERVICE, service(**{**RELEASED, **LONG}))


#: Two revisions, and back: with the previous stack still up, and with it scaled down.
UP = (create_long, release("web:2", **LONG), asks("Rollback"))
DOWN = (create_released, release("web:2"), asks("Rollback"))


def state(world: World) -> Body:
    """The state of the world, with what became of actions."""
    (live,) = world.server.all(HARDENED_SERVICE)
    found = world.state()
    found["actions"] = [(e["name"], e["phase"], e["message"]) for e in live["status"].get("actions", ())]
    found["release"] = live["status"].get("release", {}).get("step")
    found["pin"] = live["status"].get("pin")
    for action in world.server.all(HARDENED_SERVICE_ACTION):
        status = {k: v for k, v in (action.get("status") or {}).items() if not k.endswith("At")}
        found[f"HardenedServiceAction {action['metadata']['name']}"]["status"] = status
    return found


@cache
def clean(steps: tuple[Step, ...]) -> tuple[int, list[Call], Body]:
    """Played once: the writes before the last step, those in it, and the state then."""

    async def play() -> tuple[int, list[Call], Body]:
        world = World()
        watchman = Watchman(world)
        await world.play(*steps[:-1])
        before = len(world.server.writes)
        await world.play(steps[-1])
        assert watchman.wrongs == []
        return before, world.server.writes[before:], state(world)

    return virtual_time.run(play())


def test_with_the_previous_stack_up_the_flip_waits_for_the_record_alone() -> None:
    _, writes, found = clean(UP)
    first = [(w.verb, w.kind.name, w.name) for w in writes[:3]]
    assert first == [("status", "HardenedService", "web"), ("apply", "Deployment", "web-blue"), ("apply", "Service", "web")]
    assert found["HardenedService web"]["status"]["phase"] == "RolledBack"
    assert found["Deployment web-green"]["spec"]["replicas"] == 0
    assert found["pin"]["message"] == "jane: p99 doubled"
    assert sum(w.kind == HARDENED_SERVICE_ACTION for w in writes) == 3, "its owner, that it runs, and its end"


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param(UP, id="the previous stack is kept"),
        pytest.param((create_released, release("web:2", verify={"afterCutover": {"window": "10m"}}), asks("Rollback")), id="it is stable"),
    ],
)
def test_nothing_is_asked_of_the_api_server_before_the_flip(steps: tuple[Step, ...]) -> None:
    async def play() -> list[Call]:
        world = World()
        await world.play(*steps[:-1])
        working = asyncio.create_task(Operator(world.server).run())
        await asyncio.sleep(1)
        before = len(world.server.calls)
        await steps[-1](world)
        await asyncio.sleep(0.05)
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        return world.server.calls[before:]

    calls = virtual_time.run(play())
    flip = next(n for n, call in enumerate(calls) if (call.verb, call.kind) == ("apply", SERVICE))
    assert [(c.verb, c.kind.name) for c in calls[:flip]] == [("status", "HardenedService"), ("apply", "Deployment")]


def test_a_stack_that_was_scaled_down_is_brought_up_before_traffic_is_led_to_it() -> None:
    _, writes, found = clean(DOWN)
    (flip,) = [n for n, w in enumerate(writes) if (w.kind, w.name) == (SERVICE, "web")]
    assert (DEPLOYMENT, "web-blue") in [(w.kind, w.name) for w in writes[:flip]]
    assert found["HardenedService web"]["status"]["serving"]["color"] == "blue"
    assert found["HardenedServiceAction a"]["status"]["phase"] == "Succeeded"


@pytest.mark.parametrize("steps", [UP, DOWN], ids=["the previous stack is up", "it is down"])
def test_killed_at_any_write_a_rollback_by_hand_ends_the_same(steps: tuple[Step, ...]) -> None:
    """Before it is sent: killed after it was taken is killed before the next one."""
    before, writes, expected = clean(steps)
    for nth in range(before + 1, before + len(writes) + 1):
        strike = Strike(nth, Killed)

        async def play(strike: Strike = strike) -> tuple[Body, list[str]]:
            world = World()
            watchman = Watchman(world)
            world.server.before = strike
            await world.play(*steps)
            return state(world), watchman.wrongs

        found, wrongs = virtual_time.run(play())
        assert strike.has_struck
        assert wrongs == [], f"write {nth}"
        assert found == expected, f"write {nth}"


# ---- what else people ask for


MANUAL = {"release": {**RELEASED["release"], "promotion": "Manual"}}


async def create_manual(world: World) -> None:
    """A team makes a service whose releases a person promotes."""
    await world.people.create(HARDENED_SERVICE, service(**{**RELEASED, **MANUAL}))


def names_wanted(action: str, name: str, **spec: Any) -> Step:
    """Somebody makes an action on the revision of the release at work, else on the one that is pinned."""

    async def make(world: World) -> None:
        status = world.server.all(HARDENED_SERVICE)[0]["status"]
        await asks(action, name, revision=(status.get("release") or status["pin"])["revision"], **spec)(world)

    return make


def played(*steps: Step) -> tuple[World, list[str]]:
    """The world after these steps, and the phases of the service after each."""

    async def play() -> tuple[World, list[str]]:
        world, phases = World(), []
        watchman = Watchman(world)
        for step in steps:
            await world.play(step)
            phases.append(world.server.all(HARDENED_SERVICE)[0]["status"]["phase"])
        assert watchman.wrongs == []
        return world, phases

    return virtual_time.run(play())


def phases_of(world: World) -> dict[str, str]:
    """What each action says of itself."""
    return {a["metadata"]["name"]: (a.get("status") or {}).get("phase", "") for a in world.server.all(HARDENED_SERVICE_ACTION)}


def serving(world: World) -> str:
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
    async def an_hour(world: World) -> None:
        await asyncio.sleep(3600)

    world, _ = played(create_released, release("web:2"), asks("Rollback", ttl="1m"), an_hour)
    assert phases_of(world) == {}, "its time has passed"
    world, phases = played(create_released, release("web:2"), asks("Rollback", ttl="1m"), an_hour, release("web:3"), asks("Rollback"))
    assert phases[-1] == "Healthy", "the same name again"
    (again,) = world.server.all(HARDENED_SERVICE_ACTION)
    assert again["status"]["phase"] == "Refused"
    assert "never runs again" in again["status"]["message"]
    assert serving(world) == "web:3"


def test_an_action_without_its_service_is_refused_after_a_while_and_one_that_cannot_be_read_at_once() -> None:
    async def minutes(world: World) -> None:
        await asyncio.sleep(400)

    world, _ = played(create_released, asks("Rollback", "a", service="other"), asks("Restore", "b"), minutes)
    assert phases_of(world) == {"a": "Refused", "b": "Refused"}


def test_an_action_goes_with_its_service() -> None:
    async def delete(world: World) -> None:
        live = await world.people.get(HARDENED_SERVICE, "shop", "web")
        await world.people.delete(HARDENED_SERVICE, "shop", "web", uid=live["metadata"]["uid"])
        world.server.collect_garbage()

    async def play() -> World:
        world = World()
        await world.play(create_released, asks("Pause"), delete)
        return world

    assert virtual_time.run(play()).server.all(HARDENED_SERVICE_ACTION) == []


def test_a_suspended_service_does_nothing_by_hand() -> None:
    world, phases = played(create_released, release("web:2"), release("web:2", suspend=True), asks("Rollback"))
    assert phases[-1] == "Suspended"
    assert phases_of(world) == {"a": "Refused"}
    assert serving(world) == "web:2"
