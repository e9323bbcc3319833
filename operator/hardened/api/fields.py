"""The building blocks of the models: the strict base class, rules that span fields, and the bounded scalar types."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, Self, cast

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainValidator,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError, core_schema

from hardened.api.names import RESERVED_PREFIXES
from hardened.api.quantity import QUANTITY_MAXIMUM, QUANTITY_PATTERN


@dataclass(frozen=True)
class Rule:
    """A rule that spans fields, said twice: as CEL for the API server, as Python for everybody else.

    cel: true when the object is valid; holds: the same in Python, on the parsed model; field: where to report it,
    relative to the model (`.drainSeconds`, "" for the model itself); message: what is wrong and how to mend it.
    A test holds the two against each other.
    """

    cel: str
    holds: Callable[[Any], bool]
    message: str
    field: str = ""


@dataclass(frozen=True)
class ChangeRule:
    """A rule on what may become of an object, for the API server alone: nobody else has it as it was before.

    cel: of `self` and `oldSelf`, true when the change can be made; message: what cannot change, and what to do instead; field: see Rule.
    """

    cel: str
    message: str
    field: str = ""


class Model(BaseModel):
    """Strict and immutable; unknown fields are errors; JSON names are camelCase."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, alias_generator=to_camel, populate_by_name=True, defer_build=True)

    rules: ClassVar[tuple[Rule, ...]] = ()
    changes: ClassVar[tuple[ChangeRule, ...]] = ()

    @model_validator(mode="before")
    @classmethod
    def _nulls_are_absent(cls, data: Any) -> Any:
        # The API server drops a null of a field that it knows; one that it does not know is an unknown field here.
        if not isinstance(data, Mapping) or all(value is not None for value in data.values()):
            return data
        known = {field.alias for field in cls.model_fields.values()}
        return {name: value for name, value in data.items() if value is not None or name not in known}

    @model_validator(mode="after")
    def _rules_hold(self) -> Self:
        for rule in self.rules:
            if not rule.holds(self):
                raise PydanticCustomError("rule", "{message}", {"message": rule.message, "field": rule.field})
        return self


def not_reserved(field: str, prefixes: tuple[str, ...] = RESERVED_PREFIXES) -> Rule:
    """The keys of a map are none of the operator's own, which have these prefixes. field: labels or annotations."""
    ours = " && ".join(f"!k.startsWith('{prefix}')" for prefix in prefixes)
    return Rule(
        cel=f"!has(self.{field}) || self.{field}.all(k, {ours})",
        holds=lambda m: not any(key.startswith(prefixes) for key in getattr(m, field) or ()),
        message=f"{field} under {' and '.join(prefixes)} are reserved for the operator",
        field=f".{field}",
    )


def one_of(*fields: str) -> Rule:
    """Exactly one of these fields is set. Names are given as in JSON."""
    names = {to_camel(f): f for f in fields}
    return Rule(
        cel=" + ".join(f"(has(self.{name}) ? 1 : 0)" for name in names) + " == 1",
        holds=lambda m: sum(getattr(m, f) is not None for f in names.values()) == 1,
        message=f"set exactly one of {', '.join(names)}",
    )


