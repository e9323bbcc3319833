"""Takes out of objects and texts what nobody is to read in a support bundle. Nothing here asks anybody, and names are kept.

Hidden as a whole, whatever they look like: values of variables and headers, what ConfigMaps, Secrets and `files` hold, copies of whole
objects in annotations, and what containers said at their end. In all other texts, what is known as a secret by its form, by the name
beside it, or because a variable with a telling name has that value.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hardenctl.output.secret_text import SECRET_NAME, URL_PASSWORD
from hardened.api import names

HIDDEN = "***"
#: What holds texts by name: of ConfigMaps, Secrets, and `files` of a spec.
_DATA = frozenset({"data", "stringData", "binaryData"})
#: The texts that a stored revision has beside its fields and its template.
_OF_REVISION = frozenset({"scheme", "renderer"})
#: Below this many characters a value of a variable is found in too many words to be looked for in them.
_LEAST = 4
_TELLING = re.compile(r"passw(or)?d|passphrase|secret|token|credential|api[_-]?key|access[_-]?key|private[_-]?key|pwd", re.IGNORECASE)
#: What may be a name with a value behind it, and the value. A line of a log may be one word of a megabyte: nothing is tried twice.
_NAMED = re.compile(r"(?<![\w.-])([\w.-]++)[\"']?[ \t]*[=:][ \t]*[\"']?")
_VALUE = re.compile(r"(?!\*\*\*|Bearer\b|Basic\b)[^\s\"',;&}]+")
#: The same of a field, whose name says more: secretName, or key, is none.
_SECRET_FIELD = re.compile(r"passw|^secret$|tokens?$|credentials?$|(api|access|private)_?key$", re.IGNORECASE)
#: Each with what of a match stays.
_FORMS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\Z)", re.DOTALL), HIDDEN),
    (URL_PASSWORD, rf"\g<1>{HIDDEN}@"),
    (re.compile(r"\beyJ[\w-]{5,}\.[\w-]+\.[\w-]*"), HIDDEN),
    (re.compile(r"\b((?:Bearer|Basic)[ \t]+)(?!\*\*\*)[\w.~+/=-]{4,}", re.IGNORECASE), rf"\g<1>{HIDDEN}"),
    (re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\bgh[pousr]_\w{20,}|\bglpat-[\w-]{15,}|\bxox[abprs]-[\w-]{10,}"), HIDDEN),
)
#: A flag whose value is the next word of a command.
_FLAG = re.compile(r"--?[\w.-]+")


@dataclass(frozen=True)
class Redacted:
    """An object, or a text, without its secrets."""

    value: Any
    """As it was, but for them."""
    hidden: tuple[str, ...] = ()
    """Where something was hidden, by path. Example: "spec.env[0].value". Of a text the numbers of its lines, from 1."""


def redacted(value: Any, known: frozenset[str] = frozenset()) -> Redacted:
    """The same object without secrets. value: JSON; known: see `secrets_of`. What was redacted before stays as it is."""
    mask = _Mask(known)
    found = mask.of(value, "")
    return Redacted(found, tuple(mask.hidden))


def redacted_text(text: str, known: frozenset[str] = frozenset()) -> Redacted:
    """The same text, such as a log, without secrets, and with as many lines."""
    found = _plain(text, known)
    before, after = text.split("\n"), found.split("\n")
    return Redacted(found, tuple(str(at) for at, (old, new) in enumerate(zip(before, after, strict=True), 1) if old != new))


def secrets_of(value: Any) -> frozenset[str]:
    """The values that are to be found nowhere else either: those of variables with a telling name, and passwords of URLs."""
    return frozenset(found for found in _secrets(value) if len(found) >= _LEAST and HIDDEN not in found)


def _secrets(node: Any) -> Iterator[str]:
    match node:
        case {"name": str(name), "value": str(value)}:
            yield from (each[len(kept) : -1] for each, kept in ((m[0], m[1]) for m in URL_PASSWORD.finditer(value)))
            if SECRET_NAME.search(name):
                yield value
        case Mapping():
            for each in node.values():
                yield from _secrets(each)
        case list() | tuple():
            for each in node:
                yield from _secrets(each)


def _plain(text: str, known: frozenset[str]) -> str:
    for secret in sorted(known, key=len, reverse=True):
        text = text.replace(secret, _hidden_lines(secret))
    for form, kept in _FORMS:
        text = form.sub(lambda found, kept=kept: found.expand(kept) + "\n" * found[0].count("\n"), text)  # type: ignore[misc]
    return "".join(_without_named(text))


def _without_named(text: str) -> Iterator[str]:
    """The parts of a text, without the values that stand behind a telling name."""
    end = 0
    for found in _NAMED.finditer(text):
        value = _VALUE.match(text, found.end()) if found.start() >= end and _TELLING.search(found[1]) else None
        if value:
            yield text[end : value.start()]
            yield HIDDEN
            end = value.end()
    yield text[end:]


def _is_telling_flag(word: Any) -> bool:
    return isinstance(word, str) and bool(_FLAG.fullmatch(word) and _TELLING.search(word))


def _hidden_lines(secret: str) -> str:
    return HIDDEN + "\n" * secret.count("\n")


class _Mask:
    """Goes through one object, and remembers where it hid something."""

    def __init__(self, known: frozenset[str]) -> None:
        self._known = known
        self.hidden: list[str] = []

    def of(self, node: Any, path: str) -> Any:
        """The same without secrets."""
        match node:
            case {"kind": "ControllerRevision", "data": Mapping() as data}:
                rest = {k: each for k, each in node.items() if k != "data"}
                return {**self._mapping(rest, path), "data": self._revision(data, _under(path, "data"))}
            case Mapping():
                return self._mapping(node, path)
            case list() | tuple():
                return self._list(node, path)
            case str():
                return self._text(node, path)
        return node

    def _mapping(self, node: Mapping[str, Any], path: str) -> dict[str, Any]:
        is_variable = isinstance(node.get("name"), str) and "value" in node
        found = {}
        for key, each in node.items():
            at = _under(path, str(key))
            if is_variable and key == "value":
                found[key] = self._all(each, at)
            elif key in _DATA and isinstance(each, Mapping):
                found[key] = {name: self._all(one, _under(at, str(name))) for name, one in each.items()}
            elif key == "annotations" and isinstance(each, Mapping):
                found[key] = {name: self._annotation(str(name), one, _under(at, str(name))) for name, one in each.items()}
            elif key == "terminated" and isinstance(each, Mapping):
                found[key] = {name: self._all(one, _under(at, name)) if name == "message" else one for name, one in each.items()}
            elif isinstance(each, str) and _SECRET_FIELD.search(str(key)):
                found[key] = self._all(each, at)
            else:
                found[key] = self.of(each, at)
        return found

    def _revision(self, data: Mapping[str, Any], path: str) -> dict[str, Any]:
        """What a stored revision holds; a text of another name is none of ours."""
        found = {}
        for key, each in data.items():
            is_ours = key in _OF_REVISION or not isinstance(each, str)
            found[key] = self.of(each, _under(path, str(key))) if is_ours else self._all(each, _under(path, str(key)))
        return found

    def _list(self, node: Sequence[Any], path: str) -> list[Any]:
        found = []
        for at, each in enumerate(node):
            is_value = at > 0 and isinstance(each, str) and _is_telling_flag(node[at - 1])
            found.append(self._all(each, f"{path}[{at}]") if is_value else self.of(each, f"{path}[{at}]"))
        return found

    def _annotation(self, key: str, value: Any, path: str) -> Any:
        """A copy of a whole object holds all that is hidden elsewhere."""
        if not isinstance(value, str):
            return self.of(value, path)
        is_copy = "last-applied" in key or (value.lstrip()[:1] in ("{", "[") and not key.startswith(f"{names.GROUP}/"))
        return self._all(value, path) if is_copy or SECRET_NAME.search(key) else self._text(value, path)

    def _text(self, value: str, path: str) -> str:
        found = _plain(value, self._known)
        if found != value:
            self.hidden.append(path)
        return found

    def _all(self, value: Any, path: str) -> Any:
        """All of a value; what is empty says nothing."""
        if value in (None, "", HIDDEN):
            return value
        self.hidden.append(path)
        return HIDDEN


def _under(path: str, key: str) -> str:
    """Example: ("metadata.annotations", "a.b/c") -> 'metadata.annotations["a.b/c"]'."""
    if re.fullmatch(r"[\w-]+", key):
        return f"{path}.{key}" if path else key
    return f'{path}["{key}"]'
