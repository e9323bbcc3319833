"""The operator is killed at, and lied to about, each of its calls: the end is the same as if nothing had happened."""

from __future__ import annotations

import asyncio
import functools
import os
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from e2e.faults import Call, Plan, answer_plans, kill_plans
from e2e.faults.plans import name_pattern
from e2e.figures import figures
from e2e.flow import FLOW, Choose, Outcome, choose_part, choose_sample, gather_limited, run_clean, run_until_struck
from e2e.kube import Kube

Enumerate = Callable[[Iterable[Call]], Iterable[Plan]]
Results = dict[str, Outcome | BaseException]

#: Runs side by side: each is one Python process that mostly waits.
LANES = int(os.environ.get("HARDENED_LANES", "4"))
#: How many tests the full enumerations are cut into: each takes some minutes.
KILL_PARTS, ANSWER_PARTS = 3, 20
#: A status is written as often as the world was looked at; so many times per step it is written in every run.
SURE_STATUS_WRITES = 2 * len(FLOW)
#: A child is read by name before it is made, in the first step and in the last; there again at each look while garbage is collected.
SURE_READS = 2

pytestmark = pytest.mark.usefixtures("rights")


def is_certain(call: Call, earlier: Iterable[Call]) -> bool:
    """False for calls whose number depends on timing: another run may not make them, and a fault there would prove nothing."""
    if call.subresource == "status":
        return sum(c.subresource == "status" for c in earlier) < SURE_STATUS_WRITES
    if call.verb == "get":
        return sum(_target(c) == _target(call) for c in earlier) < SURE_READS
    return True


def _target(call: Call) -> tuple[str, str, str, str]:
    return call.verb, call.group, call.resource, name_pattern(call.name)


def certain(calls: tuple[Call, ...]) -> list[Call]:
    """The calls that every run makes."""
    return [call for i, call in enumerate(calls) if is_certain(call, calls[:i])]


async def _run_all(kubeconfig: Path, folder: Path, enumerate_plans: Enumerate, choose: Choose) -> tuple[Outcome, Results]:
    async with Kube(kubeconfig) as kube:
        clean = await run_clean(kube, kubeconfig, folder)
        chosen = choose(enumerate_plans(certain(clean.calls)))
        jobs = [functools.partial(run_until_struck, kube, kubeconfig, folder, plan) for plan in chosen]
        results = await gather_limited(LANES, jobs)
        return clean, {plan.name: result for plan, result in zip(chosen, results, strict=True)}


def differences(clean: Outcome, results: Results) -> list[str]:
    """What ended otherwise than in the clean run, one line each."""
    wrong = []
    for name, result in results.items():
        if isinstance(result, BaseException):
            wrong.append(f"{name}: {type(result).__name__}: {result}")
        elif not result.hits:
            wrong.append(f"{name}: the fault never struck")
        else:
            wrong += [
                f"{name}: {line}" for number, state in result.states.items() for line in _compare(number, state, clean.states[number])
            ]
    return wrong


def _compare(number: int, mine: dict[str, object], theirs: dict[str, object]) -> list[str]:
    return [
        f"after {FLOW[number].__name__} {key} is\n  {mine.get(key)}\nand should be\n  {theirs.get(key)}"
        for key in sorted(mine.keys() | theirs.keys())
        if mine.get(key) != theirs.get(key)
    ]


def _check(name: str, kubeconfig: Path, folder: Path, enumerate_plans: Enumerate, choose: Choose) -> None:
    clean, results = asyncio.run(_run_all(kubeconfig, folder, enumerate_plans, choose))
    assert results, "nothing was enumerated"
    wrong = differences(clean, results)
    seconds = sorted(r.seconds for r in results.values() if isinstance(r, Outcome))
    figures(
        name,
        plans=len(results),
        same_end=len(results) - len({line.partition(":")[0] for line in wrong}),
        clean_seconds=clean.seconds,
        median_seconds=seconds[len(seconds) // 2] if seconds else None,
        worst_seconds=seconds[-1] if seconds else None,
    )
    assert not wrong, f"{len(results)} plans, these ended otherwise:\n" + "\n".join(wrong[:20])


@pytest.mark.cluster
def test_killed_around_sampled_writes_it_ends_the_same(kubeconfig: Path, tmp_path: Path) -> None:
    _check("killed around sampled writes", kubeconfig, tmp_path, kill_plans, choose_sample(8))


@pytest.mark.cluster
def test_sampled_calls_answered_wrongly_once_it_ends_the_same(kubeconfig: Path, tmp_path: Path) -> None:
    _check("sampled calls answered wrongly", kubeconfig, tmp_path, answer_plans, choose_sample(8))


# In parts, since whoever runs all of them over hours may be interrupted.


@pytest.mark.full
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("part", range(KILL_PARTS))
def test_killed_around_every_write_it_ends_the_same(kubeconfig: Path, tmp_path: Path, part: int) -> None:
    name = f"killed around every write, part {part + 1} of {KILL_PARTS}"
    _check(name, kubeconfig, tmp_path, kill_plans, choose_part(part, KILL_PARTS))


@pytest.mark.full
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("part", range(ANSWER_PARTS))
def test_every_call_answered_wrongly_once_it_ends_the_same(kubeconfig: Path, tmp_path: Path, part: int) -> None:
    name = f"every call answered wrongly, part {part + 1} of {ANSWER_PARTS}"
    _check(name, kubeconfig, tmp_path, answer_plans, choose_part(part, ANSWER_PARTS))
