"""While a version is watched on live traffic something else is refused: clients are served as without it. See docs/promises.md.

What is refused is asked for by a newer spec, or is a mark that the operator itself has to write.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from e2e.actions import ask, phase_of
from e2e.cluster.local.cluster import LocalCluster
from e2e.figures import figures
from e2e.kube import Body, Kube, KubeError, condition, path_of
from e2e.releases import end, leads_to, pods_of, ready_reason, released, scale, serving_color, until_led_to, until_step
from e2e.rig import MERCY, Run, running, serve
from e2e.samples import sampled

#: Seconds until clients are led to what is to serve, and a stack is asked for another size.
SOON_S = 2.0
#: Seconds until pods that are asked for are available.
UP_S = 30.0
#: Seconds until the API server goes by a policy that was made or taken away, and between two looks.
LEARNT_S, LOOK_S = 30.0, 0.2
SIZE = 4

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("rights")]


def watched(namespace: str, version: str) -> Body:
    """A version whose window is longer than the test looks on."""
    return released(namespace, version, verify={"afterCutover": {"window": "90s"}})


# ---- what is refused


@dataclass(frozen=True)
class Refused:
    """spec: what somebody writes into the spec that cannot be had; says: what Ready's message names for it."""

    spec: Body
    says: str


REFUSED = {
    "a label": Refused({"podMetadata": {"labels": {"team": "shop"}}}, "spec.podMetadata.labels"),
    "a claim": Refused({"volumes": [{"name": "data", "mountPath": "/data", "claim": {"size": "10Mi", "shared": True}}]}, "claims"),
}


