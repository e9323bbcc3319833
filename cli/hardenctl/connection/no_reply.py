"""The error for a call that got no reply: why, out of what the client libraries wrap it in."""

import socket
import ssl
from collections.abc import Iterator

from hardened.errors import TryAgain


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
