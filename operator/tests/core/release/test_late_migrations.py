"""Migrations that a node takes late, or never says a word of again."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.core.release.test_plan_migrations import UNDO, act, migrating, runs, second
from tests.core.releases import SECOND, SPEC, pods, released
from tests.core.worlds import World, condition, decide, settle, with_spec

from hardened.core.model.manifest import ChildKey, Manifest


def running(world: World, name: str, phase: str = "Running", since: datetime | None = None) -> None:
    """What the node said of it last. since: when it took it."""
    world.objects[ChildKey("Pod", name)]["status"] = {"phase": phase, **({"startTime": since.isoformat()} if since else {})}


def test_the_time_of_a_migration_counts_from_when_its_pod_was_made() -> None:
    cr, world, now = second()
    while not pods(world):
        late = decide(cr, world, now)
        if any(step.manifest["kind"] == "Pod" for step in late.apply):
            now += timedelta(minutes=5)  # something refuses it all that time
        if late.has_writes:
            world.write(late)
        else:
            cr["status"] = late.status
    settle(cr, world, now)
    assert (cr["status"]["release"]["step"], cr["status"]["release"]["migration"]) == ("Migrate", "Made")
    released(cr, world, now)
    assert condition(cr["status"], "Ready") == ("True", "Healthy")


def test_a_migration_that_a_node_took_late_is_waited_for_and_undone() -> None:
    cr, world, now = second(**UNDO)
    settle(cr, world, now)
    (name,) = pods(world)
    running(world, name)
    for _ in range(3):
        now += timedelta(seconds=241)
        looked = settle(cr, world, now)
    assert looked.requeue_after, "nobody may tell of its end"
    assert (cr["status"]["release"]["step"], cr["status"]["release"]["migration"]) == ("Undo", "Made")
    running(world, name, "Succeeded")
    released(cr, world, now)
    assert (runs(world), cr["status"]["pin"]["reason"]) == (["migrate", "undo"], "MigrationFailed")


@pytest.mark.parametrize(
    ("migrate", "phase", "says"),
    [
        ({}, "Failed", "it is unknown how far it came, and nothing undoes it: repair the data by hand first"),
        (UNDO, "Failed", "it is unknown how far it came, and its undo does not run: repair the data by hand first"),
        ({}, "Running", "it may still end, and nothing undoes it"),
        (UNDO, "Running", "it may still end, and is undone if it succeeds"),
    ],
)
def test_a_migration_that_failed_or_is_late_says_what_becomes_of_the_data(migrate: Manifest, phase: str, says: str) -> None:
    cr, world, now = second(**migrate)
    settle(cr, world, now)
    (name,) = pods(world)
    running(world, name, phase)
    for _ in range(2):
        now += timedelta(seconds=241)
        settle(cr, world, now)
    assert cr["status"]["pin"]["reason"] == "MigrationFailed"
    assert cr["status"]["pin"]["message"].startswith("the migration failed: ")
    assert cr["status"]["pin"]["message"].endswith(f"; {says}")
    assert runs(world) == ["migrate"]


def test_what_was_undone_late_is_undone() -> None:
    cr, world, now = second(**UNDO)
    cr["spec"]["verify"] = {"beforeCutover": [{"name": "smoke", "http": {}}]}
    world.failing.add("smoke")
    now = released(cr, world, now, until="Undo")
    settle(cr, world, now + SECOND)
    (name,) = (each for each in pods(world) if "-undo-" in each)
    running(world, name)
    settle(cr, world, now + timedelta(minutes=10))
    assert condition(cr["status"], "Ready") == ("False", "MigrationNotUndone")
    newer = with_spec(cr, image="shop:3", release=migrating())
    settle(newer, world, now + timedelta(minutes=10))
    assert runs(world) == ["migrate", "undo"], "never two beside each other"
    running(world, name, "Succeeded")
    settle(cr, world, now + timedelta(minutes=11))
    assert condition(cr["status"], "Ready") == ("False", "Rejected")


def on_a_dead_node(**migrate: Any) -> tuple[Manifest, World, Any]:
    """A service whose second revision serves; of the migration of its third one nobody hears any more, half an hour later."""
    cr, world, now = second()
    del cr["spec"]["release"]
    cr = with_spec(cr, release=SPEC["release"])
    now = released(cr, world, now)
    cr = with_spec(cr, image="shop:3", release=migrating(**migrate))
    settle(cr, world, now)
    (name,) = pods(world)
    running(world, name, since=now)
    for _ in range(6):
        settle(cr, world, now)
        now += timedelta(minutes=5)
    return cr, world, now


@pytest.mark.parametrize("migrate", [{}, UNDO], ids=["no undo", "undo"])
def test_a_migration_on_a_node_that_died_is_given_up_and_keeps_no_rollback_waiting(migrate: Manifest) -> None:
    cr, world, now = on_a_dead_node(**migrate)
    assert (cr["status"].get("release"), cr["status"]["pin"]["reason"]) == (None, "MigrationFailed")
    act(world, "back", "Rollback", acrossMigration=True)
    for _ in range(3):
        settle(cr, world, now)
        world.run_pods("shop-blue")
        now += timedelta(minutes=1)
    assert cr["status"]["release"]["rollback"], "under way"
    assert len(pods(world)) > 0, "the pod may run yet, and is not interrupted"


def test_nor_a_newer_spec() -> None:
    cr, world, now = on_a_dead_node(**UNDO)
    cr = with_spec(cr, image="shop:4", release=SPEC["release"])
    settle(cr, world, now)
    assert cr["status"]["release"]["step"] == "Preview"
