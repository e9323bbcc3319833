"""One JSON object, read field by field, strictly: an unknown field meant something to whoever sent it."""

import json
import re
from collections.abc import Mapping
from typing import Any

from hardened.errors import HardenedError


class BadTask(HardenedError):
    """The task cannot be used as it is; the message names the field, never its value."""


class Fields:
    """The fields of one object; what nobody has asked for is left for `end`."""

    def __init__(self, found: Any, path: str = "") -> None:
        if not isinstance(found, Mapping):
            raise BadTask(f"{path or 'the task'} is no object")
        self._left = dict(found)
        self._path = path

    @staticmethod
    def of(text: str) -> "Fields":
        try:
            return Fields(json.loads(text))
        except (ValueError, RecursionError) as error:
            raise BadTask("the task is no JSON document") from error

    def text(self, name: str, pattern: str, *, default: str | None = None) -> str:
        value = self._left.pop(name, None)
        if value is None and default is not None:
            return default
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise self._wrong(name)
        return value

    def texts(self, name: str, pattern: str, *, most: int) -> tuple[str, ...]:
        """A list of at most so many; empty where it is left out."""
        values = self._left.pop(name, None) or []
        if not isinstance(values, list) or len(values) > most:
            raise self._wrong(name)
        if any(not isinstance(value, str) or not re.fullmatch(pattern, value) for value in values):
            raise self._wrong(name)
        return tuple(values)

    def whole(self, name: str, least: int, most: int, *, default: int | None = None) -> int:
        value = self._left.pop(name, default)
        if type(value) is not int or not least <= value <= most:
            raise self._wrong(name)
        return value

    def flag(self, name: str, *, default: bool) -> bool:
        value = self._left.pop(name, default)
        if type(value) is not bool:
            raise self._wrong(name)
        return value

    def part(self, name: str) -> "Fields | None":
        """The object of that name, or None where it is null or left out."""
        value = self._left.pop(name, None)
        return None if value is None else Fields(value, f"{self._path}.{name}".lstrip("."))

    def end(self) -> None:
        """Raises BadTask when a field is left that nobody knows. Its name may be anything, and is not said."""
        if self._left:
            raise BadTask(f"{self._path or 'the task'} has a field that is not known")

    def _wrong(self, name: str) -> BadTask:
        return BadTask(f"{f'{self._path}.{name}'.lstrip('.')} is missing or out of its bounds")
