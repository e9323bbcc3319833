"""`status`: what it says, and how it exits."""

import json
from typing import Any

import pytest
from hardenctl_world import (
    NEW,
    REVISION,
    FakeCluster,
    condition,
    degraded,
    healthy,
    modified,
    progressing,
    releasing,
    service,
    state,
    suspended,
)

from hardened.errors import Refused, TryAgain


@pytest.mark.parametrize(
    ("live", "result", "code", "advice"),
    [
        pytest.param(service(status=healthy()), "healthy", 0, "", id="all pods serve"),
        pytest.param(service(), "pending", 0, "hardenctl check", id="nobody has looked at it"),
        pytest.param(service(status={}), "pending", 0, "hardenctl check", id="there is no status at all"),
        pytest.param(service(status=progressing()), "progressing", 0, "hardenctl status api -n shop -w", id="pods are on their way"),
        pytest.param(
            service(generation=2, status=healthy()),
            "progressing",
            0,
            "hardenctl status api -n shop -w",
            id="healthy before the last change",
        ),
        pytest.param(
            service(status=degraded()),
            "degraded",
            1,
            "hardenctl explain api -n shop",
            id="pods crash",
        ),
        pytest.param(
            service(status=degraded() | {"release": releasing("Preview")["release"]}),
            "degraded",
            1,
            "hardenctl explain api -n shop",
            id="pods of the new version crash beside those that serve",
        ),
        pytest.param(
            service(status=degraded("Unschedulable") | {"release": releasing("Preview")["release"]}),
            "degraded",
            1,
            f"kubectl describe pods -n shop -l hardened.dev/service=api,hardened.dev/revision={NEW}",
            id="pods of the new version find no node beside those that serve",
        ),
        pytest.param(
            service(status=progressing() | {"conditions": [condition("Ready", "False", "QuotaExceeded", "it waits for room")]}),
            "progressing",
            0,
            "kubectl describe quota -n shop",
            id="a release waits for room",
        ),
        pytest.param(
            service(status=progressing() | {"conditions": [condition("Ready", "False", "Unschedulable", "it waits for a node")]}),
            "progressing",
            0,
            "kubectl describe pods -n shop -l hardened.dev/service=api",
            id="a release waits for a node",
        ),
        pytest.param(
            service(status=progressing() | {"conditions": [condition("Ready", "False", "WaitingForDependencies", "db is not available")]}),
            "progressing",
            0,
            "kubectl get hardenedservices -n shop",
            id="a release waits for what it depends on",
        ),
        pytest.param(service(status=degraded("QuotaExceeded")), "degraded", 1, "kubectl describe quota -n shop", id="the quota is full"),
        pytest.param(
            service(status=degraded("NeverHeardOf")),
            "degraded",
            1,
            "hardenctl explain api -n shop",
            id="a reason of a newer operator",
        ),
        pytest.param(
            service(status=degraded("InvalidImage", stalled=True)),
            "failed",
            1,
            "hardenctl explain api -n shop",
            id="only a person can help",
        ),
        pytest.param(
            service(status=degraded("Rejected", stalled=True)),
            "failed",
            1,
            "hardenctl explain api -n shop",
            id="nothing serves",
        ),
        pytest.param(
            service(status=degraded("ConfigMissing") | {"release": releasing("Preflight")["release"]}),
            "degraded",
            1,
            "kubectl get configmaps -n shop",
            id="a ConfigMap is missing, and there is no pod yet",
        ),
        pytest.param(service(status=suspended()), "suspended", 1, "hardenctl unsuspend api -n shop", id="suspended"),
    ],
)
def test_a_status_has_one_word_an_exit_code_and_a_next_command(run: Any, live: dict[str, Any], result: str, code: int, advice: str) -> None:
    shown = run(FakeCluster(live), "status", "api", "-o", "json")
    said = json.loads(shown.stdout)
    assert (said["result"], shown.exit_code) == (result, code)
    assert said["next"].startswith(advice)
    assert bool(said["next"]) == bool(advice)


def test_the_text_shows_what_runs_and_each_condition(run: Any) -> None:
    live = service(
        status=state(
            "Healthy",
            condition("Ready", "True", message=f"revision {REVISION} serves with 2 of 2 pods"),
            condition("Progressing", "False", message="nothing is being rolled out"),
            condition("Stalled", "False", "InStep", "the operator can continue by itself"),
            condition("Hardened", "False", "Gaps", "no liveness probe"),
            condition("Drifted", "True", "ClaimDeleting", "claim x is being deleted"),
        )
    )
    shown = run(FakeCluster(live), "status", "api")
    assert shown.stdout == (
        "√ shop/api   Healthy\n"
        "\n"
        f"Revision       {REVISION} (blue)\n"
        "Image          registry.example/api:1.0\n"
        "Pods           2 of 2 available\n"
        "\n"
        f"√ Ready         True    revision {REVISION} serves with 2 of 2 pods\n"
        "· Progressing   False   nothing is being rolled out\n"
        "√ Stalled       False   the operator can continue by itself\n"
        "‼ Hardened      False   no liveness probe\n"
        "‼ Drifted       True    claim x is being deleted\n"
    )
    assert shown.stderr == ""


