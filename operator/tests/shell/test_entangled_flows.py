"""Services that stand in each other's way, over the in-memory cluster in virtual time: cycles, and names that two of them want."""

import asyncio
from typing import Any

import pytest
from tests.shell import virtual_time
from tests.shell.operator_world import RELEASED, Operator, OperatorWorld, service

from hardened.shell.kinds import DEPLOYMENT, HARDENED_SERVICE, SERVICE

pytestmark = pytest.mark.one_of(3)

Body = dict[str, Any]
CHECKED: Body = {**RELEASED, "verify": {"beforeCutover": [{"name": "smoke", "http": {}}], "afterCutover": {"window": "2s"}}}


def needs(*names: str) -> Body:
    return {"dependsOn": [{"service": name} for name in names] or None}


async def create(world: OperatorWorld, name: str, **spec: Any) -> None:
    body = service(**{**RELEASED, **spec})
    await world.people.create(HARDENED_SERVICE, body | {"metadata": {"name": name, "namespace": "shop"}})


async def edit(world: OperatorWorld, name: str, **spec: Any) -> None:
    await world.people.merge_patch(HARDENED_SERVICE, "shop", name, {"spec": spec})


async def passes(world: OperatorWorld, seconds: int) -> None:
    """So much time, in which the cluster follows."""
    for _ in range(2 * seconds):
        await asyncio.sleep(0.5)
        world.server.settle()


def told(world: OperatorWorld) -> dict[str, str]:
    """Ready's reason, of each service."""
    found = {}
    for live in world.server.all(HARDENED_SERVICE):
        ready = [c["reason"] for c in (live.get("status") or {}).get("conditions", ()) if c["type"] == "Ready"]
        found[live["metadata"]["name"]] = ready[0] if ready else ""
    return found


def message(world: OperatorWorld, name: str) -> str:
    (live,) = [live for live in world.server.all(HARDENED_SERVICE) if live["metadata"]["name"] == name]
    return str(next(c["message"] for c in live["status"]["conditions"] if c["type"] == "Ready"))


async def with_operator(world: OperatorWorld, play: Any) -> None:
    working = asyncio.create_task(Operator(world.server).run())
    try:
        await play
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)


def played(play: Any) -> OperatorWorld:
    """The world after it, with an operator at work."""

    async def run() -> OperatorWorld:
        world = OperatorWorld()
        await with_operator(world, play(world))
        return world

    return virtual_time.run(run())


def test_a_cycle_is_told_on_each_of_its_services_at_once_and_is_over_within_seconds() -> None:
    async def play(world: OperatorWorld) -> None:
        for name in "abc":
            await create(world, name)
        await create(world, "beside", **needs("a"))
        await passes(world, 60)
        assert set(told(world).values()) == {"Healthy"}
        await edit(world, "a", **needs("b"))
        await edit(world, "b", **needs("c"))
        await passes(world, 60)
        assert set(told(world).values()) == {"Healthy"}
        await edit(world, "c", **needs("a"))
        await passes(world, 1)
        assert told(world) == {"a": "InvalidSpec", "b": "InvalidSpec", "c": "InvalidSpec", "beside": "Healthy"}
        assert message(world, "b").startswith("spec.dependsOn: b → c → a → b is a cycle")
        await edit(world, "beside", image="web:2")
        await passes(world, 120)
        assert told(world)["beside"] == "Healthy", "what it depends on serves"
        writes = len(world.server.writes)
        await passes(world, 600)
        assert [(c.verb, c.kind.name, c.name) for c in world.server.writes[writes:]] == [], "told once"
        await edit(world, "a", **needs())
        await passes(world, 2)
        assert "InvalidSpec" not in told(world).values()
        await passes(world, 60)
        assert set(told(world).values()) == {"Healthy"}

    played(play)


def test_what_serves_on_a_cycle_goes_on_and_a_version_that_fails_is_taken_back_meanwhile() -> None:
    async def play(world: OperatorWorld) -> None:
        for name in "ab":
            await create(world, name)
        await passes(world, 60)
        await edit(world, "a", image="web:2", verify={"afterCutover": {"window": "40s"}})
        await passes(world, 10)
        await edit(world, "a", **needs("b"), replicas=3)
        await edit(world, "b", **needs("a"), replicas=3)
        await passes(world, 5)
        assert set(told(world).values()) == {"InvalidSpec"}
        found = {live["metadata"]["name"]: live["status"] for live in world.server.all(HARDENED_SERVICE)}
        assert {live["metadata"]["name"]: live["spec"]["replicas"] for live in world.server.all(DEPLOYMENT)} == {
            "a-blue": 3, "a-green": 3, "b-blue": 3,
        }  # fmt: skip
        assert (found["a"]["serving"]["image"], found["a"]["release"]["step"]) == ("web:2", "VerifyAfter")
        world.server.store.dead.add("web:2")
        await passes(world, 60)
        (a,) = [live["status"] for live in world.server.all(HARDENED_SERVICE) if live["metadata"]["name"] == "a"]
        assert (a["serving"]["image"], a["availableReplicas"], told(world)["a"]) == ("web:1", 3, "InvalidSpec")
        await edit(world, "b", **needs())
        await passes(world, 60)
        assert "InvalidSpec" not in told(world).values()

    played(play)


