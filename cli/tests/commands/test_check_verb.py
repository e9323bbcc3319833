"""`check` and `version`: what is found out about a cluster."""

import json
from typing import Any

import pytest
from hardenctl_world import FakeCluster

from hardenctl.cluster.paths import ALL_DEPLOYMENTS, CRD, GROUP, METRICS, VERSION
from hardened.api.names import SCHEMA_REVISION
from hardened.errors import Refused, TryAgain, Vanished

NO = Refused("forbidden", status=403)
GONE = Vanished("not found", status=404)


def operator(available: int = 2) -> dict[str, Any]:
    return {
        "metadata": {"namespace": "hardened-system", "name": "hardened-operator"},
        "spec": {"replicas": 2, "template": {"spec": {"containers": [{"image": "host:5000/hardened/operator:0.1.0@sha256:ab"}]}}},
        "status": {"availableReplicas": available},
    }


def crd(revision: str = SCHEMA_REVISION) -> dict[str, Any]:
    meta = {"name": "hardenedservices.hardened.dev", "annotations": {"hardened.dev/schema-revision": revision}}
    return {"metadata": meta, "status": {"conditions": [{"type": "Established", "status": "True"}]}}


def world(**changes: Any) -> FakeCluster:
    cluster = FakeCluster()
    cluster.objects = {VERSION: {"gitVersion": "v1.36.0"}, CRD: crd(), ALL_DEPLOYMENTS: {"items": [operator()]}, METRICS: {}, GROUP: {}}
    paths = {"version": VERSION, "crd": CRD, "operator": ALL_DEPLOYMENTS, "metrics": METRICS, "denied": "denied"}
    cluster.objects |= {paths[name]: value for name, value in changes.items()}
    return cluster


@pytest.mark.parametrize(
    ("changes", "result", "code", "expected"),
    [
        pytest.param({}, "ok", 0, {}, id="all is well"),
        pytest.param({"version": {"gitVersion": "v1.29.4"}}, "failed", 1, {"cluster": "failed"}, id="an old cluster"),
        pytest.param({"version": TryAgain("https://x: Connection refused")}, "failed", 5, {"cluster": "failed"}, id="no cluster"),
        pytest.param({"denied": ["create", "patch"]}, "warnings", 0, {"rights": "warning"}, id="a reader"),
        pytest.param({"denied": ["get", "watch"]}, "failed", 1, {"rights": "failed"}, id="no rights"),
        pytest.param({"crd": GONE}, "failed", 1, {"crd": "failed"}, id="no CRD"),
        pytest.param({"crd": NO}, "warnings", 0, {"crd": "warning"}, id="no right to read the CRD"),
        pytest.param({"crd": crd("0")}, "warnings", 0, {"crd": "warning"}, id="another CRD"),
        pytest.param({"crd": {"metadata": {}}}, "failed", 1, {"crd": "failed"}, id="a CRD that was not accepted"),
        pytest.param({"operator": {"items": []}}, "failed", 1, {"operator": "failed"}, id="no operator"),
        pytest.param({"operator": {"items": [operator(0)]}}, "failed", 1, {"operator": "failed"}, id="an operator that is down"),
        pytest.param({"operator": {"items": [operator(1)]}}, "warnings", 0, {"operator": "warning"}, id="half an operator"),
        pytest.param({"operator": NO}, "warnings", 0, {"operator": "warning"}, id="no right to see the operator"),
        pytest.param({"metrics": GONE}, "warnings", 0, {"metrics": "warning"}, id="no metrics"),
        pytest.param({"metrics": TryAgain("down", status=503)}, "warnings", 0, {"metrics": "warning"}, id="broken metrics"),
    ],
)
def test_a_cluster_is_checked(run: Any, changes: dict[str, Any], result: str, code: int, expected: dict[str, str]) -> None:
    shown = run(world(**changes), "check", "-o", "json")
    said = json.loads(shown.stdout)
    assert (said["result"], shown.exit_code) == (result, code)
    assert {c["name"]: c["result"] for c in said["checks"] if c["result"] != "ok"} == expected


def test_versions_are_shown(run: Any) -> None:
    assert json.loads(run(world(), "version", "-o", "json").stdout) == {
        "result": "ok",
        "client": "0.1.0",
        "operator": "0.1.0",
        "crd": f"schema revision {SCHEMA_REVISION}",
        "cluster": "v1.36.0",
    }


def test_the_clients_own_version_needs_no_cluster(run: Any) -> None:
    assert run(None, "version", "--client").stdout == "hardenctl   0.1.0\n"
    without = run(world(version=TryAgain("https://x: Connection refused")), "version")
    assert without.stdout == "hardenctl   0.1.0\n"
    assert without.exit_code == 5
