"""The status of a service is not taken, or its pods may not be listed, from some step of a release on. Clients are led back all the same.
Over the in-memory cluster, in virtual time."""

import asyncio
from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
from tests.enumerations import one_of_seven
from tests.memory.api_server import Call
from tests.shell.operator_world import OperatorWorld, asks
from tests.shell.test_refusal_flows import FIRST, SECOND, SLACK, Clients, dies, first_released, served, step_of, undisturbed
from tests.shell.test_release_flows import Watchman

from hardened.errors import ApiFailure, Refused, TryAgain
from hardened.shell.kinds import DEPLOYMENT, HARDENED_SERVICE

pytestmark = pytest.mark.one_of(3)

FAILURES: dict[str, Callable[[], ApiFailure]] = {
    "a policy refuses it": lambda: Refused("forbidden by a policy", status=403),
    "its webhook is down": lambda: TryAgain("failed calling webhook", status=500),
    "its webhook hangs": lambda: TryAgain("no reply"),
}


async def spec_goes_back(world: OperatorWorld) -> None:
    await world.people.merge_patch(HARDENED_SERVICE, "shop", "web", {"spec": {k: FIRST["spec"][k] for k in ("image", "files")}})


#: What status says afterwards. Whether pods were only taken away, nobody could see: the version is released again, and fails then.
WHY = {
    ("it dies", "no status is taken"): "RolledBack", ("it dies", "nobody may list pods"): "Rejected",
    ("a rollback by hand", "no status is taken"): "RolledBack", ("a rollback by hand", "nobody may list pods"): "RolledBack",
    ("the spec goes back", "no status is taken"): "Healthy", ("the spec goes back", "nobody may list pods"): "Healthy",
}  # fmt: skip
WHAT = {"no status is taken": ("status", "HardenedService"), "nobody may list pods": ("list", "Pod")}
EVENTS: dict[str, Callable[[OperatorWorld], Any]] = {
    "it dies": dies,
    "a rollback by hand": asks("Rollback"),
    "the spec goes back": spec_goes_back,
}


def _played(what: str, step: str, failure: Callable[[], ApiFailure], event: str) -> tuple[str, float, dict[str, Any], list[str]]:
    """What serves while no status is taken; seconds unserved until then; the service once it is taken again; what was wrong in between."""

    def refuse(call: Call) -> None:
        if (call.verb, call.kind.name) == WHAT[what]:
            raise failure()

    async def play(kept: tuple[OperatorWorld, Watchman]) -> tuple[str, float, dict[str, Any], list[str]]:
        world, watchman = kept
        seen: list[tuple[str, float]] = []

        async def edit(world: OperatorWorld) -> None:
            await world.people.merge_patch(HARDENED_SERVICE, "shop", "web", {"spec": SECOND["spec"]})
            task.append(asyncio.create_task(disturb(world)))

        async def disturb(world: OperatorWorld) -> None:
            for _ in range(4000):
                if step_of(world) == step:
                    break
                await asyncio.sleep(0.05)
            world.server.before = refuse
            await EVENTS[event](world)
            await asyncio.sleep(30)
            seen.append((served(world)[0], clients.unserved))
            world.server.before = lambda call: None

        task: list[asyncio.Task[None]] = []
        clients = Clients(world)
        await world.play(edit)
        await asyncio.gather(*task)
        await world.play()
        (live,) = world.server.all(HARDENED_SERVICE)
        return *seen[0], live, watchman.wrongs

    return first_released().run(play)


@pytest.mark.timeout(120)
@pytest.mark.parametrize(("what", "step", "event", "failure"), one_of_seven(product(WHAT, ("Cutover", "VerifyAfter"), EVENTS, FAILURES)))
def test_clients_are_led_back_whatever_the_operator_may_not_do(what: str, step: str, event: str, failure: str) -> None:
    serves, unserved, live, wrongs = _played(what, step, FAILURES[failure], event)
    assert serves == "web:1"
    assert unserved <= (0 if event != "it dies" else undisturbed(step, event).unserved) + SLACK
    assert wrongs == []
    # Once all is allowed, status says what has happened, and why.
    ready = next(c for c in live["status"]["conditions"] if c["type"] == "Ready")
    assert live["status"]["serving"]["image"] == "web:1"
    assert ready["reason"] == WHY[event, what], ready
    assert "selector" not in ready["message"], ready


@pytest.mark.parametrize("failure", FAILURES)
def test_the_previous_pods_are_kept_though_no_status_says_that_the_version_is_promoted(failure: str) -> None:
    """The mark of the promotion is taken, and the status that follows is not: the way back stays open, and its time begins later."""
    sizes: list[dict[str, int]] = []

    def refuse(call: Call) -> None:
        if (call.verb, call.kind.name) == WHAT["no status is taken"]:
            raise FAILURES[failure]()

    async def play(kept: tuple[OperatorWorld, Watchman]) -> tuple[list[str], str]:
        world, watchman = kept

        async def look(world: OperatorWorld) -> None:
            await _until(world, "VerifyAfter")
            world.server.before = refuse
            await asyncio.sleep(90)
            sizes.append(_sizes(world))
            world.server.before = lambda call: None
            await _until(world, "Keep")
            sizes.append(_sizes(world))

        async def edit(world: OperatorWorld) -> None:
            await world.people.merge_patch(HARDENED_SERVICE, "shop", "web", {"spec": SECOND["spec"]})
            tasks.append(asyncio.create_task(look(world)))

        tasks: list[asyncio.Task[None]] = []
        await world.play(edit)
        await asyncio.gather(*tasks)
        await world.play()
        sizes.append(_sizes(world))
        return watchman.wrongs, served(world)[0]

    wrongs, serves = first_released().run(play)
    both = {"web-blue": 2, "web-green": 2}
    assert (sizes, serves, wrongs) == ([both, both, {"web-blue": 0, "web-green": 2}], "web:2", [])


async def _until(world: OperatorWorld, step: str) -> None:
    for _ in range(2000):
        if step_of(world) == step:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"{step} never came")


def _sizes(world: OperatorWorld) -> dict[str, int]:
    return {live["metadata"]["name"]: live["spec"]["replicas"] for live in world.server.all(DEPLOYMENT)}
