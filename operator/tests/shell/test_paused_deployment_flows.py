"""Somebody pauses a Deployment by hand, as `kubectl rollout pause` does: its pods are replaced, and stopped for a restore, all the same."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.shell import virtual_time
from tests.shell.operator_world import RELEASED, OperatorWorld, asks, release, service
from tests.shell.test_action_flows import phases_of
from tests.shell.test_backup_flows import status
from tests.shell.test_restore_flows import OF_VOLUME, application_pods, conditions, creates, ends_it, mounts_it, played, restores

from hardened.shell.kinds import DEPLOYMENT, HARDENED_SERVICE

Step = Callable[[OperatorWorld], Any]


async def pauses(world: OperatorWorld) -> None:
    """All that there are."""
    for live in world.server.all(DEPLOYMENT):
        await world.people.merge_patch(DEPLOYMENT, "shop", live["metadata"]["name"], {"spec": {"paused": True}})


def paused(world: OperatorWorld) -> list[str]:
    return [live["metadata"]["name"] for live in world.server.all(DEPLOYMENT) if live["spec"].get("paused")]


@pytest.mark.parametrize("strategy", ["BlueGreen", "RollingUpdate", "Recreate"])
def test_a_release_comes_to_its_end_and_so_does_a_rollback(strategy: str) -> None:
    more = {"release": {**RELEASED["release"], "strategy": strategy}}

    async def create(world: OperatorWorld) -> None:
        await world.people.create(HARDENED_SERVICE, service(**{**RELEASED, **more}))

    async def paused_in_the_middle(world: OperatorWorld) -> None:
        await release("web:2", **more)(world)
        await pauses(world)

    async def play() -> tuple[OperatorWorld, list[str]]:
        world, images = OperatorWorld(), list[str]()
        for step in (create, pauses, paused_in_the_middle, pauses, release("web:3", **more), pauses, asks("Rollback")):
            await world.play(step)
            images.append(status(world)["serving"]["image"])
        return world, images

    world, images = virtual_time.run(play())
    assert images == ["web:1", "web:1", "web:2", "web:2", "web:3", "web:3", "web:2"]
    assert paused(world) == []
    assert world.told()["Repaired"] > 0, "who paused it is told"


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param((pauses, restores()), id="before"),
        pytest.param((mounts_it, restores(), pauses, ends_it), id="while its pods are stopped"),
        pytest.param((pauses, mounts_it, restores(), pauses, ends_it), id="both"),
    ],
)
def test_a_restore_stops_its_pods_and_comes_to_its_end(steps: tuple[Step, ...]) -> None:
    world, watch = played(creates(**OF_VOLUME), *steps)
    assert phases_of(world) == {"r": "Succeeded"}
    assert watch.seen == []
    assert conditions(world)["Ready"] == ("True", "Healthy")
    assert (len(application_pods(world)), paused(world)) == (2, [])
