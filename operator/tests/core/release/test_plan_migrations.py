"""Migrations, and what a release waits for, as they are planned: what is written, in which order, and what status says meanwhile."""

from datetime import timedelta
from typing import Any

import pytest
from tests.core.releases import CHECKED, SECOND, SPEC, lead, pods, released, sizes
from tests.core.worlds import NOW, World, body, condition, settle, with_spec

from hardened.api import names
from hardened.core.model.manifest import ChildKey, Manifest

UNDO = {"undo": {"command": ["undo"]}}
MIGRATE: Manifest = {"command": ["migrate", "up"], "deadline": "2m"}


def migrating(**migrate: Any) -> Manifest:
    return {**SPEC["release"], "migrate": {**MIGRATE, **migrate}}


def runs(world: World) -> list[str]:
    """Which of the pods that run once were made, as often as they were."""
    return [
        write.split("-")[2] for write in world.writes if write.startswith(("apply Pod shop-verify-migrate", "apply Pod shop-verify-undo"))
    ]


def act(world: World, name: str, verb: str, **more: Any) -> None:
    """Somebody asks for something by hand."""
    spec = {"service": "shop", "action": verb, "requestedBy": "jane", **more}
    meta = {"name": name, "namespace": "market", "uid": name, "resourceVersion": "1", "labels": {names.SERVICE_LABEL: "shop"}}
    action = {"apiVersion": names.API_VERSION, "kind": names.ACTION_KIND, "metadata": meta, "spec": spec}
    world.objects[ChildKey(names.ACTION_KIND, name)] = action


def second(**migrate: Any) -> tuple[Manifest, World, Any]:
    """A service whose first revision serves, and whose second one migrates."""
    cr, world = body(SPEC), World()
    now = released(cr, world)
    world.writes.clear()
    return with_spec(cr, image="shop:2", env=[{"name": "DATABASE", "value": "db"}], release=migrating(**migrate)), world, now


def test_a_migration_runs_before_the_first_pod_of_its_revision() -> None:
    cr, world, now = second()
    settle(cr, world, now)
    assert cr["status"]["release"]["step"] == "Migrate"
    assert sizes(world) == {"shop-blue": 2}
    assert condition(cr["status"], "Ready") == ("False", "RollingOut")
    (name,) = pods(world)
    pod = world.objects[ChildKey("Pod", name)]
    container = pod["spec"]["containers"][0]
    assert (container["image"], container["command"]) == ("shop:2", ["migrate", "up"])
    assert container["env"][0] == {"name": "DATABASE", "value": "db"}
    assert {"name": "HARDENED_COLOR", "value": "green"} in container["env"]
    assert (pod["spec"]["restartPolicy"], pod["spec"]["activeDeadlineSeconds"]) == ("Never", 120)
    released(cr, world, now)
    assert condition(cr["status"], "Ready") == ("True", "Healthy")
    assert lead(world)["color"] == "green"
    assert runs(world) == ["migrate"]
    assert pods(world) == []


def test_a_migration_that_fails_rejects_its_revision_and_no_pod_of_it_was_started() -> None:
    cr, world, now = second(**UNDO)
    world.failing.add("migrate")
    released(cr, world, now)
    assert condition(cr["status"], "Ready") == ("False", "Rejected")
    assert cr["status"]["pin"]["reason"] == "MigrationFailed"
    assert "exit code 1 (Error): kubectl logs -n market shop-verify-migrate" in cr["status"]["pin"]["message"]
    assert "shop-green" not in sizes(world)
    assert runs(world) == ["migrate"]
    assert len(pods(world)) == 1, "what has failed is kept to be looked at"


def test_what_a_revision_depends_on_is_waited_for_before_its_first_pod_and_before_its_cutover() -> None:
    cr, world = body({**SPEC, "dependsOn": [{"service": "database"}]}), World()
    settle(cr, world)
    settle(cr, world, NOW + timedelta(days=1))
    assert cr["status"]["release"]["step"] == "Preflight"
    assert condition(cr["status"], "Ready") == ("False", "WaitingForDependencies")
    assert condition(cr["status"], "Stalled")[0] == "False"
    assert "there is no HardenedService database in this namespace" in next(
        c["message"] for c in cr["status"]["conditions"] if c["type"] == "Ready"
    )
    assert sizes(world) == {}
    now = NOW + timedelta(days=1)
    world.available.add("database")
    settle(cr, world, now)
    assert cr["status"]["release"]["step"] == "Preview"
    world.available.clear()
    world.follow(now)
    settle(cr, world, now)
    assert cr["status"]["release"]["step"] == "ScaleUp"
    settle(cr, world, now + timedelta(days=1))
    assert condition(cr["status"], "Ready") == ("False", "WaitingForDependencies")
    world.available.add("database")
    released(cr, world, now + timedelta(days=1))
    assert condition(cr["status"], "Ready") == ("True", "Healthy")


