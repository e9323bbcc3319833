"""The flows that faults are injected into: what a team does to a service, each ending in a state that can be compared."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from e2e.faults import Fault, Plan
from e2e.kube import Kube, is_ready
from e2e.rig import Act, Run, fresh_namespace, operator_behind, snapshot, web
from e2e.sweep import Outcome

#: Seconds for one step of a flow to end in Ready, faults and restarts included: the longest single fault is a Retry-After of 30 s.
STEP_SECONDS = 120.0
#: Seconds without a write that count as quiet in a single run; a bulk run looks for longer.
QUIET_SECONDS = 3.0


async def create(run: Run) -> None:
    """A team applies a new service."""
    await run.kube.apply(web(run.namespace))
    await _ready(run)


async def edit(run: Run) -> None:
    """A new version with other files, another port and more pods."""
    ports = [{"name": "http", "containerPort": 8080, "port": 81}]
    files = [{"mountPath": "/etc/web", "data": {"settings.toml": "greeting = 'good day'\n"}}]
    await run.kube.apply(web(run.namespace, "v2", ports=ports, files=files, replicas=2))
    await _ready(run)


async def retire_ports(run: Run) -> None:
    """The service becomes a worker: its Service goes."""
    manifest = web(run.namespace, "v2", replicas=2)
    del manifest["spec"]["ports"], manifest["spec"]["probes"]
    await run.kube.apply(manifest)
    await _ready(run)


async def recreate(run: Run) -> None:
    """Deleted, and made again at once under the same name: what is left of the first one must not be taken for the second's."""
    await run.kube.delete("HardenedService", "web", run.namespace)
    await run.kube.until("HardenedService", "web", run.namespace, lambda live: live is None, within=STEP_SECONDS)
    await run.kube.apply(web(run.namespace, "v3"))
    await _ready(run)


async def _ready(run: Run) -> None:
    await run.kube.until("HardenedService", "web", run.namespace, is_ready, within=STEP_SECONDS)


#: Creation and edits, and a deletion with what follows it.
FLOW: tuple[Act, ...] = (create, edit, retire_ports, recreate)


async def run_clean(kube: Kube, kubeconfig: Path, folder: Path) -> Outcome:
    """Runs the whole flow without a fault: each step until it is quiet, and what the world is then."""
    return await _run(kube, kubeconfig, folder, (), lambda _: True, lambda _: False)


async def run_until_struck(kube: Kube, kubeconfig: Path, folder: Path, plan: Plan) -> Outcome:
    """Runs the flow up to and with the step in which the plan's fault strikes, and looks at the world after that step."""

    def struck(run: Run) -> bool:
        return any(run.proxy.hits(fault) for fault in plan.faults)

    return await _run(kube, kubeconfig, folder, plan.faults, struck, struck)


Ask = Callable[[Run], bool]


async def _run(kube: Kube, kubeconfig: Path, folder: Path, faults: tuple[Fault, ...], is_looked_at: Ask, is_enough: Ask) -> Outcome:
    begun = time.monotonic()
    async with fresh_namespace(kube, "flow") as namespace, operator_behind(kube, kubeconfig, folder, faults, namespace=namespace) as run:
        states = {}
        for step in FLOW:
            await step(run)
            if is_looked_at(run):
                await run.proxy.until_quiet(QUIET_SECONDS, within=STEP_SECONDS)
                states[step.__name__] = await snapshot(kube, namespace)
            if is_enough(run):
                break
        hits = sum(run.proxy.hits(fault) for fault in faults)
        return Outcome(states, run.proxy.calls, time.monotonic() - begun, hits, len(run.operator.exits))
