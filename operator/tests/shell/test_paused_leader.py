"""A leader that is stopped right before a write, and wakes up when its successor has long gone on: what it meant to write is not taken."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from tests.memory.api_server import MemoryApiServer
from tests.shell import virtual_time
from tests.shell.operator_world import RELEASED, Operator, OperatorWorld, asks, create_released, release, service
from tests.shell.test_release_flows import Watchman

from hardened.api import names
from hardened.shell.kinds import CONTROLLER_REVISION, DEPLOYMENT, HARDENED_SERVICE, SERVICE, Kind

pytestmark = pytest.mark.one_of(3)

Body = dict[str, Any]


class Stopping(MemoryApiServer):
    """Stops its caller before the first apply that `is_it` picks, until it is woken."""

    def __init__(self, world: OperatorWorld, is_it: Callable[[Body], bool]) -> None:
        super().__init__(store=world.server.store)
        self.is_it, self.stopped, self.woken = is_it, asyncio.Event(), asyncio.Event()

    async def apply(self, kind: Kind, manifest: Body, *, force: bool) -> Body:
        if self.is_it(manifest) and not self.stopped.is_set():
            self.stopped.set()
            await self.woken.wait()
        return await super().apply(kind, manifest, force=force)


def grows_green(manifest: Body) -> bool:
    """The first template of the colour that nobody needs."""
    return bool(manifest["kind"] == DEPLOYMENT.name and manifest["metadata"]["name"] == "web-green" and "web:2" in str(manifest["spec"]))


def promotes_the_second(manifest: Body) -> bool:
    annotations = manifest["metadata"].get("annotations") or {}
    return bool(manifest["kind"] == CONTROLLER_REVISION.name and annotations.get(names.PROMOTION_ANNOTATION) == "2")


def leads_on(manifest: Body) -> bool:
    """Clients to the second version."""
    selects = manifest["spec"].get("selector") or {} if manifest["kind"] == SERVICE.name else {}
    return manifest["metadata"]["name"] == "web" and selects.get(names.COLOR_LABEL) == "green"


async def outlasts_the_deadline(_: OperatorWorld) -> None:
    """Nobody leads for longer than a step may take."""
    await asyncio.sleep(11)


async def takes_back(world: OperatorWorld) -> None:
    """The spec is what serves again."""
    await world.people.merge_patch(HARDENED_SERVICE, "shop", "web", {"spec": service(**RELEASED)["spec"]})


async def kills_its_pods(world: OperatorWorld) -> None:
    """No pod of the second version is ever ready again."""
    world.server.store.dead.add("web:2")
    world.server.settle()


async def aborts(world: OperatorWorld) -> None:
    """Somebody aborts the release at work."""
    await asks("Abort", revision=world.server.all(HARDENED_SERVICE)[0]["status"]["release"]["revision"])(world)


@pytest.mark.parametrize(
    ("is_it", "before", "meanwhile", "image"),
    [
        pytest.param(promotes_the_second, (), (aborts,), "web:1", id="to promote what was aborted"),
        pytest.param(leads_on, (), (aborts,), "web:1", id="to lead clients on to what was aborted"),
        pytest.param(leads_on, (), (takes_back,), "web:1", id="to lead clients on to what the spec has left"),
        pytest.param(leads_on, (), (outlasts_the_deadline,), "web:2", id="to lead clients on after the deadline, which starts anew"),
        pytest.param(leads_on, (), (kills_its_pods,), "web:1", id="to lead clients on to what has lost its pods"),
        pytest.param(grows_green, (release("web:0"),), (release("web:3"),), "web:3", id="to fill the colour that serves by now"),
    ],
)
def test_what_a_leader_meant_to_write_before_it_was_paused_is_not_taken(
    is_it: Callable[[Body], bool], before: tuple[Any, ...], meanwhile: tuple[Any, ...], image: str
) -> None:
    async def main() -> None:
        world = OperatorWorld()
        watchman = Watchman(world)
        await world.play(create_released, *before, *([release("web:1")] if before else []))
        server = Stopping(world, is_it)
        paused = Operator(server)
        working = asyncio.create_task(paused.run())
        ticking = asyncio.create_task(_controllers(world))
        await release("web:2")(world)
        await server.stopped.wait()
        paused.reconciler._writer._may_write = lambda: False  # by the time that it wakes up, its lease has passed
        ticking.cancel()
        await meanwhile[0](world)
        await world.play(*meanwhile[1:], _nothing)
        world.server.settle()
        server.woken.set()
        await asyncio.sleep(1)
        assert watchman.wrongs == []
        await world.play(_nothing)
        working.cancel()
        await asyncio.gather(working, ticking, return_exceptions=True)
        status = world.server.all(HARDENED_SERVICE)[0]["status"]
        assert (status["serving"]["image"], watchman.wrongs) == (image, [])

    virtual_time.run(main())


async def _nothing(_: OperatorWorld) -> None:
    pass


async def _controllers(world: OperatorWorld) -> None:
    while True:
        world.server.settle()
        await asyncio.sleep(0.5)
