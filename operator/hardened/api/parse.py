"""Parses a HardenedService at the door: inside, there are types."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from pydantic.alias_generators import to_camel

from hardened.api.names import NAME_LIMIT
from hardened.api.service import HardenedServiceSpec
from hardened.errors import FieldError, InvalidSpec


@dataclass(frozen=True)
class HardenedService:
    """A parsed HardenedService. `generation` counts the changes of its spec, as the API server does."""

    name: str
    namespace: str
    uid: str
    generation: int
    spec: HardenedServiceSpec


def parse(body: Mapping[str, Any]) -> HardenedService:
    """The typed form of a HardenedService object.

    Raises InvalidSpec with every wrong field, by its path, in document order.
    """
    meta = body.get("metadata") or {}
    name = str(meta.get("name", ""))
    if len(name) > NAME_LIMIT:
        raise InvalidSpec([FieldError("metadata.name", f"at most {NAME_LIMIT} characters, so that the names of its children fit")])
    return HardenedService(
        name=name,
        namespace=str(meta.get("namespace", "default")),
        uid=str(meta.get("uid", "")),
        generation=int(meta.get("generation", 0)),
        spec=parse_spec(body.get("spec")),
    )


def parse_spec(spec: Any) -> HardenedServiceSpec:
    """The typed form of `spec`. Raises InvalidSpec."""
    try:
        return HardenedServiceSpec.model_validate(spec)
    except ValidationError as error:
        raise InvalidSpec(_field_errors(error)) from error


def _field_errors(error: ValidationError) -> list[FieldError]:
    found: dict[str, str] = {}
    for item in error.errors(include_url=False, include_context=True):
        path = field_path(item["loc"]) + str((item.get("ctx") or {}).get("field", ""))
        found.setdefault(path, _message(item["type"], item["msg"]))
    return [FieldError(path, message) for path, message in found.items()]


def field_path(location: tuple[int | str, ...], root: str = "spec") -> str:
    """A location as kubectl prints it. Example: ("ports", 0, "port") -> "spec.ports[0].port"."""
    path = root
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
        elif part == "[key]":
            continue  # pydantic's own word for the key of a map; the key itself is the part before
        else:
            path += f".{to_camel(part) if '_' in part else part}"
    return path


_WORDS = {
    "missing": "Required value",
    "extra_forbidden": "unknown field",
    "model_type": "must be an object",
    "dict_type": "must be an object",
    "int_type": "must be a whole number",
    "bool_type": "must be true or false",
    "string_type": "must be a string; quote it where YAML would read something else",
    "list_type": "must be a list",
    "none_required": "must be left out",
}


def _message(kind: str, text: str) -> str:
    return _WORDS.get(kind, text.removeprefix("Value error, "))
