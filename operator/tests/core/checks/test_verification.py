"""What a verifier pod is told, and what pod it is. Each task is also read by the verifier itself."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from tests.core.reach import matches
from tests.core.worlds import WEB, WORKER, service

from hardened.api import names
from hardened.api.verify import LoadCheck
from hardened.core.checks.tasks import (
    GrpcTask,
    HttpTask,
    Purpose,
    TcpTask,
    checks_task,
    load_arguments,
    pod_name,
    probe_task,
    task_seconds,
    told,
)
from hardened.core.desired.check_pod import START_SECONDS, job_pod, verifier_labels, verifier_pod
from hardened.core.desired.deployment import deployment
from hardened.core.desired.disruption_budget import disruption_budget
from hardened.core.desired.network_policy import network_policy
from hardened.core.desired.service import active_service_of, selector
from hardened.core.model.kit import Kit
from hardened.core.model.target import Target
from hardened.core.release.inputs import release_policy
from hardened.core.revisions.pod_standard import violations
from hardened.core.revisions.revision import render
from hardened.load.arguments import arguments as arguments_of
from hardened.load.arguments import load_of, target_of
from hardened.verifier.task import parse

NOW = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
SECOND = timedelta(seconds=1)
PORTS = [
    {"name": "game", "containerPort": 7000, "protocol": "UDP"},
    {"name": "http", "containerPort": 8080, "port": 80},
    {"name": "grpc", "containerPort": 9000},
]
SPEC = {**WEB, "ports": PORTS}
SHOP = service(SPEC)
SMOKE = HttpTask(
    name="smoke",
    port="http",
    path="/health",
    expect_body="$(HOME) ok",
    max_latency=SECOND / 2,
    count=5,
    interval=2 * SECOND,
    failure_limit=1,
)
CHECKS = (SMOKE, GrpcTask(name="health", port=9000, service="shop.v1"), TcpTask(name="open"))


def task(purpose: Purpose = Purpose.BEFORE, *checks: Any) -> dict[str, Any]:
    return checks_task(SHOP, render(SHOP), checks or CHECKS, purpose, 30 * SECOND)


def pod(name: str = "shop-verify") -> dict[str, Any]:
    return verifier_pod(SHOP, name, task(), kit=Kit("registry.example/hardened:1"), seconds=task_seconds(task()))


def test_checks_name_a_port_and_the_task_says_where_it_is() -> None:
    common = {"host": "shop-preview.market.svc", "intervalSeconds": 1.0, "count": 1, "failureLimit": 0}
    assert task() == {
        "authority": "shop",
        "waitSeconds": 30.0,
        "checks": [
            {
                "name": "smoke", "kind": "http", "host": "shop-preview.market.svc", "port": 80, "path": "/health", "expectStatus": [200],
                "expectBody": "$(HOME) ok", "maxLatencySeconds": 0.5, "count": 5, "intervalSeconds": 2.0, "failureLimit": 1,
            },
            {**common, "name": "health", "kind": "grpc", "port": 9000, "service": "shop.v1"},
            {**common, "name": "open", "kind": "tcp", "port": 80},
        ],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("purpose", "host"),
    [(Purpose.BEFORE, "shop-preview.market.svc"), (Purpose.AFTER, "shop.market.svc"), (Purpose.CUTOVER, "shop.market.svc")],
)
def test_only_checks_before_the_cutover_ask_the_preview(purpose: Purpose, host: str) -> None:
    assert {check["host"] for check in task(purpose)["checks"]} == {host}


def test_a_check_of_a_port_without_connections_is_not_made() -> None:
    made = task(Purpose.BEFORE, SMOKE, HttpTask(name="b", port="metrics"), TcpTask(name="c", port=1), GrpcTask(name="d", port="game"))
    assert [check["name"] for check in made["checks"]] == ["smoke"]


def test_load_is_told_where_how_much_and_within_which_bounds() -> None:
    check = LoadCheck(path="/busy", rate=50, duration="20s", max_p95="500ms", max_error_ratio=0.01, min_rate=40)  # type: ignore[arg-type]
    arguments = load_arguments(SHOP, render(SHOP), check, Purpose.BEFORE)
    assert arguments
    given = arguments_of(arguments)
    assert (given.host, given.port, given.path, given.rate, given.duration) == ("shop-preview.market.svc", 80, "/busy", 50, 20)
    assert (given.max_p95, given.max_error_ratio, given.min_rate, given.max_p50) == (0.5, 0.01, 40, None)
    assert (given.brief, given.report, given.wait) == (True, "/dev/termination-log", 30)
    assert load_of(given).schedule.seconds == 20
    assert b"\r\nHost: shop\r\n" in target_of(given).request(keeps_alive=False)


def test_a_job_is_told_which_revision_it_checks() -> None:
    assert told(SHOP, Target("green", "0123456789ab"), Purpose.AFTER) == {
        "HARDENED_HOST": "shop.market.svc",
        "HARDENED_SERVICE": "shop",
        "HARDENED_NAMESPACE": "market",
        "HARDENED_COLOR": "green",
        "HARDENED_REVISION": "0123456789ab",
    }
    made = job_pod(SHOP, "j", ["true"], {"A": "b"}, image="registry.example/shop:1", seconds=60)
    assert made["spec"]["activeDeadlineSeconds"] == 60
    assert made["spec"]["restartPolicy"] == "Never"
    assert made["spec"]["containers"][0]["env"] == [{"name": "A", "value": "b"}]


def probes(**readiness: Any) -> dict[str, Any]:
    return {**SPEC, "probes": {"readiness": readiness}}


@pytest.mark.parametrize(
    ("spec", "asked"),
    [
        pytest.param(SPEC, {"kind": "tcp", "port": 80}, id="no readiness probe: the main TCP port"),
        pytest.param(probes(httpGet={"path": "/ready"}), {"kind": "http", "port": 80, "path": "/ready"}, id="http"),
        pytest.param(probes(httpGet={"port": 9000}), {"kind": "http", "port": 9000, "path": "/"}, id="http at another port"),
        pytest.param(probes(httpGet={"port": 8081}), {"kind": "tcp", "port": 80}, id="http at a port that clients do not have"),
        pytest.param(probes(httpGet={"scheme": "HTTPS"}), {"kind": "tcp", "port": 80}, id="TLS"),
        pytest.param(probes(grpc={"port": 9000, "service": "s"}), {"kind": "grpc", "port": 9000, "service": "s"}, id="grpc"),
        pytest.param(probes(exec={"command": ["true"]}), {"kind": "tcp", "port": 80}, id="a command"),
    ],
)
def test_the_probe_asks_as_readiness_does(spec: dict[str, Any], asked: dict[str, Any]) -> None:
    svc = service(spec)
    found = probe_task(svc, render(svc), 70 * SECOND, 30 * SECOND)
    assert found
    (probe,) = found["probes"]
    common = {"name": "zero-loss", "host": "shop.market.svc", "rate": 20, "durationSeconds": 70.0}
    assert probe == {**common, **asked, "burst": {"failures": 10, "seconds": 2}}
    assert parse(json.dumps(found)).probes[0].duration == 70


@pytest.mark.parametrize("spec", [WORKER, {**WEB, "ports": PORTS[:1]}], ids=["a worker", "UDP alone"])
def test_nothing_is_probed_where_clients_have_no_tcp_port(spec: dict[str, Any]) -> None:
    svc = service(spec)
    assert probe_task(svc, render(svc), SECOND, SECOND) is None


def test_a_task_may_take_as_long_as_its_slowest_check() -> None:
    assert task_seconds(task()) == 30 + 5 * 2
    quick = HttpTask(name="quick", count=100, interval=SECOND / 10)
    assert task_seconds(task(Purpose.BEFORE, quick)) == 30 + 100 * 2, "every request may take two seconds"
    watch = probe_task(SHOP, render(SHOP), 60 * SECOND, 5 * SECOND)
    assert watch
    assert task_seconds(watch) == 5 + 60 + 2


def test_the_verifier_reads_the_task_that_its_pod_carries() -> None:
    (container,) = pod()["spec"]["containers"]
    (variable,) = container["env"]
    assert variable["name"] == "HARDENED_TASK"
    assert "$" not in variable["value"], "Kubernetes would take it for the begin of a reference"
    found = parse(variable["value"])
    assert [check.name for check in found.checks] == ["smoke", "health", "open"]
    assert found.checks[0].target.expect_body == b"$(HOME) ok"
    assert container["command"][-2:] == ["-m", "hardened.verifier"]


def test_the_verifier_reads_what_the_longest_deadline_and_window_and_the_strangest_status_make_of_a_task() -> None:
    after = {"window": "1h", "checks": [{"name": "odd", "http": {"expectStatus": [100, 599], "count": 100, "maxLatency": "1m"}}]}
    policy = release_policy(service({**SPEC, "release": {"progressDeadline": "24h"}, "verify": {"afterCutover": after}}).spec)
    probe = probe_task(SHOP, render(SHOP), policy.window + 2 * policy.progress_deadline, policy.progress_deadline)
    odd = HttpTask(name="odd", expect_status=(100, 599), count=100, max_latency=60 * SECOND)
    asked = checks_task(SHOP, render(SHOP), [odd], Purpose.AFTER, policy.progress_deadline)
    assert parse(json.dumps(probe)).probes[0].duration == 49 * 3600
    assert parse(json.dumps(asked)).wait == 24 * 3600


def test_a_verifier_pod_is_restricted_bounded_and_ends() -> None:
    made = pod()
    spec = made["spec"]
    (container,) = spec["containers"]
    assert violations(made) == []
    assert (spec["restartPolicy"], spec["automountServiceAccountToken"], spec["enableServiceLinks"]) == ("Never", False, False)
    assert "serviceAccountName" not in spec, "the service's own account may be tied to a cloud identity"
    assert spec["activeDeadlineSeconds"] == 40 + START_SECONDS
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert set(container["resources"]["limits"]) == {"cpu", "memory", "ephemeral-storage"}
    assert container["image"] == "registry.example/hardened:1"
    (owner,) = made["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["uid"], owner["controller"]) == (names.KIND, "shop", SHOP.uid, True)
    assert made["metadata"]["namespace"] == "market"


@pytest.mark.parametrize("color", ["blue", "green"])
def test_nobody_takes_a_verifier_pod_for_the_application(color: str) -> None:
    carried, revision = pod()["metadata"]["labels"], render(SHOP)
    assert carried[names.SERVICE_LABEL] == "shop"
    assert carried[names.COMPONENT_LABEL] == "verifier"
    for target in (Target(color, revision.name), None):
        leads = active_service_of(SHOP, revision, selector(SHOP, target))
        assert leads
        assert not matches({"matchLabels": leads["spec"]["selector"]}, carried)
    assert not matches(deployment(SHOP, revision, color, 1)["spec"]["selector"], carried)
    assert not matches(disruption_budget(SHOP, color)["spec"]["selector"], carried)
    assert not matches(network_policy(SHOP, revision, color)["spec"]["podSelector"], carried)
    assert matches({"matchLabels": verifier_labels(SHOP)}, carried)
    spread = revision.template["spec"]["topologySpreadConstraints"]
    assert not any(matches(constraint["labelSelector"], carried) for constraint in spread)


def test_a_release_finds_its_own_pod_again_and_no_other() -> None:
    blue, other = Target("blue", "0123456789ab"), Target("green", "0123456789ab")
    name = pod_name(SHOP, blue, NOW, Purpose.BEFORE)
    assert name.startswith("shop-verify-before-")
    assert pod_name(SHOP, blue, NOW.astimezone(timezone(timedelta(hours=2))), Purpose.BEFORE) == name
    others = {
        pod_name(SHOP, blue, NOW, Purpose.AFTER),
        pod_name(SHOP, blue, NOW + timedelta(microseconds=1), Purpose.BEFORE),
        pod_name(SHOP, other, NOW, Purpose.BEFORE),
        pod_name(SHOP, Target("blue", "ba9876543210"), NOW, Purpose.BEFORE),
    }
    assert len(others | {name}) == 5


def test_the_longest_name_fits() -> None:
    longest = service(SPEC)
    longest = type(longest)("s" * 40, longest.namespace, longest.uid, 1, longest.spec)
    found = {pod_name(longest, Target("green", "0123456789ab"), NOW, purpose) for purpose in Purpose}
    assert len(found) == len(Purpose)
    assert all(len(name) <= 63 for name in found)
