"""Two objects side by side as a unified diff of their YAML, without secrets."""

from collections.abc import Iterator
from difflib import unified_diff
from typing import Any

from hardenctl.output.formats import as_yaml
from hardenctl.output.secret_text import SECRET_NAME, URL_PASSWORD

_HIDDEN = "***"
#: What of a Secret is not shown.
_SECRET_DATA = ("data", "stringData")


def difference(before: Any, after: Any, name: str) -> str:
    """The lines that differ, with three around them; "" for none. before, after: JSON values, {} for nothing there.

    Values of variables with a telling name (DB_PASSWORD), passwords in URLs and data of Secrets are hidden; that they differ is shown.
    """
    old, new = _lines(_hidden(before, after, "before")), _lines(_hidden(after, before, "after"))
    return "\n".join(unified_diff(old, new, f"live/{name}", f"wanted/{name}", lineterm=""))


def _lines(value: Any) -> list[str]:
    return as_yaml(_sorted(value)).splitlines() if value else []


def _sorted(node: Any) -> Any:
    """The order of keys means nothing, and is another one in each source."""
    if isinstance(node, dict):
        return {key: _sorted(node[key]) for key in sorted(node)}
    return [_sorted(item) for item in node] if isinstance(node, list) else node


def _hidden(value: Any, other: Any, word: str) -> Any:
    return _Mask(set(_secrets(other)), word).of(value)


class _Mask:
    """known: the secrets of the other side; word: which side this one is."""

    def __init__(self, known: set[str], word: str) -> None:
        self._known, self._word = known, word

    def of(self, node: Any) -> Any:
        """The same without secrets."""
        match node:
            case {"name": str(name), "value": str(value), **rest} if SECRET_NAME.search(name):
                return {"name": name, "value": self._mark(value), **{k: self.of(v) for k, v in rest.items()}}
            case {"kind": "Secret"}:
                return {
                    k: {key: self._mark(str(v)) for key, v in (each or {}).items()} if k in _SECRET_DATA else each
                    for k, each in node.items()
                }
            case dict():
                return {k: self.of(v) for k, v in node.items()}
            case list():
                return [self.of(item) for item in node]
            case str() if found := URL_PASSWORD.search(node):
                return URL_PASSWORD.sub(rf"\g<1>{self._mark(found[0])}@", node)
        return node

    def _mark(self, value: str) -> str:
        return _HIDDEN if value in self._known else f"{_HIDDEN} ({self._word})"


def _secrets(node: Any) -> Iterator[str]:
    match node:
        case {"name": str(name), "value": str(value)} if SECRET_NAME.search(name):
            yield value
        case {"kind": "Secret"}:
            yield from (str(value) for key in _SECRET_DATA for value in (node.get(key) or {}).values())
        case dict():
            for each in node.values():
                yield from _secrets(each)
        case list():
            for each in node:
                yield from _secrets(each)
        case str() if found := URL_PASSWORD.search(node):
            yield found[0]
