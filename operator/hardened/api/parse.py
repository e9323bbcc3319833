"""Parses a HardenedService at the door: inside, there are types."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from hardened.api.fields import Model
from hardened.api.managed import size_manager
from hardened.api.names import NAME_LIMIT, NAME_MESSAGE, NAME_PATTERN
from hardened.api.service import HardenedServiceSpec
from hardened.api.whole import WHOLE_RULES
from hardened.api.wording import PATTERNS
from hardened.errors import FieldError, InvalidSpec


@dataclass(frozen=True)
class HardenedService:
    """A parsed HardenedService. `generation` counts the changes of its spec, as the API server does.

    size_manager: who set spec.replicas in the spec itself, and not through /scale, "" for nobody, as far as is known;
    is_stand_in: the spec as it stands cannot be used, and `spec` is the last one that could; lacks: the fields of that, by their JSON
    names, of which nobody knows what they were.
    """

    name: str
    namespace: str
    uid: str
    generation: int
    spec: HardenedServiceSpec
    is_stand_in: bool = False
    lacks: frozenset[str] = frozenset()
    size_manager: str = ""

    def as_of(self, now: datetime) -> "HardenedService":
        """The same at that moment, see HardenedServiceSpec.as_of. now: timezone-aware."""
        return self if self.spec.suspend_until is None else replace(self, spec=self.spec.as_of(now))


def parse(body: Mapping[str, Any]) -> HardenedService:
    """The typed form of a HardenedService object.

    Raises InvalidSpec with every wrong field, by its path, in document order.
    """
    meta = body.get("metadata") or {}
    name = str(meta.get("name", ""))
    if len(name) > NAME_LIMIT:
        raise InvalidSpec([FieldError("metadata.name", f"at most {NAME_LIMIT} characters, so that the names of its children fit")])
    if name and not re.fullmatch(NAME_PATTERN.removesuffix("$"), name):
        raise InvalidSpec([FieldError("metadata.name", NAME_MESSAGE)])
    found = HardenedService(
        name=name,
        namespace=str(meta.get("namespace", "default")),
        uid=str(meta.get("uid", "")),
        generation=int(meta.get("generation", 0)),
        spec=parse_spec(body.get("spec")),
        size_manager=size_manager(meta),
    )
    broken = [FieldError(rule.field.removeprefix("."), rule.message) for rule in WHOLE_RULES if not rule.holds(found)]
    if broken:
        raise InvalidSpec(broken)
    return found


#: Parsed specs that are remembered: those that are at work on. One look needs the same one many times, and parsing takes a third of it.
REMEMBERED: Final = 64


def parse_spec(spec: Any) -> HardenedServiceSpec:
    """The typed form of `spec`. Raises InvalidSpec. What was parsed lately is given again: nothing changes a model."""
    # Unlike equal values, equal texts are of the same types: 1 is not True, and a list no tuple.
    return _parsed(_Given(repr(spec), spec))


@dataclass(frozen=True)
class _Given:
    text: str
    spec: Any = field(compare=False)


@lru_cache(maxsize=REMEMBERED)
def _parsed(given: _Given) -> HardenedServiceSpec:
    return validated(HardenedServiceSpec, given.spec)


_M = TypeVar("_M", bound=Model)


def validated(model: type[_M], spec: Any) -> _M:
    """A spec by its model. Raises InvalidSpec with every wrong field, by its path, in document order."""
    try:
        return model.model_validate(spec, by_alias=True, by_name=False)
    except ValidationError as error:
        raise InvalidSpec(_field_errors(error, spec)) from error


def _field_errors(error: ValidationError, spec: Any) -> list[FieldError]:
    found: dict[str, str] = {}
    orders: _Orders = {}
    for item in sorted(error.errors(include_url=False, include_context=True), key=lambda e: _place(spec, e["loc"], orders)):
        path = field_path(item["loc"]) + str((item.get("ctx") or {}).get("field", ""))
        found.setdefault(path, _message(item["type"], item["msg"], str((item.get("ctx") or {}).get("pattern", ""))))
    return [FieldError(path, message) for path, message in found.items()]


#: The order of the keys of each map, by its id: a map with many wrong keys is asked for each of them.
_Orders = dict[int, dict[Any, int]]


def _place(document: Any, location: tuple[int | str, ...], orders: _Orders) -> tuple[int, ...]:
    """Where in the document something stands, as numbers that sort. What is missing comes after what is there."""
    place: list[int] = []
    for part in location:
        if isinstance(document, Mapping):
            if id(document) not in orders:
                orders[id(document)] = {key: at for at, key in enumerate(document)}
            place.append(orders[id(document)].get(part, len(document)))
            document = document.get(part)
        elif isinstance(document, list) and isinstance(part, int) and part < len(document):
            place.append(part)
            document = document[part]
    return tuple(place)


def field_path(location: tuple[int | str, ...], root: str = "spec") -> str:
    """A location as kubectl prints it. Example: ("ports", 0, "port") -> "spec.ports[0].port"."""
    path = root
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
        elif part == "[key]":
            continue  # pydantic's own word for the key of a map; the key itself is the part before
        else:
            path += f".{part}"
    return path


_WORDS = {
    "missing": "Required value",
    "extra_forbidden": "unknown field",
    "model_type": "must be an object",
    "dict_type": "must be an object",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "string_type": "must be a string; quote it where YAML would read something else",
    "list_type": "must be a list",
    "none_required": "must be left out",
}


def _message(kind: str, text: str, pattern: str = "") -> str:
    if pattern in PATTERNS:
        return f"must be {PATTERNS[pattern]}"
    return _WORDS.get(kind, text.removeprefix("Value error, "))
