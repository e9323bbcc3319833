"""Rendered pods pass the restricted Pod Security Standard, and the checks that say so would see it if they did not."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.core.worlds import WEB, body

from hardened.api.parse import parse
from hardened.core.revisions.pod_standard import BASELINE, RESTRICTED, Control, violations
from hardened.core.revisions.revision import render

GOLDEN = Path(__file__).parents[1] / "desired" / "golden"


def template(spec: dict[str, Any]) -> dict[str, Any]:
    return copy.deepcopy(render(parse(body(spec))).template)


def sample(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((GOLDEN / f"{name}.yaml").read_text())["spec"]
    return found


@pytest.mark.parametrize("name", ["minimal", "web", "worker"])
def test_the_samples_are_restricted(name: str) -> None:
    assert violations(template(sample(name))) == []


@pytest.mark.parametrize("profile", ["restricted", "baseline"])
def test_every_container_is_as_hardened_as_the_application(profile: str) -> None:
    pod = template({**sample("web"), "security": {"profile": profile}})["spec"]
    contexts = [c["securityContext"] for c in (*pod["initContainers"], *pod["containers"])]
    assert len(contexts) == 3
    assert all(context == contexts[0] for context in contexts)
    assert contexts[0]["readOnlyRootFilesystem"] is True
    assert pod["automountServiceAccountToken"] is False
    assert pod["serviceAccountName"] == "shop"


def test_the_baseline_profile_adds_capabilities_and_nothing_else() -> None:
    baseline = template({**WEB, "security": {"profile": "baseline", "addCapabilities": ["CHOWN", "KILL"]}})
    assert violations(baseline, BASELINE) == []
    assert violations(baseline) == ["app: adds CHOWN", "app: adds KILL"] or violations(baseline) == ["app: adds KILL", "app: adds CHOWN"]


def test_a_default_probe_stands_in_on_tcp_only() -> None:
    assert template(WEB)["spec"]["containers"][0]["readinessProbe"] == {"tcpSocket": {"port": "http"}}
    udp = template({**WEB, "ports": [{"name": "game", "containerPort": 7000, "protocol": "UDP"}]})
    assert "readinessProbe" not in udp["spec"]["containers"][0]


POD: dict[str, dict[str, Any]] = {
    "host_namespaces": {"hostNetwork": True},
    "host_path_volumes": {"volumes": [{"name": "v", "hostPath": {"path": "/"}}]},
    "sysctls": {"securityContext": {"sysctls": [{"name": "kernel.msgmax", "value": "1"}]}},
    "volume_types": {"volumes": [{"name": "v", "nfs": {}}]},
}
CONTEXT: dict[str, dict[str, Any]] = {
    "host_process": {"windowsOptions": {"hostProcess": True}},
    "privileged": {"privileged": True},
    "baseline_capabilities": {"capabilities": {"drop": ["ALL"], "add": ["SYS_ADMIN"]}},
    "app_armor": {"appArmorProfile": {"type": "Unconfined"}},
    "se_linux": {"seLinuxOptions": {"type": "spc_t"}},
    "proc_mount": {"procMount": "Unmasked"},
    "privilege_escalation": {"allowPrivilegeEscalation": True},
    "non_root": {"runAsNonRoot": False},
    "non_root_user": {"runAsUser": 0},
    "seccomp": {"seccompProfile": {"type": "Unconfined"}},
    "restricted_capabilities": {"capabilities": {"add": []}},
}
CONTAINER: dict[str, dict[str, Any]] = {
    "host_ports": {"ports": [{"containerPort": 1, "hostPort": 1}]},
    "host_in_probes": {"readinessProbe": {"httpGet": {"host": "169.254.169.254"}}},
}


@pytest.mark.parametrize("control", RESTRICTED, ids=lambda control: control.__name__)
@pytest.mark.parametrize("where", ["containers", "initContainers"])
def test_each_control_sees_what_it_is_for(control: Control, where: str) -> None:
    escaped = template(sample("web"))
    name = control.__name__
    if name in POD:
        escaped["spec"] |= POD[name]
    elif name in CONTAINER:
        escaped["spec"][where][0] |= CONTAINER[name]
    else:
        escaped["spec"][where][0]["securityContext"] |= CONTEXT[name]
    assert list(control(escaped["spec"]))
