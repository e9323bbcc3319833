"""`eject`: what it asks, in which order it goes, and how a run that was cut short is completed."""

import json
import shlex
from typing import Any

import pytest
from hardenctl_world import SERVICES, FakeCluster, healthy, releasing, service, suspended, taken_back

from hardenctl.asking import ejecting
from hardenctl.commands.eject import EXAMPLES

SERVICE = f"{SERVICES}/api"
APPS, CORE = "/apis/apps/v1/namespaces/shop", "/api/v1/namespaces/shop"
HPAS, CRONS = "/apis/autoscaling/v2/namespaces/shop/horizontalpodautoscalers", "/apis/batch/v1/namespaces/shop/cronjobs"
FROZEN = {"selectPolicy": "Disabled", "stabilizationWindowSeconds": 60}


def child(name: str, spec: dict[str, Any], *, owner: str | None = "uid-api", **labels: str) -> dict[str, Any]:
    owners = [{"kind": "HardenedService", "uid": owner, "controller": True}] if owner else []
    found = {f"hardened.dev/{key}": value for key, value in labels.items()}
    return {"metadata": {"name": name, "labels": {"hardened.dev/service": "api", **found}, "ownerReferences": owners}, "spec": spec}


def put(cluster: FakeCluster, collection: str, *found: dict[str, Any]) -> None:
    cluster.objects[collection] = {"items": list(found)}
    for each in found:
        cluster.objects[f"{collection}/{each['metadata']['name']}"] = each


def world(live: dict[str, Any] | None, *, owner: str | None = "uid-api") -> FakeCluster:
    """A service that serves in green, with an autoscaler and two schedules, frozen as they are while it is suspended."""
    cluster = FakeCluster(*([live] if live else []))
    put(
        cluster,
        f"{APPS}/deployments",
        child("api-blue", {"replicas": 0}, owner=owner, color="blue"),
        child("api-green", {"replicas": 2}, owner=owner, color="green"),
    )
    put(cluster, f"{CORE}/services", child("api", {"selector": {"hardened.dev/color": "green"}}, owner=owner))
    target = {"kind": "HardenedService", "name": "api"}
    put(cluster, HPAS, child("api", {"scaleTargetRef": target, "behavior": {"scaleDown": FROZEN}}, owner=owner))
    put(
        cluster,
        CRONS,
        child("api-nightly", {"suspend": True}, owner=owner, backup="nightly"),
        child("api-weekly", {"suspend": True}, owner=owner, backup="weekly"),
    )
    return cluster


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ejecting, "PAUSE", 0.01)


def still(**spec: Any) -> dict[str, Any]:
    return service(status=suspended(), suspend=True, backups=[{"name": "nightly"}, {"name": "weekly", "suspend": True}], **spec)


def test_it_deletes_the_service_alone(run: Any) -> None:
    cluster = world(still())
    shown = run(cluster, "eject", "api", "--yes")
    assert shown.exit_code == 0, shown.stderr
    assert cluster.deleted == [(SERVICE, {"propagationPolicy": "Orphan", "preconditions": {"uid": "uid-api"}})]


def test_what_the_garbage_collector_let_go_is_handed_over(run: Any) -> None:
    cluster = world(None, owner=None)
    shown = run(cluster, "eject", "api")
    assert shown.exit_code == 0, shown.stderr
    assert "is ejected already" in shown.stdout
    changed = dict(cluster.merged)
    assert changed[f"{HPAS}/api"]["spec"]["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "api-green"}
    assert changed[f"{HPAS}/api"]["spec"]["behavior"] == {"scaleDown": {**FROZEN, "selectPolicy": "Max"}}
    assert changed[f"{CRONS}/api-nightly"]["spec"] == {"suspend": False}


def test_it_lists_what_stays_and_changes_nothing_with_dry_run(run: Any) -> None:
    cluster = world(service(status=healthy()))
    found = json.loads(run(cluster, "eject", "api", "--dry-run", "-o", "json").stdout)
    notes = {(each["kind"], each["name"]): each["note"] for each in found["left"]}
    assert notes["Deployment", "api-green"] == ""
    assert "no pods" in notes["Deployment", "api-blue"]
    assert "Deployment of green" in notes["HorizontalPodAutoscaler", "api"]
    assert (cluster.merged, cluster.deleted) == ([], [])


def test_nobody_agrees_without_a_terminal(run: Any) -> None:
    cluster = world(service(status=healthy()))
    shown = run(cluster, "eject", "api")
    assert shown.exit_code == 2
    assert "--yes" in shown.stderr
    assert (cluster.merged, cluster.deleted) == ([], [])


def test_the_operator_stands_still_first_or_nothing_is_deleted(run: Any) -> None:
    cluster = world(service(status=healthy()))
    shown = run(cluster, "eject", "api", "--yes", "--timeout", "1s")
    assert shown.exit_code == 124
    assert [changes["spec"] for path, changes in cluster.merged if path == SERVICE] == [{"suspend": True}]
    assert cluster.deleted == []


@pytest.mark.parametrize("step", ["Preview", "VerifyAfter", "Keep"])
def test_in_the_middle_of_a_release_it_is_refused(run: Any, step: str) -> None:
    cluster = world(service(status=releasing(step)))
    shown = run(cluster, "eject", "api", "--yes")
    assert shown.exit_code == 4
    assert (cluster.merged, cluster.deleted) == ([], [])


def test_after_a_version_was_rejected_what_serves_can_be_ejected(run: Any) -> None:
    live = service(status={**taken_back(), "phase": "Suspended"}, suspend=True)
    assert run(world(live), "eject", "api", "--yes").exit_code == 0


def test_a_service_that_there_never_was_is_not_found(run: Any) -> None:
    shown = run(FakeCluster(), "eject", "api", "--yes")
    assert shown.exit_code == 1
    assert "there is no hardened service api" in shown.stderr


def test_a_strangers_objects_of_the_same_label_stay_untouched(run: Any) -> None:
    cluster = world(None, owner="somebody-elses")
    assert run(cluster, "eject", "api").exit_code == 1
    assert cluster.merged == []


@pytest.mark.parametrize("example", EXAMPLES)
def test_its_examples_work(run: Any, example: str) -> None:
    words = shlex.split(example.partition("#")[0].replace("shop", "api"))
    shown = run(world(still()), *words, *([] if {"--yes", "--dry-run"} & set(words) else ["--yes"]))
    assert shown.exit_code == 0