def test_a_migration_is_undone_once_no_pod_of_the_rejected_revision_is_left() -> None:
    cr, world, now = second(**UNDO)
    cr["spec"]["verify"] = {"beforeCutover": [{"name": "smoke", "http": {}}]}
    world.failing.add("smoke")
    now = released(cr, world, now, until="Preview")
    leaving = [pod for pod in world.pods if "shop-green" in pod["metadata"]["name"]]
    settle(cr, world, now)
    world.follow(now)
    world.pods += leaving
    settle(cr, world, now)
    assert cr["status"]["release"]["step"] == "Undo"
    assert sizes(world) == {"shop-blue": 2, "shop-green": 0}
    assert runs(world) == ["migrate"], "its pods may write yet"
    released(cr, world, now + SECOND)
    assert runs(world) == ["migrate", "undo"]
    assert condition(cr["status"], "Ready") == ("False", "Rejected")
    assert cr["status"]["pin"]["reason"] == "CheckFailed"


def test_a_migration_is_not_undone_while_a_pod_of_its_revision_may_still_come() -> None:
    cr, world, now = second(**UNDO)
    cr["spec"]["verify"] = {"beforeCutover": [{"name": "smoke", "http": {}}]}
    now = released(cr, world, now, until="Preview")
    world.pods = [pod for pod in world.pods if "shop-green" not in pod["metadata"]["name"]]
    back = {**with_spec(cr, image=SPEC["image"], env=None, release=SPEC["release"], verify=None), "status": cr["status"]}
    settle(back, world, now)
    assert (back["status"]["release"]["step"], runs(world)) == ("Undo", ["migrate"]), "its Deployment was told just now"
    released(back, world, now + SECOND)
    assert runs(world) == ["migrate", "undo"]


def test_a_pod_that_was_evicted_holds_no_undoing_up() -> None:
    cr, world, now = second(**UNDO)
    cr["spec"]["verify"] = {"beforeCutover": [{"name": "smoke", "http": {}}]}
    world.failing.add("smoke")
    now = released(cr, world, now, until="Preview")
    gone = [{**pod, "status": {"phase": "Failed", "reason": "Evicted"}} for pod in world.pods if "shop-green" in pod["metadata"]["name"]]
    assert gone
    for _ in range(3):
        settle(cr, world, now)
        world.follow(now)
        world.pods += gone
    assert runs(world) == ["migrate", "undo"]


def test_a_migration_that_no_node_takes_is_given_up_at_its_deadline_although_it_was_paused() -> None:
    cr, world, now = second(**UNDO)
    settle(cr, world, now)
    unscheduled(world, pods(world)[0])
    act(world, "a", "Pause")
    settle(cr, world, now + SECOND)
    assert cr["status"]["release"]["pausedAt"]
    cr = with_spec(cr, image="shop:3", release=SPEC["release"])
    settle(cr, world, now + 2 * SECOND)
    assert cr["status"]["release"]["step"] == "Undo"
    settle(cr, world, now + timedelta(minutes=10))
    assert cr["status"]["release"]["step"] == "Preview"


def test_addresses_that_a_newer_spec_depends_on_are_asked_before_its_migration() -> None:
    cr, world = body(CHECKED), World()
    now = released(cr, world)
    cr = with_spec(cr, image="shop:2", dependsOn=[{"tcp": "redis:6379"}], replicas=3)
    for _ in range(8):
        settle(cr, world, now)
        if cr["status"]["release"]["step"] == "ScaleUp":
            world.dead.add("shop-green")
        world.follow(now)
        now += SECOND
    assert cr["status"]["release"]["step"] == "ScaleUp"
    world.slow = True
    cr = with_spec(cr, image="shop:3", dependsOn=[{"tcp": "other:5432"}], release=migrating())
    settle(cr, world, now)
    assert cr["status"]["release"]["step"] == "Preflight"
    assert runs(world) == []


@pytest.mark.parametrize(("late", "expected"), [(False, ["migrate"]), (True, ["migrate", "undo"])])
def test_after_the_cutover_it_is_undone_only_where_the_spec_says_so(late: bool, expected: list[str]) -> None:
    cr, world, now = second(undo={**UNDO["undo"], "afterCutover": late})
    now = released(cr, world, now, until="VerifyAfter")
    world.dead.add("shop-green")
    world.follow(now)
    released(cr, world, now)
    assert condition(cr["status"], "Ready") == ("False", "RolledBack")
    assert runs(world) == expected


