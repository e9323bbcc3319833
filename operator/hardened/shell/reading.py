"""JSON as the API server sends it. What somebody stored in one object ends neither its reader nor whoever works on it afterwards."""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

#: Levels of an object: ours have a dozen. The API server stores up to 10,000; Python's own functions end near 1,000, its copies sooner.
DEEPEST: Final = 64
#: Levels of a text that are read at all: a list or an event puts some around an object.
_CUT: Final = DEEPEST + 16
#: Python refuses to read an integer of more than 4,300.
MOST_DIGITS: Final = 4000
#: Why an object is left out, after `it`.
UNUSABLE: Final = f"is nested deeper than {DEEPEST} levels, or holds a number of more than {MOST_DIGITS:,} digits"

#: Bytes of a list's page: a hundred usual objects have a fifth of it, one can have 1.5 MiB and several times that as JSON. As dictionaries
#: it can have twenty times that.
MOST_BYTES: Final = 4 * 1024 * 1024

#: The same of a list for one look, of which many may be made at a time.
MOST_AT_ONCE: Final = 1024 * 1024

_CONTAINERS: Final = frozenset({dict, list})
#: Up to and with the next bracket that is no part of a string. Possessive throughout: no text makes it try twice.
_BRACKET: Final = re.compile(rb'(?:"(?:[^"\\]++|\\.)*+"|[^"{}\[\]]++)*+[{}\[\]]', re.DOTALL)
_SURROGATE: Final = re.compile(rb"(?<!\\)(?:\\\\)*+\\u[dD][89a-fA-F]")
#: A pair of surrogates, or half of one, with the escaped backslashes before it.
_SURROGATES: Final = re.compile(
    r"(?<!\\)((?:\\\\)*+)\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2}))"
)


def _nested(levels: int) -> list[Any]:
    found: list[Any] = []
    for _ in range(levels):
        found = [found]
    return found


#: What stands for a number that cannot be read: nobody takes it for usable.
_TOO_LONG: Final = _nested(DEEPEST)


class TooLarge(Exception):
    """A page of a list that has more bytes than are to be read at once: it is to be asked for with fewer objects."""


async def at_most(parts: AsyncIterator[bytes], most: int) -> bytes:
    """All parts together. Raises TooLarge above so many bytes."""
    found = bytearray()
    async for part in parts:
        found += part
        if len(found) > most:
            raise TooLarge
    return bytes(found)


class TooSlow(Exception):
    """A text that would take long to read."""


async def read(text: bytes, *, is_patient: bool = True, took: Callable[[float], None] = lambda _: None) -> Any:
    """What a text says, as json.loads has it; raises ValueError where it is no JSON.

    is_patient: whether to wait for what takes long to read; TooSlow otherwise. took: told the seconds of work that it took then.

    Half of a surrogate pair, and bytes that are no UTF-8, are read as U+FFFD, as the API server does itself where it looks into a text.
    What is nested too deep is cut off so that is_usable tells of it, and so is a number that is too long.
    """
    try:
        if (b"\\ud" not in text and b"\\uD" not in text) or not _SURROGATE.search(text):
            return json.loads(text.decode())
    except (RecursionError, ValueError):
        pass
    if not is_patient:
        raise TooSlow
    # Up to a second for the oddest: the loop is not to wait for it.
    found, seconds = await asyncio.to_thread(_read_timed, text)
    took(seconds)
    return found


def is_usable(value: Any) -> bool:
    """Whether a value that was read is whole, and of a depth that every function can work on."""
    level = [value]
    for _ in range(DEEPEST):
        level = [child for parent in level for child in (parent.values() if type(parent) is dict else parent) if type(child) in _CONTAINERS]
        if not level:
            return True
    return False


def _read_timed(text: bytes) -> tuple[Any, float]:
    began = time.thread_time()
    return _read_slowly(text), time.thread_time() - began


def _read_slowly(text: bytes) -> Any:
    try:
        return _read_whole(text)
    except RecursionError:
        try:
            return _read_whole(_cut(text))
        except RecursionError as error:
            raise ValueError("nested too deep, and not closed") from error


def _read_whole(text: bytes) -> Any:
    return json.loads(_SURROGATES.sub(_whole, text.decode(errors="replace")), parse_int=_number)


def _cut(text: bytes) -> bytes:
    """The text with an empty list for whatever is nested deeper than _CUT."""
    kept: list[bytes] = []
    start = at = depth = 0
    while found := _BRACKET.match(text, at):
        at = found.end()
        if text[at - 1] in b"{[":
            depth += 1
            if depth == _CUT + 1:
                kept.append(text[start : at - 1])
        else:
            if depth == _CUT + 1:
                kept.append(b"[]")
                start = at
            depth -= 1
    return b"".join((*kept, text[start:]))


def _whole(escape: re.Match[str]) -> str:
    return rf"{escape[1]}\ufffd" if escape[2] else escape[0]


def _number(digits: str) -> Any:
    return int(digits) if len(digits) <= MOST_DIGITS else _TOO_LONG
