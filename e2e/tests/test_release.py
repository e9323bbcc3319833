"""A new version is brought up beside the live one, switched in without losing a request, and taken back where it fails."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from e2e.cluster.local.cluster import LocalCluster
from e2e.figures import figures
from e2e.kube import Body, condition
from e2e.release_flow import is_kept
from e2e.releases import TERMS, leads_to, ready_reason, released, until_gone, until_no_release
from e2e.rig import Run, running, serve, side_by_side
from e2e.traffic import load

RATE = 200

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("rights")]


def has_ended(pod: Body | None) -> bool:
    """Whether a pod is gone, or none of its containers runs any more."""
    return pod is None or pod["status"]["phase"] in ("Succeeded", "Failed")


def test_a_good_version_goes_live_no_request_is_lost_and_the_probe_tells_so(local: LocalCluster, tmp_path: Path) -> None:
    async def all_of_it() -> None:
        async with running(local.kubeconfig, tmp_path, name="release") as run:
            await serve(run, released(run.namespace, "v1"))
            async with load(local, run.kube, run.namespace, rate=RATE) as under_way:
                await run.kube.apply(released(run.namespace, "v2"))
                live, _ = await run.kube.until("HardenedService", "web", run.namespace, is_kept, within=60)
                # Until the previous pods are gone: connections that are kept alive stay with them until then.
                await until_no_release(run)
                await until_gone(run, "blue", within=60)
            sent = [each.sent for each in under_way]
            assert live
            assert live["status"]["serving"]["color"] == "green"
            (proof,) = live["status"]["release"]["checks"]
            figures(
                "a release under load",
                requests=sum(s.requests for s in sent),
                failed=sum(s.failed for s in sent),
                failures=[s.figures["failures"] for s in sent],
                versions=[s.versions for s in sent],
                proof=proof,
            )
            assert [s.failed for s in sent] == [0, 0]
            assert all(set(s.versions) == {"v1", "v2"} for s in sent)
            assert (proof["name"], proof["result"], proof["failed"]) == ("zero-loss", "Passed", 0)
            assert proof["requests"] >= 20

    asyncio.run(all_of_it())


async def never_comes_up(run: Run) -> None:
    """A version whose pods are never ready."""
    await serve(run, released(run.namespace, "v1"))
    bad = released(run.namespace, "v2", probes={"readiness": {"httpGet": {"path": "/nothing"}, "periodSeconds": 1}})
    bad["spec"]["release"] = {**TERMS["release"], "progressDeadline": "10s"}
    await run.kube.apply(bad)
    await run.kube.until("HardenedService", "web", run.namespace, ready_reason("Rejected"), within=60)


async def fails_its_check(run: Run) -> None:
    """A version that answers otherwise than it should."""
    smoke = {"name": "smoke", "http": {"path": "/", "expectBody": "v1", "count": 3, "interval": "200ms"}}
    terms = {"beforeCutover": [smoke], "afterCutover": {"window": "2s"}}
    await serve(run, released(run.namespace, "v1", verify=terms))
    await run.kube.apply(released(run.namespace, "v2", verify=terms))
    live, seconds = await run.kube.until("HardenedService", "web", run.namespace, ready_reason("Rejected"), within=60)
    assert live
    figures("rejected by a check", seconds=seconds)
    assert "check smoke failed" in condition(live, "Ready")["message"]
    left = await run.kube.list("Pod", run.namespace, "app.kubernetes.io/component=verifier")
    for pod in left:  # what has failed is kept to be looked at; nothing asks any more
        await run.kube.until("Pod", pod["metadata"]["name"], run.namespace, has_ended, within=30)


BAD = {"it never comes up": never_comes_up, "it fails its check": fails_its_check}


def test_a_version_that_never_comes_up_or_fails_its_check_is_rejected_and_nothing_was_switched(local: LocalCluster, tmp_path: Path) -> None:
    async def is_rejected(run: Run, case: str) -> None:
        await BAD[case](run)
        live = await run.kube.get("HardenedService", "web", run.namespace)
        assert live
        assert condition(live, "Available")["status"] == "True"
        assert live["status"]["serving"]["color"] == "blue"
        assert leads_to("blue")(await run.kube.get("Service", "web", run.namespace))

    asyncio.run(side_by_side(local.kubeconfig, tmp_path, BAD, is_rejected))
