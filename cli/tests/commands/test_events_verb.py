"""`events`: one timeline of a service, its children, its pods and its actions."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hardenctl_world import ACTIONS, NEW, REVISION, healthy, releasing, service
from service_world import CORE, CRASHED, NEW_POD, around, event

from hardened.errors import Refused

NOW = datetime(2026, 1, 2, 3, 4, 0, tzinfo=UTC)
STARTED = event(
    "HardenedService",
    "api",
    "ReleaseStarted",
    f"revision {NEW} starts in green",
    who="hardened-operator",
    at="03:01:00",
    involved={"uid": "uid-api"},
)
SCALED = event(
    "Deployment", "api-green", "ScalingReplicaSet", "Scaled up replica set api-green-6c9f5 from 0 to 1", who="deployment-controller"
)
GONE = event("Pod", "api-blue-7f6d8-zzzzz", "Killing", "Stopping container app", at="03:00:00")
STRANGER = event("Pod", "api-other-7f6d8-zzzzz", "BackOff", "not ours")
NAMESAKE = event("HardenedService", "api", "Healthy", "of before", involved={"uid": "uid-of-before"})


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hardenctl.output.moments.now", lambda: NOW)


def action(name: str = "abort-1", **status: Any) -> dict[str, Any]:
    spec = {"service": "api", "action": "Abort", "revision": NEW, "requestedBy": "ada", "reason": "too slow"}
    return {"metadata": {"name": name, "creationTimestamp": "2026-01-02T03:03:40Z"}, "spec": spec, "status": status}


def told(run: Any, cluster: Any, *flags: str) -> list[tuple[str, str, str, str]]:
    found = json.loads(run(cluster, "events", "api", "-o", "json", *flags).stdout)
    assert set(found) == {"result", "namespace", "name", "events", "next"}
    fields = {"at", "who", "kind", "name", "type", "reason", "message", "count", "revision"}
    assert all(set(each) == fields for each in found["events"])
    return [
        (each["at"][11:19], each["who"], each["name"], each["reason"]) for each in found["events"] if each["kind"] != "ControllerRevision"
    ]


def test_it_is_in_the_order_of_time_whoever_did_it(run: Any) -> None:
    cluster = around(None, CRASHED, SCALED, GONE, STRANGER, NAMESAKE, STARTED)
    cluster.objects[ACTIONS]["items"] = [action(phase="Succeeded", message="aborted", finishedAt="2026-01-02T03:03:50Z")]
    assert told(run, cluster) == [
        ("03:00:00", "kubelet", "api-blue-7f6d8-zzzzz", "Killing"),
        ("03:01:00", "hardened-operator", "api", "ReleaseStarted"),
        ("03:03:00", "deployment-controller", "api-green", "ScalingReplicaSet"),
        ("03:03:30", "kubelet", NEW_POD, "Error"),
        ("03:03:40", "ada", "abort-1", "Abort"),
        ("03:03:50", "hardened-operator", "abort-1", "Succeeded"),
    ]


def test_people_read_it_in_short(run: Any) -> None:
    cluster = around(None, None, STARTED, SCALED, event("Pod", NEW_POD, "BackOff", "Back-off", type="Warning", count=5))
    cluster.objects[f"{CORE}/pods"]["items"] = []
    shown = run(cluster, "events", "api", "--since", "1h")
    assert shown.stdout == (
        f"·   3m  operator    service ReleaseStarted: revision {NEW} starts in green\n"
        "·   1m  deployment  deployment green ScalingReplicaSet: Scaled up replica set api-green-6c9f5 from 0 to 1\n"
        "‼   1m  kubelet     pod green-6c9f5-x2v1q BackOff (x5): Back-off\n"
    )
    assert shown.stderr == "Next: hardenctl explain api -n shop\n"
    wide = run(cluster, "events", "api", "-o", "wide").stdout
    assert "· 2026-01-02T03:01:00Z  hardened-operator      HardenedService/api ReleaseStarted: revision" in wide


def test_those_of_one_revision(run: Any) -> None:
    cluster = around(None, CRASHED, SCALED, GONE, STARTED)
    reasons = [reason for *_, reason in told(run, cluster, "--for=2")]
    assert reasons == ["ReleaseStarted", "ScalingReplicaSet", "Error"]
    assert [reason for *_, reason in told(run, cluster, "--for", REVISION[:6])] == ["Killing"], "a pod that is gone, by its ReplicaSet"
    unknown = run(cluster, "events", "api", "--for=9")
    assert unknown.exit_code == 2
    assert "the revisions are: 2 (" in unknown.stderr


def test_what_the_operator_says_of_a_pod_is_about_its_revision(run: Any) -> None:
    crashing = event("HardenedService", "api", "CrashLooping", f"pod {NEW_POD}, container app: ended", who="hardened-operator")
    assert [reason for *_, reason in told(run, around(None, CRASHED, crashing), "--for=2")] == ["CrashLooping", "Error"]


def test_of_one_second_causes_come_before_effects(run: Any) -> None:
    late = [event(kind, name, "Same", "") for kind, name in (("Pod", NEW_POD), ("Deployment", "api-green"), ("HardenedService", "api"))]
    assert [name for _, _, name, _ in told(run, around(None, None, *late))] == ["api", "api-green", NEW_POD]


def test_only_what_is_new(run: Any) -> None:
    assert [reason for *_, reason in told(run, around(None, CRASHED, GONE, STARTED), "--since", "90s")] == ["Error"]
    assert run(None, "events", "api", "--since", "soon").exit_code == 2


def test_who_wrote_the_spec(run: Any) -> None:
    cluster = around(healthy())
    live = next(each for each in cluster.objects.values() if isinstance(each, dict) and each.get("kind") == "HardenedService")
    fields = {"f:spec": {f"f:{name}": {} for name in ("image", "ports", "env", "probes", "replicas")}}
    live["metadata"]["managedFields"] = [
        {"manager": "argocd", "time": "2026-01-02T03:00:00Z", "fieldsV1": fields},
        {"manager": "hardened", "time": "2026-01-02T03:00:00Z", "subresource": "status", "fieldsV1": {"f:status": {}}},
    ]
    shown = run(cluster, "events", "api", "--since", "1h").stdout
    assert shown == "·   4m  argocd  service SpecWritten: manages spec.env, spec.image, spec.ports, spec.probes and 1 more\n"


def test_an_action_that_is_gone_is_remembered_by_status(run: Any) -> None:
    entry = {"name": "pause-1", "action": "Pause", "by": "ada: lunch", "startedAt": "2026-01-02T03:00:00Z", "phase": "Refused"}
    cluster = around(healthy() | {"actions": [{**entry, "finishedAt": "2026-01-02T03:00:01Z", "message": "no release"}]})
    assert told(run, cluster) == [("03:00:00", "ada: lunch", "pause-1", "Pause"), ("03:00:01", "hardened-operator", "pause-1", "Refused")]


def test_what_a_container_says_at_its_end_is_not_shown(run: Any) -> None:
    assert "hunter2" not in run(around(None, CRASHED), "events", "api", "-o", "json").stdout


def test_who_may_not_read_events_learns_the_rest(run: Any) -> None:
    cluster = around(None, CRASHED, STARTED)
    cluster.objects[f"{CORE}/events"] = Refused("forbidden", status=403)
    shown = run(cluster, "events", "api")
    assert shown.exit_code == 0
    assert "warning: events are left out: forbidden" in shown.stderr
    assert "container app ended with exit code 1" in shown.stdout


def test_nothing_is_known(run: Any) -> None:
    cluster = around(releasing("Preview"))
    shown = run(cluster, "events", "api", "--since", "1m")
    assert (shown.exit_code, shown.stderr) == (0, "")
    assert shown.stdout.startswith("nothing is known: the cluster keeps Events for an hour")


def test_a_service_that_there_is_none_of(run: Any) -> None:
    assert run(around(service()["status"]), "events", "nope").exit_code == 1
