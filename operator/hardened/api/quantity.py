"""Kubernetes quantities: `500m`, `2`, `1.5Gi`."""

import re
from decimal import ROUND_CEILING, Decimal

_FRACTION = r"(\.[0-9]{1,3})?|0\.([1-9][0-9]{0,2}|0[1-9][0-9]?|00[1-9])"
#: What the schema accepts: more than zero, no sign, no exponent, no NaN, nothing finer than a thousandth and nothing above 2^63,
#: since the API server rounds or caps those, and a value that comes back as another one would be repaired for ever.
QUANTITY_PATTERN = (
    rf"^([1-9][0-9]{{0,14}}|[1-9][0-9]{{0,8}}m|([1-9][0-9]{{0,8}}{_FRACTION})(k|M|G|Ki|Mi|Gi)?|([1-9][0-9]{{0,2}}{_FRACTION})(T|P|Ti|Pi))$"
)
#: The same for a bare number.
QUANTITY_MAXIMUM = 10**15 - 1

_SCALE = {
    "": Decimal(1),
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("0.001"),
    **{suffix: Decimal(1000) ** power for power, suffix in enumerate("kMGTPE", start=1)},
    **{f"{suffix}i": Decimal(1024) ** power for power, suffix in enumerate("KMGTPE", start=1)},
}
_PARTS = re.compile(r"([0-9]+(?:\.[0-9]+)?)([a-zA-Z]*)")


def amount(quantity: str) -> Decimal:
    """The plain number a quantity stands for, in its own unit (cores, bytes).

    Examples: "500m" -> 0.5; "1Ki" -> 1024; "2" -> 2. Raises ValueError for anything that is not a quantity.
    """
    match = _PARTS.fullmatch(quantity)
    if not match or match[2] not in _SCALE:
        raise ValueError(f"{quantity!r} is not a quantity; write it as 500m, 2, 256Mi or 1.5Gi")
    return Decimal(match[1]) * _SCALE[match[2]]


def quantity(number: Decimal) -> str:
    """A number of cores or bytes, as people read it: rounded up to a thousandth.

    Examples: 0.5 -> "500m"; 536870912 -> "512Mi"; 12 -> "12".
    """
    if number != number.to_integral_value():
        return f"{(number * 1000).to_integral_value(ROUND_CEILING)}m"
    for suffix in ("Gi", "Mi"):
        if number and number % _SCALE[suffix] == 0:
            return f"{int(number / _SCALE[suffix])}{suffix}"
    return str(int(number))
