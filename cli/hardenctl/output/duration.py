"""Spans of time: how they are typed, how they are shown, and when they are over."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass

from hardenctl.output.outcome import usage

_PARTS = re.compile(r"^(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s?)?$")
_LONGEST = 7 * 24 * 3600.0


def seconds(text: str, flag: str, form: str = "30s, 10m or 1h30m") -> float:
    """A duration as kubectl takes it, in seconds. Examples: "10m" -> 600; "1h30m" -> 5400; "45" -> 45; "0" -> 0.

    form: how the flag may be written. Raises CommandEnd (usage) for anything else, and for more than a week.
    """
    match = _PARTS.match(text)
    if not match or not text:
        raise usage(f"{flag} {text!r} is not a duration", f"write it as {form}")
    hours, minutes, rest = (float(part or 0) for part in match.groups())
    found = hours * 3600 + minutes * 60 + rest
    if found > _LONGEST:
        raise usage(f"{flag} {text!r} is more than a week")
    return found


def shown(span: float) -> str:
    """A span in seconds, for people. Examples: 7.4 -> "7s"; 600 -> "10m"; 5405 -> "1h30m5s"."""
    whole = int(span)
    parts = [(whole // 3600, "h"), (whole % 3600 // 60, "m"), (whole % 60, "s")]
    return "".join(f"{count}{unit}" for count, unit in parts if count) or "0s"


@dataclass(frozen=True)
class Deadline:
    """A moment on the monotonic clock, or never."""

    at: float | None
    """In its seconds, None for never."""
    clock: Callable[[], float] = time.monotonic
    """Gives the seconds now."""

    @classmethod
    def after(cls, span: float | None, clock: Callable[[], float] = time.monotonic) -> "Deadline":
        """span: seconds from now; None: never."""
        return cls(None if span is None else clock() + span, clock)

    @property
    def has_passed(self) -> bool:
        """True from the moment on."""
        return self.at is not None and self.clock() >= self.at

    def within(self, most: float) -> float:
        """Seconds until the deadline, at least 0, at most `most`."""
        return most if self.at is None else max(0.0, min(most, self.at - self.clock()))


NEVER = Deadline(None)
