"""The operator is killed at, and lied to about, each call of a release under traffic: the end is the same, and nobody outside notices."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from signal import SIGSTOP

import pytest

from e2e.candidates import allow_leaders, candidate, terms_in, until_leads
from e2e.cluster.local.cluster import LocalCluster
from e2e.faults import Call, Fault, Hold, Moment, Plan, answer_plans, kill_plans, signal_plans, targets
from e2e.kube import Kube
from e2e.release_flow import FLOW_SECONDS, PROMOTED, REJECTED, REPLACED, ROLLED_BACK, ROLLED_BACK_BY_HAND, Flow
from e2e.release_run import Stage, measure
from e2e.release_sweep import clean_runs, sure, sweep
from e2e.rig import Run, fresh_namespace, subfolder
from e2e.samples import sample
from e2e.sweep import (
    AT_ONCE,
    Choose,
    Enumerate,
    Outcome,
    Results,
    choose_part,
    choose_sample,
    differences,
    gather_limited,
    tell_and_check,
)

#: The good release to the end of the previous stack where processes are killed, since times must outlive them; else to its promotion.
KILLED, ANSWERED = (REPLACED, REJECTED, ROLLED_BACK, ROLLED_BACK_BY_HAND), (PROMOTED, REJECTED, ROLLED_BACK, ROLLED_BACK_BY_HAND)
#: How many tests the full enumerations are cut into: each takes some minutes.
KILL_PARTS, ANSWER_PARTS = 6, 24
#: How many flows are sampled, since each is run once without a fault first; and how many plans of them.
FLOWS, PLANS = 2, 4
#: Seconds that a leader is paused: less than a Lease lives, a little more, and so long that its successor is done with most of it.
PAUSES = (5.0, 20.0, 60.0)
#: What the other leader must not undo: these writes carry the version that they were decided on.
FENCED = frozenset({"services", "deployments"})


def _check(name: str, local: LocalCluster, folder: Path, flows: Sequence[Flow], enumerate_plans: Enumerate, choose: Choose) -> None:
    async def all_of_it() -> tuple[float, Results, list[str]]:
        async with Kube(local.kubeconfig) as kube:
            return await sweep(Stage(local, kube, folder), flows, enumerate_plans, choose)

    tell_and_check(name, *asyncio.run(all_of_it()))


@pytest.mark.cluster
@pytest.mark.usefixtures("rights")
def test_killed_around_sampled_writes_of_releases_they_end_the_same(local: LocalCluster, tmp_path: Path) -> None:
    _check("releases killed around sampled writes", local, tmp_path, sample(KILLED, FLOWS, by=str), kill_plans, choose_sample(PLANS))


@pytest.mark.cluster
@pytest.mark.sampled(1)
@pytest.mark.usefixtures("rights")
def test_sampled_calls_of_releases_answered_wrongly_once_they_end_the_same(local: LocalCluster, tmp_path: Path) -> None:
    _check(
        "sampled calls of releases answered wrongly", local, tmp_path, sample(ANSWERED, FLOWS, by=str), answer_plans, choose_sample(PLANS)
    )


# In parts, since whoever runs all of them over hours may be interrupted.


@pytest.mark.full
@pytest.mark.timeout(3600)
@pytest.mark.usefixtures("rights")
@pytest.mark.parametrize("part", range(KILL_PARTS))
def test_killed_around_every_write_of_releases_they_end_the_same(local: LocalCluster, tmp_path: Path, part: int) -> None:
    name = f"releases killed around every write, part {part + 1} of {KILL_PARTS}"
    _check(name, local, tmp_path, KILLED, kill_plans, choose_part(part, KILL_PARTS))


@pytest.mark.full
@pytest.mark.timeout(3600)
@pytest.mark.usefixtures("rights")
@pytest.mark.parametrize("part", range(ANSWER_PARTS))
def test_every_call_of_releases_answered_wrongly_once_they_end_the_same(local: LocalCluster, tmp_path: Path, part: int) -> None:
    name = f"every call of releases answered wrongly, part {part + 1} of {ANSWER_PARTS}"
    _check(name, local, tmp_path, ANSWERED, answer_plans, choose_part(part, ANSWER_PARTS))


# ---- two operators, of which the leader is paused


@dataclass(frozen=True)
class Paused:
    """How long the leader sleeps, and where in the release. is_late: the write at which it falls asleep arrives when it wakes up."""

    seconds: float
    is_late: bool = False

    def __str__(self) -> str:
        return f"{self.seconds:g} s{', the write comes late' if self.is_late else ''}"

    def plans(self, calls: Iterable[Call]) -> Iterator[Plan]:
        """One for each write; for a late one, those that are fenced."""
        if not self.is_late:
            yield from signal_plans(calls, SIGSTOP, (Moment.AFTER_EFFECT,))
            return
        for where in targets(call for call in calls if call.is_write and call.resource in FENCED):
            fault = Fault(where, Hold(limit=FLOW_SECONDS))
            yield Plan(str(fault), (fault,))

    async def sleep(self, run: Run, fault: Fault) -> None:
        """Waits until the fault strikes, and wakes the process up when its time is over."""
        if isinstance(fault.what, Hold):
            await asyncio.wait_for(fault.what.reached.wait(), FLOW_SECONDS)
            await run.operator.pause()
        else:
            await run.proxy.until(lambda call: bool(call.fault), within=FLOW_SECONDS)
        await asyncio.sleep(self.seconds)
        if isinstance(fault.what, Hold):
            fault.what.release.set()
            await run.proxy.until(lambda call: bool(call.fault) and call.finished is not None, within=FLOW_SECONDS)
        await run.operator.resume()


@contextlib.asynccontextmanager
async def _leader_and_standby(stage: Stage) -> AsyncIterator[dict[str, Run]]:
    async with fresh_namespace(stage.kube, "pause") as namespace, contextlib.AsyncExitStack() as stack:
        folder = subfolder(stage.folder, namespace)
        await allow_leaders(stage.kube, namespace)
        runs = {}
        for name in ("a", "b"):
            runs[name] = await stack.enter_async_context(candidate(stage.kube, stage.local.kubeconfig, folder, namespace, name))
            await until_leads(stage.kube, namespace, "a")
        yield runs


async def _pause_once(stage: Stage, paused: Paused, clean: Outcome, plan: Plan) -> Outcome:
    (fault,) = plan.faults
    async with _leader_and_standby(stage) as runs:
        await REPLACED.prepare(runs["a"])
        outcome = await measure(stage.local, list(runs.values()), REPLACED, clean, plan.faults, paused.sleep(runs["a"], fault))
        writes = {name: [c for c in run.proxy.writes if (c.resource, c.name) == ("services", "web")] for name, run in runs.items()}
        return replace(outcome, wrongs=(*outcome.wrongs, *two_writers(writes)))


def two_writers(writes: Mapping[str, Iterable[Call]]) -> list[str]:
    """Whether the active Service was written in turns: whoever has been followed by another one never writes it again."""
    found = terms_in(writes)
    return [] if len(found) == len(set(found)) else [f"the active Service was written by {', '.join(found)}, one after the other"]


async def _pause(stage: Stage, paused: Paused, choose: Choose) -> tuple[float, Results, list[str]]:
    clean = (await clean_runs(stage, [REPLACED]))[REPLACED.name]
    plans = choose(paused.plans(sure(REPLACED, clean)))
    found = await gather_limited(AT_ONCE, [functools.partial(_pause_once, stage, paused, clean, plan) for plan in plans])
    results: Results = dict(zip((plan.name for plan in plans), found, strict=True))
    return clean.seconds, results, differences(clean, results)


def _check_paused(local: LocalCluster, folder: Path, paused: Paused, choose: Choose) -> None:
    async def all_of_it() -> tuple[float, Results, list[str]]:
        async with Kube(local.kubeconfig) as kube:
            return await _pause(Stage(local, kube, folder), paused, choose)

    tell_and_check(f"a release, its leader paused for {paused}", *asyncio.run(all_of_it()))


@pytest.mark.cluster
@pytest.mark.sampled(1)
@pytest.mark.usefixtures("rights")
def test_a_leader_paused_at_a_sampled_write_of_a_release_does_no_harm(local: LocalCluster, tmp_path: Path) -> None:
    _check_paused(local, tmp_path, Paused(PAUSES[1]), choose_sample(1))


@pytest.mark.full
@pytest.mark.timeout(7200)
@pytest.mark.usefixtures("rights")
@pytest.mark.parametrize("seconds", PAUSES)
def test_a_leader_paused_at_any_write_of_a_release_does_no_harm(local: LocalCluster, tmp_path: Path, seconds: float) -> None:
    _check_paused(local, tmp_path, Paused(seconds), choose_part(0, 1))


@pytest.mark.full
@pytest.mark.timeout(3600)
@pytest.mark.usefixtures("rights")
@pytest.mark.parametrize("seconds", PAUSES)
def test_a_write_that_was_decided_before_a_pause_and_arrives_after_it_does_no_harm(
    local: LocalCluster, tmp_path: Path, seconds: float
) -> None:
    _check_paused(local, tmp_path, Paused(seconds, is_late=True), choose_part(0, 1))