@dataclass(frozen=True)
class ListOf:
    """The bounds of a list, and how server-side apply merges it.

    kind: `map` (items told apart by `key`, a Python name), `set` (different scalars) or `atomic` (replaced as a whole);
    least, most: how many items.
    """

    kind: Literal["map", "set", "atomic"]
    most: int
    least: int = 0
    key: str = ""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        schema: dict[str, Any] = {**handler(source), "max_length": self.most, "min_length": self.least}
        return core_schema.no_info_after_validator_function(self._check, cast(core_schema.CoreSchema, schema))

    def __get_pydantic_json_schema__(self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        keys = {"x-kubernetes-list-map-keys": [to_camel(self.key)]} if self.key else {}
        return {**handler(schema), "x-kubernetes-list-type": self.kind, **keys}

    def _check(self, items: list[Any]) -> list[Any]:
        if self.kind == "atomic":
            return items
        seen: set[Any] = set()
        for index, item in enumerate(items):
            value = getattr(item, self.key) if self.key else item
            if value in seen:
                raise PydanticCustomError("duplicate", "Duplicate value: {value}", {"value": str(value), "field": f"[{index}]"})
            seen.add(value)
        return items


def keyed(key: str, most: int) -> ListOf:
    """At most `most` items, unique by the field `key` (a Python name)."""
    return ListOf("map", most, key=key)


def atomic(most: int, least: int = 0) -> ListOf:
    """`least` to `most` items, replaced as a whole."""
    return ListOf("atomic", most, least)


def unique(most: int, least: int = 0) -> ListOf:
    """`least` to `most` different scalars."""
    return ListOf("set", most, least)


@dataclass(frozen=True)
class MapOf:
    """The bounds of a map. A key whose value is null is absent, as for the API server."""

    most: int
    least: int = 0

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        schema: dict[str, Any] = {**handler(source), "max_length": self.most, "min_length": self.least}
        return core_schema.no_info_before_validator_function(self._without_nulls, cast(core_schema.CoreSchema, schema))

    @staticmethod
    def _without_nulls(value: Any) -> Any:
        return {k: v for k, v in value.items() if v is not None} if isinstance(value, dict) else value


def at_most(most: int, least: int = 0) -> MapOf:
    """A map of `least` to `most` entries."""
    return MapOf(most, least)


def _int_or_string(pattern: str, longest: int, least: int, most: int) -> WithJsonSchema:
    bounds = {"pattern": pattern, "maxLength": longest, "minimum": least, "maximum": most}
    return WithJsonSchema({"anyOf": [{"type": "integer"}, {"type": "string"}], "x-kubernetes-int-or-string": True, **bounds})


def _matches(pattern: str, longest: int, value: Any) -> bool:
    return isinstance(value, str) and len(value) <= longest and re.fullmatch(pattern.removesuffix("$"), value) is not None


def _is_whole(value: Any, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _quantity(value: Any) -> str:
    # YAML reads `cpu: 1` as a number; the API server accepts it as int-or-string.
    if _is_whole(value, 1, QUANTITY_MAXIMUM):
        return str(value)
    if _matches(QUANTITY_PATTERN, _QUANTITY_LENGTH, value):
        return str(value)
    raise ValueError("must be a quantity above zero, such as 500m, 2, 256Mi or 1.5Gi")


_QUANTITY_LENGTH = 20
Quantity = Annotated[
    str,
    PlainValidator(_quantity),
    _int_or_string(QUANTITY_PATTERN, _QUANTITY_LENGTH, 1, QUANTITY_MAXIMUM),
]

_PERCENT = r"^(100|[1-9]?[0-9])%$"


def _int_or_percent(value: Any) -> int | str:
    if _is_whole(value, 0, 1000) or _matches(_PERCENT, 4, value):
        return cast(int | str, value)
    raise ValueError("must be a whole number from 0 to 1000, or a percentage such as 25%")


IntOrPercent = Annotated[
    int | str,
    PlainValidator(_int_or_percent),
    _int_or_string(_PERCENT, 4, 0, 1000),
]

# Single dashes within, and a letter somewhere: an IANA service name.
_PORT_NAME = r"^([a-z0-9]+-)*[a-z0-9]*[a-z][a-z0-9]*(-[a-z0-9]+)*$"


def _port(value: Any) -> int | str:
    if _is_whole(value, 1, 65535) or _matches(_PORT_NAME, 15, value):
        return cast(int | str, value)
    raise ValueError("must be a port's number (1 to 65535) or its name")


PortNumber = Annotated[int, Field(ge=1, le=65535)]
PortName = Annotated[str, StringConstraints(pattern=_PORT_NAME, min_length=1, max_length=15)]
PortRef = Annotated[
    int | str,
    PlainValidator(_port),
    _int_or_string(_PORT_NAME, 15, 1, 65535),
]

_LABEL = r"[a-z0-9]([a-z0-9-]*[a-z0-9])?"
_DOMAIN = rf"{_LABEL}(\.{_LABEL})*"
#: A key of a label or an annotation, without anchors.
QUALIFIED = rf"({_DOMAIN}/)?[A-Za-z0-9]([A-Za-z0-9_.-]{{0,61}}[A-Za-z0-9])?"
# One step of a path: neither `.` nor `..`, nor anything that begins like `..`.
_STEP = r"\.?[A-Za-z0-9_-][A-Za-z0-9._-]*"

Name = Annotated[str, StringConstraints(pattern=rf"^{_LABEL}$", min_length=1, max_length=63)]
ObjectName = Annotated[str, StringConstraints(pattern=rf"^{_DOMAIN}$", min_length=1, max_length=253)]
EnvName = Annotated[str, StringConstraints(pattern=r"^\.?[A-Za-z_-][A-Za-z0-9_.-]*$", min_length=1, max_length=256)]
DataKey = Annotated[str, StringConstraints(pattern=rf"^{_STEP}$", min_length=1, max_length=253)]
LabelKey = Annotated[str, StringConstraints(pattern=rf"^{QUALIFIED}$", min_length=1, max_length=253)]
LabelValue = Annotated[str, StringConstraints(pattern=r"^([A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?)?$", max_length=63)]
# Written in one way only: two texts are two places.
AbsolutePath = Annotated[str, StringConstraints(pattern=r"^(/\.?[A-Za-z0-9_@+-][A-Za-z0-9._@+-]*)+$", min_length=2, max_length=512)]
RelativePath = Annotated[str, StringConstraints(pattern=rf"^{_STEP}(/{_STEP})*$", min_length=1, max_length=256)]
UrlPath = Annotated[
    str, StringConstraints(pattern=r"^/([A-Za-z0-9._~!$&'()*+,;=:@%?-][A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?$", min_length=1, max_length=1024)
]
# The kernel ends an argument at a NUL.
_NO_NUL = r"^[^\x00]*$"
Text = Annotated[str, StringConstraints(pattern=_NO_NUL, max_length=4096)]
LongText = Annotated[str, StringConstraints(pattern=_NO_NUL, max_length=32768)]
