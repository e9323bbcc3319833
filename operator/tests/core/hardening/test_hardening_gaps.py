"""What a team leaves open is named, with its remedy, and nothing else is."""

from typing import Any

import pytest
from tests.core.worlds import service

from hardened.core.hardening.catalog import CHECKS, gaps
from hardened.core.hardening.check import Subject

DIGEST = "registry.example/shop@sha256:" + "0" * 64
PROBE = {"httpGet": {"path": "/health"}}
CLOSED: dict[str, Any] = {
    "image": DIGEST,
    "ports": [{"name": "http", "containerPort": 8080}],
    "probes": {"readiness": PROBE, "liveness": PROBE},
    "replicas": 2,
    "resources": {"limits": {"memory": "64Mi"}},
}
SECRET = {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "shop", "key": "token"}}}


def test_a_service_that_says_everything_has_no_gaps() -> None:
    assert gaps(service(CLOSED)) == []


SCALED = {"maxReplicas": 4, "cpu": 70}
MEASURED = {"resources": {"requests": {"cpu": "100m"}, "limits": {"memory": "64Mi"}}}
EXEC = {"exec": {"command": ["true"]}}


@pytest.mark.parametrize(
    ("change", "gap"),
    [
        pytest.param({"probes": {"liveness": PROBE}}, "no readiness probe", id="a TCP check stands in for readiness"),
        pytest.param(
            {"ports": [{"name": "game", "containerPort": 7000, "protocol": "UDP"}], "probes": {"liveness": EXEC}},
            "no readiness probe (set", id="nothing stands in for the readiness of a UDP port",
        ),
        pytest.param({"probes": {"readiness": PROBE}}, "no liveness probe", id="a process that hangs"),
        pytest.param({"image": "registry.example/shop:1"}, "image by tag", id="a tag that can be moved"),
        pytest.param({"env": [SECRET]}, "a secret in an environment variable", id="a secret in a variable"),
        pytest.param({"envFrom": [{"secretRef": {"name": "shop"}}]}, "a secret in environment variables", id="a Secret as variables"),
        pytest.param(
            {"sidecars": [{"name": "proxy", "image": DIGEST, "env": [SECRET]}]}, "a secret in an environment variable", id="in a sidecar"
        ),
        pytest.param(
            {"initContainers": [{"name": "init", "image": DIGEST, "envFrom": [{"secretRef": {"name": "s"}}]}]},
            "a secret in environment variables",
            id="in an init container",
        ),
        pytest.param({"security": {"profile": "baseline"}}, "security.profile is baseline", id="the baseline profile"),
        pytest.param({"replicas": 1}, "one replica", id="one replica"),
        pytest.param({"autoscale": {"minReplicas": 1, **SCALED}, **MEASURED}, "one replica at times", id="one replica, where nobody calls"),
        pytest.param(
            {"autoscale": SCALED, "resources": {"requests": {"memory": "1Mi"}, "limits": {"memory": "64Mi"}}},
            "autoscale counts cpu against a default request (set resources.requests.cpu)", id="CPU that nobody measured",
        ),
        pytest.param(
            {"autoscale": {**SCALED, "memory": 80}},
            "autoscale counts cpu and memory against a default request (set resources.requests.cpu and resources.requests.memory)",
            id="CPU and memory that nobody measured",
        ),
        pytest.param({"resources": {"limits": {"cpu": "1"}}}, "default resources", id="memory that nobody measured"),
        pytest.param(
            {"availability": {"disruptionBudget": {"minAvailable": 2}}}, "of 2 pods a drain may evict none (set", id="no node is drained"
        ),
    ],
)  # fmt: skip
def test_one_gap_is_named(change: dict[str, Any], gap: str) -> None:
    found = gaps(service({**CLOSED, **change}))
    assert len(found) == 1
    assert found[0].startswith(gap)
    assert found[0].endswith(")"), "the remedy comes with it"


@pytest.mark.parametrize(
    ("change", "absent"),
    [
        pytest.param(
            {"ports": None, "probes": {"liveness": {"exec": {"command": ["true"]}}}}, "readiness", id="a worker needs no readiness"
        ),
        pytest.param({"replicas": None}, "replica", id="replicas that the operator chooses"),
        pytest.param({"env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "a", "key": "b"}}}]}, "secret", id="a ConfigMap"),
        pytest.param({"replicas": 0}, "replica", id="scaled to zero on purpose"),
        pytest.param({"replicas": 1, "autoscale": SCALED}, "replica", id="one replica that its autoscaler will raise"),
        pytest.param({"autoscale": SCALED, **MEASURED}, "autoscale", id="an autoscaler that counts what was measured"),
    ],
)
def test_what_is_no_gap_is_not_named(change: dict[str, Any], absent: str) -> None:
    assert not [gap for gap in gaps(service({**CLOSED, **change})) if absent in gap]


def test_two_lines_of_spec_leave_several_in_the_order_of_the_checks() -> None:
    two_lines = service({"image": "registry.example/shop:1", "ports": [{"name": "http", "containerPort": 80}]})
    assert gaps(two_lines) == [
        "no readiness probe (a TCP check is used instead: set probes.readiness)",
        "no liveness probe (set probes.liveness)",
        "image by tag (use its digest)",
        "default resources (set resources.limits.memory)",
    ]


def test_the_condition_tells_of_its_own_checks_alone() -> None:
    open_everywhere = service({**CLOSED, "shutdown": {"drainSeconds": 0}, "env": [{"name": "PASSWORD", "value": "x"}]})
    assert {each.id for each in CHECKS if list(each.look(Subject(open_everywhere)))} >= {"HS017", "HS025", "HS032"}
    assert gaps(open_everywhere) == []


def test_one_sentence_is_told_for_each_check() -> None:
    assert gaps(service({**CLOSED, "env": [SECRET, {**SECRET, "name": "OTHER"}]})) == [
        "a secret in an environment variable (mount it with volumes)"
    ]
