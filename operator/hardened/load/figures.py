"""What a run measured, as values. Times are seconds; `offset` is a time since the run began."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class Failure(StrEnum):
    """Why no whole reply came."""

    REFUSED = "refused"  # nobody listens there
    UNREACHABLE = "unreachable"  # the network has no way there, or gave up
    RESET = "reset"
    CLOSED = "closed"  # the connection ended before the reply was whole
    #: A kept connection ended before the first byte of the reply. RFC 9112, section 9.3.1, lets a client try again on a new one.
    IDLE_CLOSE = "idleClose"
    TIMEOUT = "timeout"
    BAD_REPLY = "badReply"  # not HTTP/1.1
    OVERLOAD = "overload"  # never sent: as many as may be were in flight
    LOCAL = "local"  # never sent: this machine is out of ports, files or memory; says nothing of the target


class Stop(StrEnum):
    """What ended a run before its schedule did."""

    ASKED = "asked"  # its caller had enough; what was in flight came to its end
    BURST = "burst"  # too many failures within a short time
    TERMINATED = "terminated"  # a signal, or cancellation


class Outcome(NamedTuple):
    """How one request ended. scheduled, started, ended: on the run's clock; for OVERLOAD it would have started then.

    status: the reply's; 0 with a failure. mark: what the caller's function made of the reply. is_retry: sent a second time, see Load.
    """

    scheduled: float
    started: float
    ended: float
    status: int
    failure: Failure | None = None
    is_shed: bool = False
    mark: str = ""
    is_retry: bool = False

    @property
    def latency(self) -> float:
        """From when it was due, not from when it was sent: else a stall hides itself."""
        return self.ended - self.scheduled

    @property
    def has_failed(self) -> bool:
        """No whole reply, or a status outside 200 to 299, as for a check; shed ones are counted apart."""
        return not self.is_shed and (self.failure is not None or not 200 <= self.status <= 299)


@dataclass(frozen=True, kw_only=True)
class Distribution:
    """Percentiles are exact to 0.1 %, mean and max to the clock."""

    p50: float
    p90: float
    p95: float
    p99: float
    max: float
    mean: float


@dataclass(frozen=True, kw_only=True)
class Seen:
    """Replies of one mark. first: the offset at which the first one was whole; last: at which the last one's request was sent.

    That is, nobody had this answer before `first`, and nobody who asked after `last` got it.
    """

    replies: int
    first: float
    last: float


@dataclass(frozen=True, kw_only=True)
class Slow:
    """One of the slowest requests. due: the offset it was scheduled for."""

    latency: float
    due: float
    status: int
    failure: Failure | None


@dataclass(frozen=True, kw_only=True)
class Figures:
    """One run.

    planned_seconds: of the schedule; seconds: from the beginning to the last end, and at least planned_seconds unless it was stopped.
    requests: how many were due, whatever became of them = replies + all failures + unfinished (in flight when the run was stopped).
    failed: no whole reply, or status >= 400; shed: 429, and 503 with the header X-Hardened-Shed, not in `failed`.
    retries: see Load.retry_idle_close; connections: how many were opened. rate: replies per second of `seconds`.
    latency: of replies, and of time-outs up to when they were given up; None without any. lag: how late requests were sent.
    cpu_ratio: processor time of this process, in parts of one core. first_failure, last_failure: offsets of their ends.
    due_by_second, failed_by_second: by the second in which requests were due. statuses: of replies.
    """

    planned_seconds: float = 0
    seconds: float = 0
    requests: int = 0
    replies: int = 0
    failed: int = 0
    shed: int = 0
    unfinished: int = 0
    retries: int = 0
    connections: int = 0
    rate: float = 0
    cpu_ratio: float = 0
    statuses: Mapping[int, int]
    failures: Mapping[Failure, int]
    latency: Distribution | None = None
    lag: Distribution | None = None
    first_failure: float | None = None
    last_failure: float | None = None
    marks: Mapping[str, Seen]
    stopped: Stop | None = None
    slowest: tuple[Slow, ...] = ()
    due_by_second: tuple[int, ...] = ()
    failed_by_second: tuple[int, ...] = ()
