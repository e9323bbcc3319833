"""Text from elsewhere that ends on a terminal: what could drive it, or turn the text around, is not passed on."""

from collections.abc import Mapping
from typing import Any

#: What lines are made of, and is let through.
_LAYOUT = "\n\t"


def is_plain(text: str) -> bool:
    """Whether all of a text can be seen: no control character (C0, DEL, C1), none that changes its direction, and none without a shape."""
    return text.isprintable() or all(c.isprintable() or c in _LAYOUT for c in text)


def escaped(text: str) -> str:
    """The text with such characters as their escapes. Examples: "a\\x9bb" -> r"a\\x9bb"; a right-to-left override -> r"\\u202e"."""
    if is_plain(text):
        return text
    return "".join(c if c.isprintable() or c in _LAYOUT else c.encode("unicode_escape", "surrogatepass").decode() for c in text)


def plain(value: Any) -> Any:
    """JSON with a replacement character for each such character of its texts, none of which gets longer: their bounds still hold."""
    if isinstance(value, str):
        return value if is_plain(value) else "".join(c if c.isprintable() or c in _LAYOUT else "�" for c in value)
    if isinstance(value, Mapping):
        return {key: plain(each) for key, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, list | tuple) else value


def escaped_json(text: str) -> str:
    """A JSON text with such characters as \\uXXXX, which mean the same."""
    return text if is_plain(text) else "".join(c if c.isprintable() or c in _LAYOUT else _units(c) for c in text)


def _units(character: str) -> str:
    code = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{code[at : at + 4]}" for at in range(0, len(code), 4))
