"""Every case of an enumeration for `make test` or `make e2e`, and a few of them for `make check`, for which people wait."""

from collections.abc import Iterable
from typing import Any

import pytest
from _pytest.mark import ParameterSet

#: The sample of a slice: so many cases that a broken flow is seen at once, so few that nobody waits for them.
_FIRST, _STRIDE = 3, 24
#: The same of cases that are tests of their own.
_ONE_OF = 7


def turns(parts: int, *, at: pytest.MarkDecorator = pytest.mark.exhaustive) -> list[ParameterSet]:
    """Values for `parametrize`: slices that share out all cases among parts, marked with `at`, and one that samples them.

    Example: turns(2) -> slice(3, None, 24), slice(0, None, 2), slice(1, None, 2)
    """
    whole = [pytest.param(slice(n, None, parts), id=f"part {n + 1}", marks=at) for n in range(parts)]
    return [pytest.param(slice(_FIRST, None, _STRIDE), id="sample"), *whole]


def one_of_seven(cases: Iterable[tuple[Any, ...]]) -> list[ParameterSet]:
    """The cases as values for `parametrize`, of which all but each seventh are marked `exhaustive`."""
    return [pytest.param(*case, marks=[] if n % _ONE_OF == 0 else pytest.mark.exhaustive) for n, case in enumerate(cases)]
