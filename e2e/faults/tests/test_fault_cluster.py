"""The proxy before a real API server, with real clients: the asyncio client of `kubernetes`, and an operator on kopf."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from kubernetes import aio
from real_cluster import FaultNamespace, fault_namespace

from e2e.faults import Answer, Fault, FaultProxy, Kill, Moment, Operator, Upstream, WatchError, Where, answer_plans, kill_plans

pytestmark = pytest.mark.cluster

KOPF = """
import kopf

@kopf.on.startup()
def settings(settings, **_):
    settings.posting.enabled = False
    settings.peering.standalone = True
    settings.scanning.disabled = True
    settings.watching.server_timeout = 60

@kopf.on.event("configmaps", labels={"wanted": "yes"})
async def seen(name, patch, labels, **_):
    if "seen" not in labels:
        patch.metadata["labels"] = {"seen": "yes"}
"""


@pytest.fixture
def here(kubeconfig: Path) -> Iterator[FaultNamespace]:
    with fault_namespace(kubeconfig) as made:
        yield made


def test_the_kubernetes_client_lists_patches_and_watches_with_its_own_rights(here: FaultNamespace, tmp_path: Path) -> None:
    async def run() -> None:
        async with asyncio.timeout(60), FaultProxy(Upstream.from_kubeconfig(here.kubeconfig)) as proxy:
            path = proxy.kubeconfig(tmp_path / "config", token=here.token, namespace=here.namespace)
            async with await aio.config.new_client_from_config(str(path)) as api:
                core = aio.client.CoreV1Api(api)
                await core.create_namespaced_config_map(here.namespace, {"metadata": {"name": "a"}})
                listed = await core.list_namespaced_config_map(here.namespace)
                assert "a" in {one.metadata.name for one in listed.items}
                with pytest.raises(aio.client.ApiException) as caught:
                    await core.list_namespaced_secret(here.namespace)
                assert caught.value.status == 403, "the administrator's rights must not leak through"
                await watch(core, proxy, listed.metadata.resource_version)
            assert [(call.verb, call.kind, call.code) for call in proxy.calls] == [
                ("create", "configmaps", 201),
                ("list", "configmaps", 200),
                ("list", "secrets", 403),
                ("watch", "configmaps", 200),
            ]

    async def watch(core: aio.client.CoreV1Api, proxy: FaultProxy, version: str) -> None:
        async with aio.watch.Watch().stream(core.list_namespaced_config_map, here.namespace, resource_version=version) as stream:
            watching = asyncio.ensure_future(anext(aiter(stream)))
            await proxy.until(lambda call: call.verb == "watch" and call.code == 200)
            here.create_config_map("b")
            event = await watching
            assert (event["type"], event["object"].metadata.name) == ("ADDED", "b")

    asyncio.run(run())


def test_an_operator_on_kopf_survives_a_kill_after_its_write_and_an_expired_watch(here: FaultNamespace, tmp_path: Path) -> None:
    (tmp_path / "operator.py").write_text(KOPF)
    kill = Fault(Where(verb="patch", resource="configmaps", name="a"), Kill(Moment.AFTER_EFFECT))
    expired = Fault(Where(verb="watch", resource="configmaps", nth=2), WatchError(410, after_events=1))
    refused = Fault(Where(verb="patch", resource="configmaps", name="b"), Answer(503))

    async def run() -> None:
        async with asyncio.timeout(120), FaultProxy(Upstream.from_kubeconfig(here.kubeconfig), [kill, expired, refused]) as proxy:
            path = proxy.kubeconfig(tmp_path / "config", token=here.token, namespace=here.namespace)
            argv = [sys.executable, "-m", "kopf", "run", "--namespace", here.namespace, str(tmp_path / "operator.py")]
            env = {"KUBECONFIG": str(path), "PATH": os.environ["PATH"], "HOME": str(tmp_path)}
            async with Operator(argv, env=env, log=tmp_path / "log") as operator:
                proxy.on_kill(operator.strike)
                await proxy.until(lambda call: call.verb == "watch" and call.code == 200)
                here.create_config_map("a", wanted="yes")
                assert (await operator.wait_exit(0)).code == -9
                assert here.config_map_labels("a")["seen"] == "yes"
                await proxy.until(lambda call: call.verb == "watch" and call.code == 200, count=2)
                here.create_config_map("b", wanted="yes")
                await proxy.until(lambda call: call.verb == "patch" and call.name == "b" and call.code == 200)
                here.create_config_map("c", wanted="yes")
                await proxy.until(lambda call: call.verb == "patch" and call.name == "c" and call.code == 200)
                await proxy.until_quiet(2, within=30)
            assert {proxy.hits(fault) for fault in (kill, expired, refused)} == {1}
            assert [plan for plan in kill_plans(proxy.calls) if "configmaps a" in plan.name]
            assert len(list(answer_plans(proxy.calls))) > 13

    asyncio.run(run())
