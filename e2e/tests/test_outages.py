"""What the operator stands on goes away and comes back: it goes on by itself, without a restart where none is needed."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from e2e.audit import Since
from e2e.cluster.local.cluster import LocalCluster
from e2e.faults import FOREVER, Answer, Fault, Where
from e2e.figures import figures
from e2e.kube import Body, Kube, KubeError
from e2e.rig import (
    CRD,
    MERCY,
    SYSTEM,
    Run,
    canary,
    fresh_namespace,
    operator_behind,
    operator_token,
    put_crd,
    read_crd,
    running,
    serve,
    subfolder,
    web,
)

#: Seconds from the end of an outage until a new service is looked at.
BACK_SECONDS = 5.0
#: What a service may need to come up after the outage of another test. After several in a row the controller-manager's own watches wait
#: for up to a minute (client-go doubles their pause from 0.8 to 30 s, with jitter, and forgets it after two quiet minutes).
CONTROLLERS_BACK_SECONDS = 180.0

pytestmark = pytest.mark.usefixtures("rights")


@contextlib.asynccontextmanager
async def elected(kubeconfig: Path, folder: Path) -> AsyncIterator[Run]:
    """An operator that holds the Lease, in a namespace of its own."""
    settings = {"HARDENED_LEADER_ELECT": "true", "HARDENED_IDENTITY": "outage", "HARDENED_LEASE_NAMESPACE": SYSTEM}
    async with Kube(kubeconfig) as kube, fresh_namespace(kube, "outage") as namespace:
        await kube.delete("Lease", "hardened-operator", SYSTEM)
        async with operator_behind(kube, kubeconfig, folder, namespace=namespace, settings=settings) as run:
            yield run


async def _api_outage(local: LocalCluster, folder: Path, seconds: float) -> None:
    async with (
        running(local.kubeconfig, folder, name="outage") as single,
        elected(local.kubeconfig, subfolder(folder, "elected")) as leader,
    ):
        await serve(single, within=CONTROLLERS_BACK_SECONDS)
        await serve(leader, within=CONTROLLERS_BACK_SECONDS)
        await asyncio.to_thread(local.kill, "apiserver")
        await asyncio.sleep(seconds)  # how long the outage lasts
        await asyncio.to_thread(local.start, "apiserver")
        async with Kube(local.kubeconfig) as kube:
            back = await asyncio.gather(*(_back(kube, run.namespace) for run in (single, leader)))
            figures(
                f"API server gone for {seconds:g} s", back_seconds=back[0], leader_back_seconds=back[1], leader_exits=leader.operator.run
            )
        assert not single.operator.exits, "the same process goes on"
        # Who cannot renew its Lease may not work on: it ends once, and waits from then on.
        assert len(leader.operator.exits) <= 1, leader.operator.exits


async def _back(kube: Kube, namespace: str) -> float:
    """Seconds until the operator has looked at a new service, from the moment at which the API server takes one."""
    async with asyncio.timeout(60):
        while True:
            with contextlib.suppress(KubeError):
                return await canary(kube, namespace, within=MERCY * BACK_SECONDS)
            await asyncio.sleep(0.2)  # the API server answers, but not everything yet


@pytest.mark.cluster
def test_the_api_server_is_gone_for_twelve_seconds(local: LocalCluster, tmp_path: Path) -> None:
    asyncio.run(_api_outage(local, tmp_path, 12))


@pytest.mark.full
@pytest.mark.parametrize("seconds", [5, 30, 120])
def test_the_api_server_is_gone_for_longer(local: LocalCluster, tmp_path: Path, seconds: int) -> None:
    asyncio.run(_api_outage(local, tmp_path, seconds))


async def _frozen(local: LocalCluster, folder: Path, component: str, seconds: float) -> None:
    async with running(local.kubeconfig, folder, name="outage") as run:
        await serve(run, within=CONTROLLERS_BACK_SECONDS)
        await asyncio.to_thread(local.stop, component)
        try:
            await asyncio.sleep(seconds)  # how long it is frozen
        finally:
            await asyncio.to_thread(local.resume, component)
        async with Kube(local.kubeconfig) as kube:
            figures(f"{component} frozen for {seconds:g} s", back_seconds=await _back(kube, run.namespace))
        assert not run.operator.exits


@pytest.mark.cluster
def test_etcd_is_frozen_for_ten_seconds(local: LocalCluster, tmp_path: Path) -> None:
    asyncio.run(_frozen(local, tmp_path, "etcd", 10))


@pytest.mark.full
@pytest.mark.parametrize(("component", "seconds"), [("etcd", 30), ("apiserver", 10), ("apiserver", 30)])
def test_what_keeps_its_connections_and_answers_nothing(local: LocalCluster, tmp_path: Path, component: str, seconds: int) -> None:
    asyncio.run(_frozen(local, tmp_path, component, seconds))


def is_established(crd: Body | None) -> bool:
    conditions = ((crd or {}).get("status") or {}).get("conditions") or ()
    return any(c["type"] == "Established" and c["status"] == "True" for c in conditions)


@pytest.mark.cluster
def test_the_crd_is_deleted_and_made_again(kubeconfig: Path, tmp_path: Path) -> None:
    async def all_of_it() -> None:
        async with running(kubeconfig, tmp_path, name="crd") as run:
            await serve(run, web(run.namespace, replicas=0))
            crd = await read_crd(run.kube)
            try:
                await run.kube.delete("CustomResourceDefinition", CRD)
                await run.kube.until("CustomResourceDefinition", CRD, None, lambda live: live is None, within=60)
                await run.kube.until("Deployment", "web-blue", run.namespace, lambda live: live is None, within=60)
            finally:
                await put_crd(run.kube, crd)
            await run.kube.until("CustomResourceDefinition", CRD, None, is_established, within=60)
            begun = time.monotonic()
            await _back(run.kube, run.namespace)
            seconds = time.monotonic() - begun
            await serve(run, web(run.namespace, replicas=0))
            figures("CRD deleted and made again", back_seconds=seconds, exits=run.operator.run)

    asyncio.run(all_of_it())


def credential_of(token: str) -> str:
    """What the audit log calls this token."""
    payload = token.split(".")[1]
    return f"JTI={json.loads(base64.urlsafe_b64decode(payload + '=' * (-len(payload) % 4)))['jti']}"


def put(file: Path, text: str) -> None:
    """Replaces a file's text, as the kubelet does for a mounted token."""
    file.write_text(text)


