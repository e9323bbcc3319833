"""A leader that is paused before a write, and whose write arrives when its successor has gone on, in virtual time."""

import asyncio
from collections.abc import Callable
from functools import cache
from itertools import product
from typing import Any

import pytest
from tests.enumerations import Turn, one_of_seven, turns
from tests.memory.api_server import Call, MemoryApiServer
from tests.shell.moments import after
from tests.shell.operator_world import RELEASED, Operator, OperatorWorld, asks, release, service

from hardened.api.names import MANAGER, PROMOTION_ANNOTATION
from hardened.shell.kinds import CONTROLLER_REVISION, DEPLOYMENT, HARDENED_SERVICE, SERVICE

Body = dict[str, Any]
#: As many writes as each of the edits takes at least, and more than any does.
LEAST, MOST = 3, 40


class Pausing(MemoryApiServer):
    """The cluster as a leader calls it that is paused right before its n-th write, and ends after it."""

    def __init__(self, world: OperatorWorld, nth: int) -> None:
        super().__init__(manager=MANAGER, store=world.server.store)
        self._left = nth
        self.paused: Call | None = None
        self.woken = asyncio.Event()

    async def _call(self, call: Call, do: Callable[[], Body]) -> Body:
        self._left -= call.is_write
        if call.is_write and self._left == 0:
            self.paused = call
            await self.woken.wait()
        elif self._left < 0:
            await asyncio.Event().wait()
        return await super()._call(call, do)


@cache
def create(strategy: str) -> Any:
    """A team makes a service that is released by this strategy."""

    async def make(world: OperatorWorld) -> None:
        await world.people.create(HARDENED_SERVICE, service(**{**RELEASED, **_spec(strategy)}))

    return make


def _spec(strategy: str) -> Body:
    return {"release": {**RELEASED["release"], "strategy": strategy}}


def scaled(replicas: int) -> Any:
    """Somebody scales it."""

    async def scale(world: OperatorWorld) -> None:
        await world.people.merge_patch(HARDENED_SERVICE, "shop", "web", {"spec": {"replicas": replicas}})

    return scale


def runs(world: OperatorWorld) -> Body:
    """What every Deployment runs, and where clients are led to."""
    found: Body = {
        d["metadata"]["name"]: (d["spec"]["replicas"], d["spec"]["template"]) for d in world.server.all(DEPLOYMENT) if d["spec"]["replicas"]
    }
    switch = next(s for s in world.server.all(SERVICE) if s["metadata"]["name"] == "web")
    return found | {"switch": switch["spec"]}


def serves(world: OperatorWorld) -> Body:
    """Of that only what clients are led to; and the last promotion."""
    found = runs(world)
    chosen = found["switch"]["selector"]
    marked = [r["metadata"].get("annotations") or {} for r in world.server.all(CONTROLLER_REVISION)]
    return {
        **{name: run for name, run in found.items() if name == "switch" or chosen.items() <= run[1]["metadata"]["labels"].items()},
        "promoted": max((each[PROMOTION_ANNOTATION] for each in marked if PROMOTION_ANNOTATION in each), default=""),
    }


async def woken(world: OperatorWorld, edit: Any, nth: int, *later: Any, found: Callable[[OperatorWorld], Body] = runs) -> Call | None:
    """The write before which the old leader was paused; None where it made fewer. Raises AssertionError where it changed what is served."""
    api = Pausing(world, nth)
    old = asyncio.create_task(Operator(api, policy=world.policy).run())
    await asyncio.sleep(1)
    await edit(world)
    for _ in range(120):
        await asyncio.sleep(0.5)
        if api.paused:
            break
        world.server.settle()
    if api.paused:
        await world.play(*later)
        before = found(world)
        api.woken.set()
        await asyncio.sleep(1)
        assert found(world) == before, f"write {nth}: {api.paused.verb} {api.paused.kind.name} {api.paused.name}"
    old.cancel()
    await asyncio.gather(old, return_exceptions=True)
    return api.paused


STRATEGIES = ("BlueGreen", "RollingUpdate", "Recreate")
EDITS: dict[str, Callable[[str], Any]] = {
    "a release": lambda strategy: release("web:2", **_spec(strategy)),
    "one that fails": lambda strategy: release("doomed:1", **_spec(strategy)),
    "a scale-up": lambda _: scaled(4),
    "a scale-down": lambda _: scaled(1),
}


@pytest.mark.parametrize("turn", turns(1, at=pytest.mark.full))
@pytest.mark.parametrize(("strategy", "edit"), one_of_seven(product(STRATEGIES, EDITS)))
def test_what_its_successor_serves_is_neither_scaled_nor_overwritten(strategy: str, edit: str, turn: Turn) -> None:
    def again(image: str) -> Any:
        return release(image, replicas=3, **_spec(strategy))

    edited = EDITS[edit](strategy)
    for nth in turn.of(range(1, MOST), least=LEAST):
        if after(create(strategy)).run(lambda world, nth=nth: woken(world, edited, nth, again("web:3"), again("web:4"))) is None:
            break


def goes_back(strategy: str) -> Any:
    """The spec is what served before."""

    async def go(world: OperatorWorld) -> None:
        await world.people.merge_patch(HARDENED_SERVICE, "shop", "web", {"spec": service(**{**RELEASED, **_spec(strategy)})["spec"]})

    return go


def aborts(_: str) -> Any:
    """Somebody ends the release at work, if there is one by then."""

    async def abort(world: OperatorWorld) -> None:
        (service,) = world.server.all(HARDENED_SERVICE)
        if at_work := service["status"].get("release"):
            await asks("Abort", revision=at_work["revision"])(world)

    return abort


@pytest.mark.parametrize("turn", turns(1, at=pytest.mark.full))
@pytest.mark.parametrize(("strategy", "ends"), one_of_seven(product(STRATEGIES, (goes_back, aborts))))
def test_what_its_successor_has_given_up_is_neither_served_nor_promoted(strategy: str, ends: Callable[[str], Any], turn: Turn) -> None:
    released = release("web:2", **_spec(strategy))
    for nth in turn.of(range(1, MOST), least=LEAST):
        if after(create(strategy)).run(lambda world, nth=nth: woken(world, released, nth, ends(strategy), found=serves)) is None:
            break
