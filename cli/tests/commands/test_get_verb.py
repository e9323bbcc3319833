"""`get`, and `status` without a NAME: services, a line each."""

import json
from typing import Any

import pytest
from hardenctl_world import NEW, NEW_IMAGE, REVISION, FakeCluster, degraded, healthy, releasing, service

ALL = "/apis/hardened.dev/v1alpha1/hardenedservices"


def _world() -> FakeCluster:
    return FakeCluster(service("api", status=healthy()), service("web", image=NEW_IMAGE, status=releasing("Preview")), service("new"))


def test_each_service_is_a_line(run: Any) -> None:
    shown = run(_world(), "get")
    rows = [line.split() for line in shown.stdout.splitlines()]
    assert rows == [
        ["NAME", "RESULT", "PODS", "REVISION", "COLOR", "AGE"],
        ["api", "healthy", "2/2", REVISION, "blue", "?"],
        ["web", "progressing", "2/2", REVISION, "blue", "?"],
        ["new", "pending", "0/2", "-", "-", "?"],
    ]
    assert shown.exit_code == 0


def test_an_image_is_that_of_the_revision_beside_it(run: Any) -> None:
    [line] = [line for line in run(_world(), "get", "-o", "wide").stdout.splitlines() if line.startswith("web")]
    assert f"{REVISION}   blue" in line
    assert "registry.example/api:1.0" in line
    assert f"Preview: revision {NEW} ({NEW_IMAGE}) is on its way in green" in line


def test_those_of_all_namespaces_say_which(run: Any) -> None:
    other = service("db", status=healthy())
    other["metadata"]["namespace"] = "data"
    cluster = FakeCluster()
    cluster.objects[ALL] = {"items": [other, service("api")]}
    lines = run(cluster, "get", "-A").stdout.splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["NAMESPACE", "NAME"],
        ["data", "db"],
        ["shop", "api"],
    ]


def test_a_namespace_without_any_says_where_to_look(run: Any) -> None:
    shown = run(FakeCluster(), "get")
    assert shown.stdout == "there are no hardened services in namespace shop\n"
    assert "Next: hardenctl get -A" in shown.stderr
    assert shown.exit_code == 0


def test_some_are_named(run: Any) -> None:
    assert run(_world(), "get", "hs/web", "api", "api", "-o", "name").stdout.splitlines() == [
        "hardenedservice.hardened.dev/web",
        "hardenedservice.hardened.dev/api",
    ]


@pytest.mark.parametrize(("verb", "code"), [("get", 0), ("status", 1)])
def test_the_exit_code_is_the_worst_for_status_and_none_of_the_business_of_get(run: Any, verb: str, code: int) -> None:
    cluster = FakeCluster(service("api", status=healthy()), service("web", status=degraded()))
    shown = run(cluster, verb, "-o", "json")
    said = json.loads(shown.stdout)
    assert (shown.exit_code, said["result"], [each["name"] for each in said["services"]]) == (code, "degraded", ["api", "web"])


def test_several_are_shown_one_after_the_other(run: Any) -> None:
    cluster = FakeCluster(service("api", status=healthy()), service("web", status=degraded()))
    shown = run(cluster, "status", "api", "web")
    assert [line for line in shown.stdout.splitlines() if "shop/" in line] == ["√ shop/api   Healthy", "‼ shop/web   Degraded"]
    assert shown.exit_code == 1


@pytest.mark.parametrize("arguments", [["get", "api", "-A"], ["get", "api", "-l", "a=b"]])
def test_usage(run: Any, arguments: list[str]) -> None:
    assert run(_world(), *arguments).exit_code == 2
