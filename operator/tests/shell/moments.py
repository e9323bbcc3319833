"""Worlds at rest that are kept: what many cases begin with is played once, and each goes on from there by itself."""

import copy
from bisect import bisect_left
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, TypeVar

from tests.shell import virtual_time
from tests.shell.operator_world import Killed, OperatorWorld, Strike

Kept = TypeVar("Kept")
Result = TypeVar("Result")


class Moment(Generic[Kept]):
    """What was there when no operator ran: a world, or a tuple of one and of those who look at it. at: the virtual time then."""

    def __init__(self, kept: Kept) -> None:
        self._kept, self.at = copy.deepcopy(kept), virtual_time.now()

    def run(self, play: Callable[[Kept], Coroutine[Any, Any, Result]]) -> Result:
        """Plays on with a copy, from the same time on."""
        return virtual_time.run(play(copy.deepcopy(self._kept)), begins=self.at)


@cache
def after(*steps: Callable[[Any], Any], world: Callable[[], Any] = OperatorWorld) -> Moment[Any]:
    """A new world after these steps, each of which has come to rest. Played once for all who ask."""

    async def play() -> Moment[Any]:
        begun = world()
        await begun.play(*steps)
        return Moment(begun)

    return virtual_time.run(play())


def step_of_write(nth: int, writes: Sequence[int]) -> tuple[int, int]:
    """The step that makes the n-th write of all, and which of its own that is. writes: how many had been made by the end of each step.

    Steps are counted from 0, writes from 1. Examples: (1, [4, 9]) -> (0, 1); (4, [4, 9]) -> (0, 4); (6, [4, 9]) -> (1, 2)
    """
    step = bisect_left(writes, nth)
    return step, nth - (writes[step - 1] if step else 0)


@dataclass(frozen=True)
class PlayedFlow:
    """A flow without a fault. moments: before each step; writes until, and states at, the end of each."""

    steps: Sequence[Callable[[OperatorWorld], Any]]
    moments: Sequence[Moment[OperatorWorld]]
    writes: Sequence[int]
    states: Sequence[Any]

    def kill_after(self, nth: int) -> None:
        """Plays it anew from the step that makes the n-th write, whose operator is killed after it: it comes to the same end."""
        step, own = step_of_write(nth, self.writes)

        async def play(world: OperatorWorld) -> None:
            strike = Strike(own, Killed)
            world.server.after = strike
            await world.play(*self.steps[step:])
            assert (strike.has_struck, world.kills) == (True, 1)
            assert world.state() == self.states[-1], f"killed after write {own} of step {step}"

        self.moments[step].run(play)


def played(steps: Sequence[Callable[[OperatorWorld], Any]], check: Callable[[OperatorWorld, int], None]) -> PlayedFlow:
    """Plays steps in a new world, each until it has come to rest. check: is called with the world and the step at the end of each."""

    async def play() -> PlayedFlow:
        world = OperatorWorld()
        flow = PlayedFlow(steps, moments := [], writes := [], states := [])
        for number, step in enumerate(steps):
            moments.append(Moment(world))
            await world.play(step)
            writes.append(len(world.server.writes))
            states.append(world.state())
            check(world, number)
        return flow

    return virtual_time.run(play())
