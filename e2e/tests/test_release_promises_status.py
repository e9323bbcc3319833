"""What is promised of a service that goes, rests, is told of, or gets another operator in mid-release. See docs/promises.md."""

from __future__ import annotations

import asyncio
import bisect
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from e2e.cluster.local.cluster import LocalCluster
from e2e.invariants import COLOR, InvariantMonitor, watching
from e2e.kube import Body, condition, is_ready
from e2e.releases import TERMS, end, following, leads_to, pods_of, released, serving_color, slow, until_led_to, until_step
from e2e.rig import CHILDREN, MERCY, ROOT, Run, canary, operator_behind, running, serve, web
from e2e.traffic import sending

RATE = 50
#: Seconds until the garbage collector has taken everything.
GONE_S = 20.0
#: What goes with a service.
OWNED = (*(kind for kind in CHILDREN if kind != "PersistentVolumeClaim"), "ReplicaSet", "Pod")
#: What is added to the sources of an operator, so that it renders pods otherwise.
ANOTHER_RENDERER = """

_rendered = pod_template


def pod_template(svc, revision):
    found = _rendered(svc, revision)
    found["metadata"].setdefault("annotations", {})["example.com/renderer"] = "another"
    return found
"""

pytestmark = [pytest.mark.cluster, pytest.mark.sampled(3), pytest.mark.usefixtures("rights")]


async def suspend(run: Run, is_suspended: bool) -> None:
    """Somebody suspends the service, or lets it go on."""
    await run.kube.patch("HardenedService", "web", run.namespace, {"spec": {"suspend": is_suspended}})


async def suspend_until(run: Run, moment: datetime) -> None:
    """Somebody suspends the service for a while."""
    await run.kube.patch("HardenedService", "web", run.namespace, {"spec": {"suspendUntil": moment.strftime("%Y-%m-%dT%H:%M:%SZ")}})


def is_suspended(live: Body | None) -> bool:
    """Whether the service says that nothing is changed any more."""
    return condition(live, "Ready").get("reason") == "Suspended"


# ---- it goes, or it rests


async def left(run: Run) -> list[str]:
    """What there is of the service."""
    found = [live for kind in OWNED for live in await run.kube.list(kind, run.namespace, "hardened.dev/service=web")]
    return [f"{live['kind']} {live['metadata']['name']}" for live in found]


async def until_none_is_left(run: Run) -> None:
    async with asyncio.timeout(MERCY * GONE_S):
        while True:
            if not await left(run):
                return
            await asyncio.sleep(0.5)  # the pace at which lists are asked for again


@pytest.mark.parametrize("step", ["VerifyBefore", "VerifyAfter"])
def test_of_a_service_that_is_deleted_in_its_release_nothing_is_left(local: LocalCluster, tmp_path: Path, step: str) -> None:
    async def all_of_it() -> None:
        async with running(local.kubeconfig, tmp_path, name="deleted") as run:
            await serve(run, released(run.namespace, "v1"))
            await run.kube.apply(slow(run.namespace, "v2"))
            await until_step(run, step)
            await run.kube.delete("HardenedService", "web", run.namespace)
            await until_none_is_left(run)
            await run.proxy.until_quiet(2, within=30)
            assert await left(run) == []
            assert not run.operator.exits

    asyncio.run(all_of_it())


@pytest.mark.parametrize("seconds", [pytest.param(None, id="until somebody says so"), pytest.param(25.0, id="until a moment")])
def test_a_service_that_is_suspended_before_its_cutover_serves_as_it_did_and_goes_on_later(
    local: LocalCluster, tmp_path: Path, seconds: float | None
) -> None:
    async def all_of_it() -> None:
        async with running(local.kubeconfig, tmp_path, name="suspended") as run:
            await serve(run, released(run.namespace, "v1"))
            async with sending(local, run.kube, run.namespace, rate=RATE) as under_way, watching(run) as monitor:
                await run.kube.apply(slow(run.namespace, "v2"))
                await until_step(run, "VerifyBefore")
                await (suspend(run, True) if seconds is None else suspend_until(run, datetime.now(UTC) + timedelta(seconds=seconds)))
                await run.kube.until("HardenedService", "web", run.namespace, is_suspended, within=10)
                await run.proxy.until_quiet(8, within=30)  # longer than what was left of the checks and of the approval
                resting = monitor.selected
                if seconds is None:
                    await suspend(run, False)
                live, _ = await run.kube.until("HardenedService", "web", run.namespace, is_ready, within=60)
            assert resting == ("blue",)
            assert serving_color(live) == "green"
            assert under_way.sent.failed == 0

    asyncio.run(all_of_it())


