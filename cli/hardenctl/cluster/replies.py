"""What hardenctl tells more of than the error tree has: the fields that others manage, and those that the server finds wrong."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hardened.errors import ApiFailure, FieldError, LookAgain, Refused, TryAgain, Vanished
from hardened.failures import failure_of, read_failed

#: The longest wait in seconds that a Retry-After can ask of a person at a prompt.
LONGEST_WAIT = 30.0
_OWNER = re.compile(r'conflict with "([^"]+)"')


@dataclass(frozen=True)
class FieldConflict:
    """A field that another manager has set to another value."""

    field: str
    """Its path, as kubectl prints it."""
    manager: str
    """Who has set it."""


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
    """The error for a reply whose code is not 2xx: in the server's words, with the fields that it names."""
    if code < 500 and (is_page(body) or code < 400):
        # Whatever its code says, it is not the API server that says it.
        return not_the_server(f"HTTP {code}, with a web page" if is_page(body) else f"HTTP {code}, a redirection")
    reply = read_failed(code, headers, body, longest_wait=LONGEST_WAIT)
    if is_page(body):
        return failure_of(reply, f"HTTP {code} with a web page, from a proxy before it")
    conflicts = tuple(_conflicts(reply.causes))
    if code == 409 and conflicts:
        return Conflict(reply.message, conflicts)
    if code == 422 and reply.causes:
        wrong = tuple(FieldError(str(cause.get("field", "")), str(cause.get("message", ""))) for cause in reply.causes)
        return InvalidFields(reply.message, wrong, status=code, reason=reply.reason)
    return failure_of(reply, reply.message)


def is_page(body: bytes) -> bool:
    """A page for people, as proxies and login pages send it: no API server writes HTML."""
    return body[:200].lstrip().startswith(b"<")


def not_the_server(what: str) -> TryAgain:
    """The error for an answer that somebody else gave. what: it came in its place."""
    return TryAgain(f"the answer is {what}: does a proxy or a login page stand before the API server, or is the kubeconfig's server wrong?")


def is_kind_missing(error: Vanished) -> bool:
    """It is the kind that the server does not know, not the object."""
    return "could not find the requested resource" in error.message or error.message.startswith("HTTP")


def of_watch(status: Mapping[str, Any]) -> ApiFailure:
    """The error that an ERROR event of a watch carries."""
    return failure(int(status.get("code") or 500), {}, json.dumps(status).encode())


def _conflicts(causes: Iterable[Mapping[str, Any]]) -> Iterator[FieldConflict]:
    for cause in causes:
        owner = _OWNER.search(str(cause.get("message", "")))
        if cause.get("reason") == "FieldManagerConflict" and owner:
            yield FieldConflict(str(cause.get("field", "")).lstrip("."), owner[1])
