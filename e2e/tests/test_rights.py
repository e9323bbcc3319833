"""The operator has the rights that it uses, and uses the rights that it has: compared over everything that it does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest

from e2e.actions import action, phase_of, until_over
from e2e.audit import Since
from e2e.cluster.local.cluster import LocalCluster
from e2e.damage import CLAIM, EDITS, WHOLE, repair_seconds
from e2e.figures import figures
from e2e.install import install
from e2e.kube import Body, Kube, condition, is_ready
from e2e.rig import ACCOUNT, CHILDREN, SYSTEM, Run, fresh_namespace, operator_behind, serve, until_event, web

#: What the operator must never be able to do.
FORBIDDEN = frozenset(
    {"*", "secrets", "pods/exec", "pods/attach", "nodes/proxy", "escalate", "bind", "impersonate", "serviceaccounts/token"}
)

#: A second one for a service that is there already: what a new one has is made unseen.
LATER: Body = {"name": "later", "mountPath": "/later", "claim": {"size": "1Mi"}}

#: The kind of KEDA's ScaledObjects, whatever is in them.
KEDAS: Body = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "scaledobjects.keda.sh"},
    "spec": {
        "group": "keda.sh",
        "names": {"plural": "scaledobjects", "singular": "scaledobject", "kind": "ScaledObject", "listKind": "ScaledObjectList"},
        "scope": "Namespaced",
        "versions": [
            {
                "name": "v1alpha1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
            }
        ],
    },
}

Right = tuple[str, str]

pytestmark = pytest.mark.usefixtures("rights")


@dataclass(frozen=True)
class Used:
    """What the operator asked of the API server: rights as (verb, group/resource), and the requests that were denied."""

    rights: frozenset[Right]
    denied: tuple[str, ...]


def used(requests: Iterable[Body]) -> Used:
    """Reads audit events. An apply that made its object is a create as well, as the API server's authorization sees it."""
    rights: set[Right] = set()
    denied: list[str] = []
    for event in requests:
        if "objectRef" not in event:
            continue
        where, code = event["objectRef"], event.get("responseStatus", {}).get("code", 0)
        resource = "/".join(part for part in (where.get("apiGroup"), where["resource"], where.get("subresource")) if part)
        message = str(event.get("responseStatus", {}).get("message", ""))
        # A namespace on its way out refuses whatever is new in it, also to those who have the right.
        if code == 403 and not message.endswith("because it is being terminated"):
            denied.append(f"{event['verb']} {resource} {message}")
        rights.add((event["verb"], resource))
        if event["verb"] == "patch" and code == 201:
            rights.add(("create", resource))
    return Used(frozenset(rights), tuple(denied))


async def granted(kube: Kube) -> frozenset[Right]:
    """Every right of the operator's account, by the bindings on the cluster."""
    rights: set[Right] = set()
    for kind, role_kinds in (("ClusterRoleBinding", {"ClusterRole"}), ("RoleBinding", {"ClusterRole", "Role"})):
        for binding in await kube.list(kind):
            subjects = {(s.get("namespace"), s["name"]) for s in binding.get("subjects", []) if s["kind"] == "ServiceAccount"}
            if (SYSTEM, ACCOUNT) not in subjects:
                continue
            assert binding["roleRef"]["kind"] in role_kinds
            role = await kube.get(binding["roleRef"]["kind"], binding["roleRef"]["name"], binding["metadata"].get("namespace"))
            assert role, f"{binding['metadata']['name']} binds a role that is not there"
            rights.update(rights_of(role))
    return frozenset(rights)


