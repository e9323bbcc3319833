"""Each kind of check, asked for real: what is well passes it before and after its cutover, what is not is rejected."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from e2e.cluster.local.cluster import LocalCluster
from e2e.figures import figures
from e2e.kube import Body, condition
from e2e.releases import TERMS, leads_to, ready_reason, released
from e2e.rig import Run, serve, side_by_side

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("rights")]


@dataclass(frozen=True)
class CheckKind:
    """means: of the check; bad: what is changed so that it does not pass, of the spec or of the means; says: what is told then;
    window: long enough for it."""

    means: Body
    bad: Body
    says: str
    window: str = "2s"


def env(**settings: str) -> dict[str, Any]:
    return {"env": [{"name": "LINGER", "value": "0"}, *({"name": name, "value": value} for name, value in settings.items())]}


KINDS = {
    "http": CheckKind({"path": "/", "count": 2}, env(ERROR_RATIO="1"), "500"),
    "grpc": CheckKind({"count": 2}, env(LIVE="false"), "not serving"),
    "tcp": CheckKind({"count": 2}, {"port": "closed"}, "nobody accepts connections on port 9"),
    "job": CheckKind({"command": ["/web", "--help"], "deadline": "10s"}, {"command": ["/web", "--port=none"]}, "exit code 2", window="10s"),
    "load": CheckKind({"rate": 20, "duration": "2s"}, env(ERROR_RATIO="0.5"), "of 40 requests failed"),
}


def checked(namespace: str, version: str, kind: str, means: Body, window: str, **spec: Any) -> Body:
    """A service that passes one check before its cutover, and the same one after it."""
    verify = {
        "beforeCutover": [{"name": "before", kind: means}],
        "afterCutover": {"window": window, "checks": [{"name": "after", kind: means}]},
    }
    ports = [{"name": "http", "containerPort": 8080, "port": 80}, {"name": "closed", "containerPort": 9, "port": 9}]
    terms = {**TERMS["release"], "progressDeadline": "60s"}
    return released(namespace, version, verify=verify, ports=ports, release=terms, **spec)


def has_passed(live: Body | None) -> bool:
    """Whether its checks have passed before and after the cutover."""
    checks = (((live or {}).get("status") or {}).get("release") or {}).get("checks") or ()
    return {"before", "after"} <= {check["name"] for check in checks if check["result"] == "Passed"}


async def passes_and_is_rejected(run: Run, kind: str) -> None:
    """A good version, another one, and a bad one."""
    found = KINDS[kind]
    await serve(run, checked(run.namespace, "v1", kind, found.means, found.window))
    await run.kube.apply(checked(run.namespace, "v2", kind, found.means, found.window))
    _, passed = await run.kube.until("HardenedService", "web", run.namespace, has_passed, within=90)
    await run.kube.until("HardenedService", "web", run.namespace, ready_reason("Healthy"), within=90)
    of_means = {name: value for name, value in found.bad.items() if name != "env"}
    bad = {"env": found.bad["env"]} if "env" in found.bad else {}
    await run.kube.apply(checked(run.namespace, "v3", kind, {**found.means, **of_means}, found.window, **bad))
    live, rejected = await run.kube.until("HardenedService", "web", run.namespace, ready_reason("Rejected"), within=120)
    assert live
    figures(f"a check by {kind}", passed_seconds=passed, rejected_seconds=rejected)
    assert found.says in condition(live, "Ready")["message"]
    assert leads_to("green")(await run.kube.get("Service", "web", run.namespace))


def test_what_is_well_passes_it_and_what_is_not_is_rejected(local: LocalCluster, tmp_path: Path) -> None:
    asyncio.run(side_by_side(local.kubeconfig, tmp_path, KINDS, passes_and_is_rejected))
