"""Counts what happens in a run, in a memory that does not grow with the number of requests."""

import heapq
import string
from collections import Counter, deque
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

from hdrh.histogram import HdrHistogram

from hardened.load.errors import check_bounds
from hardened.load.figures import Distribution, Failure, Figures, Outcome, Seen, Slow, Stop

#: How many of the slowest requests are kept, and how many different marks: further ones are counted together as OTHER_MARKS.
SLOWEST: Final = 10
MAX_MARKS: Final = 10
OTHER_MARKS: Final = "(others)"
#: A mark is cut after so many characters, and others than printable ASCII become `?`: it comes from the target, and ends in reports.
MAX_MARK: Final = 40
_PRINTABLE: Final = frozenset(string.printable) - frozenset(string.whitespace) | {" "}

#: Range of the histograms in microseconds (HdrHistogram counts in whole numbers) and their significant digits.
_LOWEST, _HIGHEST, _DIGITS = 1, 86_400_000_000, 3
#: How many different values wait until they are put into buckets: a millisecond's work, so that no request is late for it.
_MAX_RECENT: Final = 400


@dataclass(frozen=True)
class Burst:
    """So many failures within so many seconds. Raises BadLoad for less than one, or no time."""

    failures: int
    seconds: float

    def __post_init__(self) -> None:
        check_bounds("the failures of a burst", self.failures, 1, 100_000)
        check_bounds("the seconds of a burst", self.seconds, 0.001, 86_400)


class LatencyRecorder:
    """began: the run's clock at its beginning. Outcomes come in the order in which they ended."""

    def __init__(self, began: float, burst: Burst | None = None) -> None:
        self._began = began
        self._burst = burst
        self._recent: deque[float] = deque(maxlen=burst.failures if burst else 0)
        self._latency, self._lag = _Histogram(), _Histogram()
        self._statuses: Counter[int] = Counter()
        self._failures: Counter[Failure] = Counter()
        self._failed = self._shed = self._retries = 0
        self._first_failure: float | None = None
        self._last_failure: float | None = None
        self._marks: dict[str, Seen] = {}
        self._slowest: list[tuple[float, int, Outcome]] = []  # a heap, the least slow one first
        self._order = count()
        self._due: Counter[int] = Counter()
        self._failed_then: Counter[int] = Counter()

    @property
    def sees_burst(self) -> bool:
        """Whether the last failures came as close together as the burst says."""
        if self._burst is None or len(self._recent) < self._burst.failures:
            return False
        return self._recent[-1] - self._recent[0] <= self._burst.seconds

    def add(self, outcome: Outcome) -> None:
        second = int(outcome.scheduled - self._began)
        self._due[second] += 1
        self._lag.add(outcome.started - outcome.scheduled)
        self._shed += outcome.is_shed
        self._retries += outcome.is_retry
        if outcome.failure is None:
            self._statuses[outcome.status] += 1
        else:
            self._failures[outcome.failure] += 1
        if outcome.has_failed:
            self._add_failure(outcome, second)
        if outcome.mark:
            self._add_mark(outcome)
        if outcome.failure is None or outcome.failure is Failure.TIMEOUT:
            self._latency.add(outcome.latency)
            if len(self._slowest) < SLOWEST:
                heapq.heappush(self._slowest, (outcome.latency, next(self._order), outcome))
            elif outcome.latency > self._slowest[0][0]:
                heapq.heapreplace(self._slowest, (outcome.latency, next(self._order), outcome))

    def _add_failure(self, outcome: Outcome, second: int) -> None:
        self._failed += 1
        self._failed_then[second] += 1
        self._recent.append(outcome.ended)
        if self._first_failure is None:
            self._first_failure = outcome.ended
        self._last_failure = outcome.ended

    def _add_mark(self, outcome: Outcome) -> None:
        mark = "".join(c if c in _PRINTABLE else "?" for c in outcome.mark[:MAX_MARK])
        if mark not in self._marks and len(self._marks) >= MAX_MARKS:
            mark = OTHER_MARKS
        ended, started = outcome.ended - self._began, outcome.started - self._began
        before = self._marks.get(mark, Seen(replies=0, first=ended, last=started))
        self._marks[mark] = Seen(replies=before.replies + 1, first=before.first, last=max(before.last, started))

    def figures(
        self, *, planned_seconds: float, seconds: float, unfinished: int, connections: int, cpu_ratio: float, stopped: Stop | None
    ) -> Figures:
        """What was counted, beside what the run itself knows."""
        replies = self._statuses.total()
        return Figures(
            planned_seconds=planned_seconds,
            seconds=seconds,
            requests=self._due.total() + unfinished,
            replies=replies,
            failed=self._failed,
            shed=self._shed,
            unfinished=unfinished,
            retries=self._retries,
            connections=connections,
            rate=replies / seconds if seconds > 0 else 0,
            cpu_ratio=cpu_ratio,
            statuses=dict(sorted(self._statuses.items())),
            failures=dict(sorted(self._failures.items())),
            latency=self._latency.distribution(),
            lag=self._lag.distribution(),
            first_failure=self._offset(self._first_failure),
            last_failure=self._offset(self._last_failure),
            marks=dict(self._marks),
            stopped=stopped,
            slowest=tuple(self._slow(outcome) for _, _, outcome in sorted(self._slowest, reverse=True)),
            due_by_second=_series(self._due, self._due),
            failed_by_second=_series(self._failed_then, self._due),
        )

    def _offset(self, moment: float | None) -> float | None:
        return None if moment is None else moment - self._began

    def _slow(self, outcome: Outcome) -> Slow:
        due = outcome.scheduled - self._began
        return Slow(latency=outcome.latency, due=due, status=outcome.status, failure=outcome.failure)


def _series(values: Counter[int], extent: Counter[int]) -> tuple[int, ...]:
    """One number for each second up to the last one of `extent`."""
    return tuple(values[second] for second in range(max(extent, default=-1) + 1))


class _Histogram:
    """An HdrHistogram of seconds, with a mean and a maximum of their own: those need no buckets."""

    def __init__(self) -> None:
        self._buckets: Any = HdrHistogram(_LOWEST, _HIGHEST, _DIGITS)
        self._recent: Counter[int] = Counter()  # microseconds not in buckets yet: a dict counts ten times as fast, and most are alike
        self._count = 0
        self._sum = self._max = 0.0

    def add(self, seconds: float) -> None:
        self._count += 1
        self._sum += seconds
        if seconds > self._max:
            self._max = seconds
        self._recent[int(seconds * 1e6)] += 1
        if len(self._recent) >= _MAX_RECENT:
            self._settle()

    def _settle(self) -> None:
        for microseconds, times in self._recent.items():
            self._buckets.record_value(min(max(microseconds, 0), _HIGHEST), times)
        self._recent.clear()

    def distribution(self) -> Distribution | None:
        if not self._count:
            return None
        self._settle()
        found = self._buckets.get_percentile_to_value_dict([50, 90, 95, 99])
        # A bucket's upper end can lie above every value in it.
        p50, p90, p95, p99 = (min(found[p] / 1e6, self._max) for p in (50, 90, 95, 99))
        return Distribution(p50=p50, p90=p90, p95=p95, p99=p99, max=self._max, mean=self._sum / self._count)
