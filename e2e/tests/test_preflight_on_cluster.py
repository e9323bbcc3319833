"""`hardenctl preflight` on a real cluster: what is missing is found, what was made is not missed, and rights bound what is looked at."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from e2e.kube import Body, Kube
from e2e.rig import fresh_namespace, web

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("rights")]

#: What a service of `lacking` refers to that is not there, or has no room, and which check tells of it.
MISSING = {"HS068", "HS069", "HS070", "HS071", "HS072", "HS073", "HS074", "HS075", "HS077", "HS078", "HS080", "HS081", "HS085"}
CANARY = "HS-CANARY-preflight"
READER = "hardened-preflight-reader"


def lacking(namespace: str) -> Body:
    """A service that nothing is ready for."""
    return web(
        namespace,
        replicas=None,
        autoscale={"maxReplicas": 3, "cpu": 70},
        resources={"requests": {"cpu": "20m", "memory": "32Mi"}, "limits": {"memory": "64Mi"}},
        imagePullSecrets=[{"name": "registry"}],
        envFrom=[{"configMapRef": {"name": "settings"}}],
        volumes=[
            {"name": "key", "mountPath": "/key", "secret": {"secretName": "key"}},
            {
                "name": "data",
                "mountPath": "/data",
                "claim": {"size": "1Gi", "storageClassName": "absent", "accessModes": ["ReadWriteMany"]},
            },
        ],
        scheduling={"priorityClassName": "absent", "runtimeClassName": "absent", "nodeSelector": {"hardened.test/absent": "yes"}},
        dependsOn=[{"service": "absent"}, {"tcp": "absent:6379"}],
    )


def standing(namespace: str) -> Body:
    """The same service, with names of what is there."""
    wanted = lacking(namespace)
    wanted["metadata"]["name"] = "web2"
    wanted["spec"] |= {"replicas": 1, "dependsOn": [{"service": "db"}, {"tcp": "web:80"}]}
    for name in ("autoscale", "scheduling"):
        del wanted["spec"][name]
    del wanted["spec"]["volumes"][1]
    return wanted


async def checked(kubeconfig: Path, path: Path, *services: Body, user: str = "") -> tuple[int, dict[str, Any]]:
    """The exit code and the report of `preflight` on these services. user: whom it acts as."""
    text = yaml.safe_dump_all([{**each, "spec": _without_none(each["spec"])} for each in services])
    await asyncio.to_thread(path.write_text, text)
    command = [sys.executable, "-m", "hardenctl", "preflight", "-f", str(path), "-o", "json", *([f"--as={user}"] if user else [])]
    environment = {**os.environ, "KUBECONFIG": str(kubeconfig)}
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=environment
    )
    out, err = await process.communicate()
    assert CANARY.encode() not in out + err, "what is in a Secret is shown"
    assert out, err
    return int(process.returncode or 0), json.loads(out)


def _without_none(spec: Body) -> Body:
    return {name: value for name, value in spec.items() if value is not None}


def ids(report: dict[str, Any], name: str) -> set[str]:
    return {each["id"] for each in report["findings"] if each["name"] == name}


async def make_room(kube: Kube, namespace: str, *, pods: str, memory: str) -> None:
    """A quota of so many pods that is counted, and a LimitRange of so much memory."""
    meta = {"name": "small", "namespace": namespace}
    await kube.apply({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": meta, "spec": {"hard": {"pods": pods}}})
    limits = [{"type": "Container", "max": {"memory": memory}}]
    await kube.apply({"apiVersion": "v1", "kind": "LimitRange", "metadata": meta, "spec": {"limits": limits}})
    counted = {"pods": pods}
    await kube.until("ResourceQuota", "small", namespace, lambda live: (live or {}).get("status", {}).get("hard") == counted, within=30)


async def supply(kube: Kube, namespace: str) -> None:
    """What `standing` refers to."""
    for kind, name, more in (
        ("Secret", "key", {"stringData": {"key": CANARY}}),
        ("Secret", "registry", {"stringData": {"key": CANARY}}),
        ("ConfigMap", "settings", {"data": {"LEVEL": "info"}}),
    ):
        await kube.create({"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": namespace}, **more})


async def let_read(kube: Kube, namespace: str) -> str:
    """A user who may read services and ConfigMaps of the namespace, and nothing else."""
    meta = {"name": READER, "namespace": namespace}
    rule = {
        "apiGroups": ["", "hardened.dev", "apps"],
        "resources": ["configmaps", "hardenedservices", "services", "deployments"],
        "verbs": ["get", "list"],
    }
    await kube.create({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": meta, "rules": [rule]})
    bound = {
        "subjects": [{"kind": "User", "name": READER}],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": READER},
    }
    await kube.create({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": meta, **bound})
    return READER


def test_what_a_cluster_lacks_is_found_before_a_release_waits_for_it(kubeconfig: Path, tmp_path: Path) -> None:
    async def all_of_it() -> None:
        path = tmp_path / "shop.yaml"
        async with Kube(kubeconfig) as kube, fresh_namespace(kube, "preflight") as namespace:
            other = {
                "kind": "Service",
                "apiVersion": "v1",
                "metadata": {"name": "web", "namespace": namespace},
                "spec": {"ports": [{"port": 80}]},
            }
            await kube.create(other)
            await make_room(kube, namespace, pods="1", memory="32Mi")
            code, report = await checked(kubeconfig, path, lacking(namespace))
            assert (code, report["result"]) == (1, "failed")
            assert ids(report, "web") >= MISSING
            assert report["skipped"] == []

            await supply(kube, namespace)
            await make_room(kube, namespace, pods="20", memory="1Gi")
            code, report = await checked(
                kubeconfig, path, standing(namespace), web(namespace) | {"metadata": {"name": "db", "namespace": namespace}}
            )
            assert ids(report, "web2") & MISSING == {"HS085"}, "here the operator is a process of the tests"
            assert ids(report, "db") & MISSING == {"HS085"}

            user = await let_read(kube, namespace)
            code, report = await checked(kubeconfig, path, lacking(namespace), user=user)
            assert ids(report, "web") & MISSING == {"HS074", "HS075", "HS077"}
            assert {each["id"] for each in report["skipped"]} >= {"HS066", "HS068", "HS078", "HS081"}

            code, report = await checked(kubeconfig, path, web(f"{namespace}-absent"))
            assert (code, "HS066" in ids(report, "web")) == (1, True)

    asyncio.run(all_of_it())
