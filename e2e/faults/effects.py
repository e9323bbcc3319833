"""What a fault does to one call: values only. perform.py carries them out, watches.py has those for watch streams."""

from __future__ import annotations

import asyncio
import enum
import signal as signals
from dataclasses import dataclass, field

from e2e.faults.watches import WatchEffect


class Moment(enum.Enum):
    """When, seen from the write: not yet sent; done by the API server but not answered; answered."""

    BEFORE = "before"
    AFTER_EFFECT = "after-effect"
    AFTER_REPLY = "after-reply"


@dataclass(frozen=True, slots=True)
class Answer:
    """Another answer than the API server's: instead of asking it (BEFORE), or after it did the work (AFTER_EFFECT).

    body: None is the Status that an API server sends with this code. retry_after: seconds, sent as Retry-After and in the Status.
    """

    code: int
    retry_after: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    when: Moment = Moment.BEFORE

    def __str__(self) -> str:
        return f"answer {self.code}" + (f" retry-after {self.retry_after}" if self.retry_after is not None else "") + _suffix(self.when)


@dataclass(frozen=True, slots=True)
class Drop:
    """The connection is reset (TCP RST) instead of an answer."""

    when: Moment = Moment.BEFORE

    def __str__(self) -> str:
        return f"reset{_suffix(self.when)}"


@dataclass(frozen=True, slots=True)
class Silence:
    """No answer for so many seconds; then the connection is reset, if the client still has it."""

    seconds: float = 60.0
    when: Moment = Moment.BEFORE

    def __str__(self) -> str:
        return f"no reply for {self.seconds:g} s{_suffix(self.when)}"


@dataclass(frozen=True, slots=True)
class Truncate:
    """The body ends after so many bytes, at least one too early.

    complete: False ends the connection in the middle of the message; True sends a whole message with half a document in it.
    """

    keep_bytes: int = 20
    complete: bool = False

    def __str__(self) -> str:
        return f"truncated {'document' if self.complete else 'message'}"


@dataclass(frozen=True, slots=True, eq=False)
class Hold:
    """The call waits for `release`, at most `limit` seconds, and then goes on as if nothing had been. `reached` tells that it waits.

    Made for a test that wants to look at the cluster in between: await hold.reached.wait(); look; hold.release.set().
    """

    when: Moment = Moment.BEFORE
    limit: float = 60.0
    reached: asyncio.Event = field(default_factory=asyncio.Event, repr=False)
    release: asyncio.Event = field(default_factory=asyncio.Event, repr=False)

    def __str__(self) -> str:
        return f"hold{_suffix(self.when)}"


@dataclass(frozen=True, slots=True)
class Kill:
    """A signal to the client process, by the callback given to FaultProxy.on_kill.

    With SIGKILL the connection is dropped as well and, BEFORE, nothing is sent. With any other signal the call goes on unharmed.
    """

    when: Moment = Moment.BEFORE
    signal: signals.Signals = signals.SIGKILL

    def __str__(self) -> str:
        return f"{self.signal.name}{_suffix(self.when, show_before=True)}"


Effect = Answer | Drop | Silence | Truncate | Hold | Kill | WatchEffect


def _suffix(when: Moment, *, show_before: bool = False) -> str:
    return f" {when.value}" if show_before or when is not Moment.BEFORE else ""