def test_what_was_not_undone_is_said_and_not_tried_again_until_something_else_begins() -> None:
    cr, world, now = second(**UNDO)
    cr["spec"]["verify"] = {"beforeCutover": [{"name": "smoke", "http": {}}]}
    world.failing |= {"smoke", "undo"}
    for _ in range(20):
        settle(cr, world, now)
        world.follow(now)
        now += SECOND
    assert condition(cr["status"], "Ready") == ("False", "MigrationNotUndone")
    assert condition(cr["status"], "Stalled")[0] == "True"
    assert runs(world) == ["migrate", "undo"]
    assert not settle(cr, world, now).requeue_after
    cr = with_spec(cr, image="shop:3", release=SPEC["release"])
    world.failing.clear()
    released(cr, world, now)
    assert condition(cr["status"], "Ready") == ("True", "Healthy")


@pytest.mark.parametrize("undo", [UNDO, {}])
def test_a_newer_spec_waits_for_the_end_of_a_migration_and_for_its_undoing(undo: Manifest) -> None:
    cr, world, now = second(**undo)
    settle(cr, world, now)
    (name,) = pods(world)
    world.objects[ChildKey("Pod", name)]["status"] = {"phase": "Running"}
    cr = with_spec(cr, image="shop:3", release=SPEC["release"])
    settle(cr, world, now)
    settle(cr, world, now + SECOND)
    assert (cr["status"]["release"]["step"], cr["status"]["release"]["migration"]) == ("Undo", "Made")
    assert pods(world) == [name]
    released(cr, world, now)
    assert runs(world) == (["migrate", "undo"] if undo else ["migrate"])
    assert condition(cr["status"], "Ready") == ("True", "Healthy")
    assert cr["status"]["serving"]["image"] == "shop:3"


def lost(world: World, name: str) -> None:
    del world.objects[ChildKey("Pod", name)]


def evicted(world: World, name: str) -> None:
    world.objects[ChildKey("Pod", name)]["status"] = {"phase": "Failed", "reason": "Evicted"}


def without_image(world: World, name: str) -> None:
    waiting = {"reason": "ImagePullBackOff", "message": "no such image"}
    status = {"phase": "Pending", "containerStatuses": [{"name": "verifier", "state": {"waiting": waiting}}]}
    world.objects[ChildKey("Pod", name)]["status"] = status


def unscheduled(world: World, name: str) -> None:
    world.objects[ChildKey("Pod", name)]["status"] = {"phase": "Pending"}


@pytest.mark.parametrize(
    ("happens", "after", "said", "is_undone"),
    [
        pytest.param(lost, 0, "was lost", True, id="it was deleted"),
        pytest.param(evicted, 0, "was lost (Evicted)", True, id="it was evicted"),
        pytest.param(without_image, 61, "no such image", False, id="its image cannot be pulled"),
        pytest.param(unscheduled, 241, "has not ended", False, id="no node ever took it"),
    ],
)
def test_a_migration_that_did_not_end_well_is_not_tried_again(happens: Any, after: int, said: str, is_undone: bool) -> None:
    cr, world, now = second(**UNDO)
    settle(cr, world, now)
    happens(world, pods(world)[0])
    settle(cr, world, now + timedelta(seconds=after))
    settle(cr, world, now + timedelta(seconds=after))
    assert cr["status"]["pin"]["reason"] == "MigrationFailed"
    assert said in cr["status"]["pin"]["message"]
    assert runs(world) == (["migrate", "undo"] if is_undone else ["migrate"])


def test_a_lost_status_neither_interrupts_a_migration_nor_begins_another_beside_it() -> None:
    cr, world, now = second()
    settle(cr, world, now)
    (name,) = pods(world)
    world.objects[ChildKey("Pod", name)]["status"] = {"phase": "Running"}
    del cr["status"]
    settle(cr, world, now)
    assert (pods(world), "release" in cr["status"]) == ([name], False)
    released(cr, world, now)
    released(cr, world, now)
    assert condition(cr["status"], "Ready") == ("True", "Healthy")


def test_addresses_are_connected_to_by_a_verifier_again_and_again() -> None:
    cr, world = body({**SPEC, "dependsOn": [{"tcp": "redis:6379"}]}), World()
    world.failing.add("depends-0")
    now = NOW
    for _ in range(3):
        settle(cr, world, now)
        world.follow(now)
        now += SECOND
    assert cr["status"]["release"]["step"] == "Preflight"
    assert condition(cr["status"], "Ready") == ("False", "WaitingForDependencies")
    made = [write for write in world.writes if write.startswith("apply Pod")]
    assert len(made) > 1
    (name,) = pods(world)
    told = world.objects[ChildKey("Pod", name)]["spec"]["containers"][0]["env"][0]["value"]
    assert '"host":"redis.market.svc"' in told
    assert '"port":6379' in told
    world.failing.clear()
    released(cr, world, now)
    assert condition(cr["status"], "Ready") == ("True", "Healthy")
    assert pods(world) == []
