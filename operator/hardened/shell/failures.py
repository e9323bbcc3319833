"""The failures of the operator's calls: each says which call it was, in a bounded message."""

from collections.abc import Mapping
from typing import Final

from hardened.errors import ApiFailure, TryAgain
from hardened.failures import failure_of, read_failed

#: A message goes into logs and conditions; the server may quote a whole list of wrong fields in it.
MESSAGE_LIMIT: Final = 1024
#: The longest wait that a Retry-After can ask of us: a mistaken one must not silence a service for a day.
RETRY_AFTER_LIMIT: Final = 300.0


def failure(call: str, code: int, headers: Mapping[str, str], text: str | bytes) -> ApiFailure:
    """The error for a reply whose code is not 2xx. `call` says which call it was: `apply deployments shop/web-blue`."""
    reply = read_failed(code, headers, text, longest_wait=RETRY_AFTER_LIMIT)
    return failure_of(reply, _cut(f"{call}: {reply.message}"))


def no_reply(call: str, error: BaseException) -> TryAgain:
    """The error for a call that got no reply, or half of one. Says the class and, of network errors, the text: no token is in either."""
    said = f"{type(error).__name__}: {error}" if isinstance(error, OSError) and str(error) else type(error).__name__
    return TryAgain(_cut(f"{call}: no usable reply ({said})"))


def _cut(message: str) -> str:
    return message if len(message) <= MESSAGE_LIMIT else message[: MESSAGE_LIMIT - 1] + "…"
