"""Traps that show over time alone, in virtual time: timers that a restart forgets, and a failure that is told of again and again."""

import asyncio
import logging
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from tests.enumerations import Turn, turns
from tests.memory.api_server import Call
from tests.shell import virtual_time
from tests.shell.moments import Moment
from tests.shell.operator_world import RELEASED, Killed, OperatorWorld, create_released, release
from tests.shell.test_release_flows import Watchman

from hardened.errors import Refused, TryAgain
from hardened.shell.kinds import DEPLOYMENT, EVENT, HARDENED_SERVICE, SERVICE, Kind

pytestmark = pytest.mark.one_of(6)

Body = dict[str, Any]

#: What is kept, and within what the end of it is noticed: the longest look-again, and a start.
KEPT, SLACK = 30.0, 10.0
#: Seconds of a release from its begin to well after the end of what it keeps.
LASTS = 60


class Clockwork:
    """When the switch Service was led to green, and when blue was to have no pods."""

    def __init__(self, world: OperatorWorld) -> None:
        self.switched = self.removed = 0.0
        world.server.on_event.append(self._saw)

    def _saw(self, _: str, kind: Kind, body: Body) -> None:
        name, spec = body["metadata"]["name"], body.get("spec") or {}
        if (kind, name) == (SERVICE, "web") and spec["selector"].get("hardened.dev/color") == "green" and not self.switched:
            self.switched = virtual_time.now()
        if (kind, name) == (DEPLOYMENT, "web-blue") and spec["replicas"] == 0 and not self.removed:
            self.removed = virtual_time.now()


def kill(world: OperatorWorld) -> None:
    """SIGKILL to the operator, in whatever it does."""
    death = world.operators[-1].death
    if not death.done():
        death.set_exception(Killed())


@cache
def first_released() -> Moment[tuple[OperatorWorld, Watchman]]:
    """The first version serves."""

    async def play() -> Moment[tuple[OperatorWorld, Watchman]]:
        world = OperatorWorld()
        watchman = Watchman(world)
        await world.play(create_released)
        return Moment((world, watchman))

    return virtual_time.run(play())


def played(*kills: float) -> tuple[OperatorWorld, Clockwork]:
    """A second version is released, and the operator is killed so many seconds after its begin."""

    async def killer(world: OperatorWorld) -> None:
        begun = virtual_time.now()
        for at in kills:
            await asyncio.sleep(begun + at - virtual_time.now())
            kill(world)

    async def play(kept: tuple[OperatorWorld, Watchman]) -> tuple[OperatorWorld, Clockwork]:
        world, watchman = kept
        clockwork, killing = Clockwork(world), []

        async def edit(world: OperatorWorld) -> None:
            await release("web:2")(world)
            killing.append(asyncio.create_task(killer(world)))

        await world.play(edit)
        await asyncio.gather(*killing)
        assert watchman.wrongs == []
        return world, clockwork

    return first_released().run(play)


@cache
def undisturbed() -> float:
    """Seconds from the switch until the previous stack goes."""
    _, clockwork = played()
    return clockwork.removed - clockwork.switched


def test_the_previous_stack_is_kept_for_its_time() -> None:
    assert KEPT <= undisturbed() <= KEPT + SLACK


@pytest.mark.parametrize("turn", turns(1, at=pytest.mark.full))
def test_restarted_at_any_second_of_a_release_it_removes_the_previous_stack_neither_early_nor_never(turn: Turn) -> None:
    for second in turn.of(range(LASTS)):
        world, clockwork = played(second + 0.5)
        assert world.kills == 1
        assert KEPT <= clockwork.removed - clockwork.switched <= undisturbed() + SLACK, f"killed after {second} s"


def test_restarted_every_second_a_release_passes_its_gates_and_keeps_its_times() -> None:
    world, clockwork = played(*range(1, 2 * LASTS))
    assert world.kills > LASTS
    assert KEPT <= clockwork.removed - clockwork.switched <= undisturbed() + SLACK
    (live,) = world.server.all(HARDENED_SERVICE)
    assert (live["status"]["phase"], live["status"]["serving"]["image"]) == ("Healthy", "web:2")


# ---- notifications

HOUR = 3600.0
#: Lines of log an hour of one service that cannot be brought in line: a try a minute, and those on the way there.
LINES = 100
#: Writes that took effect: what a release makes before and after the one that fails, and what status says of it.
WRITES = 12


def refuse(call: Call) -> None:
    """A quota that is used up."""
    if call.is_write and call.kind == DEPLOYMENT:
        raise Refused("exceeded quota: pods", status=403, reason="Forbidden")


def fail(call: Call) -> None:
    """An API server that fails."""
    if call.is_write and call.kind == DEPLOYMENT:
        raise TryAgain("internal error", status=500)


def degraded_for_an_hour(image: str, hook: Callable[[Call], None] | None) -> tuple[Body, list[Call], list[Body]]:
    """The service after an hour in which it could not be brought to this version; the writes of that hour, and the Events made in it."""

    async def play() -> tuple[Body, list[Call], list[Body]]:
        world = OperatorWorld()
        await world.play(create_released)
        known = {event["metadata"]["name"] for event in world.events.all(EVENT)}
        before, world.server.before = len(world.server.writes), hook

        async def edit(world: OperatorWorld) -> None:
            await release(image, release={**RELEASED["release"], "progressDeadline": "2h"})(world)
            await asyncio.sleep(HOUR)

        await world.play(edit)
        (live,) = world.server.all(HARDENED_SERVICE)
        made = [event for event in world.events.all(EVENT) if event["metadata"]["name"] not in known]
        return live, world.server.writes[before:], made

    return virtual_time.run(play())


@pytest.mark.parametrize(
    ("image", "hook"),
    [
        pytest.param("web:2", refuse, id="what it writes is refused"),
        pytest.param("web:2", fail, id="what it writes fails"),
        pytest.param("dead:1", None, id="its pods do not come up"),
    ],
)
def test_an_hour_of_a_failure_is_told_once_and_is_neither_a_flood_of_lines_nor_of_writes(
    caplog: pytest.LogCaptureFixture, image: str, hook: Callable[[Call], None] | None
) -> None:
    with caplog.at_level(logging.INFO):
        live, writes, events = degraded_for_an_hour(image, hook)
    assert live["status"]["phase"] != "Healthy"
    assert len(caplog.records) <= LINES
    assert len(writes) <= WRITES
    assert len(events) == len({event["reason"] for event in events}), "one series for each reason"
    assert {event["count"] for event in events} == {1}
