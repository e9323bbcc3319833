"""Whatever happens at whichever write, the end is the same: every write of the flows, in virtual time."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
from tests.enumerations import Turn, turns
from tests.memory.api_server import Call
from tests.shell import virtual_time
from tests.shell.moments import Moment, step_of_write
from tests.shell.operator_world import FLOW, Killed, Operator, OperatorWorld, Strike, create

from hardened.errors import LookAgain, Refused, TryAgain, Vanished
from hardened.shell.kinds import HARDENED_SERVICE, KINDS
from hardened.shell.workqueue import Key


@dataclass(frozen=True)
class Clean:
    """The flow without a fault: the world before each step; how many writes had been made at its end, and how the world was then."""

    moments: tuple[Moment[OperatorWorld], ...]
    writes: tuple[int, ...]
    states: tuple[dict[str, Any], ...]


async def _clean() -> Clean:
    world, moments, writes, states = OperatorWorld(), [], [], []
    for step in FLOW:
        moments.append(Moment(world))
        await world.play(step)
        writes.append(len(world.server.writes))
        states.append(world.state())
    return Clean(tuple(moments), tuple(writes), tuple(states))


@cache
def clean() -> Clean:
    """Played once."""
    return virtual_time.run(_clean())


def _ends_the_same(nth: int, error: Callable[[], BaseException], *, is_after: bool) -> None:
    step, nth_of_step = step_of_write(nth, clean().writes)
    strike = Strike(nth_of_step, error)

    async def play(world: OperatorWorld) -> dict[str, Any]:
        if is_after:
            world.server.after = strike
        else:
            world.server.before = strike
        await world.play(FLOW[step])
        return world.state()

    state = clean().moments[step].run(play)
    assert strike.has_struck
    assert state == clean().states[step], f"write {nth} of {clean().writes[-1]}"


@pytest.mark.parametrize("is_after", [False, True], ids=["before it took effect", "after it took effect"])
@pytest.mark.parametrize("turn", turns(2))
def test_killed_at_any_single_write_it_ends_the_same(turn: Turn, is_after: bool) -> None:
    assert clean().writes[-1] >= 30
    for nth in turn.of(range(1, clean().writes[-1] + 1)):
        _ends_the_same(nth, Killed, is_after=is_after)


ERRORS: dict[str, Callable[[], BaseException]] = {
    "409": lambda: LookAgain("conflict", status=409),
    "404": lambda: Vanished("not found", status=404),
    "403": lambda: Refused("forbidden", status=403),
    "422": lambda: Refused("invalid", status=422),
    "429": lambda: TryAgain("too many requests", status=429, retry_after=1),
    "500": lambda: TryAgain("internal error", status=500),
    "nothing": lambda: TryAgain("no reply"),
}


@pytest.mark.parametrize("is_after", [False, True], ids=["before it took effect", "after it took effect"])
@pytest.mark.parametrize(("start", "answer"), list(enumerate(ERRORS, 1)))
@pytest.mark.parametrize("turn", turns(1))
def test_answered_wrongly_at_a_write_it_ends_the_same(turn: Turn, start: int, answer: str, is_after: bool) -> None:
    # Every seventh write for each answer, each answer from another one on: together all of them.
    for nth in turn.of(range(start, clean().writes[-1] + 1, len(ERRORS))):
        _ends_the_same(nth, ERRORS[answer], is_after=is_after)


async def _at_rest() -> tuple[OperatorWorld, int, int]:
    world = OperatorWorld()
    await world.play(create)
    writes, calls = len(world.server.writes), len(world.server.calls)
    await world.play()
    await world.until_quiet()
    return world, len(world.server.writes) - writes, len(world.server.calls) - calls


def test_a_settled_service_is_not_written_to() -> None:
    world, writes, _ = virtual_time.run(_at_rest())
    assert writes == 0
    assert world.server.all(HARDENED_SERVICE)[0]["status"]["phase"] == "Healthy"


async def _deleted_unheard_of() -> OperatorWorld:
    """The service goes while nobody listens, and its children twice after it."""
    world = OperatorWorld()
    await world.play(create)
    operator = Operator(world.server)
    working = asyncio.create_task(operator.run())
    await world.until_quiet()
    world.server.on_event.clear()
    live = await world.people.get(HARDENED_SERVICE, "shop", "web")
    await world.people.delete(HARDENED_SERVICE, "shop", "web", uid=live["metadata"]["uid"])
    for _ in range(2):
        world.server.collect_garbage()
        for child in operator.cache.children("shop", "web"):
            key = operator.cache.deleted(KINDS[child["kind"]], "shop", child["metadata"]["name"], child["metadata"]["uid"])
            operator.queue.add(key or Key("shop", "web"))
        await asyncio.sleep(30)
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    return world


def test_a_service_that_is_gone_unheard_of_is_made_children_only_once_more() -> None:
    world = virtual_time.run(_deleted_unheard_of())
    assert {kind.name for kind in KINDS.values() if world.server.all(kind, "shop")} == {"PersistentVolumeClaim"}


async def _refused_the_scale() -> OperatorWorld:
    """The operator may not write /scale of a service that leaves its replicas open."""
    world = OperatorWorld()

    def refuse(call: Call) -> None:
        if call.verb == "scale":
            raise Refused("may not", status=403, reason="Forbidden")

    world.server.before = refuse
    operator = Operator(world.server)
    working = asyncio.create_task(operator.run())
    await create(world)
    await asyncio.sleep(60)
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    return world


def test_a_refusal_to_seed_the_replicas_is_told_in_status() -> None:
    (live,) = virtual_time.run(_refused_the_scale()).server.all(HARDENED_SERVICE)
    ready = next(c for c in live["status"]["conditions"] if c["type"] == "Ready")
    assert ready["reason"] == "Forbidden"
    assert ready["message"].startswith("set spec.replicas through /scale: may not")
