"""What others do to a service's children is set back, reported, or left alone: whichever is right."""

from __future__ import annotations

import asyncio
import copy
import functools
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from e2e.damage import AUTOSCALE, CLAIM, EDITS, REPAIR_SECONDS, WHOLE, child, repair_seconds
from e2e.figures import figures
from e2e.kube import KINDS, Body, KubeError, condition, is_ready
from e2e.rig import CHILDREN, MERCY, Act, Run, running, serve, until_event, web

#: An entry more in a map that counts as a whole: left there, it would select other pods.
ATOMIC: dict[str, Body] = {
    "Service": {"spec": {"selector": {"theirs": "1"}}},
    "NetworkPolicy": {"spec": {"podSelector": {"matchLabels": {"theirs": "1"}}}},
    "PodDisruptionBudget": {"spec": {"selector": {"matchLabels": {"theirs": "1"}}}},
}
#: What beside our own field is refused as invalid, so that merging alone cannot set it back.
RIVALS: dict[str, Body] = {
    "Service": {"spec": {"ports": [{"name": "http", "port": 8888, "targetPort": 9999}]}},
    "PodDisruptionBudget": {"spec": {"maxUnavailable": None, "minAvailable": 1}},
    "Deployment": {"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 1}}}},
}
STRIPPED_LABELS: Body = {"metadata": {"labels": None}}
STRIPPED_OWNER: Body = {"metadata": {"ownerReferences": None}}
#: Something that is not ours to change, on every kind.
BESIDE: Body = {"metadata": {"labels": {"team": "theirs"}, "annotations": {"example.com/note": "theirs"}}}

pytestmark = pytest.mark.usefixtures("rights")


def damages() -> list[tuple[str, str, Body | None]]:
    """(what is done, to which kind, by which patch); None stands for a deletion."""
    found: list[tuple[str, str, Body | None]] = [("edited", kind, EDITS[kind]) for kind in CHILDREN]
    found += [("given an entry of an atomic map", kind, patch) for kind, patch in ATOMIC.items()]
    found += [("given a rival of a field", kind, patch) for kind, patch in RIVALS.items()]
    found.append(("paused", "Deployment", {"spec": {"paused": True}}))
    found += [("stripped of its labels", kind, STRIPPED_LABELS) for kind in CHILDREN]
    found += [("stripped of its owner", kind, STRIPPED_OWNER) for kind in CHILDREN if kind != "PersistentVolumeClaim"]
    # A claim in use cannot be made anew while its pods run: see the test of Drifted.
    return found + [("deleted", kind, None) for kind in CHILDREN if kind != "PersistentVolumeClaim"]


async def _repairs(kubeconfig: Path, folder: Path) -> dict[str, float | str]:
    found: dict[str, float | str] = {}
    async with running(kubeconfig, folder, name="repair") as run:
        await serve(run, web(run.namespace, **WHOLE))
        await run.proxy.until_quiet(1, within=30)
        for results in await asyncio.gather(*(_repairs_of(run, kind) for kind in CHILDREN)):
            found |= results
        await run.kube.until("HardenedService", "web", run.namespace, is_ready, within=60)
        assert not run.operator.exits
    return found


async def _repairs_of(run: Run, kind: str) -> dict[str, float | str]:
    """Every damage to the child of one kind, one after the other: the seconds until each was repaired, or why it was not."""
    found: dict[str, float | str] = {}
    for what, _, patch in (damage for damage in damages() if damage[1] == kind):
        try:
            found[f"{kind} {what}"] = await repair_seconds(run, kind, patch)
        except (AssertionError, KubeError) as error:
            found[f"{kind} {what}"] = str(error)
    return found


@pytest.mark.cluster
def test_every_child_that_is_edited_stripped_or_deleted_is_as_it_was_within_two_seconds(kubeconfig: Path, tmp_path: Path) -> None:
    found = asyncio.run(_repairs(kubeconfig, tmp_path))
    seconds = [value for value in found.values() if isinstance(value, float)]
    worst = max(found, key=lambda name: value if isinstance(value := found[name], float) else 0.0)
    figures("repair of a child", cases=len(found), median_seconds=statistics.median(seconds), worst_seconds=max(seconds), worst=worst)
    wrong = [f"{name}: {value}" for name, value in found.items() if isinstance(value, str)]
    assert not wrong, "\n".join(wrong)


def run_check(kubeconfig: Path, folder: Path, check: Act, **spec: Any) -> None:
    """Runs one check with an operator and a ready service `web`."""

    async def all_of_it() -> None:
        async with running(kubeconfig, folder, name="repair") as run:
            await serve(run, web(run.namespace, **spec))
            await check(run)

    asyncio.run(all_of_it())


async def pod_uids(run: Run) -> set[str]:
    """The pods of `web` that are not ending."""
    pods = await run.kube.list("Pod", run.namespace, "hardened.dev/service=web")
    return {pod["metadata"]["uid"] for pod in pods if not pod["metadata"].get("deletionTimestamp")}


@pytest.mark.cluster
def test_the_serving_revision_is_rebuilt_from_what_runs_and_no_pod_restarts(kubeconfig: Path, tmp_path: Path) -> None:
    async def check(run: Run) -> None:
        before, pods = await child(run.kube, run.namespace, "ControllerRevision"), await pod_uids(run)
        sets = [rs["metadata"]["uid"] for rs in await run.kube.list("ReplicaSet", run.namespace)]
        seconds = await repair_seconds(run, "ControllerRevision", None)
        await run.proxy.until_quiet(2, within=30)
        after = await child(run.kube, run.namespace, "ControllerRevision")
        assert after["data"] == before["data"]
        assert await pod_uids(run) == pods
        assert [rs["metadata"]["uid"] for rs in await run.kube.list("ReplicaSet", run.namespace)] == sets
        live = await run.kube.get("HardenedService", "web", run.namespace)
        assert condition(live, "Drifted")["status"] == "False"
        figures("serving revision rebuilt", seconds=seconds, pods_restarted=0)

    run_check(kubeconfig, tmp_path, check)


@pytest.mark.cluster
def test_a_deleted_revision_that_does_not_serve_is_reported(kubeconfig: Path, tmp_path: Path) -> None:
    async def check(run: Run) -> None:
        old = await child(run.kube, run.namespace, "ControllerRevision")
        await serve(run, web(run.namespace, "v2"))
        await run.kube.delete("ControllerRevision", old["metadata"]["name"], run.namespace)
        live, seconds = await run.kube.until(
            "HardenedService", "web", run.namespace, drifted("RevisionMissing"), within=MERCY * REPAIR_SECONDS
        )
        assert old["metadata"]["labels"]["hardened.dev/revision"] in condition(live, "Drifted")["message"]
        assert is_ready(live), "what serves is not touched by it"
        assert (await until_event(run, "RevisionMissing"))["type"] == "Warning"
        figures("deleted revision reported", seconds=seconds)

    run_check(kubeconfig, tmp_path, check)


@pytest.mark.cluster
def test_a_mounted_claim_that_is_deleted_is_reported_and_made_anew_once_it_is_gone(kubeconfig: Path, tmp_path: Path) -> None:
    async def check(run: Run) -> None:
        claim = await child(run.kube, run.namespace, "PersistentVolumeClaim")
        name, uid = claim["metadata"]["name"], claim["metadata"]["uid"]
        await run.kube.delete("PersistentVolumeClaim", name, run.namespace)
        live, seconds = await run.kube.until(
            "HardenedService", "web", run.namespace, drifted("ClaimDeleting"), within=MERCY * REPAIR_SECONDS
        )
        assert name in condition(live, "Drifted")["message"]
        assert (await until_event(run, "ClaimDeleting"))["type"] == "Warning"
        for pod in await run.kube.list("Pod", run.namespace, "hardened.dev/service=web"):
            await run.kube.delete("Pod", pod["metadata"]["name"], run.namespace)
        await run.kube.until(
            "PersistentVolumeClaim", name, run.namespace, lambda c: c is not None and c["metadata"]["uid"] != uid, within=30
        )
        await run.kube.until("HardenedService", "web", run.namespace, lambda s: is_ready(s) and not drifted("ClaimDeleting")(s), within=60)
        figures("deleted claim reported", seconds=seconds)

    run_check(kubeconfig, tmp_path, check, volumes=[CLAIM])


def drifted(reason: str) -> Callable[[Body | None], bool]:
    """Whether the service says that it has drifted, for this reason."""

    def holds(live: Body | None) -> bool:
        found = condition(live, "Drifted")
        return found.get("status") == "True" and found.get("reason") == reason

    return holds


@pytest.mark.cluster
def test_what_others_add_beside_our_fields_stays_while_ours_are_repaired(kubeconfig: Path, tmp_path: Path) -> None:
    async def check(run: Run) -> None:
        restarted = {"spec": {"template": {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "2026-01-02T03:04:05Z"}}}}}
        await run.kube.patch("Deployment", "web-blue", run.namespace, restarted)
        kinds = [kind for kind in CHILDREN if kind != "PersistentVolumeClaim"]
        for kind in kinds:
            live = await child(run.kube, run.namespace, kind)
            await run.kube.patch(kind, live["metadata"]["name"], run.namespace, BESIDE)
        await repair_seconds(run, "Deployment", {"spec": {"revisionHistoryLimit": 9}})
        await repair_seconds(run, "Service", ATOMIC["Service"])
        await run.kube.until("HardenedService", "web", run.namespace, is_ready, within=60)
        await run.proxy.until_quiet(2, within=30)
        for kind in kinds:
            meta = (await child(run.kube, run.namespace, kind))["metadata"]
            assert meta["labels"].get("team") == "theirs", kind
            assert meta["annotations"].get("example.com/note") == "theirs", kind
        template = (await child(run.kube, run.namespace, "Deployment"))["spec"]["template"]
        assert "kubectl.kubernetes.io/restartedAt" in template["metadata"]["annotations"]

    run_check(kubeconfig, tmp_path, check, autoscale=AUTOSCALE)


