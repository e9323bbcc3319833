"""The error tree: each class is named by what its catcher must do.

HardenedError
├── InvalidSpec      tell the user which field is wrong; wait until the spec changes
└── ApiFailure       a call to the API server did not do what it should
    ├── TryAgain     nothing is known to be wrong: retry with back-off (time-outs, 429, 5xx, cut replies, 401)
    ├── LookAgain    the world moved: observe anew, then decide again (409)
    ├── Vanished     the object, its namespace or its kind is not there (404)
    └── Refused      the server will not take it as it is: report it, retry slowly (400, 403, 405, 413, 415, 422)
"""

from collections.abc import Sequence
from dataclasses import dataclass


class HardenedError(Exception):
    """Everything that Hardened raises on purpose."""


@dataclass(frozen=True)
class FieldError:
    """One wrong field: `path` as kubectl prints it, e.g. `spec.ports[0].containerPort`."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


class InvalidSpec(HardenedError):
    """The spec cannot be used as it is; `errors` names each field and its remedy, in the order of the document."""

    def __init__(self, errors: Sequence[FieldError]) -> None:
        self.errors = tuple(errors)
        super().__init__("; ".join(map(str, self.errors)))


class ApiFailure(HardenedError):
    """A call to the API server failed.

    message: what the server or the network said, without secrets; status: the HTTP code, 0 when no reply came;
    reason: the `reason` of the server's Status object (`AlreadyExists`, `NamespaceTerminating`, …), "" when unknown.
    """

    def __init__(self, message: str, *, status: int = 0, reason: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.reason = reason


class TryAgain(ApiFailure):
    """`retry_after` is the least number of seconds to wait that the server asked for, or None."""

    def __init__(self, message: str, *, status: int = 0, reason: str = "", retry_after: float | None = None) -> None:
        super().__init__(message, status=status, reason=reason)
        self.retry_after = retry_after


class LookAgain(ApiFailure):
    """What the call was planned on is no longer true."""


class Vanished(ApiFailure):
    """There is no such object."""


class Refused(ApiFailure):
    """The server understood, and said no."""