def rights_of(role: Body) -> set[Right]:
    return {
        (verb, f"{group}/{resource}" if group else resource)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


async def do_everything(run: Run) -> None:
    """All that the operator ever has to do: each step is there for the right named behind it."""
    unsized = web(run.namespace, **WHOLE)
    del unsized["spec"]["replicas"]
    await run.kube.apply(unsized)
    await run.kube.until("HardenedService", "web", run.namespace, is_ready, within=90)  # scale
    await run.kube.patch("HardenedService", "web", run.namespace, {"spec": {"replicas": 0}}, "scale")
    for kind in CHILDREN:
        await repair_seconds(run, kind, EDITS[kind])  # patch, and create of events
    await repair_seconds(run, "Service", EDITS["Service"])  # patch of events
    for kind in ("PodDisruptionBudget", "ServiceAccount", "NetworkPolicy", "HorizontalPodAutoscaler"):
        await repair_seconds(run, kind, None)  # get
    terms = {"strategy": "Recreate", "historyLimit": 2}
    for number in range(4):
        files = [{"mountPath": "/etc/web", "data": {"n": str(number)}}]
        # create, patch and delete of verifiers; delete of revisions and files, and of the autoscaler
        await serve(run, web(run.namespace, files=files, volumes=[CLAIM, LATER][: 1 + number], release=terms))  # get of claims
    manifest = action(run.namespace, "Rollback", by=await run.kube.username(), ttl="1m")
    await run.kube.create(manifest)
    assert phase_of(await until_over(run.kube, manifest, within=60)) == "Succeeded"  # patch of actions
    migrating = {**terms, "migrate": {"command": ["/web", "-h"], "deadline": "30s"}}
    await serve(run, web(run.namespace, volumes=[CLAIM, LATER], token="migrated", release=migrating))  # delete of budgets
    await back_up(run)
    await scale_by_keda(run)
    worker = web(run.namespace)
    del worker["spec"]["ports"], worker["spec"]["probes"]
    await serve(run, worker)
    await run.kube.until("Service", "web", run.namespace, lambda live: live is None, within=30)  # delete of services
    await run.kube.apply(web(run.namespace, "no-such-version"))
    await run.kube.until(
        "HardenedService", "web", run.namespace, lambda live: condition(live, "Ready").get("reason") == "ImagePullFailed", within=60
    )  # list of pods
    await serve(run, web(run.namespace))
    await until_event(run, "Repaired")
    name = manifest["metadata"]["name"]
    await run.kube.until("HardenedServiceAction", name, run.namespace, lambda live: live is None, within=120)  # delete of actions
    await run.operator.kill()
    await run.operator.wait_run(1)
    await repair_seconds(run, "Service", EDITS["Service"], within=60)  # get of events
    await run.proxy.until_quiet(2, within=60)


async def back_up(run: Run) -> None:
    """Has a backup's schedule made, repaired and removed, and one made by hand. None comes to its end: its Secret is not there."""
    backup = {
        "name": "nightly",
        "schedule": "0 0 29 2 *",
        "repository": {"secretName": "missing"},
        "source": {"redis": {"secretName": "missing"}},
    }
    await serve(run, web(run.namespace, volumes=[CLAIM, LATER], release={"strategy": "Recreate"}, backups=[backup]))
    await run.kube.until("CronJob", "web-nightly", run.namespace, lambda live: live is not None, within=30)  # get and create of cronjobs
    await run.kube.patch("CronJob", "web-nightly", run.namespace, {"spec": {"suspend": True}})
    await run.kube.until(
        "CronJob", "web-nightly", run.namespace, lambda live: live is not None and not live["spec"]["suspend"], within=30
    )  # patch of cronjobs
    asked = action(run.namespace, "Backup", by=await run.kube.username(), backup="nightly")
    await run.kube.create(asked)
    name = asked["metadata"]["name"]
    await run.kube.until(
        "HardenedServiceAction", name, run.namespace, lambda live: "is at work" in str((live or {}).get("status")), within=30
    )  # get, create and patch of jobs
    late = await made_late(run)
    await run.kube.until("Job", late, run.namespace, lambda live: live is None, within=30)  # delete of jobs
    await serve(run, web(run.namespace, volumes=[CLAIM, LATER], release={"strategy": "Recreate"}))
    await run.kube.until("CronJob", "web-nightly", run.namespace, lambda live: live is None, within=30)  # delete of cronjobs


async def made_late(run: Run) -> str:
    """The Job of a restore that nobody waits for, and that was not let go, as an operator leaves it that was paused. Its name."""
    (job,) = await run.kube.list("Job", run.namespace)
    meta, spec = job["metadata"], job["spec"]["template"]["spec"]
    own = {
        "name": "web-late",
        "namespace": run.namespace,
        "labels": {**meta["labels"], "hardened.dev/run": "restore"},
        "ownerReferences": meta["ownerReferences"],
    }
    await run.kube.create(
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": own,
            "spec": {"suspend": True, "backoffLimit": 0, "template": {"spec": spec}},
        }
    )
    return "web-late"


