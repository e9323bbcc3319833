"""What keeps pods from running is named in a condition, with its remedy; and nothing of it disturbs anybody else."""

from __future__ import annotations

import asyncio
import contextlib
import copy
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from e2e.figures import figures
from e2e.kube import Body, Kube, KubeError, condition
from e2e.rig import ACCOUNT, MERCY, SYSTEM, Run, canary, fresh_namespace, operator_behind, put_crd, read_crd, running, serve, web

#: Seconds until a condition names why a service does not start.
NAMED_SECONDS = 30.0
CANARY_SECONDS = 5.0

#: name of the service -> what is wrong with it, the reason that says so, whether retrying is pointless, and words of the remedy.
BROKEN: dict[str, tuple[Body, str, bool, str]] = {
    "baseline": (
        {"security": {"profile": "baseline", "addCapabilities": ["CHOWN"]}}, "PodSecurityRefused", True, "security.profile restricted",
    ),
    "no-image": ({"image": "docker.io/hardened/no-such:v1"}, "ImagePullFailed", False, "cannot reach the registry"),
    "no-secret": (
        {"env": [{"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "absent", "key": "key"}}}]}, "ConfigMissing", False, "absent",
    ),
    "no-volume": (
        {"volumes": [{"name": "keys", "mountPath": "/keys", "secret": {"secretName": "absent"}}]}, "PodsNotReady", False, "missing",
    ),
    "crashes": ({"args": ["--no-such-flag"]}, "CrashLooping", False, "; see kubectl logs -n "),
    "too-large": ({"resources": {"requests": {"cpu": "900"}, "limits": {"memory": "1Gi"}}}, "Unschedulable", False, "request less"),
}  # fmt: skip

pytestmark = pytest.mark.usefixtures("rights")


def service(namespace: str, name: str, **spec: Any) -> Body:
    """A service of that name."""
    manifest = web(namespace, **spec)
    return {**manifest, "metadata": {**manifest["metadata"], "name": name}}


async def reported(run: Run, namespace: str, name: str, reason: str) -> Body:
    """Waits until Ready=False has this reason; the service."""
    live, _ = await run.kube.until(
        "HardenedService",
        name,
        namespace,
        lambda found: condition(found, "Ready").get("reason") == reason,
        within=MERCY * NAMED_SECONDS,
    )
    assert live
    return live


async def wrong_report(run: Run, name: str) -> str:
    """Makes one broken service. What its conditions say that they should not, or ""."""
    spec, reason, is_stalled, remedy = BROKEN[name]
    await run.kube.apply(service(run.namespace, name, **spec))
    try:
        live = await reported(run, run.namespace, name, reason)
    except AssertionError as error:
        return f"{name}: {error}"
    ready, stalled = condition(live, "Ready"), condition(live, "Stalled")
    as_said = (stalled["status"] == "True") == is_stalled and remedy in ready["message"] and ready["status"] == "False"
    return "" if as_said else f"{name}: {ready} {stalled}"


@pytest.mark.cluster
def test_each_way_in_which_pods_cannot_run_is_named_with_its_remedy(kubeconfig: Path, tmp_path: Path) -> None:
    async def all_of_it() -> list[str]:
        async with running(kubeconfig, tmp_path, name="broken") as run:
            wrong = await asyncio.gather(*(wrong_report(run, name) for name in BROKEN))
            seconds = await canary(run.kube, run.namespace, within=MERCY * CANARY_SECONDS)
            figures("canary beside broken services", broken=len(BROKEN), seconds=seconds)
            assert not run.operator.exits
            return [line for line in wrong if line]

    wrong = asyncio.run(all_of_it())
    assert not wrong, "\n".join(wrong)


@pytest.mark.cluster
def test_a_full_quota_is_named_and_what_was_kept_waiting_goes_on_when_it_is_raised(kubeconfig: Path, tmp_path: Path) -> None:
    async def full(run: Run, resource: str, namespace: str) -> None:
        quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "small", "namespace": namespace}}
        await run.kube.create({**quota, "spec": {"hard": {resource: "1" if resource == "count/configmaps" else "0"}}})
        is_counted = lambda found: bool(found and found.get("status", {}).get("used"))  # noqa: E731
        await run.kube.until("ResourceQuota", "small", namespace, is_counted, within=30)
        await run.kube.apply(service(namespace, "web"))
        live = await reported(run, namespace, "web", "QuotaExceeded")
        assert "raise the ResourceQuota" in condition(live, "Ready")["message"]
        assert condition(live, "Stalled")["status"] == "False", "it goes on by itself once there is room"
        await run.kube.delete("ResourceQuota", "small", namespace)
        await serve(run_in(run, namespace), within=120)

    async def all_of_it() -> None:
        async with Kube(kubeconfig) as kube, fresh_namespace(kube, "quota") as pods, fresh_namespace(kube, "quota") as maps:
            settings = {"HARDENED_NAMESPACES": f"{pods},{maps}"}
            async with operator_behind(kube, kubeconfig, tmp_path, namespace=pods, settings=settings) as run:
                await asyncio.gather(full(run, "pods", pods), full(run, "count/configmaps", maps))

    asyncio.run(all_of_it())


def run_in(run: Run, namespace: str) -> Run:
    """The same operator, seen in another of its namespaces."""
    return Run(run.kube, namespace, run.proxy, run.operator)


@pytest.mark.cluster
def test_a_namespace_that_cannot_go_yet_disturbs_nobody(kubeconfig: Path, tmp_path: Path) -> None:
    async def all_of_it() -> None:
        async with Kube(kubeconfig) as kube, fresh_namespace(kube, "going") as going, fresh_namespace(kube, "staying") as staying:
            settings = {"HARDENED_NAMESPACES": f"{going},{staying}"}
            async with operator_behind(kube, kubeconfig, tmp_path, namespace=going, settings=settings) as run:
                held = web(going, replicas=0)
                held["metadata"]["finalizers"] = ["example.com/held"]
                await serve(run, held)
                await kube.delete("Namespace", going)
                await kube.until("Deployment", "web-blue", going, lambda live: live is None, within=60)
                seconds = await canary(kube, staying, within=MERCY * CANARY_SECONDS)
                await run.proxy.until_quiet(3, within=30)
                await kube.patch("HardenedService", "web", going, {"metadata": {"finalizers": None}})
                await kube.until("Namespace", going, None, lambda live: live is None, within=60)
                figures("canary beside a namespace that goes", seconds=seconds)
                assert not run.operator.exits

    asyncio.run(all_of_it())


def older(crd: Body) -> Body:
    """The CRD as an older release might have left it: another schema revision, status fields that are not known, a spec without rules."""
    crd = copy.deepcopy(crd)
    crd["metadata"]["annotations"]["hardened.dev/schema-revision"] = "older"
    whole = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    whole["x-kubernetes-validations"] = [rule for rule in whole["x-kubernetes-validations"] if not rule["fieldPath"].startswith(".spec")]
    schema = whole["properties"]
    schema["spec"] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    for field in ("history", "serving"):
        del schema["status"]["properties"][field]
    return crd


@contextlib.asynccontextmanager
async def older_crd(kube: Kube) -> AsyncIterator[None]:
    """The cluster has an older CRD meanwhile."""
    crd = await read_crd(kube)
    await put_crd(kube, older(crd))
    try:
        yield
    finally:
        for live in await kube.list("HardenedService"):
            await kube.delete("HardenedService", live["metadata"]["name"], live["metadata"]["namespace"])
        await put_crd(kube, crd)


@pytest.mark.cluster
def test_an_older_crd_is_named_and_a_service_that_it_lets_through_delays_nobody(kubeconfig: Path, tmp_path: Path) -> None:
    async def all_of_it() -> None:
        async with (
            Kube(kubeconfig) as kube,
            older_crd(kube),
            fresh_namespace(kube, "older") as namespace,
            operator_behind(kube, kubeconfig, tmp_path, namespace=namespace) as run,
        ):
            await until_taken(kube, service(namespace, "broken", image=5, ports="none"))
            live = await reported(run, namespace, "broken", "InvalidSpec")
            assert "spec.image" in condition(live, "Ready")["message"]
            assert condition(live, "Stalled")["status"] == "True"
            seconds = await canary(kube, namespace, within=MERCY * CANARY_SECONDS)
            live = await serve(run)
            assert condition(live, "Hardened")["reason"] == "CrdMismatch"
            assert "serving" not in live["status"], "the older schema drops it"
            await run.proxy.until_quiet(10, within=30)
            figures("canary beside a service that cannot be parsed", seconds=seconds)
            assert not run.operator.exits

    asyncio.run(all_of_it())


async def until_taken(kube: Kube, manifest: Body) -> None:
    """Creates what only the older schema takes: the server goes over to it within a moment."""
    async with asyncio.timeout(30):
        while True:
            with contextlib.suppress(KubeError):
                await kube.create(manifest)
                return
            await asyncio.sleep(0.1)  # nothing tells when the server has gone over


@pytest.mark.cluster
def test_the_operators_own_pods_meet_what_they_ask_of_others(kubeconfig: Path) -> None:
    async def all_of_it() -> tuple[Body | None, Body | None]:
        async with Kube(kubeconfig) as kube:
            return await kube.get("Namespace", SYSTEM), await kube.get("Deployment", ACCOUNT, SYSTEM)

    namespace, deployment = asyncio.run(all_of_it())
    assert namespace
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert deployment
    pod = deployment["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    tokens = [source for volume in pod["volumes"] for source in volume["projected"]["sources"] if "serviceAccountToken" in source]
    assert [token["serviceAccountToken"]["expirationSeconds"] for token in tokens] == [3600]
    security = pod["containers"][0]["securityContext"]
    assert security["readOnlyRootFilesystem"] is True
    assert security["capabilities"] == {"drop": ["ALL"]}
