"""Writes docs/schemas from the code: what `-o json` of each verb prints, as JSON Schema 2020-12."""

import json
from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any, Union

from pydantic import TypeAdapter, ValidationError

from hardenctl.output import shapes
from hardenctl.verbs import schema_file

_DIALECT = "https://json-schema.org/draft/2020-12/schema"

for _shape in (each for room in shapes.ROOMS for each in vars(room).values()):
    if hasattr(_shape, "__required_keys__"):
        _shape.__pydantic_config__ = {"use_attribute_docstrings": True}


@cache
def adapter(verb: str) -> TypeAdapter[Any]:
    """Reads what a verb prints, an error included. Example: "backup list"."""
    return TypeAdapter(Union[(*shapes.SHAPES[verb], shapes.common.Failure)])


def named_shape(verb: str, printed: str) -> str:
    """Which of its shapes the output of a verb has, by its name; "" for none."""
    wanted = json.loads(printed)
    for each in (*shapes.SHAPES[verb], shapes.common.Failure):
        try:
            if TypeAdapter(each).validate_json(printed, strict=True) == wanted:
                return str(each.__name__)
        except ValidationError:
            continue
    return ""


def schema(verb: str) -> str:
    """The schema of a verb's output, as a file."""
    found = adapter(verb).json_schema()
    whole = {"$schema": _DIALECT, "title": f"hardenctl {verb} -o json", **found}
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"


def schemas() -> Mapping[str, Callable[[], str]]:
    """Path -> its content."""
    return {schema_file(verb): partial(schema, verb) for verb in shapes.SHAPES}
