"""Rollbacks by hand as they are planned: what a migration refuses them, and what they end."""

from typing import Any

import pytest
from tests.core.release.test_plan_migrations import UNDO, act, migrating, runs, second
from tests.core.releases import SECOND, SPEC, lead, released
from tests.core.worlds import World, body, condition, decide, settle, with_spec

from hardened.core.model.manifest import Manifest


def test_a_rollback_across_a_migration_is_refused_unless_it_says_so() -> None:
    cr, world, now = second()
    now = released(cr, world, now)

    def ask(name: str, **more: Any) -> Manifest:
        act(world, name, "Rollback", **more)
        released(cr, world, now)
        found: Manifest = next(entry for entry in cr["status"]["actions"] if entry["name"] == name)
        return found

    refused = ask("a")
    assert refused["phase"] == "Refused"
    assert "acrossMigration" in refused["message"]
    assert ask("b", acrossMigration=True)["phase"] == "Succeeded"
    assert lead(world)["color"] == "blue"
    assert runs(world) == ["migrate"]


@pytest.mark.parametrize(("undo", "expected"), [({}, "Refused"), (UNDO, "Succeeded")])
def test_a_migration_counts_although_its_revision_was_rejected_unless_it_was_undone(undo: Manifest, expected: str) -> None:
    cr, world = body(SPEC), World()
    now = released(cr, world)
    cr = with_spec(cr, image="shop:1b")
    now = released(cr, world, now)
    world.failing.add("smoke")
    cr = with_spec(cr, image="shop:2", release=migrating(**undo), verify={"beforeCutover": [{"name": "smoke", "http": {}}]})
    now = released(cr, world, now)
    act(world, "a", "Rollback")
    released(cr, world, now)
    assert [entry["phase"] for entry in cr["status"]["actions"]] == [expected]


def checked(window: str, **release: Any) -> Manifest:
    """What is to be passed, and how it is promoted."""
    return {"verify": {"afterCutover": {"window": window}}, "release": {**SPEC["release"], **release}}


def left_in_approval() -> tuple[Manifest, World, Any, Manifest]:
    """A service whose second revision served while a third one, with other checks, waited for approval, and which was rolled back then."""
    cr, world = body({**SPEC, **checked("2s")}), World()
    now = released(cr, world)
    cr = with_spec(cr, image="shop:2")
    now = released(cr, world, now)
    second = cr["spec"]
    cr = with_spec(cr, image="shop:3", **checked("3s", promotion="Manual"))
    now = released(cr, world, now, until="Approval")
    act(world, "back", "Rollback")
    return cr, world, released(cr, world, now), second


def test_what_a_rollback_left_stays_rejected_under_its_own_checks_and_not_under_those_of_another_spec() -> None:
    cr, world, now, second = left_in_approval()
    assert [entry["phase"] for entry in cr["status"]["actions"]] == ["Succeeded"]
    assert lead(world)["color"] == "blue"
    cr = {**with_spec(cr), "spec": second}
    released(cr, world, now)
    assert condition(cr["status"], "Ready") == ("False", "RolledBack")
    assert lead(world)["color"] == "blue"


def test_what_a_rollback_left_is_not_gone_back_to_by_the_next_one_whatever_the_spec_has_to_pass() -> None:
    cr, world, now, _ = left_in_approval()
    act(world, "again", "Rollback")
    released(cr, world, now)
    assert [entry["phase"] for entry in cr["status"]["actions"]] == ["Succeeded", "Refused"]


def test_what_a_rollback_left_is_released_anew_with_other_checks_of_its_own() -> None:
    cr, world, now, second = left_in_approval()
    cr = {**with_spec(cr), "spec": {**second, "verify": {"afterCutover": {"window": "4s"}}}}
    released(cr, world, now)
    assert condition(cr["status"], "Ready") == ("True", "Healthy")


def test_of_a_revision_whose_own_checks_are_not_known_those_of_the_spec_count() -> None:
    cr, world = body({**SPEC, **checked("2s")}), World()
    now = released(cr, world)
    cr = with_spec(cr, image="shop:2")
    now = released(cr, world, now)
    for key, live in world.objects.items():
        if key.kind == "ControllerRevision":
            del live["metadata"]["annotations"]["hardened.dev/promoted-key"]
    second, cr = cr["spec"], with_spec(cr, image="shop:3", **checked("2s", promotion="Manual"))
    now = released(cr, world, now, until="Approval")
    act(world, "back", "Rollback")
    now = released(cr, world, now)
    cr = {**with_spec(cr), "spec": second}
    released(cr, world, now)
    assert condition(cr["status"], "Ready") == ("False", "RolledBack")


LATE_UNDO = {"undo": {**UNDO["undo"], "afterCutover": True}}


@pytest.mark.parametrize(("undo", "expected"), [({}, "Refused"), (UNDO, "Refused"), (LATE_UNDO, "Succeeded")])
def test_nor_is_it_undone_where_its_revision_was_left_after_its_cutover(undo: Manifest, expected: str) -> None:
    cr, world = body(SPEC), World()
    now = released(cr, world)
    cr = with_spec(cr, image="shop:1b")
    now = released(cr, world, now)
    stable = cr["spec"]
    cr = with_spec(cr, image="shop:2", release=migrating(**undo))
    now = released(cr, world, now, until="VerifyAfter")
    cr = {**with_spec(cr), "spec": stable}
    now = released(cr, world, now)
    act(world, "a", "Rollback")
    released(cr, world, now)
    assert [entry["phase"] for entry in cr["status"]["actions"]] == [expected]


def test_a_cutover_that_is_recalled_ends_for_a_rollback() -> None:
    cr, world = body({**SPEC, "dependsOn": [{"service": "db"}]}), World()
    world.available.add("db")
    now = released(cr, world)
    cr = with_spec(cr, image="shop:2")
    serving = cr["status"]["stable"]["revision"]
    recalled(cr, world, now)
    act(world, "back", "Rollback")
    world.available.clear()
    for _ in range(6):
        settle(cr, world, now)
        world.follow(now)
        now += 10 * SECOND
    assert condition(cr["status"], "Ready") == ("False", "Rejected")
    assert [entry["phase"] for entry in cr["status"]["actions"]] == ["Succeeded"]
    assert (lead(world)["revision"], cr["status"].get("release")) == (serving, None)


def recalled(cr: Manifest, world: World, now: Any) -> None:
    """Lets a release come to its cutover; before it is done, its pods are gone."""
    for _ in range(40):
        decided = decide(cr, world, now)
        if decided.is_status_first and decided.status and decided.status["release"]["step"] == "Cutover":
            break
        if not decided.is_status_first:
            world.write(decided)
            world.follow(now)
        cr["status"] = decided.status or cr["status"]
    cr["status"] = decided.status
    world.dead.add("shop-green")
    world.follow(now)
    decided = decide(cr, world, now)
    cr["status"] = decided.status
    assert cr["status"]["release"]["recalledAt"]
