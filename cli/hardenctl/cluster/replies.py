"""Replies become the error tree."""

import json
import re
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


class InvalidFields(Refused):
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
            return InvalidFields(said, wrong, status=code, reason=reason)
        case 401 | 408 | 410 | 425 | 429:
            return TryAgain(said, status=code, reason=reason, retry_after=_retry_after(headers))
        case _ if 400 <= code < 500:
            return Refused(said, status=code, reason=reason)
        case _:
            return TryAgain(said, status=code, reason=reason, retry_after=_retry_after(headers))


def of_watch(status: Mapping[str, Any]) -> ApiFailure:
    """The error that an ERROR event of a watch carries."""
    return failure(int(status.get("code") or 500), {}, json.dumps(status).encode())


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
