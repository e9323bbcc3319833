"""An autoscaler under a real load, at full size: it has its way in each step of a release, and whatever is applied meanwhile."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import pytest
from test_autoscale import AT_ONCE, LOAD_RATE, QUIET_RATE, SCALED_WITHIN, failures, is_asked_for, scaled

from e2e.cluster import tools
from e2e.cluster.command import Argument, attempt
from e2e.cluster.local.cluster import LocalCluster
from e2e.figures import figures
from e2e.kube import Body, is_ready
from e2e.releases import following, pods_of, serving_color, step_of, until_no_release, until_step
from e2e.repeated import repeated
from e2e.rig import MERCY, Run, running, serve
from e2e.traffic import Sending, load, sending

#: Two pods while it is quiet, so that there is something to wait for in ScaleUp, and twice as many at most.
LEAST, MOST = 2, 4
#: Seconds that the steps last after the cutover: it grows, and then it shrinks, each of which takes half a minute on a busy machine.
STEP_S = 90
#: Seconds until pods of ScaleUp are ready: it goes on so long after it has begun, and after it has grown.
SLOW_S = 60
#: The same of the one pod of Preview: time to make those that follow it slower.
PREVIEW_S = 10
#: Seconds until both stacks are asked to have a new size: the load is on the same machine.
FOLLOWS_S = 10.0
#: Seconds between two times that Git is applied, as a controller would.
APPLIED_EVERY = 10.0

pytestmark = [pytest.mark.full, pytest.mark.usefixtures("rights")]


# ---- in each step of a release


def of_steps(namespace: str, version: str, *, step_s: int) -> Body:
    """A service whose release spends so many seconds in each step after the cutover; then a ConfigMap says how slow its pods are."""
    smoke = {"name": "smoke", "http": {"path": "/", "expectBody": version, "count": 1}}
    delay: Body = {"valueFrom": {"configMapKeyRef": {"name": "start", "key": "delay"}}} if step_s else {"value": "0"}
    manifest = scaled(
        namespace,
        version,
        env=[{"name": "LINGER", "value": "0"}, {"name": "START_DELAY", **delay}],
        release={"strategy": "BlueGreen", "keepPrevious": f"{max(step_s, 30)}s", "progressDeadline": "15m"},
        verify={"beforeCutover": [smoke], "afterCutover": {"window": f"{max(step_s, 1)}s"}},
    )
    manifest["spec"]["autoscale"] |= {"minReplicas": LEAST, "maxReplicas": MOST}
    return manifest


async def start_pods_after(run: Run, seconds: int) -> None:
    """So long do pods take that are made from now on."""
    meta = {"name": "start", "namespace": run.namespace}
    await run.kube.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"delay": str(seconds)}})


async def until_scale_up_is_slow(run: Run) -> None:
    """Once the only pod of the preview has started, which is not slow, those that follow it are."""
    await until_step(run, "Preview")
    async with asyncio.timeout(SCALED_WITHIN):
        while True:
            if any((pod.get("status") or {}).get("phase") == "Running" for pod in await pods_of(run, "green")):
                break
            await asyncio.sleep(0.1)  # the pace at which a list is asked for again
    await start_pods_after(run, SLOW_S)
    await until_step(run, "ScaleUp", within=SCALED_WITHIN)


async def until_both_follow(run: Run, size: int) -> None:
    """Waits until both stacks are asked to have as many pods as the service."""
    for color in ("blue", "green"):
        await run.kube.until("Deployment", f"web-{color}", run.namespace, is_asked_for(lambda n: n == size), within=MERCY * FOLLOWS_S)


async def grow_and_shrink(local: LocalCluster, run: Run, step: str) -> tuple[Sending, dict[str, float]]:
    """Under load, and without it again, within one step. The requests of the load, and the seconds that both took.

    They come on kept connections, which cost whoever sends them the least: those that come all the time are on new ones.
    """
    sized = ("HardenedService", "web", run.namespace)
    async with sending(local, run.kube, run.namespace, rate=LOAD_RATE, connections=20) as under_way:
        grown, grew_in = await run.kube.until(*sized, is_asked_for(lambda size: size > LEAST), within=SCALED_WITHIN)
        assert grown
        await until_both_follow(run, grown["spec"]["replicas"])
    shrunk, shrank_in = await run.kube.until(*sized, is_asked_for(lambda size: size == LEAST), within=SCALED_WITHIN)
    await until_both_follow(run, LEAST)
    assert (step_of(grown), step_of(shrunk)) == (step, step), "it was over too soon for anything to be seen"
    return under_way, {f"{step}_grew_in": grew_in, f"{step}_shrank_in": shrank_in}


@pytest.mark.timeout(1800)
def test_it_grows_and_shrinks_in_each_step_of_a_release_which_undoes_nothing_and_goes_on(local: LocalCluster, tmp_path: Path) -> None:
    async def all_of_it() -> None:
        async with running(local.kubeconfig, tmp_path, name="autoscale") as run:
            await serve(run, of_steps(run.namespace, "v1", step_s=0), within=180)
            async with sending(local, run.kube, run.namespace, rate=QUIET_RATE) as quiet:
                sendings: list[Sending] = [quiet]
                seconds: dict[str, float] = {}
                await start_pods_after(run, PREVIEW_S)
                await run.kube.apply(of_steps(run.namespace, "v2", step_s=STEP_S))
                await until_scale_up_is_slow(run)
                for step in ("ScaleUp", "VerifyAfter", "Keep"):
                    await until_step(run, step, within=STEP_S + SCALED_WITHIN)
                    loaded, took = await grow_and_shrink(local, run, step)
                    sendings.append(loaded)
                    seconds |= took
                    await start_pods_after(run, 0)
                await until_no_release(run, within=STEP_S + SCALED_WITHIN)
                live, _ = await run.kube.until("HardenedService", "web", run.namespace, is_ready, within=60)
            written = [call for call in run.proxy.writes if call.subresource == "scale"]
            counts = failures(*sendings)
            figures("scaled by load in each step of a release", **seconds, **counts)
            assert counts["failed"] == 0, [(each.sent.figures["failures"], each.sent.figures["failedBySecond"]) for each in sendings]
            assert len(written) == 1, "the operator writes a size once, where there is none"
            assert serving_color(live) == "green"

    asyncio.run(all_of_it())


# ---- applied again and again, as it is in Git


@pytest.mark.parametrize("options", [(), ("--server-side",)], ids=["client-side", "server-side"])
def test_git_that_says_nothing_of_replicas_is_applied_all_the_time_and_shrinks_nothing(
    local: LocalCluster, tmp_path: Path, options: tuple[str, ...]
) -> None:
    async def all_of_it() -> None:
        async with running(local.kubeconfig, tmp_path, name="autoscale") as run:
            manifest = scaled(run.namespace, "v1")
            # It does not shrink by itself meanwhile: whatever makes it smaller is what applies it.
            manifest["spec"]["autoscale"]["behavior"] = {"scaleUp": AT_ONCE, "scaleDown": {"stabilizationWindowSeconds": 1800}}
            assert "replicas" not in manifest["spec"]
            (tmp_path / "git.yaml").write_text(json.dumps(manifest))
            kubectl: list[Argument] = [tools.kubectl(), f"--kubeconfig={local.kubeconfig}"]
            words: list[Argument] = [*options, f"--filename={tmp_path / 'git.yaml'}"]
            async with repeated([*kubectl, "apply", *words], every=APPLIED_EVERY) as applied:
                live, _ = await run.kube.until("HardenedService", "web", run.namespace, is_ready, within=60)
                assert live
                assert live["spec"]["replicas"] == 1
                async with following(run) as states, load(local, run.kube, run.namespace, rate=LOAD_RATE) as under_way:
                    began = time.monotonic()
                    most = is_asked_for(lambda size: size == 3)
                    await run.kube.until("HardenedService", "web", run.namespace, most, within=2 * SCALED_WITHIN)
                    grew_in = time.monotonic() - began
                    await applied.more(3)
                    difference = await asyncio.to_thread(attempt, [*kubectl, "diff", *words], timeout=60)
            sizes = [state["spec"]["replicas"] for state in states]
            counts = failures(*under_way)
            how = options[0] if options else "client-side"
            figures("applied while it grows", how=how, applied=applied.times, seconds_to_most=grew_in, **counts)
            assert sizes == sorted(sizes), "it never falls"
            assert (difference.returncode, difference.stdout) == (0, ""), difference.stderr
            assert counts["failed"] == 0

    asyncio.run(all_of_it())
