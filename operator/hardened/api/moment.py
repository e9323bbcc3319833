"""Moments: `2026-01-31T18:00:00Z`."""

import re
from datetime import UTC, datetime
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import PydanticCustomError, core_schema

#: RFC 3339 in UTC, to the second, in this century. Whether a month has that day is left to the format.
MOMENT_PATTERN = r"^20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z$"
_FORM = "%Y-%m-%dT%H:%M:%SZ"
_LENGTH = 20


def moment_text(moment: datetime) -> str:
    """The one way to write a moment; parts of a second are left out. moment: timezone-aware. Example: "2026-01-31T18:00:00Z"."""
    return moment.astimezone(UTC).strftime(_FORM)


class Moment:
    """A moment in a model, written as text, a timezone-aware datetime inside."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        written = core_schema.plain_serializer_function_ser_schema(moment_text)
        return core_schema.no_info_plain_validator_function(_parsed, serialization=written)

    def __get_pydantic_json_schema__(self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        # No format: where there is one, the API server takes a list for a text.
        return {"type": "string", "pattern": MOMENT_PATTERN, "maxLength": _LENGTH}


def _parsed(value: Any) -> datetime:
    try:
        if re.fullmatch(MOMENT_PATTERN.removesuffix("$"), value):
            return datetime.strptime(value, _FORM).replace(tzinfo=UTC)
    except (TypeError, ValueError):
        pass
    raise PydanticCustomError("moment", "must be a moment in UTC such as 2026-01-31T18:00:00Z")
