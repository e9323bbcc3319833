"""Faults in flows under traffic: each flow is run once without one, and once for each plan that is chosen."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import replace

from e2e.faults import Call
from e2e.release_flow import Flow
from e2e.release_run import Stage, run_clean, run_struck
from e2e.sweep import AT_ONCE, Choose, Enumerate, Outcome, Results, certain, differences, gather_limited

#: What flows come to without a fault: each is run once by a process, whatever it is compared with.
CLEAN: dict[str, Outcome] = {}


def sure(flow: Flow, clean: Outcome) -> list[Call]:
    """The calls that every run of the flow makes. Whatever is read is read once at least."""
    return certain(clean.calls, status_writes=flow.status_writes, reads=1)


async def clean_runs(stage: Stage, flows: Sequence[Flow]) -> Mapping[str, Outcome]:
    """What these flows come to without a fault, by their names."""
    missing = [flow for flow in flows if flow.name not in CLEAN]
    found = await gather_limited(AT_ONCE, [functools.partial(run_clean, stage, flow) for flow in missing])
    for flow, outcome in zip(missing, found, strict=True):
        if isinstance(outcome, BaseException):
            raise outcome
        CLEAN[flow.name] = outcome
    return CLEAN


async def sweep(stage: Stage, flows: Sequence[Flow], enumerate_plans: Enumerate, choose: Choose) -> tuple[float, Results, list[str]]:
    """(seconds of all clean runs, what came of the chosen plans of all flows, what was wrong with them or with a clean run)."""
    clean = await clean_runs(stage, flows)
    plans = {f"{flow}: {plan.name}": (flow, plan) for flow in flows for plan in enumerate_plans(sure(flow, clean[flow.name]))}
    chosen = [plan.name for plan in choose(replace(plan, name=name) for name, (_, plan) in plans.items())]
    jobs = [functools.partial(run_struck, stage, flow, clean[flow.name], plan) for flow, plan in (plans[name] for name in chosen)]
    results = dict(zip(chosen, await gather_limited(AT_ONCE, jobs), strict=True))
    of_flow = {flow.name: {name: result for name, result in results.items() if plans[name][0] is flow} for flow in flows}
    wrong = [line for flow in flows for line in differences(clean[flow.name], of_flow[flow.name])]
    return sum(clean[flow.name].seconds for flow in flows), results, wrong