def foreign(mine: Body, service: str) -> Body:
    """Somebody else's object under the name that the child of `service` would have: the model's, without what makes it ours."""
    name = mine["metadata"]["name"].replace("web", service, 1)
    theirs = {k: copy.deepcopy(v) for k, v in mine.items() if k not in ("metadata", "status")}
    if mine["kind"] == "Service":
        theirs["spec"] = {k: v for k, v in theirs["spec"].items() if k in ("ports", "selector")}
    if mine["kind"] == "PersistentVolumeClaim":
        theirs["spec"] = {k: v for k, v in theirs["spec"].items() if k in ("accessModes", "resources")}
    return {**theirs, "metadata": {"name": name, "namespace": mine["metadata"]["namespace"], "labels": {"team": "theirs"}}}


def unchanged_part(live: Body | None) -> Any:
    """All of an object but what its own controller writes into its status."""
    assert live, "it is gone"
    meta = {k: v for k, v in live["metadata"].items() if k not in ("managedFields", "resourceVersion")}
    fields = [f for f in live["metadata"]["managedFields"] if f.get("subresource") != "status"]
    return {k: v for k, v in live.items() if k not in ("metadata", "status")}, meta, fields


def _is_stalled(live: Body | None) -> bool:
    return condition(live, "Stalled").get("status") == "True"


