"""What status says of the things that a service depends on, over the in-memory cluster in virtual time."""

import asyncio
from typing import Any

from tests.shell import virtual_time
from tests.shell.operator_world import RELEASED, Operator, OperatorWorld, service

from hardened.shell.kinds import DEPLOYMENT, HARDENED_SERVICE

Body = dict[str, Any]
NEEDS: Body = {"dependsOn": [{"service": "base"}, {"service": "other"}, {"tcp": "db:5432"}]}


async def create(world: OperatorWorld, name: str, **spec: Any) -> None:
    body = service(**{**RELEASED, **spec})
    await world.people.create(HARDENED_SERVICE, body | {"metadata": {"name": name, "namespace": "shop"}})


async def passes(world: OperatorWorld, seconds: int) -> None:
    for _ in range(2 * seconds):
        await asyncio.sleep(0.5)
        world.server.settle()


def live(world: OperatorWorld, name: str) -> Body:
    (found,) = [each for each in world.server.all(HARDENED_SERVICE) if each["metadata"]["name"] == name]
    return found


def told(world: OperatorWorld) -> dict[str, str]:
    """The state of each dependency of `api`."""
    found = live(world, "api")["status"].get("dependencies") or ()
    return {each.get("service") or each["tcp"]: each["state"] for each in found}


def since(world: OperatorWorld) -> list[str]:
    return [each["since"] for each in live(world, "api")["status"]["dependencies"]]


def test_the_state_of_each_dependency_is_told_at_once_and_restarts_nobody() -> None:
    async def play() -> None:
        world = OperatorWorld()
        working = asyncio.create_task(Operator(world.server).run())
        try:
            await create(world, "base", image="base:1")
            await create(world, "api", **NEEDS)
            await passes(world, 60)
            assert told(world) == {"base": "Available", "other": "Missing", "db:5432": "Available"}
            assert live(world, "api")["status"]["release"]["step"] == "Preflight"
            await create(world, "other", image="other:1")
            await passes(world, 90)
            assert told(world) == {"base": "Available", "other": "Available", "db:5432": "Available"}
            pods = {each["metadata"]["name"]: each["metadata"]["generation"] for each in world.server.all(DEPLOYMENT)}
            before, version = since(world), live(world, "api")["metadata"]["resourceVersion"]
            await passes(world, 600)
            assert live(world, "api")["metadata"]["resourceVersion"] == version, "nothing changed, so nothing is written"

            world.server.store.dead |= {"base:1"}
            await passes(world, 2)
            assert told(world) == {"base": "Unavailable", "other": "Available", "db:5432": "Available"}
            entry = live(world, "api")["status"]["dependencies"][0]
            assert entry["message"] == "service base is not Available"
            assert since(world)[1:] == before[1:]
            assert since(world)[0] > before[0]
            assert next(c["status"] for c in live(world, "api")["status"]["conditions"] if c["type"] == "Ready") == "True"
            assert {each["metadata"]["name"]: each["metadata"]["generation"] for each in world.server.all(DEPLOYMENT)} == pods

            world.server.store.dead.clear()
            await passes(world, 20)
            assert told(world)["base"] == "Available"
            await world.people.delete(HARDENED_SERVICE, "shop", "other", uid=live(world, "other")["metadata"]["uid"])
            await passes(world, 2)
            assert told(world)["other"] == "Missing"
        finally:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)

    virtual_time.run(play())
