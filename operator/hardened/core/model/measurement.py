"""What is asked of Prometheus, and what comes back."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Query:
    """One question to Prometheus."""

    name: str
    """Of the check."""
    text: str
    """PromQL, with everything filled in."""
    release: str = ""
    """And step for which it is asked."""


@dataclass(frozen=True)
class Sample:
    """What came of a query."""

    value: float | None
    """None for no data."""
    problem: str = ""
    """Why there is none."""
    is_final: bool = False
    """Asking again cannot help."""
