"""What was interrupted is not done, whatever its process answers: a migration has failed and is undone, a check is made anew."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from tests.core.release.test_plan_migrations import UNDO, migrating, runs, second
from tests.core.releases import CHECKED, SECOND, SPEC, lead, passes, pods, released
from tests.core.worlds import NOW, WEB, World, body, condition, settle, with_spec

from hardened.core.model.manifest import ChildKey, Manifest

LATER = "2026-01-02T03:30:00Z"
DISRUPTED = {"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI", "lastTransitionTime": LATER}
FINE = [{"name": "verifier", "state": {"terminated": {"exitCode": 0, "reason": "Completed", "finishedAt": "2026-01-02T03:30:03Z"}}}]
Happens = Callable[[Manifest], Any]


def deleted(pod: Manifest) -> None:
    pod["metadata"] |= {"deletionTimestamp": "2026-01-02T03:30:05Z", "deletionGracePeriodSeconds": 5}


def ended_well(pod: Manifest, **more: Any) -> None:
    pod["status"] = {"phase": "Succeeded", "containerStatuses": FINE, **more}


def evicted(pod: Manifest) -> None:
    deleted(pod)
    ended_well(pod, conditions=[DISRUPTED])


def deleted_by_hand(pod: Manifest) -> None:
    deleted(pod)
    ended_well(pod)


def told_by_a_kubelet(pod: Manifest) -> None:
    """It is under pressure; pods that it evicts stay listed."""
    ended_well(pod)
    pod["status"] |= {"phase": "Failed", "reason": "Evicted"}


def shut_down(pod: Manifest) -> None:
    ended_well(pod, conditions=[{**DISRUPTED, "reason": "TerminationByKubelet"}])
    pod["status"] |= {"phase": "Failed", "reason": "Terminated"}


def ended_in_the_very_second(pod: Manifest) -> None:
    deleted(pod)
    ended = {"terminated": {"exitCode": 0, "finishedAt": LATER}}
    pod["status"] = {"phase": "Succeeded", "containerStatuses": [{"name": "verifier", "state": ended}]}


INTERRUPTIONS: dict[str, Happens] = {
    each.__name__.replace("_", " "): each for each in (evicted, deleted_by_hand, told_by_a_kubelet, shut_down, ended_in_the_very_second)
}


def pod_of(world: World, part: str) -> Manifest:
    (found,) = (live for key, live in world.objects.items() if key.kind == "Pod" and part in key.name)
    return found


@pytest.mark.parametrize("undo", [UNDO, {}], ids=["with an undo", "without"])
@pytest.mark.parametrize("how", INTERRUPTIONS)
def test_a_migration_that_was_interrupted_has_failed_and_is_undone(how: str, undo: Manifest) -> None:
    cr, world, now = second(**undo)
    settle(cr, world, now)
    INTERRUPTIONS[how](pod_of(world, "-migrate-"))
    passes(cr, world, now, 120)
    assert (lead(world)["color"], cr["status"]["pin"]["reason"]) == ("blue", "MigrationFailed")
    assert "was lost (" in cr["status"]["pin"]["message"]
    assert cr["status"]["pin"]["message"].endswith("; its undo runs next" if undo else "; nothing undoes it: repair the data by hand first")
    assert runs(world) == (["migrate", "undo"] if undo else ["migrate"])
    assert "shop-green" not in {key.name for key in world.objects if key.kind == "Deployment"}


def test_a_migration_that_had_ended_before_its_pod_was_deleted_is_done() -> None:
    cr, world, now = second(**UNDO)
    settle(cr, world, now)
    pod = pod_of(world, "-migrate-")
    deleted(pod)
    ended = {"terminated": {"exitCode": 0, "finishedAt": "2026-01-02T03:29:59Z"}}
    pod["status"] = {"phase": "Succeeded", "containerStatuses": [{"name": "verifier", "state": ended}]}
    passes(cr, world, now, 240)
    assert (condition(cr["status"], "Ready"), runs(world)) == (("True", "Healthy"), ["migrate"])


def test_it_is_not_undone_before_it_has_ended() -> None:
    cr, world, now = second(**UNDO)
    settle(cr, world, now)
    pod = pod_of(world, "-migrate-")
    deleted(pod)
    pod["status"] = {"phase": "Running", "startTime": now.isoformat(), "conditions": [DISRUPTED]}
    for _ in range(10):
        now += SECOND
        settle(cr, world, now)
        assert (cr["status"]["release"]["step"], runs(world)) == ("Migrate", ["migrate"])
    del world.objects[ChildKey("Pod", pod["metadata"]["name"])]
    passes(cr, world, now, 60)
    assert (cr["status"]["pin"]["reason"], runs(world)) == ("MigrationFailed", ["migrate", "undo"])


def test_on_a_node_that_is_gone_it_has_failed_once_it_cannot_run_any_more() -> None:
    cr, world, now = second(**UNDO)
    settle(cr, world, now)
    pod = pod_of(world, "-migrate-")
    deleted(pod)
    pod["status"] = {"phase": "Running", "startTime": now.isoformat(), "conditions": [DISRUPTED]}
    for _ in range(8):
        now += timedelta(seconds=60)
        settle(cr, world, now)
    assert (cr["status"]["pin"]["reason"], runs(world)) == ("MigrationFailed", ["migrate", "undo"])


def test_a_pod_that_only_lost_its_labels_is_looked_for_by_its_name() -> None:
    cr, world, now = second(**UNDO)
    settle(cr, world, now)
    pod = pod_of(world, "-migrate-")
    pod["status"] = {"phase": "Running", "startTime": now.isoformat()}
    pod["metadata"]["labels"] = {}
    for _ in range(5):
        now += SECOND
        settle(cr, world, now)
        assert (cr["status"]["release"]["step"], runs(world)) == ("Migrate", ["migrate"])


@pytest.mark.parametrize("strategy", ["RollingUpdate", "Recreate"])
def test_in_place_it_is_the_same(strategy: str) -> None:
    cr, world = body({**WEB, "release": {"strategy": strategy, "progressDeadline": "1m"}}), World()
    now = passes(cr, world, NOW, 60)
    world.writes.clear()
    cr = with_spec(cr, image="shop:2", release={**cr["spec"]["release"], "migrate": migrating(**UNDO)["migrate"]})
    settle(cr, world, now)
    evicted(pod_of(world, "-migrate-"))
    passes(cr, world, now, 120)
    assert (cr["status"]["serving"]["image"], runs(world)) == ("registry.example/shop:1", ["migrate", "undo"])
    assert condition(cr["status"], "Ready") == ("False", "Rejected")


def test_a_newer_spec_waits_until_what_was_interrupted_is_undone() -> None:
    cr, world, now = second(**UNDO)
    settle(cr, world, now)
    pod_of(world, "-migrate-")["status"] = {"phase": "Running", "startTime": now.isoformat()}
    cr = with_spec(cr, image="shop:3", release=SPEC["release"])
    settle(cr, world, now)
    evicted(pod_of(world, "-migrate-"))
    passes(cr, world, now, 240)
    assert runs(world) == ["migrate", "undo"]
    assert (cr["status"]["serving"]["image"], condition(cr["status"], "Ready")) == ("shop:3", ("True", "Healthy"))


@pytest.mark.parametrize("how", INTERRUPTIONS)
def test_what_undoes_it_is_not_done_either_where_it_was_interrupted(how: str) -> None:
    cr, world, now = second(**UNDO)
    cr["spec"]["verify"] = {"beforeCutover": [{"name": "smoke", "http": {}}]}
    world.failing.add("smoke")
    now = released(cr, world, now, until="Undo")
    for _ in range(3):
        settle(cr, world, now)
    INTERRUPTIONS[how](pod_of(world, "-undo-"))
    settle(cr, world, now + SECOND)
    assert condition(cr["status"], "Ready") == ("False", "MigrationNotUndone")
    assert "was lost (" in cr["status"]["conditions"][0]["message"]


JOB = {**SPEC, "verify": {"beforeCutover": [{"name": "contract", "job": {"command": ["check"], "deadline": "1m"}}]}}


@pytest.mark.parametrize("how", INTERRUPTIONS)
def test_a_command_that_was_interrupted_is_run_anew(how: str) -> None:
    cr, world = body(JOB), World()
    world.slow = True
    now = NOW
    for _ in range(6):
        settle(cr, world, now)
        world.follow(now)
        now += SECOND
    first = pod_of(world, "-contract-")["metadata"]["resourceVersion"]
    INTERRUPTIONS[how](pod_of(world, "-contract-"))
    settle(cr, world, now)
    assert cr["status"]["release"]["step"] == "VerifyBefore"
    now += 15 * SECOND
    if "deletionTimestamp" in pod_of(world, "-contract-")["metadata"]:
        del world.objects[ChildKey("Pod", pod_of(world, "-contract-")["metadata"]["name"])]
    settle(cr, world, now)
    settle(cr, world, now)
    again = pod_of(world, "-contract-")
    assert again["metadata"]["resourceVersion"] != first
    assert "status" not in again
    again["status"] = {"phase": "Succeeded", "containerStatuses": FINE}
    settle(cr, world, now)
    assert cr["status"]["release"]["step"] != "VerifyBefore"


def test_a_probe_that_somebody_deleted_has_not_seen_the_window() -> None:
    cr, world = body(CHECKED), World()
    now = released(cr, world)
    cr = with_spec(cr, image="shop:2")
    now = released(cr, world, now, until="VerifyAfter")
    probe = pod_of(world, "-cutover-")
    deleted(probe)
    report = '{"results":[{"name":"zero-loss","result":"Passed","requests":40,"failed":0}]}'
    probe["status"] = {
        "phase": "Succeeded",
        "containerStatuses": [{"name": "verifier", "state": {"terminated": {"exitCode": 0, "message": report}}}],
    }
    settle(cr, world, now + 11 * SECOND)
    assert cr["status"]["release"]["step"] == "VerifyAfter"
    del world.objects[ChildKey("Pod", probe["metadata"]["name"])]
    passes(cr, world, now, 120)
    assert condition(cr["status"], "Ready") == ("True", "Healthy")
    assert pods(world) == []
