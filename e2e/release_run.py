"""One release flow under traffic and with faults: from the change of a service to the end of what follows from it, and what was wrong."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from e2e.backup_state import backups_in, watching_data
from e2e.cluster.local.cluster import LocalCluster
from e2e.faults import Answer, Drop, Fault, Moment, Plan, Silence
from e2e.invariants import watching
from e2e.kube import Kube
from e2e.release_flow import FLOW_SECONDS, QUIET_SECONDS, Flow
from e2e.releases import TERMS, step_of
from e2e.rig import Run, fresh_namespace, operator_behind, snapshot
from e2e.sweep import Outcome
from e2e.traffic import Sent, sending

#: Requests per second, each on a connection of its own.
RATE = 50
#: Seconds from the end of a flow until everything is as it should be.
SETTLED_SECONDS = 60.0
#: Seconds in which an Event comes that nothing has held up.
TOLD_SECONDS = 10.0
#: The reasons of the Events that tell of a release, or of work on a backup.
REASONS = frozenset({
    "ReleaseStarted", "SwitchedOver", "SwitchingBack", "Promoted", "RollingBack", "Rejected", "RolledBack",
    "BackupSucceeded", "BackupFailed", "VerificationSucceeded", "VerificationFailed",
})  # fmt: skip
#: The one stage of a flow that is compared.
END = "the release"


@dataclass(frozen=True)
class Stage:
    """Where flows are run. folder: for logs and kubeconfigs."""

    local: LocalCluster
    kube: Kube
    folder: Path


async def run_clean(stage: Stage, flow: Flow) -> Outcome:
    """Runs the flow without a fault."""
    return await _run(stage, flow, None, ())


async def run_struck(stage: Stage, flow: Flow, clean: Outcome, plan: Plan) -> Outcome:
    """Runs the flow with the plan's faults."""
    return await _run(stage, flow, clean, plan.faults)


async def _run(stage: Stage, flow: Flow, clean: Outcome | None, faults: tuple[Fault, ...]) -> Outcome:
    prefix = flow.name.split()[0]
    async with (
        fresh_namespace(stage.kube, prefix) as namespace,
        operator_behind(stage.kube, stage.local.kubeconfig, stage.folder, namespace=namespace, settings=dict(flow.settings)) as run,
    ):
        await flow.prepare(run)
        return await measure(stage.local, [run], flow, clean, faults)


async def measure(
    local: LocalCluster,
    runs: Sequence[Run],
    flow: Flow,
    clean: Outcome | None,
    faults: tuple[Fault, ...] = (),
    meanwhile: Coroutine[Any, Any, None] | None = None,
) -> Outcome:
    """The measured part of a flow: from the change to the end that the clean run had. clean: None for the clean run itself.

    runs: the operators, the faults being the first one's; meanwhile: what else happens, which is waited for.
    """
    run, begun = runs[0], time.monotonic()
    told_before = await _told(run)
    async with contextlib.AsyncExitStack() as stack:
        monitor = await stack.enter_async_context(watching(run))
        replaced = await stack.enter_async_context(watching_data(run))
        traffic = await stack.enter_async_context(sending(local, run.kube, run.namespace, rate=RATE))
        # Nothing comes between the two: a fault counts the calls that the plans were enumerated from.
        since = len(run.proxy.calls)
        run.proxy.inject(*faults)
        other = stack.enter_context(_begun(meanwhile))
        await flow.change(run)
        await run.kube.until("HardenedService", "web", run.namespace, flow.is_over, within=FLOW_SECONDS)
        await other
        state = await _settled(runs, flow, clean)
    told = await _told_at_last(run, told_before, flow, is_all=_is_all_told(run, faults))
    hits = sum(run.proxy.hits(fault) for fault in faults)
    seen = [] if flow.is_outage else [*monitor.wrongs(replicas=TERMS["replicas"], keep=flow.keep), *_answered(flow, traffic.sent)]
    wrongs = (*seen, *replaced, *_selected(flow, monitor.selected), *told)
    return Outcome({END: state}, run.proxy.calls[since:], time.monotonic() - begun, hits, len(run.operator.exits), wrongs)


