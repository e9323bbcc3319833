"""The releases that faults are injected into: from the change of a service that runs to the end of what follows from it, under traffic."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from e2e.cluster.local.cluster import LocalCluster
from e2e.faults import Answer, Drop, Fault, Moment, Plan, Silence
from e2e.kube import Body, Kube, is_ready
from e2e.releases import TERMS, ready_reason, released, step_of
from e2e.rig import Run, fresh_namespace, operator_behind, serve, snapshot
from e2e.sweep import Outcome
from e2e.traffic import Sent, sending
from e2e.watchman import watching

#: Requests per second, each on a connection of its own.
RATE = 50
#: Seconds for a flow to be over: what is kept, the longest single fault (a Retry-After of 30 s, a pause of 60 s), and a new leader.
FLOW_SECONDS = 240.0
#: Seconds from then until everything is as it should be.
SETTLED_SECONDS = 60.0
#: Seconds without a write that count as quiet.
QUIET_SECONDS = 3.0
#: Seconds in which an Event comes that nothing has held up.
TOLD_SECONDS = 10.0
REPLICAS = int(TERMS["replicas"])
#: The reasons of the Events that tell of a release.
REASONS = frozenset({"ReleaseStarted", "SwitchedOver", "SwitchingBack", "Promoted", "RollingBack", "Rejected", "RolledBack"})
#: The one stage of a flow that is compared.
END = "the release"

Step = Callable[[Run], Awaitable[None]]


@dataclass(frozen=True)
class Flow:
    """One release. It is over when `is_over` is true of the service.

    prepare: makes the service as it is before; change: what somebody does then, with which the measured part begins; selected: the colours
    that traffic is led to, one after the other; told: the reasons of its Events, each of which comes once; keep: by Deployment, the seconds
    that it is kept up at least once traffic has left it, and none for what is not to be taken down at all; versions: that clients may be answered by; status_writes: how often a status is written in every run.
    """

    name: str
    prepare: Step
    change: Step
    is_over: Callable[[Body | None], bool]
    selected: tuple[str, ...]
    told: frozenset[str]
    keep: Mapping[str, float]
    versions: frozenset[str]
    status_writes: int

    def __str__(self) -> str:
        return self.name


#: The first version answers with it, and the second one does not. Asked for longer than proxies take to follow a switch.
ONLY_V1 = {"name": "smoke", "http": {"path": "/", "expectBody": "v1", "count": 5, "interval": "500ms"}}
#: Longer than all faults of one run: a release that is only held up is not to fail. LONG_KEEP: longer than a run.
DEADLINE, SHORT_KEEP, LONG_KEEP = "5m", "30s", "30m"


def terms(keep: str, **verify: Any) -> dict[str, Any]:
    """What a service says about its releases, in all its versions: what was rejected under other terms would be released again."""
    return {
        "release": {**TERMS["release"], "keepPrevious": keep, "progressDeadline": DEADLINE},
        "verify": {"afterCutover": {"window": "2s"}, **verify},
    }


def serves(spec: Mapping[str, Any]) -> Step:
    """The first version runs, and nothing is left to do."""

    async def step(run: Run) -> None:
        await serve(run, released(run.namespace, "v1", **spec), within=FLOW_SECONDS)
        await run.proxy.until_quiet(QUIET_SECONDS, within=FLOW_SECONDS)

    return step


def serves_with_previous(spec: Mapping[str, Any]) -> Step:
    """The second version runs, and the first one is kept beside it."""

    async def step(run: Run) -> None:
        await serves(spec)(run)
        await serve(run, released(run.namespace, "v2", **spec), within=FLOW_SECONDS)
        await run.proxy.until_quiet(QUIET_SECONDS, within=FLOW_SECONDS)

    return step


def releases(spec: Mapping[str, Any]) -> Step:
    """Somebody applies the second version."""

    async def step(run: Run) -> None:
        await run.kube.apply(released(run.namespace, "v2", **spec))

    return step


async def rolls_back(run: Run) -> None:
    """Somebody asks for the version before, in their own name: the chart's policy refuses any other."""
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    me = (await run.kube.call("POST", "apis/authentication.k8s.io/v1/selfsubjectreviews", review))["status"]["userInfo"]["username"]
    manifest = {
        "apiVersion": "hardened.dev/v1alpha1",
        "kind": "HardenedServiceAction",
        "metadata": {"name": "back", "namespace": run.namespace},
        "spec": {"service": "web", "action": "Rollback", "requestedBy": me, "reason": "p99 doubled"},
    }
    await run.kube.create(manifest)


