"""Which of many cases are run always: chosen by the commit, so that over time all are, and a failure can be run again."""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar, cast

import pytest
from hypothesis import settings

from e2e.figures import commit

T = TypeVar("T")


def sample(cases: Iterable[T], count: int, *, by: Callable[[T], str]) -> list[T]:
    """So many of them. by: the name of a case."""
    chosen_by = seed()
    return sorted(cases, key=lambda case: number_of(f"{chosen_by}{by(case)}"))[:count]


def seed() -> str:
    """What chooses: the commit, see figures.commit, or another one that $HARDENED_SAMPLE stands for."""
    return os.environ.get("HARDENED_SAMPLE") or _commit()


def number_of(text: str) -> int:
    """A number that any text has for good."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def sampled(cases: Sequence[tuple[Any, ...]], count: int) -> list[Any]:
    """All cases as parameters of a test, of which only a sample is run without `make e2e`. The words of a case are its name."""

    def name(case: tuple[Any, ...]) -> str:
        return "-".join(str(word) for word in case)

    chosen = sample(cases, count, by=name)
    return [pytest.param(*case, id=name(case), marks=[] if case in chosen else pytest.mark.full) for case in cases]


def drawn(examples: int) -> Callable[[T], T]:
    """Marks a test of hypothesis, which draws other examples each time: so many where $HARDENED_WHOLE is set, else one of so many."""
    count = examples if os.environ.get("HARDENED_WHOLE") else max(examples // _ONE_OF, 1)

    def decorate(test: T) -> T:
        return cast(T, pytest.mark.drawn(settings(max_examples=count, deadline=None)(test)))

    return decorate


#: See drawn.
_ONE_OF = 4
#: Asked for once: every module with a sample needs it while pytest collects.
_commit = functools.cache(commit)
