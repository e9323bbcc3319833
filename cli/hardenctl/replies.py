"""The one place where replies and network errors become the error tree."""

import json
import re
import socket
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hardened.errors import ApiFailure, FieldError, LookAgain, Refused, TryAgain, Vanished

_OWNER = re.compile(r'conflict with "([^"]+)"')


@dataclass(frozen=True)
class FieldConflict:
    """A field that another manager has set to another value."""

    field: str
    manager: str


class Conflict(LookAgain):
    """A server-side apply was refused, because others own some of its fields."""

    def __init__(self, message: str, conflicts: tuple[FieldConflict, ...]) -> None:
        super().__init__(message, status=409, reason="Conflict")
        self.conflicts = conflicts


class Invalid(Refused):
    """The server found fields wrong: `errors` names them as the server does."""

    def __init__(self, message: str, errors: tuple[FieldError, ...], *, status: int, reason: str) -> None:
        super().__init__(message, status=status, reason=reason)
        self.errors = errors


def failure(code: int, headers: Mapping[str, str], body: bytes) -> ApiFailure:
    """The error for a reply whose code is not 2xx."""
    status = _status(body)
    said, reason = str(status.get("message") or f"HTTP {code}"), str(status.get("reason") or "")
    causes = [cause for cause in (status.get("details") or {}).get("causes") or () if isinstance(cause, dict)]
    match code:
        case 404:
            return Vanished(said, status=code, reason=reason)
        case 409:
            found = tuple(_conflicts(causes))
            return Conflict(said, found) if found else LookAgain(said, status=code, reason=reason)
        case 422 if causes:
            wrong = tuple(FieldError(str(c.get("field", "")), str(c.get("message", ""))) for c in causes)
            return Invalid(said, wrong, status=code, reason=reason)
        case 401 | 408 | 410 | 425 | 429:
            return TryAgain(said, status=code, reason=reason, retry_after=_retry_after(headers))
        case _ if 400 <= code < 500:
            return Refused(said, status=code, reason=reason)
        case _:
            return TryAgain(said, status=code, reason=reason, retry_after=_retry_after(headers))


def of_watch(status: Mapping[str, Any]) -> ApiFailure:
    """The error that an ERROR event of a watch carries."""
    return failure(int(status.get("code") or 500), {}, json.dumps(status).encode())


def no_reply(server: str, error: BaseException) -> TryAgain:
    """The error for a call that got no reply, or half of one."""
    return TryAgain(f"{server}: {_cause(error)}")


def _cause(error: BaseException) -> str:
    chain = list(_chain(error))
    for link in chain:
        if isinstance(link, ssl.SSLCertVerificationError):
            return f"its certificate is not trusted: {link.verify_message}"
    for link in chain:
        if isinstance(link, socket.gaierror):
            return "there is no such host"
        if isinstance(link, TimeoutError) or "Timeout" in type(link).__name__:
            return "no reply in time"
        if isinstance(link, ssl.SSLError):
            return f"TLS failed: {getattr(link, 'reason', None) or link}"
    own = [link for link in chain if isinstance(link, OSError) and link.errno and link.strerror]
    return str(own[-1].strerror) if own else f"no usable reply ({type(error).__name__})"


def _chain(error: BaseException | None, depth: int = 12) -> Iterator[BaseException]:
    # The HTTP libraries wrap the real cause in `reason`, in the arguments, or as context.
    if error is None or depth == 0:
        return
    yield error
    inner = [getattr(error, "reason", None), error.__cause__, error.__context__, *error.args]
    for link in inner:
        if isinstance(link, BaseException) and link is not error:
            yield from _chain(link, depth - 1)
            return


def _status(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) and found.get("kind") == "Status" else {}


def _conflicts(causes: list[dict[str, Any]]) -> Iterator[FieldConflict]:
    for cause in causes:
        owner = _OWNER.search(str(cause.get("message", "")))
        if cause.get("reason") == "FieldManagerConflict" and owner:
            yield FieldConflict(str(cause.get("field", "")).lstrip("."), owner[1])


def _retry_after(headers: Mapping[str, str]) -> float | None:
    try:
        return min(float(headers.get("Retry-After", "")), 30.0)
    except ValueError:
        return None
