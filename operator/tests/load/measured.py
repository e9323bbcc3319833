"""Figures to judge: a good run, and what is changed about it."""

from typing import Any

from hardened.load.figures import Distribution, Failure, Figures


def distribution(value: float = 0.01, **more: float) -> Distribution:
    return Distribution(**({name: value for name in ("p50", "p90", "p95", "p99", "max", "mean")} | more))


def figures(**more: Any) -> Figures:
    """1000 requests in 10 s, all answered in 10 ms, unless said otherwise."""
    base: dict[str, Any] = {
        "planned_seconds": 10.0,
        "seconds": 10.0,
        "requests": 1000,
        "replies": 1000,
        "rate": 100.0,
        "cpu_ratio": 0.2,
        "statuses": {200: 1000},
        "failures": {},
        "latency": distribution(),
        "lag": distribution(0.0005),
        "marks": {},
    }
    return Figures(**(base | more))


def refused(count: int) -> Figures:
    return figures(replies=1000 - count, failed=count, failures={Failure.REFUSED: count})