@pytest.mark.cluster
def test_a_token_that_is_no_longer_taken_is_replaced_by_the_one_in_its_file(local: LocalCluster, kubeconfig: Path, tmp_path: Path) -> None:
    refused = Fault(Where(background=True), Answer(401), times=FOREVER)
    # The watches and the writes have their tokens each from another client, and a write may not have been due in that time.
    refused_write = Fault(Where(is_write=True), Answer(401))

    async def all_of_it() -> str:
        token_file = tmp_path / "token"
        async with (
            Kube(kubeconfig) as kube,
            fresh_namespace(kube, "token") as namespace,
            operator_behind(kube, kubeconfig, tmp_path, namespace=namespace, token_file=token_file) as run,
        ):
            await serve(run, web(namespace, replicas=0))
            run.proxy.inject(refused)
            run.proxy.sever()
            await run.proxy.until(lambda call: call.code == 401, count=3, within=30)
            token = await operator_token(kube)
            put(token_file, token)
            run.proxy.clear()
            back = await canary(kube, namespace, within=MERCY * BACK_SECONDS)
            run.proxy.inject(refused_write)
            written = await canary(kube, namespace, within=MERCY * BACK_SECONDS)
            figures("token replaced", back_seconds=back, write_back_seconds=written, exits=run.operator.run)
            return credential_of(token)

    since = Since(local.audit_log)
    credential = asyncio.run(all_of_it())

    def carries_it(event: Body) -> bool:
        return credential in event["user"].get("extra", {}).get("authentication.kubernetes.io/credential-id", [])

    verbs = {event["verb"] for event in filter(carries_it, since.requests(credential))}
    assert {"watch", "patch"} <= verbs, "watches and writes alike carry the new token"
