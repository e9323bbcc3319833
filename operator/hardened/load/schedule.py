"""When each request is due. Pure: randomness is an argument."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate, count, repeat
from random import Random
from typing import Final

from hardened.load.errors import BadLoad, check_bounds

#: Bounds of one run. The time series keeps two numbers for each second: a day is 1.4 MB.
MAX_RATE: Final = 100_000.0
MAX_SECONDS: Final = 86_400.0
MAX_REQUESTS: Final = 50_000_000


@dataclass(frozen=True)
class Stage:
    """rate: requests per second, 0 for a pause; seconds: how long. Raises BadLoad outside the bounds above."""

    rate: float
    seconds: float

    def __post_init__(self) -> None:
        check_bounds("the rate of a stage", self.rate, 0, MAX_RATE)
        check_bounds("the seconds of a stage", self.seconds, 0, MAX_SECONDS)


@dataclass(frozen=True)
class Schedule:
    """Stages, one after the other: one for a constant rate, many for a ramp, a high one between two low ones for a spike.

    Raises BadLoad when together they are longer, or more, than one run may be.
    """

    stages: tuple[Stage, ...]

    def __post_init__(self) -> None:
        check_bounds("the duration of all stages", self.seconds, 0, MAX_SECONDS)
        check_bounds("the number of requests", self.requests, 0, MAX_REQUESTS)
        if not self.seconds:
            raise BadLoad("a schedule needs a stage that lasts")

    @classmethod
    def constant(cls, rate: float, seconds: float) -> "Schedule":
        return cls((Stage(rate, seconds),))

    @property
    def seconds(self) -> float:
        """How long the stages are together."""
        return sum(stage.seconds for stage in self.stages)

    @property
    def requests(self) -> float:
        """How many requests are due; the expected number where they arrive at random."""
        return sum(stage.rate * stage.seconds for stage in self.stages)

    def arrivals(self, rng: Random | None = None) -> Iterator[float]:
        """Seconds from the start of the run at which each request is due, in order.

        rng: None spaces them evenly, the first at once; else they are a Poisson process, as of many users who know nothing of each other.
        Example: two stages (2/s, 1 s) and (4/s, 0.5 s) -> 0, 0.5, 1, 1.25.
        """
        # Both are laid out on an axis of one request per unit, and stretched by the rate: the time of an arrival never
        # depends on the one before, so that rounding errors do not add up, and a fraction goes over from stage to stage.
        units: Iterable[float] = count() if rng is None else accumulate(rng.expovariate(1) for _ in repeat(None))
        begun = passed = 0.0
        waiting = iter(units)
        unit = next(waiting)
        for stage in self.stages:
            until = passed + stage.rate * stage.seconds
            while unit < until:
                yield begun + (unit - passed) / stage.rate
                unit = next(waiting)
            begun, passed = begun + stage.seconds, until
