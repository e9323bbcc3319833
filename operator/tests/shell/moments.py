"""Worlds at rest that are kept: what many cases begin with is played once, and each goes on from there by itself."""

import copy
from bisect import bisect_left
from collections.abc import Callable, Coroutine, Sequence
from functools import cache
from typing import Any, Generic, TypeVar

from tests.shell import virtual_time
from tests.shell.operator_world import OperatorWorld

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
