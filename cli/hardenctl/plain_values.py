"""Reads the values of options without pydantic.

Typer from 0.26 on makes a pydantic adapter for every option of a command that is run: 100 ms and more, for text that stays
text. The verbs take text, whole numbers and lists of text only, so that what stands in for the adapters is short.
"""

from dataclasses import dataclass
from typing import Any

import typer
from typer.core import TyperCommand


@dataclass(frozen=True)
class PlainValue:
    """Coerces one option's value."""

    is_number: bool
    """To a whole number; otherwise it stays as it is."""

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """None where the option was left out. Raises typer.BadParameter."""
        if value is None or not self.is_number:
            return value
        try:
            return int(value)
        except ValueError as error:
            raise typer.BadParameter(f"{value!r} is not a whole number.", ctx=ctx, param=param) from error


def plain(params: list[Any]) -> list[Any]:
    """The same parameters with plain values in the place of adapters. A typer that has none has no need of this, and is left as it is."""
    for param in params:
        descriptor = getattr(param, "type_descriptor", None)
        if hasattr(param, "_runtime_param") and descriptor is not None:
            param._runtime_param = PlainValue("int" in str(descriptor.annotation))
    return params


class PlainCommand(TyperCommand):
    """A command whose options are plain values, --help among them."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Its own parameters, and those that typer adds."""
        return plain(super().get_params(ctx))