async def forbid_claims(run: Run) -> None:
    """A quota that has room for no claim, and has been counted."""
    meta, hard = {"name": "claims", "namespace": run.namespace}, {"persistentvolumeclaims": "0"}
    await run.kube.create({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": meta, "spec": {"hard": hard}})

    def is_counted(live: Body | None) -> bool:
        return bool(live and (live.get("status") or {}).get("used"))

    await run.kube.until("ResourceQuota", "claims", run.namespace, is_counted, within=30)


# ---- what happens then


async def dies(local: LocalCluster, run: Run) -> None:
    """All pods of the new version crash."""
    await end(local, run, await pods_of(run, "green"), "crashing")


async def is_rolled_back(_: LocalCluster, run: Run) -> None:
    """Somebody asks for the version before."""
    done = await ask(run, "Rollback")
    assert phase_of(done) == "Succeeded", done["status"]


async def is_scaled(_: LocalCluster, run: Run) -> None:
    """An autoscaler asks for more pods."""
    await scale(run, SIZE)


async def loses_its_service(_: LocalCluster, run: Run) -> None:
    """Somebody deletes the Service that clients use."""
    await run.kube.delete("Service", "web", run.namespace)


@dataclass(frozen=True)
class Event:
    """color: where clients are led by it; size: of the stack that serves them then."""

    happens: Callable[[LocalCluster, Run], Awaitable[None]]
    color: str
    size: int = 2


EVENTS = {
    "it dies": Event(dies, "blue"),
    "it is rolled back": Event(is_rolled_back, "blue"),
    "it is scaled": Event(is_scaled, "green", SIZE),
    "its Service is deleted": Event(loses_its_service, "blue"),  # a selector that is not its own is repaired toward what is stable
}


async def until_served(run: Run, event: Event) -> float:
    """Seconds until clients are led to the right colour, and it is asked to have its size. Waits for its pods, too."""
    begun, soon = time.monotonic(), MERCY * SOON_S
    await until_led_to(run, event.color, within=soon)
    deployment = f"web-{event.color}"
    await run.kube.until("Deployment", deployment, run.namespace, lambda d: bool(d and d["spec"]["replicas"] == event.size), within=soon)
    seconds = time.monotonic() - begun

    def has_pods(live: Body | None) -> bool:
        return live is not None and (live.get("status") or {}).get("availableReplicas", 0) >= event.size

    def is_told(live: Body | None) -> bool:
        return serving_color(live) == event.color and condition(live, "Available").get("status") == "True"

    await run.kube.until("Deployment", deployment, run.namespace, has_pods, within=UP_S)
    await run.kube.until("HardenedService", "web", run.namespace, is_told, within=UP_S)
    return seconds


@pytest.mark.parametrize(("refused", "event"), sampled([(refused, event) for refused in REFUSED for event in EVENTS], 2))
def test_while_a_newer_spec_asks_for_what_is_refused_clients_are_served_as_without_it(
    local: LocalCluster, tmp_path: Path, refused: str, event: str
) -> None:
    change, what = REFUSED[refused], EVENTS[event]

    def says_so(live: Body | None) -> bool:
        return condition(live, "Ready").get("status") == "False" and change.says in condition(live, "Ready")["message"]

    async def all_of_it() -> None:
        async with running(local.kubeconfig, tmp_path, name="refused") as run:
            await forbid_claims(run)
            await serve(run, released(run.namespace, "v1"))
            await run.kube.apply(watched(run.namespace, "v2"))
            await until_step(run, "VerifyAfter")
            await run.kube.patch("HardenedService", "web", run.namespace, {"spec": change.spec})
            await run.kube.until("HardenedService", "web", run.namespace, says_so, within=30)
            assert leads_to("green")(await run.kube.get("Service", "web", run.namespace))
            await what.happens(local, run)
            seconds = await until_served(run, what)
            figures("served while something else is refused", refused=refused, event=event, seconds=seconds)
            # What is refused is told as long as it is asked for, and nothing is made of it.
            await run.kube.until("HardenedService", "web", run.namespace, says_so, within=60)
            assert leads_to(what.color)(await run.kube.get("Service", "web", run.namespace))
            assert await run.kube.list("PersistentVolumeClaim", run.namespace) == []
            assert not run.operator.exits

    asyncio.run(all_of_it())


# ---- the marks themselves


@contextlib.asynccontextmanager
async def no_marks(kube: Kube, namespace: str) -> AsyncIterator[None]:
    """A policy by which nobody changes a ControllerRevision of this namespace, in force for the time of the block."""
    name, group = f"no-marks-{uuid.uuid4().hex[:8]}", "admissionregistration.k8s.io"
    rule = {"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["UPDATE"], "resources": ["controllerrevisions"]}
    in_namespace = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}}
    policy = {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": [rule], **in_namespace},
        "validations": [{"expression": "false", "message": "no marks"}],
    }
    binding = {"policyName": name, "validationActions": ["Deny"], "matchResources": in_namespace}
    specs = {"ValidatingAdmissionPolicy": policy, "ValidatingAdmissionPolicyBinding": binding}
    try:
        for kind, spec in specs.items():
            await kube.create({"apiVersion": f"{group}/v1", "kind": kind, "metadata": {"name": name}, "spec": spec})
        await until_marks(kube, namespace, are_refused=True)
        yield
    finally:
        for kind in reversed(specs):
            await kube.delete(kind, name)


async def until_marks(kube: Kube, namespace: str, *, are_refused: bool) -> None:
    """Waits until marks are refused, or are not any more: the API server goes by a policy after a moment."""
    (stored, *_) = await kube.list("ControllerRevision", namespace)
    path = path_of("ControllerRevision", namespace, stored["metadata"]["name"])
    mark = {"metadata": {"annotations": {"example.com/mark": ""}}}
    async with asyncio.timeout(LEARNT_S):
        while True:
            try:
                await kube.call("PATCH", path, mark, content_type="application/merge-patch+json", dryRun="All")
                is_refused = False
            except KubeError as error:
                if "no marks" not in str(error):
                    raise
                is_refused = True
            if is_refused is are_refused:
                return
            await asyncio.sleep(LOOK_S)  # nobody tells that a policy is known


def test_a_version_that_dies_is_taken_back_while_no_mark_can_be_written(local: LocalCluster, tmp_path: Path) -> None:
    async def all_of_it() -> None:
        async with running(local.kubeconfig, tmp_path, name="marks") as run:
            await serve(run, released(run.namespace, "v1"))
            await run.kube.apply(watched(run.namespace, "v2"))
            await until_step(run, "VerifyAfter")
            async with no_marks(run.kube, run.namespace):
                await dies(local, run)
                seconds = await until_served(run, EVENTS["it dies"])
                figures("taken back while no mark can be written", seconds=seconds)
            # What could not be written is written once it can be: the version is not released again.
            await run.kube.until("HardenedService", "web", run.namespace, ready_reason("RolledBack"), within=90)
            stored = await run.kube.list("ControllerRevision", run.namespace)
            assert any("hardened.dev/rejected" in (each["metadata"].get("annotations") or {}) for each in stored)
            assert leads_to("blue")(await run.kube.get("Service", "web", run.namespace))
            assert not run.operator.exits

    asyncio.run(all_of_it())
