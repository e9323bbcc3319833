"""Kubernetes quantities: `500m`, `2`, `1.5Gi`."""

import re
from decimal import Decimal

#: What the schema accepts: no sign, no exponent, no NaN, at most three decimals.
QUANTITY_PATTERN = r"^[0-9]{1,15}(\.[0-9]{1,3})?(m|k|M|G|T|P|Ki|Mi|Gi|Ti|Pi)?$"

_SCALE = {
    "": Decimal(1),
    "m": Decimal("0.001"),
    **{suffix: Decimal(1000) ** power for power, suffix in enumerate("kMGTP", start=1)},
    **{f"{suffix}i": Decimal(1024) ** power for power, suffix in enumerate("KMGTP", start=1)},
}
_PARTS = re.compile(r"^([0-9]+(?:\.[0-9]+)?)([a-zA-Z]*)$")


def amount(quantity: str) -> Decimal:
    """The plain number a quantity stands for, in its own unit (cores, bytes).

    Examples: "500m" -> 0.5; "1Ki" -> 1024; "2" -> 2. Raises ValueError for anything that is not a quantity.
    """
    match = _PARTS.match(quantity)
    if not match or match[2] not in _SCALE:
        raise ValueError(f"{quantity!r} is not a quantity; write it as 500m, 2, 256Mi or 1.5Gi")
    return Decimal(match[1]) * _SCALE[match[2]]
