"""kopf's watches, taken into the cache on their way, as its lists are.

kopf reads each line by a parser that one object can end, and the process with it. So it gets to see how far a watch has come, and no
object.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any, Final

import aiohttp

from hardened.shell import reading
from hardened.shell.cache import Cache
from hardened.shell.kinds import Kind
from hardened.shell.workqueue import WorkQueue

logger = logging.getLogger(__name__)

#: Seconds of work that a line may take to be read. After one that takes longer no such line of its kind is read for so many times as
#: long: whoever writes one again and again is not to hold up all others. What is left out is in the next complete list.
SLOW: Final = 0.2
PATIENCE: Final = 10
_NEWS: Final = frozenset({"ADDED", "MODIFIED", "DELETED"})
#: What makes kopf list anew, after a pause.
_ANEW: Final = b'{"type":"ERROR","object":{"kind":"Status","code":410}}\n'


class Streams:
    """For all sessions of one process. kinds: whose watches are taken; saw: told the plural of the kind at each sign of life."""

    def __init__(self, cache: Cache, queue: WorkQueue, kinds: Iterable[Kind], saw: Callable[[str], None]) -> None:
        self._cache, self._queue, self._saw = cache, queue, saw
        self._kinds = {kind.plural: kind for kind in kinds}
        self._patient_at: dict[Kind, float] = {}  # when slow lines of a kind are read again

    def kind_of(self, path: str) -> Kind | None:
        """The kind that is watched under this path, if its watch is to be taken."""
        return self._kinds.get(path.rpartition("/")[2])

    async def taken(self, kind: Kind, content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
        """What kopf gets to see of a watch, line by line."""
        async for line in _lines(content):
            yield await self._taken(kind, line)

    async def _taken(self, kind: Kind, line: bytes) -> bytes:
        self._saw(kind.plural)
        try:
            event = await self._read(kind, line)
        except reading.TooSlow:
            logger.info("news of one of the %s is left out: it takes long to read, as the one before it did", kind.plural)
            return b""
        except ValueError:
            event = None
        told, obj = (event.get("type"), event.get("object")) if isinstance(event, dict) else (None, None)
        if not isinstance(told, str) or not isinstance(obj, dict) or told == "ERROR":
            # The object itself stays out of the log; the message of a Status does not quote one.
            status = obj if isinstance(obj, dict) and told == "ERROR" else {"message": "a line that is no event"}
            level = logging.DEBUG if status.get("code") == 410 else logging.WARNING
            logger.log(level, "the watch of %s is begun anew: %s", kind.plural, status.get("message"))
            return _ANEW
        if told in _NEWS and (key := self._cache.see(kind, told, kind.named(obj))):
            self._queue.add(key)
        meta = obj.get("metadata")
        version = meta.get("resourceVersion") if isinstance(meta, dict) else None
        return _bookmark(kind, version) if isinstance(version, str) else b""

    async def _read(self, kind: Kind, line: bytes) -> Any:
        now = asyncio.get_running_loop().time()

        def took(seconds: float) -> None:
            if seconds > SLOW:
                self._patient_at[kind] = now + PATIENCE * seconds

        return await reading.read(line, is_patient=now >= self._patient_at.get(kind, now), took=took)


class Watched:
    """A reply's content with other lines."""

    def __init__(self, content: aiohttp.StreamReader, lines: AsyncIterator[bytes]) -> None:
        self._content, self._lines = content, lines

    def iter_chunked(self, _: int) -> AsyncIterator[bytes]:
        """What kopf reads a watch by."""
        return self._lines

    def __getattr__(self, name: str) -> Any:
        return getattr(self._content, name)


async def _lines(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Complete lines only: what a connection's end has cut off comes again."""
    begun: list[bytes] = []
    async for data in content.iter_any():
        *ended, rest = data.split(b"\n")
        for line in ended:
            begun.append(line)
            if whole := b"".join(begun).strip():
                yield whole
            begun = []
        if rest:
            begun.append(rest)


def _bookmark(kind: Kind, version: str) -> bytes:
    news = {"type": "BOOKMARK", "object": {"kind": kind.name, "metadata": {"resourceVersion": version}}}
    return json.dumps(news).encode() + b"\n"
