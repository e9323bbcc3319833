"""Where the requests go, and the bytes that they are."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from hardened.load.errors import BadLoad, check_bounds

_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE: Final = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_PATH: Final = re.compile(r"/[\x21-\x7e]*")
_HOST: Final = re.compile(r"[0-9A-Za-z._:-]+")
_AUTHORITY: Final = re.compile(r"[0-9A-Za-z._:\[\]-]+")
#: Headers that say how the message ends or the connection is used: ours to write.
_RESERVED: Final = frozenset({"connection", "content-length", "host", "transfer-encoding"})


@dataclass(frozen=True)
class LoadTarget:
    """GET http://host:port/path, without TLS; no redirect is followed, no other host is ever asked.

    host: a name, or an address (IPv6 without brackets); path: with its query, in ASCII; headers: sent along with each request;
    authority: what the Host header says instead of host and port.
    Raises BadLoad for what would not be one well-formed request.
    """

    host: str
    port: int
    path: str = "/"
    headers: Mapping[str, str] = field(default_factory=dict)
    authority: str = ""

    def __post_init__(self) -> None:
        check_bounds("the port", self.port, 1, 65535)
        if not _HOST.fullmatch(self.host):
            raise BadLoad(f"the host {self.host!r} is neither a name nor an address")
        if self.authority and not _AUTHORITY.fullmatch(self.authority):
            raise BadLoad(f"the authority {self.authority!r} is neither a name nor an address, with or without a port")
        if not _PATH.fullmatch(self.path):
            raise BadLoad(f"the path {self.path!r} must begin with / and be ASCII without spaces; write others as %20")
        for name, value in self.headers.items():
            if not _TOKEN.fullmatch(name) or not _VALUE.fullmatch(value):
                raise BadLoad(f"the header {name!r} is not one line of `Name: value`")
            if name.lower() in _RESERVED:
                raise BadLoad(f"the header {name!r} is written by the generator: leave it out")

    def request(self, *, keeps_alive: bool) -> bytes:
        """The request, whole. keeps_alive: whether the connection is to be used again."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        fields = {"Host": self.authority or f"{host}:{self.port}", "User-Agent": "hardened-load", "Accept": "*/*", **self.headers}
        if not keeps_alive:
            fields["Connection"] = "close"
        return "\r\n".join([f"GET {self.path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items()), "", ""]).encode("latin-1")
