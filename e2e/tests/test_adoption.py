"""A Service that a team has in production is taken over without losing a request; and what goes wrong leaves it as it was."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from e2e.cluster.local.cluster import LocalCluster
from e2e.figures import figures
from e2e.kube import Body, condition, is_ready
from e2e.releases import TERMS, leads_to, ready_reason, until_no_release
from e2e.rig import Run, running, serve
from e2e.traffic import Sending, load
from hardenctl.converting.sources import converted
from hardened.api import names

pytestmark = [pytest.mark.cluster, pytest.mark.sampled(3), pytest.mark.usefixtures("rights")]

RATE = 100
SELECTOR = {"app": "web"}
SETTINGS = {"HARDENED_SERVICE_TYPES": "NodePort"}
#: What every version answers with its own name.
SMOKE: dict[str, Any] = {"path": "/", "count": 3, "interval": "500ms"}


def in_production(namespace: str, *, is_exposed: bool = False) -> list[Body]:
    """A Deployment and its Service, as a team wrote them that knows nothing of Hardened.

    is_exposed: as `kubectl expose` makes a Service, whose port has no name; and without labels.
    """
    own = {} if is_exposed else {"labels": {"app": "web", names.MANAGED_BY_LABEL: "Helm"}}
    named = {} if is_exposed else {"name": "http"}
    security = {"runAsNonRoot": True, "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    container = {
        "name": "web",
        "image": "docker.io/hardened/web-static:v1",
        "ports": [{"name": "http", "containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": "/health/ready", "port": 8080}, "periodSeconds": 1},
        "securityContext": {**security, "seccompProfile": {"type": "RuntimeDefault"}},
    }
    template = {"metadata": {"labels": SELECTOR}, "spec": {"containers": [container]}}
    meta = {"name": "web", "namespace": namespace}
    return [
        {
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta,
            "spec": {"replicas": 2, "selector": {"matchLabels": SELECTOR}, "template": template},
        },
        {
            "apiVersion": "v1", "kind": "Service", "metadata": {**meta, **own},
            "spec": {
                "type": "NodePort", "selector": SELECTOR,
                "ports": [{**named, "port": 80, "targetPort": 8080}],
            },
        },
    ]  # fmt: skip


def hardened(namespace: str, version: str = "v2", **spec: Any) -> Body:
    """What `hardenctl init` makes of them, with short times, and of another version."""
    _, (found,) = converted(yaml.safe_load_all(yaml.safe_dump_all(in_production(namespace))), {})
    return {**found.body, "spec": {**found.body["spec"], **TERMS, "image": f"docker.io/hardened/web-static:{version}", **spec}}


@contextlib.asynccontextmanager
async def served(
    local: LocalCluster, folder: Path, name: str, *, is_exposed: bool = False
) -> AsyncIterator[tuple[Run, tuple[Sending, Sending], Body]]:
    """A namespace in which they serve, under load; and the Service as it is then, with a person's consent."""
    async with running(local.kubeconfig, folder, settings=SETTINGS, name=name) as run:
        for each in in_production(run.namespace, is_exposed=is_exposed):
            await run.kube.create(each, fieldManager="kubectl-client-side-apply")
        await run.kube.until("Deployment", "web", run.namespace, lambda d: bool(d and d["status"].get("readyReplicas") == 2), within=60)
        patch = {"metadata": {"annotations": {names.ADOPT_ANNOTATION: "web"}}}
        await run.kube.patch("Service", "web", run.namespace, patch)
        before = await run.kube.get("Service", "web", run.namespace)
        assert before
        async with load(local, run.kube, run.namespace, rate=RATE) as sent:
            yield run, sent, before


async def the_service(run: Run) -> Body:
    found = await run.kube.get("Service", "web", run.namespace)
    assert found
    return found


def none_failed(doing: str, sent: tuple[Sending, Sending], *versions: str) -> None:
    """Of all requests that were sent, and these versions have answered."""
    requests, failed = (sum(getattr(each.sent, what) for each in sent) for what in ("requests", "failed"))
    figures(doing, requests=requests, failed=failed, failures=str([each.sent.figures["failures"] for each in sent]))
    assert requests > RATE
    assert failed == 0
    new, kept = (set(each.sent.versions) for each in sent)
    assert new == set(versions)
    # A connection stays with its pod for as long as that runs.
    assert kept <= new


@pytest.mark.parametrize("is_exposed", [False, True], ids=["by a chart", "by kubectl expose"])
def test_a_service_in_production_is_taken_over_without_losing_a_request_and_keeps_its_addresses(
    local: LocalCluster, tmp_path: Path, is_exposed: bool
) -> None:
    verify = {"beforeCutover": [{"name": "smoke", "http": {**SMOKE, "expectBody": "v2"}}], "afterCutover": {"window": "2s"}}

    async def all_of_it() -> None:
        async with served(local, tmp_path, "adopt", is_exposed=is_exposed) as (run, sent, before):
            live = await serve(run, hardened(run.namespace, verify=verify), within=120)
            after = await the_service(run)
            for field in ("clusterIP", "clusterIPs", "ipFamilies", "type"):
                assert after["spec"][field] == before["spec"][field]
            assert [each["nodePort"] for each in after["spec"]["ports"]] == [each["nodePort"] for each in before["spec"]["ports"]]
            assert [each.get("name") for each in after["spec"]["ports"]] == [None if is_exposed else "http"]
            assert after["metadata"]["uid"] == before["metadata"]["uid"]
            assert [each["kind"] for each in after["metadata"]["ownerReferences"]] == [names.KIND]
            assert leads_to("blue")(after)
            assert live["status"]["proof"]["cutover"]["failed"] == 0
            # What served before is a person's to end.
            told = f"2 of Deployment web; once nothing else uses them: kubectl scale deployment/web -n {run.namespace} --replicas=0"
            live, _ = await run.kube.until(
                "HardenedService", "web", run.namespace, lambda found: condition(found, "Drifted").get("reason") == "FormerPods", within=30
            )
            assert told in condition(live, "Drifted")["message"]
            await run.kube.patch("Deployment", "web", run.namespace, {"spec": {"replicas": 0}}, "scale")
            live, _ = await run.kube.until(
                "HardenedService", "web", run.namespace, lambda found: condition(found, "Drifted").get("status") == "False", within=120
            )
            assert names.ADOPTED_ANNOTATION not in (await the_service(run))["metadata"]["annotations"]
        none_failed("a takeover under load", sent, "v1", "v2")

    asyncio.run(all_of_it())