@pytest.mark.parametrize(
    ("window", "color"), [pytest.param("8s", "green", id="a good one"), pytest.param("60s", "blue", id="one that dies")]
)
def test_a_service_that_is_suspended_after_its_cutover_comes_to_rest_on_a_proven_version(
    local: LocalCluster, tmp_path: Path, window: str, color: str
) -> None:
    async def all_of_it() -> None:
        async with running(local.kubeconfig, tmp_path, name="suspended") as run:
            await serve(run, released(run.namespace, "v1"))
            await run.kube.apply(released(run.namespace, "v2", verify={"afterCutover": {"window": window}}))
            await until_step(run, "VerifyAfter")
            await suspend(run, True)
            if color == "blue":
                await end(local, run, await pods_of(run, "green"), "hanging")
                await until_led_to(run, "blue", within=30)
            live, _ = await run.kube.until("HardenedService", "web", run.namespace, is_suspended, within=60)
            assert live
            assert leads_to(color)(await run.kube.get("Service", "web", run.namespace))
            assert live["status"]["stable"]["color"] == color
            assert condition(live, "Available")["status"] == "True"

    asyncio.run(all_of_it())


# ---- another operator


def another_operator(folder: Path) -> Path:
    """The sources of an operator that renders pods otherwise, as a later version may."""
    sources = folder / "another"
    shutil.copytree(ROOT / "operator" / "hardened", sources / "hardened", ignore=shutil.ignore_patterns("__pycache__"))
    with (sources / "hardened/core/desired/template.py").open("a") as template:
        template.write(ANOTHER_RENDERER)
    return sources


async def pod_uids(run: Run) -> set[str]:
    """The application's pods, of both colours."""
    return {pod["metadata"]["uid"] for color in ("blue", "green") for pod in await pods_of(run, color)}


def kept(namespace: str, version: str) -> Body:
    """A version whose predecessor is kept for longer than the test takes."""
    return released(namespace, version, release={**TERMS["release"], "keepPrevious": "10m"})


@pytest.mark.parametrize("make", [kept, web], ids=["blue-green", "in place"])
def test_an_operator_that_renders_otherwise_changes_no_pod(local: LocalCluster, tmp_path: Path, make: Callable[..., Body]) -> None:
    async def all_of_it() -> None:
        async with running(local.kubeconfig, tmp_path, name="upgrade") as run:
            await serve(run, make(run.namespace, "v1"))
            await serve(run, make(run.namespace, "v2"))
            await run.proxy.until_quiet(2, within=30)
            before = await pod_uids(run)
            await run.operator.stop()
            sources = another_operator(tmp_path)
            settings = {"PYTHONPATH": str(sources)}
            async with operator_behind(run.kube, local.kubeconfig, sources, namespace=run.namespace, settings=settings) as later:
                await canary(run.kube, run.namespace, within=60)  # it has looked at everything by then
                await later.proxy.until_quiet(2, within=30)
                written = [call.kind for call in later.proxy.writes if call.name.startswith("web")]
                assert await pod_uids(run) == before
                assert not [kind for kind in written if kind in ("apps/deployments", "apps/controllerrevisions", "services")]
                # It is another one: what it makes anew, it makes otherwise.
                await run.kube.apply(make(run.namespace, "v3"))
                live, _ = await run.kube.until("HardenedService", "web", run.namespace, is_ready, within=90)
                deployment = await run.kube.get("Deployment", f"web-{serving_color(live)}", run.namespace)
            assert deployment
            assert deployment["spec"]["template"]["metadata"]["annotations"]["example.com/renderer"] == "another"

    asyncio.run(all_of_it())


# ---- what status says