@contextlib.contextmanager
def _begun(meanwhile: Coroutine[Any, Any, None] | None) -> Iterator[asyncio.Future[None]]:
    """Something that goes on beside the block, and not longer."""
    task = asyncio.ensure_future(meanwhile or asyncio.sleep(0))
    try:
        yield task
    finally:
        task.cancel()


async def _settled(runs: Sequence[Run], flow: Flow, clean: Outcome | None) -> Mapping[str, Any]:
    """The world once nobody writes any more, and it is as in the clean run; as it is after SETTLED_SECONDS where it does not become so."""
    end = time.monotonic() + SETTLED_SECONDS
    while True:
        for run in runs:
            await run.proxy.until_quiet(QUIET_SECONDS, within=SETTLED_SECONDS)
        state = await _state(runs[0], flow)
        if clean is None or state == clean.states[END] or time.monotonic() > end:
            return state
        await asyncio.sleep(1)  # what is waited for may be a call that is tried again only after half a minute


async def _state(run: Run, flow: Flow) -> Mapping[str, Any]:
    """See rig.snapshot; what is remembered of the release, and of backups; and what the flow looks at besides."""
    found = await snapshot(run.kube, run.namespace)
    live = await run.kube.get("HardenedService", "web", run.namespace)
    status = (live or {}).get("status") or {}
    found["release"] = {
        "step": step_of(live),
        "stable": status.get("stable"),
        "pin": {key: value for key, value in (status.get("pin") or {}).items() if key != "message"},
        "actions": [(entry["name"], entry["phase"]) for entry in status.get("actions", ())],
    }
    for action in await run.kube.list("HardenedServiceAction", run.namespace):
        found[f"HardenedServiceAction {action['metadata']['name']}"] = (action.get("status") or {}).get("phase")
    return {**found, **await backups_in(run, status), **(await flow.look(run) if flow.look else {})}


# ---- what should never have been


def _selected(flow: Flow, found: tuple[str, ...]) -> list[str]:
    return [] if found == flow.selected else [f"traffic was led to {' -> '.join(found)}, not to {' -> '.join(flow.selected)}"]


def _answered(flow: Flow, sent: Sent) -> list[str]:
    wrongs = [f"{sent.failed} of {sent.requests} requests failed: {sent.figures['failures']}"] if sent.failed else []
    strange = sorted(sent.versions.keys() - flow.versions)
    return [*wrongs, *([f"clients were answered by {', '.join(strange)}"] if strange else [])]


def _is_all_told(run: Run, faults: Sequence[Fault]) -> bool:
    """Whether no Event may be missing. A process that is killed tells no more, and one that misses a reply does not know of what."""
    is_harmless = all(isinstance(f.what, Answer | Drop | Silence) and f.what.when is Moment.BEFORE for f in faults)
    return is_harmless and not run.operator.exits


async def _told(run: Run) -> Counter[str]:
    """How often each reason of a release was told of the service."""
    found: Counter[str] = Counter()
    for event in await run.kube.list("Event", run.namespace):
        if event["reason"] in REASONS and event["involvedObject"]["name"] == "web":
            found[event["reason"]] += event.get("count") or 1
    return found


async def _told_at_last(run: Run, before: Counter[str], flow: Flow, *, is_all: bool) -> list[str]:
    end = time.monotonic() + TOLD_SECONDS
    while True:
        wrong = notifications(await _told(run) - before, flow.told, is_all=is_all)
        if not wrong or time.monotonic() > end:
            return wrong
        await asyncio.sleep(0.5)  # Events come when nothing else is to be sent


def notifications(told: Counter[str], expected: frozenset[str], *, is_all: bool) -> list[str]:
    """What was told twice, or although it was not so; and, where nothing may be missing, what was not told."""
    wrong = [
        f"{reason} was told {count} times, {int(reason in expected)} is right"
        for reason, count in told.items()
        if count > (reason in expected)
    ]
    missing = sorted(expected - told.keys()) if is_all else []
    return [*sorted(wrong), *(f"{reason} was not told" for reason in missing)]
