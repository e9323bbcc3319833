"""`tree`: revisions, their colours, and the pods of each with their state."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hardenctl_world import NEW, REVISION, healthy, kept
from service_world import CORE, CRASHED, NEW_POD, RUNNING, UNPULLED, around, pod, waiting

from hardenctl.release.pods import reading_of
from hardened.errors import Refused


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hardenctl.output.moments.now", lambda: datetime(2026, 1, 2, 3, 4, 0, tzinfo=UTC))


def test_each_pod_stands_under_its_revision_and_colour(run: Any) -> None:
    shown = run(around(None, CRASHED), "tree", "api")
    assert shown.exit_code == 0
    assert shown.stdout == (
        "… shop/api is progressing\n"
        f"├─ {NEW}   registry.example/api:2.0   new\n"
        "│  ├─ green   0 of 1 pods ready\n"
        "│  │  └─ x2v1q   CrashLoopBackOff, 0 of 1 ready, 4 restarts   2m\n"
        "│  └─ step Preview\n"
        f"└─ {REVISION}   registry.example/api:1.0   serves, stable\n"
        "   └─ blue    2 of 2 pods ready\n"
        "      ├─ aaaaa   Running   2m\n"
        "      └─ bbbbb   Running   2m\n"
    )
    assert shown.stderr == "Next: hardenctl explain api -n shop\n"


def test_what_a_colour_ran_before_stands_under_its_own_revision(run: Any) -> None:
    cluster = around(kept(), RUNNING)
    cluster.objects[f"{CORE}/pods"]["items"] += [pod("api-green-7f6d8-ddddd", "green", REVISION, RUNNING, deletionTimestamp="now")]
    found = json.loads(run(cluster, "tree", "api", "-o", "json").stdout)
    old = next(each for each in found["revisions"] if each["revision"] == REVISION)
    assert [(c["color"], c["wanted"], [p["state"] for p in c["pods"]]) for c in old["colors"]] == [
        ("blue", 2, ["Running", "Running"]),
        ("green", 0, ["Terminating"]),
    ]
    assert "green   1 pod on the way out" in run(cluster, "tree", "api").stdout


def test_as_data(run: Any) -> None:
    found = json.loads(run(around(None, UNPULLED), "tree", "api", "-o", "json").stdout)
    assert set(found) == {"result", "namespace", "name", "revisions", "next"}
    new = found["revisions"][0]
    assert set(new) == {"revision", "image", "roles", "colors"}
    (color,) = new["colors"]
    assert (new["revision"], color["color"], color["ready"], color["wanted"]) == (NEW, "green", 0, 1)
    assert color["pods"] == [
        {
            "name": NEW_POD,
            "revision": NEW,
            "color": "green",
            "state": "ImagePullBackOff",
            "ready": False,
            "restarts": 0,
            "createdAt": "2026-01-02T03:02:00Z",
            "node": "node-1",
        }
    ]


def test_where_all_is_well_nothing_is_to_be_done(run: Any) -> None:
    assert run(around(healthy()), "tree", "api").stderr == ""


def test_who_may_not_read_pods_sees_the_rest(run: Any) -> None:
    cluster = around(healthy())
    cluster.objects[f"{CORE}/pods"] = Refused("forbidden", status=403)
    shown = run(cluster, "tree", "api")
    assert shown.exit_code == 0
    assert "blue    2 of 2 pods ready" in shown.stdout
    assert "warning: pods are left out: forbidden" in shown.stderr


INIT = {"name": "init", "ready": False, "restartCount": 2}


@pytest.mark.parametrize(
    ("status", "meta", "state"),
    [
        pytest.param(RUNNING, {}, "Running", id="it runs"),
        pytest.param(RUNNING, {"deletionTimestamp": "now"}, "Terminating", id="it goes"),
        pytest.param({"phase": "Failed", "reason": "Evicted"}, {}, "Evicted", id="it was evicted"),
        pytest.param(waiting("ContainerCreating"), {}, "ContainerCreating", id="it is being made"),
        pytest.param(
            {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}]},
            {},
            "Unschedulable",
            id="no node takes it",
        ),
        pytest.param({}, {}, "Pending", id="nobody has looked at it"),
        pytest.param(
            {"initContainerStatuses": [INIT | {"state": {"terminated": {"exitCode": 1, "reason": "Error"}}}]},
            {},
            "Init:Error",
            id="its init",
        ),
        pytest.param(
            {"phase": "Running", "containerStatuses": [INIT | {"state": {"terminated": {"exitCode": 137}}}]},
            {},
            "ExitCode:137",
            id="it ended",
        ),
    ],
)
def test_the_state_of_a_pod_is_that_of_kubectl(status: Any, meta: Any, state: str) -> None:
    assert reading_of(pod(NEW_POD, "green", NEW, status, **meta)).state == state
