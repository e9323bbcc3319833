"""What people ask for of services whose revisions replace each other, over the in-memory cluster in virtual time."""

import asyncio
from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
from tests.enumerations import one_of_seven
from tests.shell import virtual_time
from tests.shell.operator_world import RELEASED, OperatorWorld, asks, release, service
from tests.shell.test_action_flows import names_wanted, phases_of
from tests.shell.test_in_place_flows import STRATEGIES, Watchman

from hardened.shell.kinds import DEPLOYMENT, HARDENED_SERVICE

pytestmark = pytest.mark.one_of(3)

Step = Callable[[OperatorWorld], Any]


def spec(strategy: str) -> dict[str, Any]:
    return {"release": {"strategy": strategy, "progressDeadline": "10s"}, "verify": {"afterCutover": {"window": "2s"}}}


def create(strategy: str) -> Step:
    """A team makes a service that is released in place."""

    async def make(world: OperatorWorld) -> None:
        await world.people.create(HARDENED_SERVICE, service(**{**RELEASED, **spec(strategy)}))

    return make


def within(step: str, edit: Step, act: Step) -> Step:
    """An edit, and once its release is in this step something else."""

    async def both(world: OperatorWorld) -> None:
        await edit(world)
        for _ in range(60):
            await asyncio.sleep(0.2)
            if step_of(world) == step:
                return await act(world)
            world.server.settle()
        raise AssertionError(step_of(world))

    return both


def step_of(world: OperatorWorld) -> str:
    return str(world.server.all(HARDENED_SERVICE)[0].get("status", {}).get("release", {}).get("step"))


def played(strategy: str, *steps: Step) -> tuple[OperatorWorld, list[tuple[str, str]]]:
    """The world after these steps, and after each the phase of the service and the image that serves."""

    async def play() -> tuple[OperatorWorld, list[tuple[str, str]]]:
        world, found = OperatorWorld(), []
        watchman = Watchman(world, strategy)
        for step in (create(strategy), *steps):
            await world.play(step)
            status = world.server.all(HARDENED_SERVICE)[0]["status"]
            found.append((status["phase"], status["serving"]["image"]))
            running = [d for d in world.server.all(DEPLOYMENT) if d["spec"]["replicas"]]
            assert [d["spec"]["template"]["spec"]["containers"][0]["image"] for d in running] == [status["serving"]["image"]]
        assert watchman.wrongs == []
        return world, found

    return virtual_time.run(play())


@pytest.mark.parametrize("step", ["Cutover", "VerifyAfter"])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_an_abort_takes_it_back_and_rejects_it_until_it_is_retried(strategy: str, step: str) -> None:
    again = release("web:2", **spec(strategy))
    world, found = played(strategy, within(step, again, names_wanted("Abort", "a")), again, names_wanted("Retry", "b"))
    assert found[1:] == [("RolledBack", "web:1"), ("RolledBack", "web:1"), ("Healthy", "web:2")]
    assert phases_of(world) == {"a": "Succeeded", "b": "Succeeded"}


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_an_abort_of_what_waits_rejects_it_and_it_never_served(strategy: str) -> None:
    waiting = release("web:2", **spec(strategy), dependsOn=[{"service": "db"}])
    world, found = played(strategy, within("Preflight", waiting, names_wanted("Abort", "a")))
    assert found[1:] == [("Rejected", "web:1")]
    assert phases_of(world) == {"a": "Succeeded"}


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_pause_holds_what_waits_and_a_newer_spec_with_it(strategy: str) -> None:
    waiting = release("web:2", **spec(strategy), dependsOn=[{"service": "db"}])
    world, found = played(
        strategy,
        within("Preflight", waiting, asks("Pause", "a")),
        release("web:3", **spec(strategy), dependsOn=None),
        asks("Resume", "b"),
    )
    assert found[1:] == [("Paused", "web:1"), ("Paused", "web:1"), ("Healthy", "web:3")]
    assert phases_of(world) == {"a": "Succeeded", "b": "Succeeded"}


def goes_to(number: int) -> Step:
    """A rollback to the revision that was released as the number-th."""

    async def ask(world: OperatorWorld) -> None:
        history = world.server.all(HARDENED_SERVICE)[0]["status"]["history"]
        images = {entry["image"]: entry["revision"] for entry in history}
        await asks("Rollback", "a", revision=images[f"web:{number}"])(world)

    return ask


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_rollback_goes_to_a_revision_older_than_the_previous(strategy: str) -> None:
    world, found = played(strategy, release("web:2", **spec(strategy)), release("web:3", **spec(strategy)), goes_to(1))
    assert found[-1] == ("RolledBack", "web:1")
    assert phases_of(world) == {"a": "Succeeded"}


@pytest.mark.parametrize(("strategy", "number", "step"), one_of_seven(product(STRATEGIES, (1, 2), ("Cutover", "VerifyAfter"))))
def test_a_rollback_in_the_middle_of_a_release_ends_where_it_was_asked_for(strategy: str, number: int, step: str) -> None:
    """To an older one, too: stable comes back first."""
    world, found = played(strategy, release("web:2", **spec(strategy)), within(step, release("web:3", **spec(strategy)), goes_to(number)))
    assert found[-1] == ("RolledBack", f"web:{number}")
    assert phases_of(world) == {"a": "Succeeded"}


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_rollback_to_what_does_not_come_up_fails_and_what_served_serves(strategy: str) -> None:
    async def die(world: OperatorWorld) -> None:
        world.server.store.dead.add("web:1")
        await goes_to(1)(world)

    world, found = played(strategy, release("web:2", **spec(strategy)), die)
    assert found[-1] == ("Healthy", "web:2")
    assert phases_of(world) == {"a": "Failed"}
