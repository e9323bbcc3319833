"""Reads one HTTP/1.1 reply to a GET out of bytes that come in pieces (RFC 9112). No I/O."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final, Literal, NamedTuple

#: A reply's head, one line of its chunked body, and its trailer may be as long as this, in bytes.
MAX_HEAD: Final = 65_536
_STATUS_LINE: Final = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9][0-9])(?: [^\r\n]*)?")
_NAME: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_FOLD: Final = re.compile(rb"\r\n[ \t]+")
_DIGITS: Final = re.compile(rb"[0-9]{1,18}")
_CHUNK_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;.*)?")


class BadReply(Exception):
    """These bytes are no HTTP/1.1 reply."""


class ServerReply(NamedTuple):
    """headers: by lower-case name, repeated ones joined by `, `; body: its first bytes, as many as were asked to be kept."""

    status: int
    headers: Mapping[bytes, bytes]
    body: bytes


class _Head(NamedTuple):
    """left: bytes of the body to come; None: as many as come before the connection ends. It is chunked, or has that length."""

    status: int
    headers: Mapping[bytes, bytes]
    left: int | None
    is_chunked: bool
    is_persistent: bool


class ReplyReader:
    """One reply. Give it bytes by `feed` until that is True, or ask `end` when no more will come; then look at `reply`.

    keep: how many bytes of the body to remember.
    """

    __slots__ = ("_body", "_buffer", "_expects", "_head", "_keep", "_left", "has_begun")

    def __init__(self, keep: int = 0) -> None:
        self._keep = keep
        self._buffer = bytearray()  # what is not understood yet; taken from its front, which is cheap for this type only
        self._head: _Head | None = None
        self._body = b""
        self._left: int | None = None  # bytes of the body, or of the present chunk, still to come; None: until the end of the connection
        self._expects: Literal["size", "end of chunk", "trailer"] = "size"  # the next line of a chunked body
        self.has_begun = False  # whether any byte has come

    @property
    def reply(self) -> ServerReply:
        """Raises ValueError before the head has come."""
        if self._head is None:
            raise ValueError("there is no reply yet")
        return ServerReply(self._head.status, self._head.headers, self._body)

    @property
    def keeps_alive(self) -> bool:
        """Whether the connection can be used again: the server means to, the reply had an end of its own, and nothing came after it."""
        return self._head is not None and self._head.is_persistent and not self._buffer

    def feed(self, data: bytes) -> bool:
        """True once the reply is whole. Raises BadReply."""
        self.has_begun = True
        self._buffer += data
        while self._head is None:
            if not self._read_head():
                return False
        return self._read_chunks() if self._head.is_chunked else self._read_body()

    def end(self) -> bool:
        """The connection has ended: whether the reply is whole by that."""
        return self._head is not None and not self._head.is_chunked and self._left is None

    def _read_head(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end > MAX_HEAD or (end < 0 and len(self._buffer) > MAX_HEAD):
            raise BadReply("a head that never ends")
        if end < 0:
            # Whoever does not speak HTTP may never send an empty line: it is told by the first bytes.
            if not b"HTTP/1.".startswith(self._buffer[:7]):
                raise BadReply("this is no HTTP/1.1")
            return False
        head = _head_of(bytes(self._buffer[:end]))
        del self._buffer[: end + 4]
        if head.status >= 200:
            # 1xx are news of a reply to come; what they say does not concern it.
            self._head, self._left = head, head.left
        return True

    def _read_body(self) -> bool:
        self._take()
        return self._left == 0

    def _read_chunks(self) -> bool:
        while True:
            if self._left:
                self._take()
                if self._left:
                    return False
            if (line := self._line()) is None:
                return False
            match self._expects:
                case "size":
                    size = _CHUNK_SIZE.fullmatch(line)
                    if size is None:
                        raise BadReply("a chunk without a size")
                    self._left = int(size[1], 16)
                    self._expects = "end of chunk" if self._left else "trailer"
                case "end of chunk":
                    if line:
                        raise BadReply("a chunk that is longer than its size")
                    self._expects = "size"
                case "trailer":
                    if not line:
                        return True

    def _line(self) -> bytes | None:
        """The next line without its end; None while it is not whole."""
        end = self._buffer.find(b"\r\n")
        if end > MAX_HEAD or (end < 0 and len(self._buffer) > MAX_HEAD):
            raise BadReply("a line that never ends")
        if end < 0:
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return line

    def _take(self) -> None:
        """Moves what belongs to the body, or to the present chunk, out of the buffer."""
        size = len(self._buffer) if self._left is None else min(self._left, len(self._buffer))
        if len(self._body) < self._keep:
            self._body += self._buffer[: min(size, self._keep - len(self._body))]
        del self._buffer[:size]
        if self._left is not None:
            self._left -= size


@lru_cache(maxsize=32)
def _head_of(text: bytes) -> _Head:
    """Cached, since a server's replies differ little: the same head is then read once a second, when its Date changes. Raises BadReply."""
    first, *lines = _FOLD.sub(b" ", text).split(b"\r\n")
    match = _STATUS_LINE.fullmatch(first)
    if match is None:
        raise BadReply("the first line is no status line")
    status, is_modern = int(match[2]), match[1] == b"1"
    if status == 101:
        raise BadReply("the server switched to another protocol, unasked")
    headers = _fields(lines)
    options = {option.strip().lower() for option in headers.get(b"connection", b"").split(b",")}
    left, is_chunked = _framing(status, headers, is_modern)
    has_end = is_chunked or left is not None
    is_persistent = has_end and b"close" not in options and (is_modern or b"keep-alive" in options)
    return _Head(status, headers, left, is_chunked, is_persistent)


def _framing(status: int, headers: Mapping[bytes, bytes], is_modern: bool) -> tuple[int | None, bool]:
    """How many bytes of body come, and whether it is chunked: RFC 9112, section 6.3."""
    coding, length = headers.get(b"transfer-encoding"), headers.get(b"content-length")
    if status < 200 or status in (204, 304):
        return 0, False
    if coding is not None:
        # We offered no other coding, and a length beside it is how requests and replies are smuggled.
        if coding.lower() != b"chunked" or length is not None or not is_modern:
            raise BadReply("a transfer-encoding that was not offered")
        return 0, True
    if length is None:
        return None, False
    values = {value.strip() for value in length.split(b",")}
    if len(values) != 1 or not _DIGITS.fullmatch(value := values.pop()):
        raise BadReply("a content-length that is no length")
    return int(value), False


def _fields(lines: list[bytes]) -> dict[bytes, bytes]:
    headers: dict[bytes, bytes] = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon or not _NAME.fullmatch(name):
            raise BadReply("a header line without a name")
        name, value = name.lower(), value.strip(b" \t")
        headers[name] = headers[name] + b", " + value if name in headers else value
    return headers