def lies(states: list[Body], monitor: InvariantMonitor) -> list[str]:
    """Where a service said that it is ready, and what served was not what its spec asks for, or not known to be good.

    Changes of different objects are in one order by their resourceVersion.
    """
    switch = sorted(
        (change.version, str(change.body["spec"]["selector"].get(COLOR)))
        for change in monitor.changes
        if (change.body["kind"], change.body["metadata"]["name"]) == ("Service", "web")
    )
    first = next(body for body in monitor.first if (body["kind"], body["metadata"]["name"]) == ("Service", "web"))
    found = []
    for live in (state for state in states if is_ready(state)):
        at = int(live["metadata"]["resourceVersion"])
        earlier = switch[: bisect.bisect_left(switch, (at, ""))]
        color = earlier[-1][1] if earlier else first["spec"]["selector"].get(COLOR)
        status = live["status"]
        step = (status.get("release") or {}).get("step", "Keep")
        if status["serving"]["image"] != live["spec"]["image"] or status["serving"]["color"] != color or step != "Keep":
            found.append(f"{live['spec']['image']} is said to be ready in {step}, and {status['serving']} serves by {color}")
        if status["stable"]["revision"] != status["serving"]["revision"]:
            found.append(f"{live['spec']['image']} is said to be ready, and was not promoted")
    return found


def test_a_service_is_ready_only_while_what_its_spec_asks_for_serves_and_was_verified(local: LocalCluster, tmp_path: Path) -> None:
    async def all_of_it() -> None:
        async with running(local.kubeconfig, tmp_path, name="truth") as run:
            await serve(run, released(run.namespace, "v1"))
            async with following(run) as states, watching(run) as monitor:
                await run.kube.apply(slow(run.namespace, "v2", expect="v1"))  # is rejected before
                await run.kube.until("HardenedService", "web", run.namespace, lambda s: bool(s and s["status"].get("pin")), within=60)
                await serve(run, released(run.namespace, "v3"))
            assert lies(states, monitor) == []
            assert {state["spec"]["image"][-2:] for state in states if is_ready(state)} == {"v1", "v3"}

    asyncio.run(all_of_it())


async def drain(run: Run, pod: Body) -> None:
    """What `kubectl drain` does to one pod. A budget, where there is one, lets it go once it has counted the pods that are ready."""

    def allows(budget: Body | None) -> bool:
        return budget is None or bool((budget.get("status") or {}).get("disruptionsAllowed"))

    await run.kube.until("PodDisruptionBudget", "web-green", run.namespace, allows, within=20)
    meta = {"name": pod["metadata"]["name"], "namespace": run.namespace}
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": meta}
    await run.kube.call("POST", f"api/v1/namespaces/{run.namespace}/pods/{meta['name']}/eviction", body)


def test_a_pod_that_a_drain_takes_away_is_no_failure_of_its_version(local: LocalCluster, tmp_path: Path) -> None:
    async def all_of_it() -> None:
        async with running(local.kubeconfig, tmp_path, name="drain") as run:
            await serve(run, released(run.namespace, "v1"))
            await run.kube.apply(released(run.namespace, "v2", verify={"afterCutover": {"window": "15s"}}))
            await until_step(run, "VerifyAfter")
            pod = (await pods_of(run, "green"))[0]
            await drain(run, pod)
            left = await run.kube.get("Pod", pod["metadata"]["name"], run.namespace)
            live, _ = await run.kube.until("HardenedService", "web", run.namespace, is_ready, within=60)
            assert left
            assert any(c["type"] == "DisruptionTarget" and c["status"] == "True" for c in left["status"]["conditions"])
            assert serving_color(live) == "green"

    asyncio.run(all_of_it())


def test_the_only_pod_that_a_drain_takes_away_is_none_either_and_its_version_is_released_anew(local: LocalCluster, tmp_path: Path) -> None:
    async def all_of_it() -> None:
        async with running(local.kubeconfig, tmp_path, name="drain") as run:
            await serve(run, released(run.namespace, "v1", replicas=1))
            async with following(run) as states, watching(run) as monitor:
                await run.kube.apply(released(run.namespace, "v2", replicas=1, verify={"afterCutover": {"window": "10s"}}))
                await until_step(run, "VerifyAfter")
                (pod,) = await pods_of(run, "green")
                await drain(run, pod)
                await until_led_to(run, "blue", within=10)
                live, _ = await run.kube.until("HardenedService", "web", run.namespace, is_ready, within=90)
            assert [state["status"]["pin"] for state in states if (state.get("status") or {}).get("pin")] == [], "nothing is rejected"
            assert monitor.selected == ("blue", "green", "blue", "green")
            assert serving_color(live) == "green"

    asyncio.run(all_of_it())
