"""The log: one JSON object a line, with the id of the request that it belongs to."""

import json
import re
import sys
import uuid
from contextvars import ContextVar
from datetime import UTC, datetime

#: The id of the request, or of the request that made the job, that is being worked on.
request_id: ContextVar[str] = ContextVar("request_id", default="")
_GIVEN = re.compile(r"[A-Za-z0-9._-]{1,64}")
_always: dict[str, str] = {}


def start(role: str, pod: str) -> None:
    """From now on each line says who wrote it."""
    _always.update(role=role, pod=pod)


def request_id_of(given: str | None) -> str:
    """The id that the client gave where it is one: letters, digits, dots, dashes, at most 64. Otherwise a new one."""
    return given if given and _GIVEN.fullmatch(given) else uuid.uuid4().hex


def write(event: str, level: str = "info", **fields: object) -> None:
    """One line on stdout."""
    line = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), "level": level, "event": event, **_always}
    if request_id.get():
        line["requestId"] = request_id.get()
    sys.stdout.write(json.dumps({**line, **fields}, default=str) + "\n")
    sys.stdout.flush()


def told(error: BaseException) -> str:
    """An error in one line: of some, only the kind says anything."""
    return f"{type(error).__name__}: {error}".rstrip(": ")[:500]


def printable(text: str, most: int) -> str:
    """What of a text from outside may be kept: printable, and no longer than that."""
    return "".join(letter for letter in text if letter.isprintable())[:most]