async def _blocked_by(run: Run, model: Body) -> str:
    """Makes a service whose child of the model's kind is somebody else's. What went wrong, or ""."""
    kind, service = model["kind"], model["kind"].lower()
    theirs = foreign(model, service)
    name = theirs["metadata"]["name"]
    await run.kube.create(theirs)
    if kind == "Deployment":
        await run.kube.until(kind, name, run.namespace, lambda d: d is not None and d["status"].get("observedGeneration") == 1, within=20)
    before = await run.kube.get(kind, name, run.namespace)
    manifest = web(run.namespace, **WHOLE)
    await run.kube.apply({**manifest, "metadata": {**manifest["metadata"], "name": service}})
    await run.kube.until("HardenedService", service, run.namespace, _is_stalled, within=30)
    await run.proxy.until_quiet(1, within=30)
    live = await run.kube.get("HardenedService", service, run.namespace)
    after = await run.kube.get(kind, name, run.namespace)
    # Each child of a new service is made on the condition that it is not there, which the API server refuses here.
    touched = [c for c in run.proxy.writes if (c.resource, c.name) == (KINDS[kind][1], name) and c.took_effect]
    stalled, ready = condition(live, "Stalled"), condition(live, "Ready")
    if (ready.get("reason"), stalled.get("status")) != ("NotOwned", "True") or name not in ready["message"]:
        return f"{kind}: says {ready}"
    return f"{kind}: was touched" if unchanged_part(before) != unchanged_part(after) or touched else ""


@pytest.mark.cluster
def test_a_foreign_object_with_a_childs_name_is_never_touched(kubeconfig: Path, tmp_path: Path) -> None:
    async def all_of_it() -> list[str]:
        async with running(kubeconfig, tmp_path, name="foreign") as run:
            await serve(run, web(run.namespace, **WHOLE))
            models = [await child(run.kube, run.namespace, kind) for kind in CHILDREN]
            return await asyncio.gather(*map(functools.partial(_blocked_by, run), models))

    wrong = [line for line in asyncio.run(all_of_it()) if line]
    assert not wrong, "\n".join(wrong)
