"""Every case of an enumeration for `make e2e`, and a few of them for `make check`, for which people wait.

Which few is chosen by the commit, see e2e.samples: over time all of them are.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, TypeVar

import pytest
from _pytest.mark import ParameterSet

from e2e.samples import number_of, seed

T = TypeVar("T")

#: One case of so many is in the sample of an enumeration: a broken flow is seen at once, and nobody waits for it.
STRIDE = 24
#: The same of cases that are tests of their own.
_ONE_OF = 7


class Turn(NamedTuple):
    """Each stride-th case, from the first-th on, both counted from 0."""

    first: int
    stride: int

    def of(self, cases: Sequence[T], *, least: int = 0) -> Sequence[T]:
        """Those of the cases whose turn it is, one at least. least: where the last ones need not be there, how many are for sure."""
        return cases[self.first % min(self.stride, least or len(cases)) :: self.stride]


def turns(parts: int, *, at: pytest.MarkDecorator = pytest.mark.exhaustive, one_of: int = STRIDE) -> list[ParameterSet]:
    """Values for `parametrize`: parts that share out all cases, marked with `at`, and one that samples them, one of so many.

    Example: turns(2) -> Turn(17, 24) at some commit, Turn(0, 2), Turn(1, 2)
    """
    whole = [pytest.param(Turn(n, parts), id=f"part {n + 1}", marks=at) for n in range(parts)]
    return [pytest.param(Turn(number_of(seed()) % one_of, one_of), id="sample"), *whole]


def one_of_seven(cases: Iterable[tuple[Any, ...]]) -> list[ParameterSet]:
    """The cases as values for `parametrize`, of which all but each seventh are marked `exhaustive`."""
    known = list(cases)
    chosen = number_of(seed()) % min(_ONE_OF, len(known))
    return [pytest.param(*case, marks=[] if n % _ONE_OF == chosen else pytest.mark.exhaustive) for n, case in enumerate(known)]