def test_what_it_depends_on_is_shown_with_what_is_not_there(run: Any) -> None:
    since = "2026-01-02T03:04:05Z"
    known = [{"service": "db", "state": "Available", "since": since}, {"tcp": "redis:6379", "state": "Unavailable", "since": since}]
    live = service(status=healthy() | {"dependencies": known})
    assert "\nDepends on     db, redis:6379 (Unavailable)\n" in run(FakeCluster(live), "status", "api").stdout
    assert f"db (Available since {since})" in run(FakeCluster(live), "status", "api", "-o", "wide").stdout
    assert json.loads(run(FakeCluster(live), "status", "api", "-o", "json").stdout)["dependencies"] == known


def test_a_message_cannot_drive_the_terminal(run: Any) -> None:
    live = service(status=state("Degraded", condition("Ready", "False", "NotReady", "\x1b[2Jgone\rnew\x9b1m")))
    shown = run(FakeCluster(live), "status", "api")
    assert "\x1b" not in shown.output
    assert "\x9b" not in shown.output


def test_the_name_alone(run: Any) -> None:
    assert run(FakeCluster(service()), "status", "api", "-o", "name").stdout == "hardenedservice.hardened.dev/api\n"


@pytest.mark.parametrize(
    ("arguments", "services", "expected"),
    [
        (["apii"], [service("api")], "did you mean api?"),
        (["x"], [service("api")], "there is no hardened service x in namespace shop"),
        (["x"], [], "Next: hardenctl deploy x -n shop --image IMAGE"),
    ],
)
def test_a_service_that_is_not_there(run: Any, arguments: list[str], services: list[dict[str, Any]], expected: str) -> None:
    shown = run(FakeCluster(*services), "status", *arguments)
    assert shown.exit_code == 1
    assert expected in shown.stderr


@pytest.mark.parametrize(
    ("flags", "states", "result", "code"),
    [
        pytest.param(["-w"], [healthy()], "healthy", 0, id="it becomes healthy"),
        pytest.param(["-w"], [degraded(), progressing(), healthy()], "healthy", 0, id="degraded is passing"),
        pytest.param(["-w"], [degraded(stalled=True)], "failed", 1, id="stalled is not"),
        pytest.param(["-w"], [suspended()], "suspended", 1, id="suspended meanwhile"),
        pytest.param(["--for=available"], [progressing()], "available", 0, id="one pod is enough"),
        pytest.param(["--for=healthy", "--timeout=0.3s"], [progressing()], "timeout", 124, id="time is up"),
    ],
)
def test_a_wait_ends(run: Any, flags: list[str], states: list[dict[str, Any]], result: str, code: int) -> None:
    cluster = FakeCluster(service(status=degraded(seen=0)))
    cluster.watches = [[modified(service(version=n + 2, status=s)) for n, s in enumerate(states)]]
    shown = run(cluster, "status", "api", "-o", "json", *flags)
    assert (json.loads(shown.stdout)["result"], shown.exit_code) == (result, code)


def test_each_change_is_told_once(run: Any) -> None:
    cluster = FakeCluster(service(status=progressing()))
    states = [progressing(), degraded(), degraded(), healthy()]
    cluster.watches = [[modified(service(version=n + 2, status=s)) for n, s in enumerate(states)]]
    shown = run(cluster, "status", "api", "-w")
    assert [line.split()[1] for line in shown.stderr.splitlines()] == ["progressing:", "degraded:", "healthy:"]


@pytest.mark.parametrize(
    ("error", "code", "expected"),
    [
        (Refused("forbidden: no", status=403), 4, "kubectl auth can-i get hardenedservices.hardened.dev -n shop"),
        (TryAgain("Unauthorized", status=401), 5, "the API server does not accept your credentials"),
        (TryAgain("https://x: Connection refused"), 5, "cannot reach the cluster: https://x: Connection refused"),
        (TryAgain("overloaded", status=503), 5, "the API server failed: overloaded"),
    ],
)
def test_a_failure_is_explained(run: Any, error: Exception, code: int, expected: str) -> None:
    cluster = FakeCluster(service())
    cluster.objects = dict.fromkeys(cluster.objects, error)
    shown = run(cluster, "status", "api")
    assert shown.exit_code == code
    assert expected in shown.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["status", "-w"],
        ["status", "api", "-A"],
        ["status", "api", "-o", "xml"],
        ["status", "api", "--for=gone"],
        ["stauts"],
        ["status", "api", "--timeout=1m"],
    ],
)
def test_usage_errors_exit_2(run: Any, arguments: list[str]) -> None:
    assert run(FakeCluster(service()), *arguments).exit_code == 2


def test_flags_may_stand_before_the_verb(run: Any) -> None:
    assert run(FakeCluster(service()), "-n", "shop", "-q", "status", "api").exit_code == 0
