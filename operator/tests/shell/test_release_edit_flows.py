"""Edits by hand in a release over the in-memory cluster, in virtual time: after any write of it, and all ends the same."""

import asyncio
import contextlib
from functools import cache
from typing import Any

import pytest
from tests.enumerations import Turn, turns
from tests.memory.api_server import Call
from tests.shell.moments import after
from tests.shell.operator_world import OperatorWorld, create_released, release
from tests.shell.test_release_flows import Watchman

from hardened.errors import Vanished
from hardened.shell.kinds import DEPLOYMENT, HARDENED_SERVICE, Kind

Body = dict[str, Any]
#: Those of the version before, and of the new one. A Service is not among them: without its labels its EndpointSlices tell nothing.
OBJECTS = ((DEPLOYMENT, "web-blue"), (DEPLOYMENT, "web-green"))
#: How many writes more a repair may take, with all that follows from it.
FEW = 12


class Stripping:
    """A hook that takes all labels off an object once a write was taken, the n-th."""

    def __init__(self, world: OperatorWorld, nth: int, kind: Kind, name: str) -> None:
        self._world, self._left, self._kind, self._name = world, nth, kind, name
        self.doing: asyncio.Task[None] | None = None

    def __call__(self, call: Call) -> None:
        if call.is_write:
            self._left -= 1
            if self._left == 0:
                self.doing = asyncio.create_task(self._strip())

    async def _strip(self) -> None:
        with contextlib.suppress(Vanished):  # the first writes are made before it
            await self._world.people.merge_patch(self._kind, "shop", self._name, {"metadata": {"labels": None}})


@cache
def clean() -> tuple[list[int], int, Body]:
    """Played once: which writes leave the second release at work, how many it has in all, and the state then."""

    async def play(world: OperatorWorld) -> tuple[list[int], int, Body]:
        found, before = [], len(world.server.writes)

        def look(call: Call) -> None:
            status = world.server.all(HARDENED_SERVICE)[0].get("status") or {}
            if call.is_write and status.get("release"):
                found.append(len(world.server.writes) - before)

        world.server.after = look
        await world.play(release("web:2"))
        return found, len(world.server.writes) - before, world.state()

    return after(create_released).run(play)


# A release that goes back and forth for ever takes no virtual time.
@pytest.mark.timeout(120)
@pytest.mark.parametrize("turn", turns(1))
@pytest.mark.parametrize(("kind", "name"), OBJECTS, ids=[name for _, name in OBJECTS])
def test_an_object_that_loses_its_labels_after_any_write_of_a_release_gets_them_back_and_it_ends_the_same(
    kind: Kind, name: str, turn: Turn
) -> None:
    """When it is over nobody looks for what was kept any more: without its labels it stays as it is until the next release."""
    at_work, writes, expected = clean()
    for nth in turn.of(at_work):

        async def play(world: OperatorWorld, nth: int = nth) -> tuple[Body, list[str], int]:
            watchman, before = Watchman(world), len(world.server.writes)
            world.server.after = Stripping(world, nth, kind, name)
            await world.play(release("web:2"))
            return world.state(), watchman.wrongs, len(world.server.writes) - before

        found, wrongs, made = after(create_released).run(play)
        assert wrongs == [], f"write {nth}"
        assert found == expected, f"write {nth}"
        assert made <= writes + FEW, f"write {nth}"
