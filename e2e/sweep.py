"""Many runs of one thing, each with another fault, side by side; and in what they ended otherwise than the run without a fault."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from e2e.faults import Call, Plan
from e2e.faults.plans import name_pattern
from e2e.figures import figures
from e2e.samples import number_of, sample

#: Runs side by side: each is one Python process that mostly waits.
AT_ONCE = int(os.environ.get("HARDENED_AT_ONCE", "4"))

CONFLICT = 409

Enumerate = Callable[[Iterable[Call]], Iterable[Plan]]
Choose = Callable[[Iterable[Plan]], list[Plan]]


@dataclass(frozen=True)
class Outcome:
    """How one run ended. states: by the stage's name, see rig.snapshot; calls: that faults can be injected into; seconds: of the run; hits:
    of its faults; exits: of its operator; wrongs: what should never have been, whatever came of it."""

    states: Mapping[str, Mapping[str, Any]]
    calls: tuple[Call, ...]
    seconds: float
    hits: int
    exits: int
    wrongs: tuple[str, ...] = ()


Results = Mapping[str, Outcome | BaseException]


async def gather_limited(limit: int, jobs: Sequence[Callable[[], Awaitable[Any]]]) -> list[Any]:
    """Runs jobs, at most `limit` at a time; the results, exceptions among them, in order."""
    gate = asyncio.Semaphore(limit)

    async def one(job: Callable[[], Awaitable[Any]]) -> Any:
        async with gate:
            return await job()

    return await asyncio.gather(*(one(job) for job in jobs), return_exceptions=True)


# ---- which of them


def choose_sample(count: int) -> Choose:
    """Chooses `count` plans by the commit: over time all are run, and a failure can be run again."""
    return lambda plans: sample(plans, count, by=lambda plan: plan.name)


def choose_part(part: int, parts: int) -> Choose:
    """Chooses one part of all plans. A plan is always in the same one, whatever else a run has enumerated."""
    return lambda plans: [plan for plan in plans if number_of(plan.name) % parts == part]


def certain(calls: tuple[Call, ...], *, status_writes: int, reads: int) -> list[Call]:
    """The calls that every run makes: how many there are of the others depends on timing, and a fault in one of them might never strike.

    A write that came to nothing since its object had changed was made again, and is not made twice where nothing changes meanwhile. Of
    pods with names of one sort only the first is certain: where the cluster was slow, a probe that began too early is made anew. Pods are
    listed, and after them their ReplicaSets, only where a look finds that they are not ready yet.

    status_writes, reads: how often a status is written, and an object or a list read, at least.
    """
    made = [call for call in calls if call.code != CONFLICT]
    return [call for i, call in enumerate(made) if _is_certain(call, made[:i], status_writes, reads)]


def _is_certain(call: Call, earlier: Iterable[Call], status_writes: int, reads: int) -> bool:
    if call.subresource == "status":
        return sum(_target(c) == _target(call) for c in earlier) < status_writes
    if call.resource == "pods" and call.verb not in ("get", "list"):
        return not any(_target(c) == _target(call) for c in earlier)
    if call.verb == "list" and call.resource in ("pods", "replicasets"):
        return False
    if call.verb in ("get", "list"):
        return sum(_target(c) == _target(call) for c in earlier) < reads
    return True


def _target(call: Call) -> tuple[str, str, str, str, str]:
    return call.verb, call.group, call.resource, call.subresource, name_pattern(call.name)


# ---- what came of them


def differences(clean: Outcome, results: Results) -> list[str]:
    """What ended otherwise than in the clean run, and what should never have been, in the clean run neither, one line each."""
    unprovoked = [f"without a fault: {line}" for line in clean.wrongs]
    return unprovoked + [f"{name}: {line}" for name, result in results.items() for line in _differences(clean, result)]


def _differences(clean: Outcome, result: Outcome | BaseException) -> list[str]:
    if isinstance(result, BaseException):
        return ["\n".join([f"{type(result).__name__}: {result}", *getattr(result, "__notes__", ())])]
    if not result.hits:
        return ["the fault never struck"]
    compared = [line for stage, state in result.states.items() for line in _compare(stage, state, clean.states[stage])]
    return [*result.wrongs, *compared]


def _compare(stage: str, mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[str]:
    return [
        f"after {stage} {key} is\n  {mine.get(key)}\nand should be\n  {theirs.get(key)}"
        for key in sorted(mine.keys() | theirs.keys())
        if mine.get(key) != theirs.get(key)
    ]


def tell_and_check(name: str, clean_seconds: float, results: Results, wrong: list[str]) -> None:
    """Keeps the figures of a sweep. Raises AssertionError where anything is wrong, or nothing was run."""
    assert results, "nothing was enumerated"
    seconds = sorted(r.seconds for r in results.values() if isinstance(r, Outcome))
    figures(
        name,
        plans=len(results),
        same_end=len(results) - sum(any(line.startswith(f"{plan}: ") for line in wrong) for plan in results),
        clean_seconds=clean_seconds,
        median_seconds=seconds[len(seconds) // 2] if seconds else None,
        worst_seconds=seconds[-1] if seconds else None,
    )
    assert not wrong, f"{len(results)} plans, these ended otherwise:\n" + "\n".join(wrong[:20])
