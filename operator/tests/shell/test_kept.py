"""What others write into objects that are listed for one look does not fill the operator's memory."""

import json
from typing import Any

import pytest

from hardened.errors import Refused
from hardened.shell import kept
from hardened.shell.kept import Kept
from hardened.shell.kinds import NETWORK_POLICY, POD, REPLICA_SET, RESOURCE_QUOTA, Kind

LARGE = [{"name": f"A{number}"} for number in range(10_000)]
META = {"name": "a", "uid": "u", "annotations": {"big": "x" * 200_000}, "labels": {"theirs": "x", "hardened.dev/service": "web"}}
OWNERS = {"ownerReferences": [{"uid": "d", "kind": "Deployment", "controller": True}, *({"uid": str(n)} for n in range(10_000))]}


@pytest.mark.parametrize(
    ("kind", "spec", "left"),
    [
        (POD, {"containers": [{"name": "app", "env": LARGE}]}, {"initContainers": []}),
        (
            POD,
            {
                "containers": [
                    {
                        "name": "app",
                        "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
                        "readinessProbe": {"httpGet": {"path": "/ready", "port": "http", "httpHeaders": LARGE}, "periodSeconds": 1},
                        "startupProbe": {"exec": {"command": LARGE}},
                        "livenessProbe": {"tcpSocket": {"port": 1}},
                    },
                    {"name": "proxy", "env": LARGE},
                ],
                "volumes": [
                    {"name": "a", "secret": {"secretName": "db", "items": LARGE}},
                    {"name": "b", "configMap": {"name": "flags"}},
                    {"name": "c", "configMap": {"name": "maybe", "optional": True}},
                ],
            },
            {
                "initContainers": [],
                "containers": [
                    {
                        "name": "app",
                        "ports": [{"name": "http", "containerPort": 8080}],
                        "startupProbe": {"exec": {}},
                        "readinessProbe": {"httpGet": {"path": "/ready", "port": "http"}},
                        "livenessProbe": {"tcpSocket": {"port": 1}},
                    }
                ],
                "volumes": [{"secret": {"secretName": "db"}}, {"configMap": {"name": "flags"}}],
            },
        ),
        (
            POD,
            {"initContainers": [{"name": "proxy", "restartPolicy": "Always", "env": LARGE}]},
            {"initContainers": [{"name": "proxy", "restartPolicy": "Always"}]},
        ),
        (
            POD,
            {
                "nodeName": "node0",
                "schedulingGates": [{"name": "hardened.dev/hold"}],
                "volumes": [
                    {"name": "a", "persistentVolumeClaim": {"claimName": "web-data", "readOnly": True}},
                    {"name": "b", "ephemeral": {"volumeClaimTemplate": {"spec": LARGE}}},
                    {"name": "c", "projected": {"sources": LARGE}},
                ],
            },
            {
                "initContainers": [],
                "nodeName": "node0",
                "schedulingGates": [{"name": "hardened.dev/hold"}],
                "volumes": [{"persistentVolumeClaim": {"claimName": "web-data"}}, {"name": "b", "ephemeral": True}],
            },
        ),
        (REPLICA_SET, {"replicas": 2, "template": {"spec": {"containers": [{"name": "app", "env": LARGE}]}}}, {"replicas": 2}),
        (
            REPLICA_SET,
            {"replicas": 2, "template": {"spec": {"schedulingGates": [{"name": "hardened.dev/hold"}], "containers": LARGE}}},
            {"replicas": 2, "template": {"spec": {"schedulingGates": [{"name": "hardened.dev/hold"}]}}},
        ),
        (
            NETWORK_POLICY,
            {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{"ports": LARGE}]},
            {"podSelector": {}, "policyTypes": ["Ingress"]},
        ),
    ],
)
def test_of_what_a_tenant_writes_that_alone_is_kept_which_is_decided_from(kind: Kind, spec: Any, left: Any) -> None:
    found = Kept(kind, "shop")
    found.take([kind.named({"metadata": META | OWNERS, "spec": spec})], 1_000_000)
    (item,) = found.items
    assert item.get("spec") == left
    assert item["metadata"]["labels"] == {"hardened.dev/service": "web"}
    assert item["metadata"]["ownerReferences"] == [{"uid": "d", "kind": "Deployment", "controller": True}]
    assert len(json.dumps(item)) < 1000


def test_of_a_replica_set_the_hold_that_its_deployment_was_stopped_for_is_kept() -> None:
    found = Kept(REPLICA_SET, "shop")
    told = {"annotations": {"hardened.dev/hold": "action-1", **META["annotations"]}}
    found.take([REPLICA_SET.named({"metadata": META | told, "spec": {"replicas": 2}})], 1_000_000)
    (item,) = found.items
    assert item["metadata"]["annotations"] == {"hardened.dev/hold": "action-1"}


def test_what_the_platform_writes_is_kept_whole() -> None:
    found = Kept(RESOURCE_QUOTA, "shop")
    quota = RESOURCE_QUOTA.named({"metadata": META, "spec": {"hard": {"pods": "4"}}})
    found.take([quota], 1000)
    assert found.items == [quota]


def test_no_more_is_read_or_kept_than_is_usual(monkeypatch: pytest.MonkeyPatch) -> None:
    small = POD.named({"metadata": {"name": "a"}, "status": {}})
    found = Kept(POD, "shop")
    found.take([small] * 10, kept.MOST_READ)
    with pytest.raises(Refused, match="list pods shop: they have more than the 32 MiB that are read of them"):
        found.take([small], 1)

    monkeypatch.setattr(kept, "MOST_KEPT", 1000)
    with pytest.raises(Refused):
        Kept(POD, "shop").take([POD.named({"metadata": {"name": "a"}, "status": {"conditions": ["x" * 1000]}})], 2000)
