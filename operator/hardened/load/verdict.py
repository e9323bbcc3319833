"""Whether a run kept its limits, or says nothing about them. Pure: figures in, verdict out."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from typing import ClassVar, Final, TypeAlias

from hardened.load.errors import check_bounds
from hardened.load.figures import Distribution, Failure, Figures, Stop

#: At most: the lag as a part of the p95 limit, the use of one core, and the part of the replies that is shed.
MAX_LAG_RATIO: Final = 0.10
MAX_CPU_RATIO: Final = 0.90
MAX_SHED_RATIO: Final = 0.01
#: The lag in seconds where no latency is limited: whoever sends nothing for longer may have missed what was lost meanwhile.
MAX_LAG: Final = 1.0


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """The limits of a scenario; None sets none. Times in seconds, min_rate in replies per second.

    max_error_ratio: failed requests out of all that came to an end. min_rate: set it below the scheduled rate, as the last reply comes
    after the schedule has ended. expects_shed: the scenario means to be refused: shed requests are neither errors nor a reason to doubt.
    Raises BadLoad for what no figure can keep.
    """

    max_error_ratio: float | None = None
    max_mean: float | None = None
    max_p50: float | None = None
    max_p95: float | None = None
    max_p99: float | None = None
    min_rate: float | None = None
    expects_shed: bool = False

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            if value is not None and one.name != "expects_shed":
                check_bounds(one.name, value, 0, 1 if one.name == "max_error_ratio" else 1e6)

    @property
    def latencies(self) -> tuple[tuple[str, float | None], ...]:
        """The limits of latency by the name of their figure."""
        return (("mean", self.max_mean), ("p50", self.max_p50), ("p95", self.max_p95), ("p99", self.max_p99))

    @property
    def lag_limit(self) -> float:
        """How late requests may be sent: a tenth of the p95 limit, or of the lowest other one; MAX_LAG without any."""
        limits = [limit for _, limit in self.latencies if limit is not None]
        if not limits:
            return MAX_LAG
        return MAX_LAG_RATIO * (self.max_p95 if self.max_p95 is not None else min(limits))


@dataclass(frozen=True)
class LoadPassed:
    """The run kept its limits."""

    word: ClassVar[str] = "Passed"


@dataclass(frozen=True)
class LoadFailed:
    """violations: a sentence for each limit that was not kept."""

    word: ClassVar[str] = "Failed"
    violations: tuple[str, ...]


@dataclass(frozen=True)
class Invalid:
    """The run says nothing about the target. reason: a sentence."""

    word: ClassVar[str] = "Invalid"
    reason: str


#: `word`: what a report calls it.
Verdict: TypeAlias = LoadPassed | LoadFailed | Invalid


def judge(figures: Figures, limits: Thresholds) -> Verdict:
    """Invalid by the first rule that holds; else Failed by whatever is violated; else Passed.

    A run that a signal cut short can fail, since what it saw is true, and cannot pass, since it has not seen the rest.
    """
    reason = next((reason for rule in RULES if (reason := rule(figures, limits))), None)
    if reason is not None:
        return Invalid(reason)
    violations = tuple(_violations(figures, limits))
    if violations:
        return LoadFailed(violations)
    if figures.stopped is Stop.TERMINATED:
        return Invalid(f"it was ended after {figures.seconds:.1f} of {figures.planned_seconds:g} s; nothing was violated until then")
    return LoadPassed()


# ---- what makes a run say nothing

LoadRule = Callable[[Figures, Thresholds], str | None]


def nothing_came_to_an_end(figures: Figures, _: Thresholds) -> str | None:
    if not figures.requests:
        return "no request was sent"
    return f"none of {figures.requests} requests was completed" if figures.requests == figures.unfinished else None


def it_ran_out_of_something(figures: Figures, _: Thresholds) -> str | None:
    count = figures.failures.get(Failure.LOCAL, 0)
    return f"{count} requests could not be sent: the generator is out of ports, files or memory" if count else None


def it_lagged(figures: Figures, limits: Thresholds) -> str | None:
    """By the 99th percentile: what is rarer moves no percentile that has a limit, and on a shared machine it always happens."""
    if figures.lag is None or figures.lag.p99 <= limits.lag_limit:
        return None
    return f"requests were sent up to {_ms(figures.lag.p99)} late (p99; at most {_ms(limits.lag_limit)} allowed)"


def it_was_bound_by_its_cpu(figures: Figures, _: Thresholds) -> str | None:
    if figures.cpu_ratio < MAX_CPU_RATIO:
        return None
    return f"the generator was busy for {figures.cpu_ratio:.0%} of the time: it measured itself"


def it_was_shed(figures: Figures, limits: Thresholds) -> str | None:
    if limits.expects_shed or not figures.shed or figures.shed / figures.replies <= MAX_SHED_RATIO:
        return None
    return f"{figures.shed} of {figures.replies} replies were 429 or shed, and the scenario does not expect it"


#: In this order: what was never sent says more than how late the rest was.
RULES: tuple[LoadRule, ...] = (nothing_came_to_an_end, it_ran_out_of_something, it_was_bound_by_its_cpu, it_lagged, it_was_shed)


# ---- what makes it fail


def _violations(figures: Figures, limits: Thresholds) -> Iterator[str]:
    if figures.stopped is Stop.BURST:
        yield f"a burst of failures ended it after {figures.seconds:.1f} of {figures.planned_seconds:g} s"
    ended = figures.requests - figures.unfinished
    errors = figures.failed + (0 if limits.expects_shed else figures.shed)
    if limits.max_error_ratio is not None and not figures.replies:
        yield "no request was answered"
    elif limits.max_error_ratio is not None and errors / ended > limits.max_error_ratio:
        yield f"{errors} of {ended} requests failed ({errors / ended:.3%}; at most {limits.max_error_ratio:.3%} allowed)"
    for name, limit in limits.latencies:
        if limit is not None:
            yield from _too_slow(name, limit, figures.latency)
    if limits.min_rate is not None and figures.rate < limits.min_rate:
        yield f"{figures.rate:.1f} replies came per second (at least {limits.min_rate:g} required)"


def _too_slow(name: str, limit: float, latency: Distribution | None) -> Iterator[str]:
    if latency is None:
        yield f"no reply came, so the {name} is unknown (limit {_ms(limit)})"
    elif (value := float(getattr(latency, name))) > limit:
        yield f"the {name} was {_ms(value)} (at most {_ms(limit)} allowed)"


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"
