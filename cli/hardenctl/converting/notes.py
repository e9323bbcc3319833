"""What a conversion has to say for itself: what it changed, guessed and left out."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["changed", "guessed", "leftOut"]


class CannotConvert(Exception):
    """No HardenedService comes of it. message: what is missing; hint: what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message, self.hint = message, hint


@dataclass(frozen=True)
class Note:
    """One thing that is to be known before the result is applied. Values of variables are never in it."""

    kind: Kind
    """changed: said otherwise, or it behaves otherwise; guessed: the source does not say it; leftOut: it is not in the result."""
    where: str
    """The field: of the source where it was changed or left out, else of the HardenedService."""
    text: str
    """What became of it, and why."""

    def __str__(self) -> str:
        return f"{self.where}: {self.text}"


@dataclass
class Notes:
    """The account of one service, in the order in which it was made."""

    all: list[Note] = field(default_factory=list)
    """Without repetitions."""

    def changed(self, where: str, text: str) -> None:
        """It is said otherwise."""
        self._add(Note("changed", where, text))

    def guessed(self, where: str, text: str) -> None:
        """It was nowhere said."""
        self._add(Note("guessed", where, text))

    def left_out(self, where: str, text: str) -> None:
        """It is not in the result."""
        self._add(Note("leftOut", where, text))

    def of(self, kind: Kind) -> list[Note]:
        """Those of one kind."""
        return [note for note in self.all if note.kind == kind]

    def _add(self, note: Note) -> None:
        if note not in self.all:
            self.all.append(note)


@dataclass(frozen=True)
class Converted:
    """A service, as a HardenedService."""

    source: str
    """What it was. Example: "Deployment shop"."""
    body: dict[str, Any]
    """The HardenedService, which the parser takes."""
    notes: Notes
    """What became of the rest."""
    service: str = ""
    """The Service that clients use today, which the HardenedService can take over; "" where there is none."""

    @property
    def name(self) -> str:
        """metadata.name."""
        return str(self.body["metadata"]["name"])


def without_empty(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that say something: no None, and no empty list, map or text."""
    return {name: value for name, value in fields.items() if value is not None and value not in ({}, [], "")}


def leave(notes: Notes, where: str, fields: Mapping[str, Any], handled: Iterable[str], why: Mapping[str, str]) -> None:
    """Notes each field that nobody handles. why: by its name; "" for what needs no word."""
    known = frozenset(handled)
    for name, value in fields.items():
        if name in known or value in (None, {}, [], "", False):
            continue
        text = why.get(name, "a HardenedService has no such field")
        if text:
            notes.left_out(f"{where}.{name}", text)


def mapping(value: Any) -> Mapping[str, Any]:
    """The value where it is one, else an empty one: sources may hold anything."""
    return value if isinstance(value, Mapping) else {}


def items(value: Any) -> Sequence[Mapping[str, Any]]:
    """The mappings of a list; of anything else, none."""
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []
