"""What a release runs once and what it waits for, as it is planned: what is written, in which order, and what status says meanwhile."""

from datetime import timedelta
from typing import Any

from tests.core.test_plan_release import SPEC, lead, pods, released, sizes
from tests.core.worlds import NOW, World, body, condition, settle, with_spec

from hardened.core.manifest import ChildKey, Manifest

UNDO = {"undo": {"command": ["undo"]}}
MIGRATE: Manifest = {"command": ["migrate", "up"], "deadline": "2m"}


def migrating(**migrate: Any) -> Manifest:
    return {**SPEC["release"], "migrate": {**MIGRATE, **migrate}}


def runs(world: World) -> list[str]:
    """Which of the pods that run once were made, as often as they were."""
    return [
        write.split("-")[2] for write in world.writes if write.startswith(("apply Pod shop-verify-migrate", "apply Pod shop-verify-undo"))
    ]


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
    assert "exit code 1 (Error): kubectl logs shop-verify-migrate" in cr["status"]["pin"]["message"]
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
    assert "database" in next(c["message"] for c in cr["status"]["conditions"] if c["type"] == "Ready")
    assert sizes(world) == {}
    now = NOW + timedelta(days=1)
    world.ready.add("database")
    settle(cr, world, now)
    assert cr["status"]["release"]["step"] == "Preview"
    world.ready.clear()
    world.follow(now)
    settle(cr, world, now)
    assert cr["status"]["release"]["step"] == "ScaleUp"
    settle(cr, world, now + timedelta(days=1))
    assert condition(cr["status"], "Ready") == ("False", "WaitingForDependencies")
    world.ready.add("database")
    released(cr, world, now + timedelta(days=1))
    assert condition(cr["status"], "Ready") == ("True", "Healthy")
