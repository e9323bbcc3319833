"""A fault is where x what x how long; armed, it also remembers what it has seen and hit in one run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

from e2e.faults.calls import Operation
from e2e.faults.effects import Answer, Drop, Effect, Hold, Kill, Moment, Silence
from e2e.faults.watches import WatchEffect
from e2e.faults.where import Where

FOREVER = 2**62
"""For `Fault.times`: every call from the first hit on."""


@dataclass(frozen=True, slots=True)
class Fault:
    """`what` happens to the call that `where` picks, to the `times` - 1 calls of its sort that follow it, and to any further one until
    `seconds` after the first hit. The default is: once."""

    where: Where
    what: Effect
    times: int = 1
    seconds: float = 0.0

    def __post_init__(self) -> None:
        if isinstance(self.what, get_args(WatchEffect)) and self.where.verb != "watch":
            raise ValueError(f"{self.what} is for watches only: say Where(verb='watch', ...)")
        if isinstance(self.what, Answer | Drop | Silence | Hold) and self.what.when is Moment.AFTER_REPLY:
            raise ValueError(f"{self.what}: after the reply only Kill makes sense")
        if isinstance(self.what, Kill) and self.where.verb == "watch" and self.what.when is Moment.AFTER_REPLY:
            raise ValueError("a watch has no end of its reply: kill it at another call")

    def __str__(self) -> str:
        lasting = f" for {self.seconds:g} s" if self.seconds else ""
        lasting += f" {'forever' if self.times >= FOREVER else f'{self.times} times'}" if self.times > 1 else ""
        return f"{self.what} @ {self.where}{lasting}"


class Armed:
    """One fault in one run. `hits` is how often it struck: a plan whose fault never struck has proved nothing."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.seen = 0
        self.hits = 0
        self.last_hit = 0.0
        self._first_hit = 0.0

    def sees(self, operation: Operation) -> bool:
        """Counts the operation if it is of the fault's sort, and says whether it is."""
        fits = self.fault.where.fits(operation)
        self.seen += fits
        return fits

    def is_due(self, now: float) -> bool:
        """Whether the operation just seen is to be hit."""
        if not self.hits:
            return self.seen >= self.fault.where.nth
        return self.hits < self.fault.times or now - self._first_hit < self.fault.seconds

    def hit(self, now: float) -> None:
        if not self.hits:
            self._first_hit = now
        self.hits += 1
        self.last_hit = now


def pick(armed: list[Armed], operation: Operation, now: float) -> Fault | None:
    """The first fault that is due for this operation, counted as a hit. Every fault counts what it sees, hit or not."""
    fitting = [one for one in armed if one.sees(operation)]
    due = next((one for one in fitting if one.is_due(now)), None)
    if due is None:
        return None
    due.hit(now)
    return due.fault
