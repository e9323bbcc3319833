"""Every case of an enumeration for `make test`, and a few of them for `make check`, which is to take a minute."""

import pytest
from _pytest.mark import ParameterSet

#: The sample of a slice: so many cases that a broken flow is seen at once, so few that nobody waits for them.
_FIRST, _STRIDE = 3, 24


def turns(parts: int) -> list[ParameterSet]:
    """Values for `parametrize`: slices that share out all cases among parts, marked `exhaustive`, and one that samples them.

    Example: turns(2) -> slice(3, None, 24), slice(0, None, 2), slice(1, None, 2)
    """
    whole = [pytest.param(slice(n, None, parts), id=f"part {n + 1}", marks=pytest.mark.exhaustive) for n in range(parts)]
    return [pytest.param(slice(_FIRST, None, _STRIDE), id="sample"), *whole]
