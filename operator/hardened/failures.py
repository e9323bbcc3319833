"""What a failure of the API server means, to the operator and to hardenctl alike: a reply whose code is not 2xx becomes the error tree."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from hardened.errors import ApiFailure, LookAgain, Refused, TryAgain, Vanished

#: Reasons of a Refused with status 403 that tell it from a lack of rights. The server says `Forbidden` for all of them.
EXCEEDED_QUOTA: Final = "ExceededQuota"
NAMESPACE_TERMINATING: Final = "NamespaceTerminating"
#: How the API server (1.36) begins its 500 for an apply that does not fit the schema.
_UNTYPED: Final = "failed to create typed patch object"


@dataclass(frozen=True)
class FailedReply:
    """A reply whose code is not 2xx, read. The body of most is the server's Status object; of a proxy's it can be anything."""

    code: int
    """Of HTTP."""
    reason: str
    """In one word, as the server writes it; "" where it says none."""
    message: str
    """In the words of the server, of any length; `HTTP <code>` where it says none."""
    causes: tuple[Mapping[str, Any], ...]
    """Each part of the failure by itself, as the server writes it: with `reason`, `message` and `field`, each of which may be missing."""
    retry_after: float | None
    """The least number of seconds to wait that the server asked for, None for none."""


def read_failed(code: int, headers: Mapping[str, str], body: str | bytes, *, longest_wait: float) -> FailedReply:
    """headers: without regard to case; longest_wait: the most seconds that a Retry-After can ask for."""
    status = _status(body)
    return FailedReply(
        code=code,
        reason=str(status.get("reason") or ""),
        message=str(status.get("message") or f"HTTP {code}"),
        causes=tuple(_causes(status)),
        retry_after=_retry_after(headers, status, longest_wait),
    )


def failure_of(reply: FailedReply, message: str) -> ApiFailure:
    """The error for a reply, by what its catcher must do. message: what it is to say, which may be shorter or longer than the server's."""
    code, reason = reply.code, reply.reason
    match code:
        case 404:
            return Vanished(message, status=code, reason=reason)
        case 409:
            return LookAgain(message, status=code, reason=reason)
        case 401 | 408 | 410 | 425 | 429:
            return TryAgain(message, status=code, reason=reason, retry_after=reply.retry_after)
        case 422 if any(cause.get("field") == "metadata.uid" for cause in reply.causes):
            # What the server says to an apply with the uid of a predecessor; without an object at all it says 409.
            return LookAgain(message, status=code, reason=reason)
        case 500 if _UNTYPED in reply.message:
            # A field of the wrong type, or one that the schema lacks: the server's code says its fault, but no repetition helps.
            return Refused(message, status=code, reason=reason)
        case 403:
            return Refused(message, status=code, reason=_why_forbidden(reply))
        case _ if 400 <= code < 500:
            return Refused(message, status=code, reason=reason)
        case _:
            return TryAgain(message, status=code, reason=reason, retry_after=reply.retry_after)


def _status(body: str | bytes) -> dict[str, Any]:
    """The server's Status object; {} when the body is something else (a proxy's page, the `404 page not found` of an unknown kind)."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) and found.get("kind") == "Status" else {}


def _causes(status: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    details = status.get("details")
    causes = details.get("causes") if isinstance(details, dict) else None
    return [cause for cause in causes if isinstance(cause, dict)] if isinstance(causes, list) else []


def _why_forbidden(reply: FailedReply) -> str:
    if any(cause.get("reason") == NAMESPACE_TERMINATING for cause in reply.causes):
        return NAMESPACE_TERMINATING
    # The quota plugin has no cause of its own: its words are the only mark (k8s.io/apiserver, admission/plugin/resourcequota). The second
    # are those of a quota that was made a moment ago and is not counted yet.
    return EXCEEDED_QUOTA if "exceeded quota:" in reply.message or "status unknown for quota:" in reply.message else reply.reason


def _retry_after(headers: Mapping[str, str], status: Mapping[str, Any], longest: float) -> float | None:
    details = status.get("details")
    asked = headers.get("Retry-After") or (details.get("retryAfterSeconds") if isinstance(details, dict) else None)
    if asked is None:
        return None
    try:
        seconds = float(asked)
    except (TypeError, ValueError):
        return None  # a date is allowed by HTTP; the API server sends seconds
    return min(seconds, longest) if seconds > 0 else None
