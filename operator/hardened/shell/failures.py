"""The one place where replies and network errors become the error tree."""

import json
from collections.abc import Mapping
from typing import Any, Final

from hardened.errors import ApiFailure, LookAgain, Refused, TryAgain, Vanished
from hardened.shell.api_server import EXCEEDED_QUOTA, NAMESPACE_TERMINATING

#: A message goes into logs and conditions; the server may quote a whole list of wrong fields in it.
MESSAGE_LIMIT: Final = 1024
#: The longest wait that a Retry-After can ask of us: a mistaken one must not silence a service for a day.
RETRY_AFTER_LIMIT: Final = 300.0


#: How the API server (1.36) begins its 500 for an apply that does not fit the schema.
_UNTYPED: Final = "failed to create typed patch object"


def failure(call: str, code: int, headers: Mapping[str, str], text: str | bytes) -> ApiFailure:
    """The error for a reply whose code is not 2xx. `call` says which call it was: `apply deployments shop/web-blue`."""
    status = _status(text)
    reason = str(status.get("reason") or "")
    said = str(status.get("message") or f"HTTP {code}")
    message = _cut(f"{call}: {said}")
    match code:
        case 404:
            return Vanished(message, status=code, reason=reason)
        case 409:
            return LookAgain(message, status=code, reason=reason)
        case 401 | 408 | 410 | 425 | 429:
            return TryAgain(message, status=code, reason=reason, retry_after=_retry_after(headers, status))
        case 422 if _is_about_uid(status):
            # What the server says to an apply with the uid of a predecessor; without an object at all it says 409.
            return LookAgain(message, status=code, reason=reason)
        case 500 if _UNTYPED in said:
            # A field of the wrong type, or one that the schema lacks: the server's code says its fault, but no repetition helps.
            return Refused(message, status=code, reason=reason)
        case 403:
            return Refused(message, status=code, reason=_why_forbidden(reason, said, status))
        case _ if 400 <= code < 500:
            return Refused(message, status=code, reason=reason)
        case _:
            return TryAgain(message, status=code, reason=reason, retry_after=_retry_after(headers, status))


def no_reply(call: str, error: BaseException) -> TryAgain:
    """The error for a call that got no reply, or half of one. Says the class and, of network errors, the text: no token is in either."""
    said = f"{type(error).__name__}: {error}" if isinstance(error, OSError) and str(error) else type(error).__name__
    return TryAgain(_cut(f"{call}: no usable reply ({said})"))


def _status(text: str | bytes) -> dict[str, Any]:
    """The server's Status object; {} when the body is something else (a proxy's page, the `404 page not found` of an unknown kind)."""
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) and body.get("kind") == "Status" else {}


def _causes(status: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    details = status.get("details")
    causes = details.get("causes") if isinstance(details, dict) else None
    return [cause for cause in causes if isinstance(cause, dict)] if isinstance(causes, list) else []


def _is_about_uid(status: Mapping[str, Any]) -> bool:
    return any(cause.get("field") == "metadata.uid" for cause in _causes(status))


def _why_forbidden(reason: str, said: str, status: Mapping[str, Any]) -> str:
    if any(cause.get("reason") == NAMESPACE_TERMINATING for cause in _causes(status)):
        return NAMESPACE_TERMINATING
    # The quota plugin has no cause of its own: its words are the only mark (k8s.io/apiserver, admission/plugin/resourcequota). The second
    # are those of a quota that was made a moment ago and is not counted yet.
    return EXCEEDED_QUOTA if "exceeded quota:" in said or "status unknown for quota:" in said else reason


def _retry_after(headers: Mapping[str, str], status: Mapping[str, Any]) -> float | None:
    details = status.get("details")
    asked = headers.get("Retry-After") or (details.get("retryAfterSeconds") if isinstance(details, dict) else None)
    if asked is None:
        return None
    try:
        seconds = float(asked)
    except (TypeError, ValueError):
        return None  # a date is allowed by HTTP; the API server sends seconds
    return min(seconds, RETRY_AFTER_LIMIT) if seconds > 0 else None


def _cut(message: str) -> str:
    return message if len(message) <= MESSAGE_LIMIT else message[: MESSAGE_LIMIT - 1] + "…"
