"""The operator is killed at, and lied to about, each of its calls: the end is the same as if nothing had happened."""

from __future__ import annotations

import asyncio
import functools
from pathlib import Path

import pytest

from e2e.faults import answer_plans, kill_plans
from e2e.flow import FLOW, run_clean, run_until_struck
from e2e.kube import Kube
from e2e.sweep import (
    AT_ONCE,
    Choose,
    Enumerate,
    Outcome,
    Results,
    certain,
    choose_part,
    choose_sample,
    differences,
    gather_limited,
    tell_and_check,
)

#: How many tests the full enumerations are cut into: each takes some minutes.
KILL_PARTS, ANSWER_PARTS = 3, 20
#: A status is written as often as the world was looked at; so many times per step it is written in every run.
SURE_STATUS_WRITES = 2 * len(FLOW)
#: A child of a service that exists is read by name before it is made; in the last step at each look while garbage is collected.
SURE_READS = 2
#: What is made once, and unseen: in the last step it is read or not, depending on when the garbage is gone.
UNSURE_READS = frozenset({("get", "serviceaccounts"), ("get", "networkpolicies"), ("get", "poddisruptionbudgets")})

#: What the flow comes to without a fault: it is run once by a process, whatever it is compared with.
CLEAN: list[Outcome] = []

pytestmark = pytest.mark.usefixtures("rights")


async def _run_all(kubeconfig: Path, folder: Path, enumerate_plans: Enumerate, choose: Choose) -> tuple[Outcome, Results]:
    async with Kube(kubeconfig) as kube:
        clean = CLEAN[0] if CLEAN else await run_clean(kube, kubeconfig, folder)
        CLEAN[:] = [clean]
        calls = certain(clean.calls, status_writes=SURE_STATUS_WRITES, reads=SURE_READS)
        chosen = choose(enumerate_plans(call for call in calls if (call.verb, call.resource) not in UNSURE_READS))
        jobs = [functools.partial(run_until_struck, kube, kubeconfig, folder, plan) for plan in chosen]
        results = await gather_limited(AT_ONCE, jobs)
        return clean, {plan.name: result for plan, result in zip(chosen, results, strict=True)}


def _check(name: str, kubeconfig: Path, folder: Path, enumerate_plans: Enumerate, choose: Choose) -> None:
    clean, results = asyncio.run(_run_all(kubeconfig, folder, enumerate_plans, choose))
    tell_and_check(name, clean.seconds, results, differences(clean, results))


@pytest.mark.cluster
@pytest.mark.sampled(1)
def test_killed_around_sampled_writes_it_ends_the_same(kubeconfig: Path, tmp_path: Path) -> None:
    _check("killed around sampled writes", kubeconfig, tmp_path, kill_plans, choose_sample(4))


@pytest.mark.cluster
@pytest.mark.sampled(1)
def test_sampled_calls_answered_wrongly_once_it_ends_the_same(kubeconfig: Path, tmp_path: Path) -> None:
    _check("sampled calls answered wrongly", kubeconfig, tmp_path, answer_plans, choose_sample(4))


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
