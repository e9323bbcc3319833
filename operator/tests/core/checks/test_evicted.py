"""Pods that were evicted stay listed, and are nobody's crash; what works for a release asks not to be moved."""

import copy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.core.release.test_plan_migrations import UNDO, second
from tests.core.releases import CHECKED, SECOND, SPEC, lead, released
from tests.core.worlds import World, body, condition, live_sample, service, settle, with_spec

from hardened.core.checks.verdicts import health
from hardened.core.desired.check_pod import job_pod, load_pod, verifier_pod
from hardened.core.desired.disruption_budget import disruption_budget
from hardened.core.desired.metadata import stack_selector
from hardened.core.model.input import Verdict
from hardened.core.model.kit import Kit
from hardened.core.model.manifest import ChildKey, Manifest, key_of
from hardened.core.model.reasons import Reason
from hardened.core.observe import diagnosis
from hardened.errors import Refused

PODS: dict[str, Any] = live_sample("pods")
KILLED = {"terminated": {"exitCode": 137, "finishedAt": "2027-01-02T03:04:05Z"}}
ENDED = [{"name": "app", "restartCount": 1, "ready": False, "state": KILLED}]
#: As a kubelet leaves a pod that it puts out for want of disk, and one that used more than it may.
TERMINATED = {
    "evicted": {"phase": "Failed", "reason": "Evicted", "conditions": [{"type": "DisruptionTarget", "status": "True"}]},
    "put out": {"phase": "Failed", "reason": "Evicted"},
    "ended with its node": {"phase": "Failed", "reason": "Terminated"},
    "done": {"phase": "Succeeded"},
}


def ended(how: str, labels: Manifest) -> Manifest:
    meta = {"name": "gone", "uid": "gone", "labels": labels, "creationTimestamp": "2026-01-02T03:04:05Z"}
    return {"kind": "Pod", "metadata": meta, "spec": {}, "status": {**copy.deepcopy(TERMINATED[how]), "containerStatuses": ENDED}}


@pytest.mark.parametrize("how", TERMINATED)
def test_only_pods_that_may_still_run_say_how_a_version_does(how: str) -> None:
    gone = ended(how, {})
    assert diagnosis.of_pods([gone]) is None
    found = diagnosis.of_room({}, [gone, PODS["homeless"]])
    assert found
    assert found.reason is Reason.UNSCHEDULABLE
    assert health([gone, PODS["healthy"]], 1, 0, datetime(2026, 1, 1, tzinfo=UTC))[0] is Verdict.PASSED


@pytest.mark.parametrize("how", TERMINATED)
def test_a_version_whose_pod_was_evicted_waits_for_room_like_any_other(how: str) -> None:
    cr, world = body(CHECKED), World()
    now = released(cr, world)
    cr = with_spec(cr, image="shop:2")
    settle(cr, world, now)
    deployment = world.objects[ChildKey("Deployment", "shop-green")]
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    waiting = {**copy.deepcopy(PODS["homeless"]), "kind": "Pod"}
    waiting["metadata"] = {"name": "new", "uid": "new", "labels": labels, "creationTimestamp": "2026-01-02T03:04:05Z"}
    for seconds in (30, 60, 300, 590, 605, 900, 3600):
        at = now + timedelta(seconds=seconds)
        world.run_pods("shop-green", ready=0, since=at - timedelta(seconds=30), reason="ReplicaSetUpdated")
        world.pods = [ended(how, labels), waiting]
        settle(cr, world, at)
        assert cr["status"]["release"]["step"] == "Preview"
    assert condition(cr["status"], "Ready") == ("False", "Unschedulable")


@pytest.mark.parametrize("how", TERMINATED)
def test_a_version_under_live_traffic_is_not_taken_back_for_it(how: str) -> None:
    cr, world = body(CHECKED), World()
    now = released(cr, world)
    cr = with_spec(cr, image="shop:2")
    now = released(cr, world, now, until="VerifyAfter")
    labels = world.objects[ChildKey("Deployment", "shop-green")]["spec"]["template"]["metadata"]["labels"]
    for _ in range(30):
        world.follow(now)
        world.pods.append(ended(how, labels))
        settle(cr, world, now)
        now += 5 * SECOND
    assert (lead(world)["color"], condition(cr["status"], "Ready")) == ("green", ("True", "Healthy"))


SVC = service(SPEC)
TASKS = [
    verifier_pod(SVC, "v", {}, kit=Kit("hardened:1"), seconds=9),
    load_pod(SVC, "v", [], kit=Kit("hardened:1"), seconds=9),
    job_pod(SVC, "v", ["check"], {}, image="team:1", seconds=9),
]


@pytest.mark.parametrize("pod", TASKS)
def test_what_works_for_a_release_asks_autoscalers_not_to_be_moved(pod: Manifest) -> None:
    asked = pod["metadata"]["annotations"]
    assert asked["cluster-autoscaler.kubernetes.io/safe-to-evict"] == "false"
    assert asked["karpenter.sh/do-not-disrupt"] == "true"


GUARD = ChildKey("PodDisruptionBudget", "shop-migration")


def is_selected(budget: Manifest, pod: Manifest) -> bool:
    return bool(budget["spec"]["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items())


def test_a_budget_covers_a_migration_for_as_long_as_it_runs_and_nothing_else() -> None:
    cr, world, now = second(**UNDO)
    assert GUARD not in world.objects
    settle(cr, world, now)
    budget = world.objects[GUARD]
    (pod,) = (live for key, live in world.objects.items() if key.kind == "Pod" and "-migrate-" in key.name)
    assert is_selected(budget, pod)
    assert (budget["spec"]["minAvailable"], "maxUnavailable" in budget["spec"]) == (1, False)
    assert not any(is_selected(budget, each) for each in TASKS)
    assert not is_selected(budget, {"metadata": {"labels": stack_selector(SVC, "blue")}})
    assert not is_selected(disruption_budget(SVC, "blue"), pod)
    writes = [write for write in world.writes if write.endswith((str(GUARD), str(key_of(pod))))]
    assert writes == [f"apply {GUARD}", f"apply {key_of(pod)}"], "it is there before the pod"
    pod["status"] = {"phase": "Running", "startTime": now.isoformat()}
    settle(cr, world, now + SECOND)
    assert GUARD in world.objects
    released(cr, world, now + SECOND)
    assert GUARD not in world.objects
    assert condition(cr["status"], "Ready") == ("True", "Healthy")


def test_it_stays_while_a_migration_runs_that_no_status_tells_of() -> None:
    cr, world, now = second()
    settle(cr, world, now)
    (pod,) = (live for key, live in world.objects.items() if key.kind == "Pod" and "-migrate-" in key.name)
    pod["status"] = {"phase": "Running"}
    del cr["status"]
    settle(cr, world, now)
    assert GUARD in world.objects


def test_a_budget_that_is_refused_holds_no_migration_up() -> None:
    cr, world, now = second()
    forbidden = Refused("poddisruptionbudgets is forbidden", status=403)

    def passes(seconds: int) -> None:
        nonlocal now
        for _ in range(0, seconds, 5):
            settle(cr, world, now)
            world.follow(now)
            now += 5 * SECOND

    world.refuses = {GUARD: forbidden}
    passes(240)
    assert GUARD not in world.objects
    assert condition(cr["status"], "Ready") == ("True", "Healthy")
