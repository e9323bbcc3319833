"""One HTTP call to the API server: what both client libraries offer to the rest."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True)
class HttpCall:
    """path: with its query; repeated: headers that may be there more than once; certificate: the paths of a client certificate and of its
    key, None for the kubeconfig's own; timeout: seconds without a byte, None for no bound; is_stream: the reply is read line by line."""

    method: str
    path: str
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    repeated: Sequence[tuple[str, str]] = ()
    certificate: tuple[str, str] | None = None
    timeout: float | None = None
    is_stream: bool = False


@dataclass(frozen=True)
class HttpReply:
    """body: complete, unless the call was a stream that succeeded; then `lines` gives it as it comes."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""
    lines: Iterable[bytes] = ()


class Transport(Protocol):
    """Sends calls to one cluster.

    Raises TryAgain when no reply comes, CommandEnd when there are no usable credentials. A stream's lines raise TryAgain as well. No error
    holds a header, or the body.
    """

    def send(self, call: HttpCall) -> HttpReply: ...