def test_a_port_that_a_later_version_gives_up_goes_though_somebody_else_made_it(local: LocalCluster, tmp_path: Path) -> None:
    async def all_of_it() -> None:
        async with served(local, tmp_path, "ports") as (run, _, __):
            await serve(run, hardened(run.namespace), within=120)
            managers = {each["manager"] for each in (await the_service(run))["metadata"]["managedFields"] if "f:ports" in str(each)}
            assert managers == {names.MANAGER}
            await serve(run, hardened(run.namespace, "v3", ports=[{"name": "http", "containerPort": 8080, "port": 81}]), within=120)
            assert [each["port"] for each in (await the_service(run))["spec"]["ports"]] == [81]

    asyncio.run(all_of_it())


def test_a_version_that_fails_its_check_leaves_what_serves_untouched(local: LocalCluster, tmp_path: Path) -> None:
    verify = {"beforeCutover": [{"name": "smoke", "http": {**SMOKE, "expectBody": "v3"}}]}

    async def all_of_it() -> None:
        async with served(local, tmp_path, "fails") as (run, sent, before):
            deployment = await run.kube.get("Deployment", "web", run.namespace)
            await run.kube.apply(hardened(run.namespace, verify=verify))
            live, _ = await run.kube.until("HardenedService", "web", run.namespace, ready_reason("Rejected"), within=120)
            await until_no_release(run)
            message = condition(live, "Ready")["message"]
            assert "CheckFailed" in message
            assert message.endswith("Service web leads to what served before")
            assert await the_service(run) == before
            assert deployment
            after = await run.kube.get("Deployment", "web", run.namespace)
            assert after
            assert after["spec"] == deployment["spec"]
        none_failed("a takeover that fails its check", sent, "v1")

    asyncio.run(all_of_it())


@pytest.mark.parametrize("is_exposed", [False, True], ids=["by a chart", "by kubectl expose"])
def test_a_version_that_fails_under_live_traffic_is_led_back_from_to_what_served_before(
    local: LocalCluster, tmp_path: Path, is_exposed: bool
) -> None:
    check = {"name": "live", "http": {**SMOKE, "expectBody": "v3"}}
    verify = {"afterCutover": {"window": "5s", "checks": [check]}}

    async def all_of_it() -> None:
        async with served(local, tmp_path, "back", is_exposed=is_exposed) as (run, sent, before):
            await run.kube.apply(hardened(run.namespace, verify=verify))
            await run.kube.until("Service", "web", run.namespace, leads_to("blue"), within=60)
            await run.kube.until("HardenedService", "web", run.namespace, ready_reason("RolledBack"), within=120)
            await until_no_release(run)
            after, _ = await run.kube.until(
                "Service", "web", run.namespace, lambda found: bool(found and not found["metadata"].get("ownerReferences")), within=30
            )
            assert after
            assert after["spec"] == before["spec"]
            assert after["metadata"].get("labels") == before["metadata"].get("labels")
            assert after["metadata"]["annotations"] == before["metadata"]["annotations"]
            await run.kube.delete("HardenedService", "web", run.namespace)
            await run.kube.until("Deployment", "web-blue", run.namespace, lambda found: found is None, within=60)
            assert await the_service(run) == after
        none_failed("a takeover that is taken back", sent, "v1", "v2")

    asyncio.run(all_of_it())


def test_without_consent_nothing_is_taken_over_and_with_it_the_release_goes_on(local: LocalCluster, tmp_path: Path) -> None:
    async def all_of_it() -> None:
        async with running(local.kubeconfig, tmp_path, settings=SETTINGS, name="consent") as run:
            for each in in_production(run.namespace):
                await run.kube.create(each)
            before = await the_service(run)
            await run.kube.apply(hardened(run.namespace))
            live, _ = await run.kube.until("HardenedService", "web", run.namespace, ready_reason("NotOwned"), within=60)
            command = f"kubectl annotate service web -n {run.namespace} hardened.dev/adopt=web"
            assert command in condition(live, "Ready")["message"]
            assert await the_service(run) == before
            await run.kube.patch("Service", "web", run.namespace, {"metadata": {"annotations": {names.ADOPT_ANNOTATION: "web"}}})
            await run.kube.until("HardenedService", "web", run.namespace, is_ready, within=120)
            assert leads_to("blue")(await the_service(run))

    asyncio.run(all_of_it())
