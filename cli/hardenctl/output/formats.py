"""Values as JSON and YAML, rows as a table, facts as lines."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hardenctl.output.yaml_scalar import plain_scalar
from hardened.api.text import escaped, escaped_json, is_plain


def printable(text: str) -> str:
    """Text from elsewhere with its control characters as escapes: a message in the cluster must not drive the terminal that shows it."""
    return escaped(text.replace("\t", " "))


def as_json(value: Any) -> str:
    """Indented JSON, keys in the order they were made."""
    return escaped_json(json.dumps(value, indent=2, ensure_ascii=False))


def as_yaml(value: Any) -> str:
    """Block YAML, keys in the order they were made, no anchors."""
    import yaml

    class Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
        def ignore_aliases(self, data: Any) -> bool:
            return True

    def text_of(dumper: Any, data: str) -> Any:
        if is_plain(data):
            return dumper.represent_scalar("tag:yaml.org,2002:str", data, style=None if _is_text(data) else "'")
        # Only between double quotes a character can be escaped. A half of a pair means nothing, and cannot be written.
        whole = data.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return dumper.represent_scalar("tag:yaml.org,2002:str", whole, style='"')

    Dumper.add_representer(str, text_of)
    text: str = yaml.dump(value, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=160)
    text = text.rstrip("\n")
    return text if is_plain(text) else "".join(c if is_plain(c) else f"\\U{ord(c):08x}" for c in text)


def _is_text(data: str) -> bool:
    """Whether kubectl reads it as a text without quotes: PyYAML would write y, or 0o17, as it is."""
    try:
        return isinstance(plain_scalar(data), str)
    except ValueError:
        return False


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Columns three spaces apart, as kubectl prints them."""
    lines = [list(head), *([printable(cell) for cell in row] for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    return "\n".join("   ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines)


def facts(pairs: Mapping[str, str]) -> str:
    """Names and values, one a line, values below each other; empty values are left out."""
    width = max((len(name) for name in pairs), default=0)
    return "\n".join(f"{name.ljust(width)}   {printable(value)}" for name, value in pairs.items() if value)
