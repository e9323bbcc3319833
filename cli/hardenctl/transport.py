"""One HTTP call to the API server: what both client libraries offer to the rest."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True)
class Call:
    """path: with its query; timeout: seconds without a byte, None for no bound; is_stream: the reply is read line by line."""

    method: str
    path: str
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout: float | None = None
    is_stream: bool = False


@dataclass(frozen=True)
class Reply:
    """body: complete, unless the call was a stream that succeeded; then `lines` gives it as it comes."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""
    lines: Iterable[bytes] = ()


class Transport(Protocol):
    """Sends calls with the credentials of one context.

    Raises TryAgain when no reply comes, Stop when there are no usable credentials. A stream's lines raise TryAgain as well.
    """

    def send(self, call: Call) -> Reply: ...
