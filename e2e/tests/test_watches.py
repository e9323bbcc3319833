"""A watch can break in fifteen ways on each of fifteen kinds: nothing stays unheard of."""

from __future__ import annotations

import asyncio
import functools
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from e2e.actions import action, ask, until_over
from e2e.damage import EDITS, WHOLE, child, repair_seconds
from e2e.faults import Plan, SilenceWatch, watch_plans
from e2e.figures import figures
from e2e.kube import KINDS, Body, Kube
from e2e.rig import MERCY, Run, canary, fresh_namespace, is_seen, operator_behind, running, serve, web
from e2e.sweep import AT_ONCE, Choose, choose_part, choose_sample, gather_limited

#: Seconds from a fault's end until what changed meanwhile is handled; and until a watch that says nothing is given up.
BACK_SECONDS = 5.0
#: Some breaks end the process: what its successor may take to start, on a machine that does other things as well.
RESTART_SECONDS = 5.0
SILENT_SECONDS = 70.0
#: What a release takes by itself.
RELEASE_SECONDS = 30.0
#: How many kinds are watched.
WATCHED = 15
#: How many tests all breaks are cut into: whoever runs them over hours may be interrupted.
PARTS = 4
#: A backup whose pods wait for a Secret for ever: its Jobs are there, and do nothing.
BACKUP: Body = {
    "name": "data",
    "schedule": "0 3 1 1 *",
    "repository": {"secretName": "nowhere"},
    "source": {"volume": {"name": "data"}},
}
KIND_OF = {plural: kind for kind, (_, plural) in KINDS.items()}

pytestmark = pytest.mark.usefixtures("rights")


@dataclass(frozen=True)
class Heard:
    """After one fault: the seconds until a change on the affected kind was handled, and until a new service was; and the restarts."""

    change: float
    canary: float
    exits: int


async def _all_plans(kubeconfig: Path, folder: Path) -> list[Plan]:
    """Enumerated from what a clean run watches."""
    async with running(kubeconfig, folder, name="watch") as run:
        await run.proxy.until(lambda call: call.verb == "watch", count=WATCHED, within=30)
        return list(watch_plans(run.proxy.calls))


async def _change(run: Run, resource: str, within: float) -> float:
    """A change on the affected kind, and the seconds until it was handled; of a release, those beyond what it takes by itself."""
    kind, begun = KIND_OF[resource], time.monotonic()
    match kind:
        case "HardenedService":
            await run.kube.patch(kind, "web", run.namespace, {"spec": {"token": "changed"}})
            await run.kube.until(kind, "web", run.namespace, is_seen, within=within)
        case "HardenedServiceAction":
            await ask(run, "Resume", within=within)
        case "Pod" | "EndpointSlice":  # a release hears its verifiers, and where traffic goes
            await serve(run, _whole(run.namespace, "v2"), within=RELEASE_SECONDS + within)
            return max(0.0, time.monotonic() - begun - RELEASE_SECONDS)
        case "Job":  # whoever asked for it is told that it has gone
            (asked,) = [live for live in await run.kube.list("HardenedServiceAction", run.namespace) if live["spec"]["action"] == "Backup"]
            await run.kube.delete(kind, (await child(run.kube, run.namespace, kind))["metadata"]["name"], run.namespace)
            await until_over(run.kube, asked, within=within)
        case "CronJob":
            return await repair_seconds(run, kind, {"spec": {"suspend": True}}, within=within)
        case _:
            return await repair_seconds(run, kind, EDITS[kind], within=within)
    return time.monotonic() - begun


def _whole(namespace: str, version: str = "v1") -> Body:
    """A service with a child of every kind that is watched, but for Jobs."""
    return web(namespace, version, backups=[BACKUP], **WHOLE)


async def _begin_backup(run: Run, within: float) -> None:
    """By hand, until its Job is there."""
    await run.kube.create(action(run.namespace, "Backup", by=await run.kube.username(), backup="data"))
    await run.proxy.until(lambda call: call.is_write and call.resource == "jobs" and call.finished is not None, within=within)


async def _survive(kube: Kube, kubeconfig: Path, folder: Path, plan: Plan) -> Heard:
    fault = plan.faults[0]
    patience = MERCY * (BACK_SECONDS + RESTART_SECONDS) + (SILENT_SECONDS if isinstance(fault.what, SilenceWatch) else 0)
    async with (
        fresh_namespace(kube, "watch") as namespace,
        operator_behind(
            kube, kubeconfig, folder, plan.faults, namespace=namespace, settings={"HARDENED_BACKUP_IMAGE": "example.test/none:1"}
        ) as run,
    ):
        # These are the events behind which a stream breaks.
        await serve(run, _whole(namespace), within=60 + patience)
        await ask(run, "Resume", within=patience)
        if fault.where.resource == "jobs":
            await _begin_backup(run, patience)
        await run.proxy.until(lambda call: bool(call.fault), within=30)
        change = await _change(run, fault.where.resource or "", patience)
        heard = await canary(kube, namespace, within=patience)
        await run.proxy.until_quiet(1, within=60)
        return Heard(change, heard, len(run.operator.exits))


async def _run_all(kubeconfig: Path, folder: Path, choose: Choose) -> dict[str, Heard | BaseException]:
    async with Kube(kubeconfig) as kube:
        plans = await _all_plans(kubeconfig, folder)
        assert len(plans) == 15 * WATCHED
        plans = choose(plans)
        jobs = [functools.partial(_survive, kube, kubeconfig, folder, plan) for plan in plans]
        return dict(zip((plan.name for plan in plans), await gather_limited(AT_ONCE, jobs), strict=True))


def _check(name: str, kubeconfig: Path, folder: Path, choose: Choose) -> None:
    begun = time.monotonic()
    found = asyncio.run(_run_all(kubeconfig, folder, choose))
    heard = [result for result in found.values() if isinstance(result, Heard)]
    figures(
        name,
        plans=len(found),
        survived=len(heard),
        worst_change_seconds=max((h.change for h in heard), default=None),
        worst_canary_seconds=max((h.canary for h in heard), default=None),
        restarts=sum(h.exits for h in heard),
        seconds=time.monotonic() - begun,
    )
    wrong = [f"{plan}: {type(error).__name__}: {error}" for plan, error in found.items() if isinstance(error, BaseException)]
    assert not wrong, "\n".join(wrong)


def _is_quick(plan: Plan) -> bool:
    return not isinstance(plan.faults[0].what, SilenceWatch)


@pytest.mark.cluster
def test_sampled_breaks_of_watches_leave_nothing_unheard_of(kubeconfig: Path, tmp_path: Path) -> None:
    _check("sampled breaks of watches", kubeconfig, tmp_path, lambda plans: choose_sample(6)(filter(_is_quick, plans)))


@pytest.mark.full
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("part", range(PARTS))
def test_every_break_of_every_watch_leaves_nothing_unheard_of(kubeconfig: Path, tmp_path: Path, part: int) -> None:
    _check(f"every break of every watch, part {part + 1} of {PARTS}", kubeconfig, tmp_path, choose_part(part, PARTS))
