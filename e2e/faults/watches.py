"""What a fault does to a watch stream: each effect is a transformer from the API server's lines to the client's lines.

`after_events` everywhere: so many events pass first. Bookmarks pass too but are not counted, since they come by the clock.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from e2e.faults.statuses import status_body

Lines = AsyncIterator[bytes]


class StreamReset(Exception):
    """The stream's connection is to be reset now."""


@dataclass(frozen=True, slots=True)
class EndWatch:
    """The stream ends in order, as when the server's time-out is over."""

    after_events: int = 0

    async def lines(self, upstream: Lines) -> Lines:
        async for line in _first(upstream, self.after_events):
            yield line

    def __str__(self) -> str:
        return "watch ends"


@dataclass(frozen=True, slots=True)
class ResetWatch:
    """The stream's connection is reset."""

    after_events: int = 0

    async def lines(self, upstream: Lines) -> Lines:
        async for line in _first(upstream, self.after_events):
            yield line
        raise StreamReset

    def __str__(self) -> str:
        return "watch reset"


@dataclass(frozen=True, slots=True)
class SilenceWatch:
    """The connection stays and nothing comes, not even a bookmark; after so many seconds it is reset.

    It never goes on: a server does not leave a gap in a stream, so a client need not expect one.
    """

    seconds: float = 90.0
    after_events: int = 0

    async def lines(self, upstream: Lines) -> Lines:
        async for line in _first(upstream, self.after_events):
            yield line
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.seconds):
                async for _ in upstream:
                    pass
                await asyncio.Event().wait()  # the server ended first; the silence goes on
        raise StreamReset

    def __str__(self) -> str:
        return f"watch silent for {self.seconds:g} s"


@dataclass(frozen=True, slots=True)
class WatchError:
    """An ERROR event with a Status of this code inside a stream of HTTP 200, then the end. 410 is "resourceVersion too old"."""

    code: int = 410
    after_events: int = 0

    async def lines(self, upstream: Lines) -> Lines:
        async for line in _first(upstream, self.after_events):
            yield line
        yield b'{"type":"ERROR","object":' + status_body(self.code) + b"}\n"

    def __str__(self) -> str:
        return f"watch ERROR {self.code}"


@dataclass(frozen=True, slots=True)
class GarbageLine:
    """One line that is not JSON; the stream goes on behind it."""

    line: bytes = b'{"type":"MODIFIED","obj\x00\xff\n'
    after_events: int = 0

    async def lines(self, upstream: Lines) -> Lines:
        async for line in _first(upstream, self.after_events):
            yield line
        yield self.line
        async for line in upstream:
            yield line

    def __str__(self) -> str:
        return "watch garbage line"


@dataclass(frozen=True, slots=True)
class DuplicateEvents:
    """Every event comes twice."""

    async def lines(self, upstream: Lines) -> Lines:
        async for line in upstream:
            yield line
            yield line

    def __str__(self) -> str:
        return "watch events twice"


@dataclass(frozen=True, slots=True)
class ReorderEvents:
    """Events of different objects change places in pairs; those of one object keep their order, and none is lost.

    An event waits for one of another object at most `patience` seconds, and a bookmark never overtakes one.
    """

    patience: float = 1.0

    async def lines(self, upstream: Lines) -> Lines:
        held = b""
        pending = asyncio.ensure_future(anext(upstream, b""))
        try:
            while True:
                await asyncio.wait({pending}, timeout=self.patience if held else None)
                if not pending.done():
                    yield held
                    held = b""
                    continue
                line = pending.result()
                if not line:
                    break
                pending = asyncio.ensure_future(anext(upstream, b""))
                if not held and _identity(line):
                    held = line
                    continue
                swaps = held and _identity(line) and _identity(line) != _identity(held)
                for event in (line, held) if swaps else (held, line):
                    if event:
                        yield event
                held = b""
            if held:
                yield held
        finally:
            pending.cancel()

    def __str__(self) -> str:
        return "watch reordered"


@dataclass(frozen=True, slots=True)
class BigEvent:
    """One event grows by this many bytes, in an annotation."""

    size: int = 1024 * 1024
    after_events: int = 0

    async def lines(self, upstream: Lines) -> Lines:
        async for line in _first(upstream, self.after_events):
            yield line
        async for line in upstream:
            grown = self._grow(line)
            yield grown
            if grown is not line:
                break
        async for line in upstream:
            yield line

    def _grow(self, line: bytes) -> bytes:
        if not _identity(line):
            return line
        event = _parse(line)
        event["object"]["metadata"].setdefault("annotations", {})["fault/padding"] = "x" * self.size
        return json.dumps(event).encode() + b"\n"

    def __str__(self) -> str:
        return f"watch event of {self.size} bytes"


WatchEffect = EndWatch | ResetWatch | SilenceWatch | WatchError | GarbageLine | DuplicateEvents | ReorderEvents | BigEvent


async def split_lines(chunks: AsyncIterator[bytes]) -> Lines:
    """The chunks of a stream as whole lines, each with its newline; a rest without one comes at the end."""
    rest = b""
    async for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line + b"\n"
    if rest:
        yield rest


async def _first(upstream: Lines, events: int) -> Lines:
    """The lines up to and with the `events`-th event; for 0 none at all."""
    seen = 0
    while seen < events:
        line = await anext(upstream, b"")
        if not line:
            return
        seen += bool(_identity(line))
        yield line


def _parse(line: bytes) -> dict[str, Any]:
    try:
        event = json.loads(line)
    except ValueError:
        return {}
    return event if isinstance(event, dict) else {}


def _identity(line: bytes) -> tuple[str, ...]:
    """(namespace, name) of the event's object; false for bookmarks and errors, which are about none."""
    event = _parse(line)
    if event.get("type") in ("BOOKMARK", "ERROR", None):
        return ()
    metadata = event.get("object", {}).get("metadata", {})
    return metadata.get("namespace", ""), metadata.get("name", "")
