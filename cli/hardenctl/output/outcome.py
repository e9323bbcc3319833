"""How a command can end: its exit code, and the word for it in JSON output."""

from collections.abc import Iterable
from enum import IntEnum, StrEnum

from hardened.errors import HardenedError


class Exit(IntEnum):
    """The exit codes, the same for every verb."""

    OK = 0
    FAILED = 1
    USAGE = 2
    REJECTED = 3
    REFUSED = 4
    UNANSWERED = 5
    TIMED_OUT = 124
    INTERRUPTED = 130
    BROKEN_PIPE = 141


#: Which of several ends is told by the exit code.
_WORST_FIRST = (Exit.FAILED, Exit.REJECTED, Exit.TIMED_OUT, Exit.OK)


def worst(codes: Iterable[Exit]) -> Exit:
    """The code of several services together."""
    return min(codes, key=_WORST_FIRST.index)


class ResultWord(StrEnum):
    """What `"result"` says in JSON output."""

    OK = "ok"
    WARNINGS = "warnings"
    HEALTHY = "healthy"
    AVAILABLE = "available"
    PENDING = "pending"
    PROGRESSING = "progressing"
    SUSPENDED = "suspended"
    PAUSED = "paused"
    DEGRADED = "degraded"
    REJECTED = "rejected"
    ROLLED_BACK = "rolledback"
    FAILED = "failed"
    DELETED = "deleted"
    SUPERSEDED = "superseded"
    APPLIED = "applied"
    REQUESTED = "requested"
    UNCHANGED = "unchanged"
    DIFFERS = "differs"
    NOT_FOUND = "notfound"
    INVALID = "invalid"
    REFUSED = "refused"
    UNANSWERED = "unanswered"
    TIMED_OUT = "timeout"
    INTERRUPTED = "interrupted"
    ERROR = "error"


class CommandEnd(HardenedError):
    """The command ends here, without what was asked of it.

    message: what is wrong, one or more lines; hint: what to do about it, "" if the message says so; next_step: a command to type.
    """

    def __init__(
        self, message: str, *, result: ResultWord = ResultWord.ERROR, code: Exit = Exit.FAILED, hint: str = "", next_step: str = ""
    ) -> None:
        super().__init__(message)
        self.message = message
        self.result = result
        self.code = code
        self.hint = hint
        self.next_step = next_step


def unanswered(message: str, hint: str = "", next_step: str = "") -> CommandEnd:
    """The cluster could not be asked: nothing is known of what was asked for, neither good nor bad."""
    return CommandEnd(message, result=ResultWord.UNANSWERED, code=Exit.UNANSWERED, hint=hint, next_step=next_step)


def usage(message: str, hint: str = "") -> CommandEnd:
    """The command line does not make sense."""
    return CommandEnd(message, result=ResultWord.INVALID, code=Exit.USAGE, hint=hint)
