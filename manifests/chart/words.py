"""What a value of the chart has to look like, in words: Helm itself would print a regular expression."""

from typing import Any, Final, get_args

from hardened.api.duration import DURATION_PATTERN
from hardened.api.fields import IntOrPercent, PortRef, Quantity
from hardened.api.wording import PATTERNS

Schema = dict[str, Any]


def _pattern_of(mixed: Any) -> str:
    """That of a type which is an integer or a text."""
    (found,) = (each.json_schema for each in get_args(mixed)[1:] if hasattr(each, "json_schema"))
    return str(found["pattern"])


_MORE: Final = {
    DURATION_PATTERN: "a duration such as 500ms, 30s, 2m or 1h30m",
    _pattern_of(Quantity): "a quantity above zero, such as 500m, 2, 256Mi or 1.5Gi",
    _pattern_of(IntOrPercent): "a whole number, or a percentage such as 25%",
    _pattern_of(PortRef): "a port's number, or its name",
}


def sentence(pattern: str) -> str:
    """What a text is that matches, "" where nobody has put it into words."""
    return _MORE.get(pattern) or PATTERNS.get(pattern, "")