async def scale_by_keda(run: Run) -> None:
    """Has a ScaledObject made, changed and removed. Nobody works for it: of KEDA no more than the kind is there."""

    async def until(holds: Callable[[Body | None], bool]) -> None:
        await run.kube.until("ScaledObject", "web", run.namespace, holds, within=30)

    def scaled(most: int) -> Body:
        number = {"maxReplicas": most, "prometheus": [{"query": "up", "target": 1}]}
        return web(run.namespace, volumes=[CLAIM, LATER], release={"strategy": "Recreate"}, autoscale=number)

    await run.kube.create(KEDAS)
    try:
        await run.kube.until("CustomResourceDefinition", KEDAS["metadata"]["name"], None, _is_served, within=30)
        await run.kube.apply(scaled(3))
        await until(lambda live: live is not None)  # get and create of scaledobjects
        await run.kube.apply(scaled(4))
        await until(lambda live: live is not None and live["spec"]["maxReplicaCount"] == 4)  # patch of scaledobjects
        await serve(run, web(run.namespace, volumes=[CLAIM, LATER], release={"strategy": "Recreate"}))
        await until(lambda live: live is None)  # delete of scaledobjects
    finally:
        await run.kube.delete("CustomResourceDefinition", KEDAS["metadata"]["name"])


def _is_served(kind: Body | None) -> bool:
    return condition(kind, "Established").get("status") == "True"


async def _compare(local: LocalCluster, folder: Path, namespace: str, kube: Kube, watched: str) -> None:
    begun, since = time.monotonic(), Since(local.audit_log)
    await kube.delete("Lease", ACCOUNT, SYSTEM)
    settings = {
        "HARDENED_NAMESPACES": watched,
        "HARDENED_LEADER_ELECT": "true",
        "HARDENED_IDENTITY": "rights",
        "HARDENED_LEASE_NAMESPACE": SYSTEM,
        "HARDENED_BACKUP_IMAGE": "docker.io/hardened/backup:none",
        "HARDENED_PROMETHEUS_URL": "http://127.0.0.1:9",
        "HARDENED_PROMETHEUS_SHARED": "true",
    }
    async with operator_behind(kube, local.kubeconfig, folder, namespace=namespace, settings=settings) as run:
        await do_everything(run)
    seen = used(since.of_the_operator())
    allowed = await granted(kube)
    name = "rights in one namespace" if watched else "rights in the whole cluster"
    figures(name, granted=len(allowed), used=len(seen.rights), denied=len(seen.denied), seconds=time.monotonic() - begun)
    assert not seen.denied
    assert allowed - seen.rights == set(), "granted, and never used"
    assert seen.rights - allowed == set(), "used, and granted by something else"
    assert not {part for right in allowed for part in right} & FORBIDDEN
    assert not [right for right in allowed if "*" in "".join(right)]


@pytest.mark.cluster
def test_rights_in_the_whole_cluster_are_those_that_are_used(local: LocalCluster, tmp_path: Path) -> None:
    async def all_of_it() -> None:
        async with Kube(local.kubeconfig) as kube, fresh_namespace(kube, "rights") as namespace:
            await _compare(local, tmp_path, namespace, kube, "")

    asyncio.run(all_of_it())


@pytest.mark.full
def test_rights_in_one_namespace_are_those_that_are_used(local: LocalCluster, tmp_path: Path) -> None:
    async def all_of_it() -> None:
        async with Kube(local.kubeconfig) as kube, fresh_namespace(kube, "rights") as namespace:
            narrowed = ("--set", "replicas=0", "--set", f"watch.namespaces={{{namespace}}}")
            await asyncio.to_thread(install, local, helm_args=narrowed)
            await _compare(local, tmp_path, namespace, kube, namespace)

    try:
        asyncio.run(all_of_it())
    finally:
        install(local, helm_args=("--set", "replicas=0"))
