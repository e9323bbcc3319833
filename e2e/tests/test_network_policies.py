"""What the NetworkPolicies that are written here let through, and what they stop, on a cluster that enforces them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from e2e.cluster.local.cluster import LocalCluster
from e2e.install import RELEASE
from e2e.kube import Body, Kube
from e2e.reach import COMMAND, OTHER_PORT, PORT, RESOURCES, End, end_of, pod, service_of, started, until_reach, until_reached
from e2e.rig import SYSTEM, Run, fresh_namespace, operator_behind, serve, web
from e2e.workloads.build import build

CACHE_PORT = 6379
API = "kubernetes.default.svc"
#: Where a check finds the version that it is about.
CHECKED_HOST = "$(HARDENED_HOST):80"

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("rights")]


@pytest.fixture(scope="module")
def loaded(local: LocalCluster) -> LocalCluster:
    """The cluster, with the workload on its nodes that has a shell and Python."""
    local.load([build("python")])
    return local


@dataclass(frozen=True)
class Neighbours:
    """An operator's namespace, and another one. ends: in the first a friend, a stranger, a database and a cache, the latter two with a
    Service each; in the other a partner, and somebody who calls themself a friend."""

    run: Run
    other: str
    ends: dict[str, End]


@contextlib.asynccontextmanager
async def furnished(local: LocalCluster, folder: Path) -> AsyncIterator[Neighbours]:
    """See `Neighbours`."""
    async with (
        Kube(local.kubeconfig) as kube,
        fresh_namespace(kube, "reach") as own,
        fresh_namespace(kube, "other") as other,
        operator_behind(kube, local.kubeconfig, folder, namespace=own) as run,
    ):
        pods = [
            pod(own, "friend", role="friend"),
            pod(own, "stranger", role="stranger"),
            pod(own, "database", role="database"),
            pod(own, "cache", role="cache", port=CACHE_PORT),
            pod(other, "partner", role="partner"),
            pod(other, "namesake", role="friend"),
        ]
        for manifest, port in ((pods[2], PORT), (pods[3], CACHE_PORT)):
            await kube.create(service_of(manifest, port))
        found = await asyncio.gather(*(started(kube, manifest) for manifest in pods))
        yield Neighbours(run, other, {end.pod: end for end in found})


def service(namespace: str, name: str, **spec: Any) -> Body:
    """A service whose pods listen on PORT, which its spec declares, and on OTHER_PORT, which it does not."""
    manifest = web(namespace, image=pod(namespace, name)["spec"]["containers"][0]["image"], command=COMMAND, resources=RESOURCES, **spec)
    return {**manifest, "metadata": {**manifest["metadata"], "name": name}}


async def served(run: Run, manifest: Body) -> End:
    """Applies a service, and waits until it is ready. Its pod."""
    await serve(run, manifest, within=120)
    name = manifest["metadata"]["name"]
    return await end_of(run.kube, run.namespace, f"hardened.dev/service={name},app.kubernetes.io/component=app")


def checked(ends: dict[str, End], *, reached: Sequence[str], refused: Sequence[str]) -> dict[str, Any]:
    """How a service is released that check pods look at before its cutover and after it. A job of the team's is one of them: it reaches the
    version that it is about, DNS and `reached`, and not `refused`."""
    answers = {"http": {"path": "/", "expectBody": "v1"}}
    command = until_reached(ends, [CHECKED_HOST, API, *reached], refused)
    before = [{"name": "before", **answers}, {"name": "ways", "job": {"command": command, "deadline": "60s"}}]
    after = {"window": "2s", "checks": [{"name": "after", **answers}]}
    return {"release": {"progressDeadline": "90s"}, "verify": {"beforeCutover": before, "afterCutover": after}}


def test_a_service_is_reached_by_whom_it_names_and_reaches_what_it_names_and_needs(loaded: LocalCluster, tmp_path: Path) -> None:
    async def all_of_it() -> None:
        async with furnished(loaded, tmp_path) as neighbours:
            run, ends = neighbours.run, dict(neighbours.ends)
            ends["dns"] = await end_of(run.kube, "kube-system", "k8s-app=kube-dns")
            ends["stock"] = await served(run, service(run.namespace, "stock"))
            elsewhere = {"matchLabels": {"kubernetes.io/metadata.name": neighbours.other}}
            network = {
                "ingressFrom": [
                    {"podSelector": {"matchLabels": {"role": "friend"}}},
                    {"namespaceSelector": elsewhere, "podSelector": {"matchLabels": {"role": "partner"}}},
                ],
                "egressTo": [{"podSelector": {"matchLabels": {"role": "database"}}, "ports": [{"port": PORT}]}],
            }
            needs = [{"service": "stock"}, {"tcp": f"cache:{CACHE_PORT}"}]
            # Its own checks reach it although it names others only: else it would not become ready. Its commands get as far as it does.
            terms = checked(ends, reached=[f"database:{PORT}", f"cache:{CACHE_PORT}"], refused=[f"stranger:{PORT}", f"{API}:443"])
            ends["web"] = await served(run, service(run.namespace, "web", network=network, dependsOn=needs, **terms))

            ingress = {
                ("friend", f"web:{PORT}"): True,
                ("friend", f"web:{OTHER_PORT}"): False,
                ("partner", f"web:{PORT}"): True,
                ("stranger", f"web:{PORT}"): False,
                ("namesake", f"web:{PORT}"): False,
                # It names nobody: anybody reaches what it declares, and nothing else.
                ("stranger", f"stock:{PORT}"): True,
                ("namesake", f"stock:{PORT}"): True,
                ("namesake", f"stock:{OTHER_PORT}"): False,
            }
            # What `web` does not reach is reached by others, so that it is there.
            egress = {
                ("web", f"database:{PORT}"): True,
                ("web", f"database:{OTHER_PORT}"): False,
                ("friend", f"database:{OTHER_PORT}"): True,
                ("web", f"cache:{CACHE_PORT}"): True,
                ("web", f"cache:{OTHER_PORT}"): False,
                ("friend", f"cache:{OTHER_PORT}"): True,
                ("web", f"stock:{PORT}"): True,
                ("web", f"stranger:{PORT}"): False,
                ("friend", f"stranger:{PORT}"): True,
                ("web", f"namesake:{PORT}"): False,
                ("friend", f"namesake:{PORT}"): True,
                ("web", f"{API}:443"): False,
                ("friend", f"{API}:443"): True,
                # Of the pods that answer DNS, that is all that is reached.
                ("web", API): True,
                ("web", f"database.{run.namespace}.svc:{PORT}"): True,
                ("web", "dns:8181"): False,
                ("friend", "dns:8181"): True,
                # It says nothing of egress: neither does its policy.
                ("stock", f"stranger:{PORT}"): True,
                ("stock", f"{API}:443"): True,
            }
            await until_reach(loaded.kubeconfig, ends, ingress | egress)
            assert not run.operator.exits

    asyncio.run(all_of_it())


def test_the_operators_pods_reach_the_api_server_and_dns_alone_and_are_reached_at_what_they_name(loaded: LocalCluster) -> None:
    labels = {"app.kubernetes.io/name": "hardened-operator", "app.kubernetes.io/instance": RELEASE}

    async def all_of_it() -> None:
        async with Kube(loaded.kubeconfig) as kube, fresh_namespace(kube, "reach") as namespace:
            stand_in = pod(SYSTEM, f"stand-in-{namespace}", **labels)
            stand_in["spec"]["containers"][0]["ports"] = [{"name": "metrics", "containerPort": PORT}]
            try:
                operator, somebody = await asyncio.gather(started(kube, stand_in), started(kube, pod(namespace, "somebody")))
                ends = {"operator": operator, "somebody": somebody}
                expected = {
                    ("operator", f"{API}:443"): True,
                    ("operator", f"somebody:{PORT}"): False,
                    ("somebody", f"operator:{PORT}"): True,
                    ("somebody", f"operator:{OTHER_PORT}"): False,
                    # The control of what is refused: both listen, and nothing is said of somebody.
                    ("somebody", f"somebody:{PORT}"): True,
                    ("operator", f"operator:{OTHER_PORT}"): True,
                }
                await until_reach(loaded.kubeconfig, ends, expected)
            finally:
                await kube.delete("Pod", stand_in["metadata"]["name"], SYSTEM)

    asyncio.run(all_of_it())


def test_where_a_namespace_denies_by_default_releases_pass_their_checks_and_the_service_gets_no_further(
    loaded: LocalCluster, tmp_path: Path
) -> None:
    async def all_of_it() -> None:
        async with furnished(loaded, tmp_path) as neighbours:
            run, ends = neighbours.run, dict(neighbours.ends)
            await run.kube.create(deny_by_default(run.namespace))
            denied = {("namesake", f"friend:{PORT}"): False, ("namesake", f"partner:{PORT}"): True}
            await until_reach(loaded.kubeconfig, ends, denied)

            terms = checked(ends, reached=[], refused=[f"partner:{PORT}", f"{API}:443"])
            ends["web"] = await served(run, service(run.namespace, "web", **terms))
            expected = {
                # Policies add up: what it declares is reached, and no other port, and nobody else of the namespace.
                ("namesake", f"web:{PORT}"): True,
                ("namesake", f"web:{OTHER_PORT}"): False,
                # Its own policy says nothing of egress: the platform's does.
                ("web", f"partner:{PORT}"): False,
                ("web", API): False,
                ("namesake", API): True,
            }
            await until_reach(loaded.kubeconfig, ends, denied | expected)

            env = [{"name": "LINGER", "value": "0"}, {"name": "LATENCY_MS", "value": "1"}]
            await serve(run, service(run.namespace, "web", env=env, **terms), within=120)
            assert not run.operator.exits

    asyncio.run(all_of_it())


def deny_by_default(namespace: str) -> Body:
    """What a platform's team puts into each namespace."""
    meta = {"name": "default-deny", "namespace": namespace}
    spec = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": meta, "spec": spec}
