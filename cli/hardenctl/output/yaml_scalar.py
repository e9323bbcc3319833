"""What a YAML scalar without quotes means to kubectl."""

import math
import re
from typing import Any

# What a plain scalar means: the rules of sigs.k8s.io/yaml 1.6, which kubectl reads with. Of YAML 1.1 it keeps y, yes, on and 0777, and
# drops 1:30 and dates.
_NULL = frozenset(("", "~", "null", "Null", "NULL"))
_TRUE = frozenset(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"))
_FALSE = frozenset(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"))
_ENDLESS = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
# Underscores are taken out before, but for a number that begins with a point.
_INTEGERS: tuple[tuple[re.Pattern[str], int], ...] = (
    (re.compile(r"([-+]?)0[xX]([0-9a-fA-F]+)"), 16),
    (re.compile(r"([-+]?)0[bB]([01]+)"), 2),
    (re.compile(r"0b([-+])([01]+)"), 2),
    (re.compile(r"([-+]?)0[oO]?([0-7]+)"), 8),
    (re.compile(r"([-+]?)(0|[1-9][0-9]{0,19})"), 10),
)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_POINT_FIRST = re.compile(r"\.[0-9]+(_[0-9]+)*([eE][-+]?[0-9]+(_[0-9]+)*)?")


def plain_scalar(text: str) -> Any:
    """What a scalar without quotes means to kubectl. Examples: "y" -> True; "017" -> 15; "1:30" -> "1:30".

    Raises ValueError for infinity and what is not a number, for which JSON has no word; also where kubectl takes a number without bound,
    such as 1e999, for a text: nobody means that.
    """
    if text in _NULL:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if _ENDLESS.fullmatch(text):
        raise ValueError("not a number that JSON can hold")
    if text[0] == ".":
        return _float(text.replace("_", "")) if _POINT_FIRST.fullmatch(text) else text
    number = _number(text.replace("_", "")) if text[0] in "+-0123456789" else None
    return text if number is None else number


def _number(text: str) -> int | float | None:
    for pattern, base in _INTEGERS:
        found = pattern.fullmatch(text)
        if found:
            value = int(found[2], base) * (-1 if found[1] == "-" else 1)
            # Signed ones have 64 bits, and those without a sign may use the last of them.
            if -(2**63) <= value < 2 ** (63 if found[1] else 64):
                return value
    return _float(text) if _FLOAT.fullmatch(text) else None


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("not a number that JSON can hold")
    return value