def test_a_cycle_ends_with_one_of_its_services() -> None:
    async def play(world: OperatorWorld) -> None:
        await create(world, "a", **needs("b"))
        await create(world, "b", **needs("a"))
        await create(world, "c", **needs("b"))
        await passes(world, 10)
        assert told(world) == {"a": "InvalidSpec", "b": "InvalidSpec", "c": "WaitingForDependencies"}
        live = await world.people.get(HARDENED_SERVICE, "shop", "a")
        await world.people.delete(HARDENED_SERVICE, "shop", "a", uid=live["metadata"]["uid"])
        await passes(world, 2)
        assert told(world) == {"b": "WaitingForDependencies", "c": "WaitingForDependencies"}
        await create(world, "a")
        await passes(world, 60)
        assert set(told(world).values()) == {"Healthy"}

    played(play)


@pytest.mark.parametrize("first", ["web", "web-preview"])
def test_a_service_called_like_the_preview_of_another_is_told_so_on_both_at_once_until_one_is_gone(first: str) -> None:
    specs = {"web": CHECKED, "web-preview": RELEASED}
    (second,) = specs.keys() - {first}

    async def play(world: OperatorWorld) -> None:
        await create(world, first, **specs[first])
        await passes(world, 60)
        assert told(world) == {first: "Healthy"}
        await create(world, second, **specs[second])
        await passes(world, 1)
        assert told(world) == {first: "NameTaken", second: "NameTaken"}
        assert f"HardenedService {second} also needs Service web-preview" in message(world, first)
        await passes(world, 60)
        (contested,) = [live for live in world.server.all(SERVICE) if live["metadata"]["name"] == "web-preview"]
        assert contested["metadata"]["ownerReferences"][0]["name"] == first
        await edit(world, first, image="web:2")
        await passes(world, 90)
        images = {live["metadata"]["name"]: live["status"].get("serving", {}).get("image") for live in world.server.all(HARDENED_SERVICE)}
        assert images == {first: "web:2", second: None}, "what serves goes on, and the other one does not begin"
        live = await world.people.get(HARDENED_SERVICE, "shop", first)
        await world.people.delete(HARDENED_SERVICE, "shop", first, uid=live["metadata"]["uid"])
        for _ in range(30):
            await passes(world, 1)
            world.server.collect_garbage()
        assert told(world) == {second: "Healthy"}

    played(play)


def test_names_that_become_wanted_twice_by_a_change_of_the_spec_are_told_on_both() -> None:
    async def play(world: OperatorWorld) -> None:
        await create(world, "web")
        await create(world, "web-preview")
        await passes(world, 60)
        assert set(told(world).values()) == {"Healthy"}
        await edit(world, "web", verify=CHECKED["verify"])
        await passes(world, 1)
        assert set(told(world).values()) == {"NameTaken"}
        await edit(world, "web", verify={"beforeCutover": None})
        await passes(world, 20)
        assert set(told(world).values()) == {"Healthy"}

    played(play)


def test_a_headless_service_that_is_to_have_an_address_is_told_and_served_on() -> None:
    async def play(world: OperatorWorld) -> None:
        await create(world, "web", service={"type": "Headless"}, release={"progressDeadline": "10s"})
        await passes(world, 60)
        await edit(world, "web", service={"type": "ClusterIP"})
        await passes(world, 10)
        assert told(world) == {"web": "ServiceFixed"}
        await edit(world, "web", image="web:2")
        await passes(world, 60)
        (live,) = world.server.all(HARDENED_SERVICE)
        assert (told(world), live["status"]["serving"]["image"]) == ({"web": "ServiceFixed"}, "web:1")
        assert live["status"]["availableReplicas"] == 2
        old = await world.people.get(SERVICE, "shop", "web")
        await world.people.delete(SERVICE, "shop", "web", uid=old["metadata"]["uid"])
        await passes(world, 90)
        (live,) = world.server.all(HARDENED_SERVICE)
        assert (told(world), live["status"]["serving"]["image"]) == ({"web": "Healthy"}, "web:2")
        assert (await world.people.get(SERVICE, "shop", "web"))["spec"]["clusterIP"] != "None"

    played(play)
