"""What is asked of Prometheus, and what comes back."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Query:
    """One question to Prometheus. name: of the check; text: PromQL, with everything filled in; release: and step for which it is asked."""

    name: str
    text: str
    release: str = ""


@dataclass(frozen=True)
class Sample:
    """What came of a query. value: None for no data; problem: why there is none; is_final: asking again cannot help."""

    value: float | None
    problem: str = ""
    is_final: bool = False
