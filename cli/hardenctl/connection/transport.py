"""One HTTP call to the API server: what both client libraries offer to the rest."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True)
class HttpCall:
    """One request."""

    method: str
    """GET, POST or PATCH."""
    path: str
    """With its query."""
    body: bytes | None = None
    """None for none."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """One value for each name."""
    repeated: Sequence[tuple[str, str]] = ()
    """Headers that may be there more than once."""
    certificate: tuple[str, str] | None = None
    """The paths of a client certificate and of its key, None for the kubeconfig's own."""
    timeout: float | None = None
    """Seconds without a byte, None for no bound."""
    is_stream: bool = False
    """The reply is read line by line."""


@dataclass(frozen=True)
class HttpReply:
    """What came back."""

    status: int
    """The HTTP code."""
    headers: Mapping[str, str]
    """By name, in any case."""
    body: bytes = b""
    """Complete, unless the call was a stream that succeeded."""
    lines: Iterable[bytes] = ()
    """Of such a stream, as they come."""


class Transport(Protocol):
    """Sends calls to one cluster.

    Raises TryAgain when no reply comes, CommandEnd when there are no usable credentials. A stream's lines raise TryAgain as well. No error
    holds a header, or the body.
    """

    def send(self, call: HttpCall) -> HttpReply: ...
