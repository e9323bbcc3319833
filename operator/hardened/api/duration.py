"""Durations: `500ms`, `30s`, `1h30m`."""

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import PydanticCustomError, core_schema

#: What the schema accepts, as the Gateway API does (GEP-2257): Go's own notation without signs, fractions and units below a millisecond.
DURATION_PATTERN = r"^([0-9]{1,5}(h|m|s|ms)){1,4}$"
_LONGEST = 28

_UNITS = {"h": timedelta(hours=1), "m": timedelta(minutes=1), "s": timedelta(seconds=1), "ms": timedelta(milliseconds=1)}
_PARTS = re.compile(r"([0-9]+)(ms|h|m|s)")


def duration(text: str) -> timedelta:
    """The time a text stands for.

    Examples: "500ms" -> 0.5 s; "1h30m" -> 90 min; "1m1m" -> 2 min. Raises ValueError for anything that is not a duration.
    """
    if not re.fullmatch(DURATION_PATTERN.removesuffix("$"), text):
        raise ValueError(f"{text!r} is not a duration; write it as 500ms, 30s, 2m or 1h30m")
    return sum((int(count) * _UNITS[unit] for count, unit in _PARTS.findall(text)), timedelta())


def duration_text(value: timedelta) -> str:
    """The one way to write a time of whole milliseconds, at least 0.

    Examples: 90 min -> "1h30m"; 0.5 s -> "500ms"; nothing -> "0s".
    """
    rest, text = value, ""
    for unit, length in _UNITS.items():
        count, rest = divmod(rest, length)
        text += f"{count}{unit}" if count else ""
    return text or "0s"


@dataclass(frozen=True)
class DurationOf:
    """A duration in a model, written as text, a timedelta inside; both ends are allowed."""

    least: str
    most: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        written = core_schema.plain_serializer_function_ser_schema(duration_text)
        return core_schema.no_info_plain_validator_function(self._parsed, serialization=written)

    def __get_pydantic_json_schema__(self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        rule = f"duration(self) >= duration('{self.least}') && duration(self) <= duration('{self.most}')"
        validation = {"rule": rule, "message": self._message()}
        return {"type": "string", "pattern": DURATION_PATTERN, "maxLength": _LONGEST, "x-kubernetes-validations": [validation]}

    def _message(self) -> str:
        return f"must be from {self.least} to {self.most}"

    def _parsed(self, value: Any) -> timedelta:
        try:
            found = duration(value)
        except (TypeError, ValueError):
            raise PydanticCustomError("duration", "must be a duration such as 500ms, 30s, 2m or 1h30m") from None
        if not duration(self.least) <= found <= duration(self.most):
            raise PydanticCustomError("duration_bounds", "{message}", {"message": self._message()})
        return found


def between(least: str, most: str) -> DurationOf:
    """A duration from `least` to `most`, both allowed."""
    return DurationOf(least, most)
