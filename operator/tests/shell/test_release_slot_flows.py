"""Several services released at once where one at a time may be, over the in-memory cluster in virtual time."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.enumerations import one_of_seven
from tests.shell import virtual_time
from tests.shell.operator_world import RELEASED, Operator, OperatorWorld, asks, service

from hardened.core.model.written import state_of
from hardened.shell.kinds import HARDENED_SERVICE, Kind

pytestmark = pytest.mark.one_of(6)

Body = dict[str, Any]
IN_PLACE: Body = {"release": {"strategy": "RollingUpdate", "progressDeadline": "10s"}}
MANUAL: Body = {"release": {**RELEASED["release"], "promotion": "Manual"}}


class Busy:
    """most: how many releases were at work at a time."""

    def __init__(self, world: OperatorWorld) -> None:
        self._world, self.most = world, 0
        world.server.on_event.append(self._saw)

    def _saw(self, _: str, kind: Kind, __: Body) -> None:
        if kind == HARDENED_SERVICE:
            records = [state_of(live.get("status") or {}) for live in self._world.server.all(HARDENED_SERVICE)]
            self.most = max(self.most, sum(record is not None and record.holds_slot for record in records))


@contextlib.asynccontextmanager
async def operated(*namespaces: tuple[str, ...], releases: int = 1) -> AsyncIterator[OperatorWorld]:
    """A world with an operator for each of these, which releases so many services at a time."""
    world = OperatorWorld()
    world.server.add_namespace("mall")
    working = [asyncio.create_task(Operator(world.server, namespaces=each, releases=releases).run()) for each in namespaces]
    try:
        yield world
    finally:
        for each in working:
            each.cancel()
        await asyncio.gather(*working, return_exceptions=True)


async def passes(world: OperatorWorld, seconds: int) -> None:
    """So much time, in which the cluster follows."""
    for _ in range(2 * seconds):
        await asyncio.sleep(0.5)
        world.server.settle()


async def create(world: OperatorWorld, name: str, namespace: str = "shop", **spec: Any) -> None:
    body = service(**{**RELEASED, **spec})
    await world.people.create(HARDENED_SERVICE, body | {"metadata": {"name": name, "namespace": namespace}})


async def release(world: OperatorWorld, name: str, namespace: str = "shop", **spec: Any) -> None:
    await world.people.merge_patch(HARDENED_SERVICE, namespace, name, {"spec": {"image": "web:2", **spec}})


async def promote(world: OperatorWorld, name: str, action: str) -> None:
    live = await world.people.get(HARDENED_SERVICE, "shop", name)
    await asks("Promote", action, service=name, revision=live["status"]["release"]["revision"])(world)


def steps(world: OperatorWorld) -> dict[str, str]:
    """The step that each release is in."""
    found = {s["metadata"]["name"]: s.get("status", {}).get("release", {}).get("step") for s in world.server.all(HARDENED_SERVICE)}
    return {name: step for name, step in found.items() if step}


def images(world: OperatorWorld) -> dict[str, str]:
    return {s["metadata"]["name"]: s["status"]["serving"]["image"] for s in world.server.all(HARDENED_SERVICE) if "serving" in s["status"]}


def test_what_is_to_be_approved_holds_no_place_and_takes_one_only_once_it_is_free() -> None:
    async def play() -> None:
        async with operated(()) as world:
            await create(world, "api", **MANUAL)
            await create(world, "web", **IN_PLACE)
            await passes(world, 5)
            await promote(world, "api", "first")
            await passes(world, 60)
            busy = Busy(world)
            await release(world, "api")
            await passes(world, 5)
            assert steps(world) == {"api": "Approval"}
            await release(world, "web", verify={"afterCutover": {"window": "30s"}})
            await passes(world, 5)
            assert steps(world) == {"api": "Approval", "web": "VerifyAfter"}
            await promote(world, "api", "second")
            await passes(world, 5)
            assert steps(world) == {"api": "Approval", "web": "VerifyAfter"}
            await passes(world, 40)
            assert images(world) == {"api": "web:2", "web": "web:2"}
            assert busy.most == 1

    virtual_time.run(play())


def test_a_free_place_goes_to_one_that_takes_it() -> None:
    """Those before it in the queue wait for a person."""

    async def play() -> None:
        async with operated(()) as world:
            for name in ("api", "paused", "suspended", "web", "queued"):
                await create(world, name, **(MANUAL if name == "api" else IN_PLACE))
            await passes(world, 5)
            await promote(world, "api", "first")
            await passes(world, 60)
            busy = Busy(world)
            await release(world, "api")
            await passes(world, 5)
            await release(world, "web", verify={"afterCutover": {"window": "30s"}})
            await passes(world, 2)
            for name in ("paused", "suspended", "queued"):
                await release(world, name)
                await passes(world, 2)
            await asks("Pause", "pause", service="paused")(world)
            await release(world, "suspended", suspend=True)
            await passes(world, 5)
            waiting = {"api": "Approval", "paused": "Queued", "suspended": "Queued"}
            assert steps(world) == {**waiting, "web": "VerifyAfter", "queued": "Queued"}
            await passes(world, 60)
            assert steps(world) == waiting
            assert images(world)["queued"] == "web:2"
            assert busy.most == 1

    virtual_time.run(play())


def test_each_operator_counts_those_of_its_own_namespaces() -> None:
    async def play() -> None:
        async with operated(("shop",), ("mall",)) as world:
            await create(world, "web", **IN_PLACE)
            await create(world, "db", **IN_PLACE)
            await create(world, "stall", "mall", **IN_PLACE)
            await passes(world, 60)
            watched = {"verify": {"afterCutover": {"window": "30s"}}}
            await release(world, "web", **watched)
            await passes(world, 5)
            await release(world, "db", **watched)
            await release(world, "stall", "mall", **watched)
            await passes(world, 5)
            assert steps(world) == {"web": "VerifyAfter", "db": "Queued", "stall": "VerifyAfter"}
            await passes(world, 90)
            assert set(images(world).values()) == {"web:2"}

    virtual_time.run(play())


def test_what_waits_for_another_service_leaves_its_place_to_it_and_takes_one_again() -> None:
    needs: Body = {"dependsOn": [{"service": "base"}]}
    recreated: Body = {"release": {"strategy": "Recreate", "progressDeadline": "1m"}}

    async def play() -> None:
        async with operated(()) as world:
            await create(world, "base", image="base:1", **recreated)
            await create(world, "other", **IN_PLACE)
            await create(world, "api", **needs)
            await passes(world, 60)
            busy = Busy(world)
            dead = world.server.store.dead
            dead |= {"web:2"}
            await release(world, "api", **needs)
            await passes(world, 2)
            assert steps(world) == {"api": "Preview"}
            dead |= {"base:1", "base:2"}  # nothing of base serves any more
            await passes(world, 2)
            dead -= {"web:2"}
            await passes(world, 2)
            assert steps(world) == {"api": "ScaleUp"}
            await release(world, "base", image="base:2")
            await passes(world, 2)
            await release(world, "other")
            await passes(world, 2)
            assert steps(world) == {"api": "ScaleUp", "base": "Cutover", "other": "Queued"}
            dead.clear()
            await passes(world, 60)
            assert images(world) == {"api": "web:2", "base": "base:2", "other": "web:2"}
            assert busy.most == 1

    virtual_time.run(play())


def test_a_service_whose_newest_version_was_rejected_holds_nobody_up_that_depends_on_it() -> None:
    async def play() -> None:
        async with operated(()) as world:
            await create(world, "base")
            await passes(world, 60)
            await create(world, "api", dependsOn=[{"service": "base"}])
            await passes(world, 60)
            await release(world, "base", image="dead:1")
            await passes(world, 60)
            (base,) = [live for live in world.server.all(HARDENED_SERVICE) if live["metadata"]["name"] == "base"]
            assert base["status"]["phase"] == "Rejected"
            await release(world, "api")
            await passes(world, 60)
            assert images(world) == {"api": "web:2", "base": "web:1"}

    virtual_time.run(play())


def test_what_waits_for_word_of_an_address_keeps_its_place() -> None:
    names = [f"s{n}" for n in range(4)]

    async def play() -> None:
        async with operated(()) as world:
            for name in names:
                await create(world, name, dependsOn=[{"tcp": "db:5432"}])
            await passes(world, 60)
            grown: set[int] = set()
            for name in names:
                await release(world, name)
            for _ in range(120):
                await passes(world, 1)
                grown.add(sum(step not in ("Queued", "Keep", "Preflight") for step in steps(world).values()))
            assert images(world) == dict.fromkeys(names, "web:2")
            assert max(grown) == 1

    virtual_time.run(play())


def test_first_releases_that_never_get_ready_hold_nobody_up() -> None:
    async def play() -> None:
        async with operated(()) as world:
            await create(world, "web")
            await passes(world, 60)
            for number in range(3):
                await create(world, f"never{number}", "mall", image="dead:1", release={"progressDeadline": "24h"})
            await passes(world, 5)
            await release(world, "web")
            await passes(world, 60)
            assert images(world)["web"] == "web:2"

    virtual_time.run(play())


NEVER: Body = {"image": "dead:1", "release": {"progressDeadline": "24h", "keepPrevious": "30s"}}


@pytest.mark.parametrize("strategy", one_of_seven((strategy,) for strategy in ("BlueGreen", "RollingUpdate", "Recreate")))
def test_releases_that_do_not_get_further_give_their_places_up_and_go_on_once_there_is_one(strategy: str) -> None:
    never: Body = {"image": "dead:1", "release": {"strategy": strategy, "progressDeadline": "24h"}}

    async def play() -> None:
        async with operated((), releases=2) as world:
            for name, namespace in (("web", "shop"), ("a", "mall"), ("b", "mall"), ("c", "mall")):
                await create(world, name, namespace, release={"strategy": strategy, "progressDeadline": "24h"})
            await passes(world, 60)
            for name in ("a", "b"):
                await release(world, name, "mall", **never)
            await passes(world, 5)
            await release(world, "c", "mall")
            await passes(world, 30)
            assert images(world)["c"] == "web:1", "both places are taken"
            await release(world, "web")
            await passes(world, 90)
            assert images(world)["web"] == "web:2", "one namespace has its share, and no more"
            await passes(world, 240)
            assert images(world)["c"] == "web:2", "its neighbours have given theirs up"
            world.server.store.dead.clear()
            await passes(world, 120)
            assert {images(world)[name] for name in ("a", "b")} == {"dead:1"}, "what comes up after all is released"

    virtual_time.run(play())


def test_one_whose_pods_come_late_waits_for_its_place_and_is_not_rejected_for_that() -> None:
    async def play() -> None:
        async with operated(()) as world:
            for name, namespace in (("web", "shop"), ("a", "mall"), ("b", "mall")):
                await create(world, name, namespace)
            await passes(world, 60)
            await release(world, "a", "mall", **NEVER)
            await passes(world, 200)
            watched = {"verify": {"afterCutover": {"window": "90s"}}}
            await release(world, "web", **watched)
            await passes(world, 20)
            assert steps(world)["web"] == "VerifyAfter"
            world.server.store.dead.clear()
            await passes(world, 30)
            assert steps(world) == {"a": "Preview", "web": "VerifyAfter"}, "its pods are there, and another one has the place"
            await passes(world, 120)
            assert {images(world)[name] for name in ("a", "web")} == {"dead:1", "web:2"}

    virtual_time.run(play())


def test_what_is_suspended_in_the_middle_holds_no_place_and_waits_for_one_once_it_goes_on() -> None:
    async def play() -> None:
        async with operated(()) as world:
            for name, namespace in (("web", "shop"), ("a", "mall")):
                await create(world, name, namespace)
            await passes(world, 60)
            await release(world, "a", "mall", **NEVER)
            await passes(world, 5)
            await world.people.merge_patch(HARDENED_SERVICE, "mall", "a", {"spec": {"suspend": True}})
            await passes(world, 5)
            await release(world, "web", verify={"afterCutover": {"window": "60s"}})
            await passes(world, 20)
            assert steps(world) == {"a": "Preview", "web": "VerifyAfter"}
            world.server.store.dead.clear()
            await world.people.merge_patch(HARDENED_SERVICE, "mall", "a", {"spec": {"suspend": False}})
            await passes(world, 20)
            assert steps(world) == {"a": "Preview", "web": "VerifyAfter"}
            await passes(world, 120)
            assert images(world) == {"a": "dead:1", "web": "web:2"}

    virtual_time.run(play())


def test_one_that_a_finalizer_holds_while_it_is_deleted_holds_no_place() -> None:
    async def play() -> None:
        async with operated(()) as world:
            for name in ("held", "web"):
                await create(world, name, **IN_PLACE)
            await passes(world, 30)
            await release(world, "held", verify={"afterCutover": {"window": "30s"}})
            await passes(world, 5)
            assert steps(world) == {"held": "VerifyAfter"}
            live = await world.people.merge_patch(HARDENED_SERVICE, "shop", "held", {"metadata": {"finalizers": ["example.com/never"]}})
            await world.people.delete(HARDENED_SERVICE, "shop", "held", uid=live["metadata"]["uid"])
            await release(world, "web")
            await passes(world, 40)
            assert images(world)["web"] == "web:2"

    virtual_time.run(play())