def is_kept(live: Body | None) -> bool:
    """Promoted, with the previous stack still up."""
    return is_ready(live) and step_of(live) == "Keep"


def is_done(live: Body | None) -> bool:
    """Promoted, and nothing is left of the release."""
    return is_ready(live) and not step_of(live)


def is_done_as(reason: str) -> Callable[[Body | None], bool]:
    """The service is not ready for this reason, and nothing is left of the release."""
    return lambda live: ready_reason(reason)(live) and not step_of(live)


_SHORT, _LONG = terms(SHORT_KEEP), terms(LONG_KEEP)
_REFUSED, _TAKEN_BACK = terms(SHORT_KEEP, beforeCutover=[ONLY_V1]), terms(SHORT_KEEP, afterCutover={"window": "2s", "checks": [ONLY_V1]})
_PROMOTED = frozenset({"ReleaseStarted", "SwitchedOver", "Promoted"})
_BOTH = frozenset({"v1", "v2"})

#: To the moment at which it is promoted.
PROMOTED = Flow("promoted", serves(_LONG), releases(_LONG), is_kept, ("blue", "green"), _PROMOTED, {}, _BOTH, 4)
#: To the end of the previous stack.
REPLACED = Flow("replaced", serves(_SHORT), releases(_SHORT), is_done, ("blue", "green"), _PROMOTED, {"web-blue": 30}, _BOTH, 5)
REJECTED = Flow(
    "rejected",
    serves(_REFUSED),
    releases(_REFUSED),
    is_done_as("Rejected"),
    ("blue",),
    frozenset({"ReleaseStarted", "Rejected"}),
    {},
    frozenset({"v1"}),
    3,
)
TAKEN_BACK = Flow(
    "taken back",
    serves(_TAKEN_BACK),
    releases(_TAKEN_BACK),
    is_done_as("RolledBack"),
    ("blue", "green", "blue"),
    frozenset({"ReleaseStarted", "SwitchedOver", "SwitchingBack", "RolledBack"}),
    {"web-green": 5},
    _BOTH,
    6,
)
ROLLED_BACK = Flow(
    "rolled back by hand",
    serves_with_previous(_LONG),
    rolls_back,
    is_done_as("RolledBack"),
    ("green", "blue"),
    frozenset({"RollingBack", "Promoted", "RolledBack"}),
    {"web-green": 5},
    _BOTH,
    2,
)


# ---- a run


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
        operator_behind(stage.kube, stage.local.kubeconfig, stage.folder, namespace=namespace) as run,
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
    since, told_before = len(run.proxy.calls), await _told(run)
    async with contextlib.AsyncExitStack() as stack:
        watchman = await stack.enter_async_context(watching(run))
        traffic = await stack.enter_async_context(sending(local, run.kube, run.namespace, rate=RATE))
        run.proxy.inject(*faults)
        other = stack.enter_context(_begun(meanwhile))
        await flow.change(run)
        await run.kube.until("HardenedService", "web", run.namespace, flow.is_over, within=FLOW_SECONDS)
        await other
        state = await _settled(runs, clean)
    told = await _told_at_last(run, told_before, flow, is_all=_is_all_told(run, faults))
    hits = sum(run.proxy.hits(fault) for fault in faults)
    seen = watchman.wrongs(replicas=REPLICAS, keep=flow.keep)
    wrongs = (*seen, *_selected(flow, watchman.selected), *told, *_answered(flow, traffic.result()))
    return Outcome({END: state}, run.proxy.calls[since:], time.monotonic() - begun, hits, len(run.operator.exits), wrongs)


@contextlib.contextmanager
def _begun(meanwhile: Coroutine[Any, Any, None] | None) -> Iterator[asyncio.Future[None]]:
    """Something that goes on beside the block, and not longer."""
    task = asyncio.ensure_future(meanwhile or asyncio.sleep(0))
    try:
        yield task
    finally:
        task.cancel()


async def _settled(runs: Sequence[Run], clean: Outcome | None) -> Mapping[str, Any]:
    """The world once nobody writes any more, and it is as in the clean run; as it is after SETTLED_SECONDS where it does not become so."""
    end = time.monotonic() + SETTLED_SECONDS
    while True:
        for run in runs:
            await run.proxy.until_quiet(QUIET_SECONDS, within=SETTLED_SECONDS)
        state = await _state(runs[0])
        if clean is None or state == clean.states[END] or time.monotonic() > end:
            return state
        await asyncio.sleep(1)  # what is waited for may be a call that is tried again only after half a minute


async def _state(run: Run) -> Mapping[str, Any]:
    """See rig.snapshot; and what is remembered of the release."""
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
    return found


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
