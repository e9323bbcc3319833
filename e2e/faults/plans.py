"""Which faults are worth trying, enumerated from a recorded fault-free run. Pure: the same calls give the same plans in the same order.

How a call is found again in another run, whose timing differs: not by its global index but by verb, group, resource, subresource, a
pattern of its name (the parts that Kubernetes or a hash chose become `*`), and its turn among the calls that fit. The namespace is left
out, since each run has its own. Calls of the clock (leases, events) are in no per-call plan, because how many there are depends on how
long a run takes; `background_plans` treats the first of each sort instead. Watches have `watch_plans`.
"""

from __future__ import annotations

import re
import signal as signals
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from e2e.faults.armed import Fault
from e2e.faults.calls import Call
from e2e.faults.effects import Answer, Drop, Effect, Kill, Moment, Silence, Truncate
from e2e.faults.watches import (
    BigEvent,
    DuplicateEvents,
    EndWatch,
    GarbageLine,
    ReorderEvents,
    ResetWatch,
    SilenceWatch,
    WatchEffect,
    WatchError,
)
from e2e.faults.where import Where

MOMENTS = (Moment.BEFORE, Moment.AFTER_EFFECT, Moment.AFTER_REPLY)

ANSWERS: tuple[Effect, ...] = (
    Answer(409),
    Answer(422),
    Answer(404),
    Answer(403),
    Answer(401),
    Answer(429, retry_after=1),
    Answer(429, retry_after=30),
    Answer(500),
    Answer(503),
    Answer(504),
    Silence(),
    Drop(),
    Truncate(),
)
"""What a single call may be told. `Silence` is longer than any sensible client time-out; the client gives up first."""

LOST_REPLIES: tuple[Effect, ...] = (Drop(Moment.AFTER_EFFECT), Silence(when=Moment.AFTER_EFFECT), Answer(504, when=Moment.AFTER_EFFECT))
"""The write is done, and the client does not learn it."""

WATCH_ANSWERS: tuple[Effect, ...] = (Answer(410), Answer(404), Answer(401), Answer(429, retry_after=1), Answer(500))
"""Refusals of the connection itself."""

IDEMPOTENT = frozenset({"get", "list", "update", "delete", "deletecollection"})
"""Verbs that aiohttp, on which kopf and the asyncio client of `kubernetes` stand, sends again by itself, once, after a reset without an
answer (GET, PUT, DELETE; measured on 3.14): a single reset would try aiohttp and not the operator."""

GENERATED = re.compile(
    r"(?<=-)(?:"
    r"[bcdfghjklmnpqrstvwxz2456789]{5}"  # what the API server appends to generateName
    r"|(?=[a-z]*\d)[bcdfghjklmnpqrstvwxz2456789]{8,10}"  # a ReplicaSet's template hash
    r"|(?=[0-9a-f]*\d)[0-9a-f]{6,64}"  # a hexadecimal hash
    r"|\d{6,}"  # a CronJob's minute, or any other time
    r")(?=-|$)"
)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to inject into one run. `name` is unique within one enumeration, and fit for a test id."""

    name: str
    faults: tuple[Fault, ...]


def name_pattern(name: str) -> str:
    """The name with its generated parts as `*`. Examples: "shop-7f9c8b6d54-x2vqz" -> "shop-*-*"; "shop-green" -> "shop-green"."""
    return GENERATED.sub("*", name)


NamePattern = Callable[[str], str]


def targets(calls: Iterable[Call], pattern: NamePattern = name_pattern) -> tuple[Where, ...]:
    """Where to find each call again, in order; without watches and the calls of the clock."""
    found: list[Where] = []
    earlier: list[Call] = []
    for call in calls:
        if call.verb == "watch" or call.is_background:
            continue
        earlier.append(call)
        sort = _sort(call, pattern)
        found.append(_sort(call, pattern, nth=sum(sort.fits(other) for other in earlier)))
    return tuple(found)


def kill_plans(calls: Iterable[Call], pattern: NamePattern = name_pattern) -> Iterator[Plan]:
    """SIGKILL at each write, at each of the three moments."""
    return signal_plans(calls, signals.SIGKILL, MOMENTS, pattern)


def signal_plans(
    calls: Iterable[Call], signal: signals.Signals, moments: Iterable[Moment] = (Moment.BEFORE,), pattern: NamePattern = name_pattern
) -> Iterator[Plan]:
    """A signal at each write: SIGTERM for a graceful handover, SIGSTOP for a process that is only asleep."""
    return _each(_write_targets(calls, pattern), [Kill(moment, signal) for moment in moments])


def answer_plans(calls: Iterable[Call], pattern: NamePattern = name_pattern) -> Iterator[Plan]:
    """Each of ANSWERS at each call, once; a reset of an IDEMPOTENT call twice."""
    return _each(targets(calls, pattern), ANSWERS)


def lost_reply_plans(calls: Iterable[Call], pattern: NamePattern = name_pattern) -> Iterator[Plan]:
    """Each of LOST_REPLIES, once, at each write."""
    return _each(_write_targets(calls, pattern), LOST_REPLIES)


def persistent_plans(calls: Iterable[Call], seconds: float = 70.0) -> Iterator[Plan]:
    """Each of ANSWERS at every call of one verb and kind, for so many seconds (70 is longer than kopf's own 54 s of retries)."""
    sorts = dict.fromkeys(_kind_of(call) for call in calls if call.verb != "watch")
    return _each(sorts, ANSWERS, seconds)


def background_plans(calls: Iterable[Call]) -> Iterator[Plan]:
    """Each of ANSWERS at the first call of each verb on leases and events; their later calls are by the clock."""
    return _each(dict.fromkeys(_kind_of(call) for call in calls if call.is_background and call.verb != "watch"), ANSWERS)


def watch_plans(calls: Iterable[Call], *, after_events: int = 1) -> Iterator[Plan]:
    """Each way in which a watch can go wrong, at the first watch of each kind; in the stream, behind so many events."""
    effects: list[Effect] = [*_stream_effects(after_events), *WATCH_ANSWERS]
    return _each(dict.fromkeys(_kind_of(call) for call in calls if call.verb == "watch"), effects)


def _stream_effects(after: int) -> tuple[WatchEffect, ...]:
    return (
        EndWatch(after),
        ResetWatch(after),
        SilenceWatch(after_events=after),
        WatchError(410, after),
        WatchError(500, after),
        WatchError(504, after),
        GarbageLine(after_events=after),
        DuplicateEvents(),
        ReorderEvents(),
        BigEvent(after_events=after),
    )


def _sort(call: Call, pattern: NamePattern, nth: int = 1) -> Where:
    return Where(verb=call.verb, group=call.group, resource=call.resource, subresource=call.subresource, name=pattern(call.name), nth=nth)


def _kind_of(call: Call) -> Where:
    return Where(verb=call.verb, group=call.group, resource=call.resource, subresource=call.subresource)


def _write_targets(calls: Iterable[Call], pattern: NamePattern) -> list[Where]:
    kept = [call for call in calls if call.verb != "watch" and not call.is_background]
    return [where for call, where in zip(kept, targets(kept, pattern), strict=True) if call.is_write]


def _each(places: Iterable[Where], effects: Iterable[Effect], seconds: float = 0.0) -> Iterator[Plan]:
    listed = list(effects)
    for where in places:
        for effect in listed:
            repeats = isinstance(effect, Drop) and effect.when is Moment.BEFORE and where.verb in IDEMPOTENT
            fault = Fault(where, effect, times=2 if repeats else 1, seconds=seconds)
            yield Plan(str(fault), (fault,))
