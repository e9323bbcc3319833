"""Pods of a release that find no room on the cluster: they are waited for, and what status says meanwhile."""

from datetime import timedelta
from typing import Any

import pytest
from tests.core.needs.test_plan_preflight import CHECKED, HOUR, plan_of, ready, rollback
from tests.core.releases import SECOND, SPEC, released, sizes
from tests.core.worlds import World, body, condition, decide, live_sample, revision, settle, with_spec

from hardened.api import names
from hardened.core.model.manifest import ChildKey, Manifest
from hardened.core.model.question import ListPods

HOMELESS: Manifest = live_sample("pods")["homeless"]
FULL = {"type": "ReplicaFailure", "status": "True", "message": 'pods "x" is forbidden: exceeded quota: small, limited: pods=2'}


def homeless(world: World, color: str, number: int = 0) -> None:
    """The pod of a colour that no node takes."""
    labels = world.objects[ChildKey("Deployment", f"shop-{color}")]["spec"]["template"]["metadata"]["labels"]
    world.pods = [{**HOMELESS, "metadata": {"name": f"homeless-{number}", "uid": str(number), "labels": labels}}]


def crowded(*, is_full: bool, verify: Manifest | None = None) -> tuple[Manifest, World, Any]:
    """A service whose second revision finds no room in Preview."""
    cr, world = body(SPEC if verify is None else {**SPEC, "verify": verify}), World()
    now = released(cr, world)
    cr = with_spec(cr, image="shop:2")
    settle(cr, world, now)
    world.dead.add("shop-green")
    world.follow(now)
    crowd(world, is_full=is_full)
    return cr, world, now


def crowd(world: World, *, is_full: bool) -> None:
    if is_full:
        world.pods = []
        world.objects[ChildKey("Deployment", "shop-green")]["status"]["conditions"].append(FULL)
    else:
        homeless(world, "green")


REASONS = [pytest.param(True, "QuotaExceeded", id="a quota"), pytest.param(False, "Unschedulable", id="the nodes")]


@pytest.mark.parametrize(("is_full", "reason"), REASONS)
def test_while_pods_find_no_room_no_deadline_runs(is_full: bool, reason: str) -> None:
    cr, world, now = crowded(is_full=is_full)
    for later in (now + 20 * SECOND, now + HOUR, now + 24 * HOUR):
        settle(cr, world, later)
        assert cr["status"]["release"]["step"] == "Preview"
        assert "deadline" not in cr["status"]["release"]
        assert condition(cr["status"], "Ready") == ("False", reason)
        assert ready(cr).startswith(f"Preview: revision {revision(cr)} waits for room: ")
        assert condition(cr["status"], "Stalled")[0] == "False"
        assert sizes(world) == {"shop-blue": 2, "shop-green": 2}


@pytest.mark.parametrize(("is_full", "reason"), REASONS)
def test_nobody_looked_in_time_and_still_it_is_not_the_revisions_fault(is_full: bool, reason: str) -> None:
    cr, world, now = crowded(is_full=is_full)
    settle(cr, world, now + HOUR)
    assert cr["status"]["release"]["step"] == "Preview"
    assert condition(cr["status"], "Ready") == ("False", reason)


def test_it_does_not_stall_once_the_deployment_gives_up() -> None:
    cr, world, now = crowded(is_full=False)
    world.run_pods("shop-green", ready=0, reason="ProgressDeadlineExceeded", since=now)
    settle(cr, world, now + HOUR)
    assert condition(cr["status"], "Ready") == ("False", "Unschedulable")
    assert condition(cr["status"], "Stalled")[0] == "False"


def test_a_release_that_has_time_left_does_not_stall_with_its_deployment() -> None:
    cr, world = body({**SPEC, "release": {"progressDeadline": "30m"}}), World()
    now = released(cr, world)
    cr = with_spec(cr, image="shop:2")
    world.dead.add("shop-green")
    now = released(cr, world, now, until="Preview")
    world.run_pods("shop-green", ready=0, reason="ProgressDeadlineExceeded", since=now)
    settle(cr, world, now + timedelta(minutes=20))
    assert condition(cr["status"], "Stalled")[0] == "False"
    assert condition(cr["status"], "Ready") == ("False", "ProgressDeadlineExceeded")
    settle(cr, world, now + timedelta(minutes=31))
    assert condition(cr["status"], "Stalled") == ("True", "Rejected")


@pytest.mark.parametrize(("is_full", "reason"), REASONS)
def test_with_room_the_deadline_runs_anew(is_full: bool, reason: str) -> None:
    cr, world, now = crowded(is_full=is_full)
    now += HOUR
    settle(cr, world, now)
    world.follow(now)
    settle(cr, world, now)
    assert cr["status"]["release"]["deadline"].startswith((now + timedelta(minutes=10)).strftime("%Y-%m-%dT%H:%M:%S"))
    settle(cr, world, now + timedelta(minutes=10))
    assert condition(cr["status"], "Ready") == ("False", "Rejected")


def test_with_room_it_goes_on() -> None:
    cr, world, now = crowded(is_full=False)
    settle(cr, world, now + HOUR)
    world.dead.clear()
    released(cr, world, now + HOUR)
    assert condition(cr["status"], "Ready") == ("True", "Healthy")


def test_in_scale_up_too() -> None:
    cr, world = body({**SPEC, "verify": CHECKED}), World()
    now = released(cr, world)
    cr = with_spec(cr, image="shop:2")
    now = released(cr, world, now, until="Preview")
    settle(cr, world, now)
    world.run_pods("shop-green", ready=1)
    homeless(world, "green")
    settle(cr, world, now + HOUR)
    assert cr["status"]["release"]["step"] == "ScaleUp"
    assert condition(cr["status"], "Ready") == ("False", "Unschedulable")
    assert ready(cr).startswith("ScaleUp: ")


@pytest.mark.parametrize("fault", ["crash", "pull", "badname"])
def test_a_pod_with_another_fault_is_the_revisions_own(fault: str) -> None:
    cr, world, now = crowded(is_full=False)
    labels = world.pods[0]["metadata"]["labels"]
    world.pods.append({**live_sample("pods")[fault], "metadata": {"name": "own", "uid": "own", "labels": labels}})
    settle(cr, world, now + HOUR)
    assert condition(cr["status"], "Ready") == ("False", "Rejected")


@pytest.mark.parametrize(
    "labels", [{names.REVISION_LABEL: "other"}, {names.COLOR_LABEL: "blue"}], ids=["another revision", "another colour"]
)
def test_pods_of_another_place_say_nothing(labels: dict[str, str]) -> None:
    cr, world, now = crowded(is_full=False)
    world.pods[0]["metadata"]["labels"] = {**world.pods[0]["metadata"]["labels"], **labels}
    settle(cr, world, now + HOUR)
    assert condition(cr["status"], "Ready") == ("False", "Rejected")


def test_what_no_list_of_this_moment_says_is_not_believed() -> None:
    cr, world, now = crowded(is_full=False)
    settle(cr, world, now + HOUR)
    assert "deadline" not in cr["status"]["release"]
    assert plan_of(cr, world, now + HOUR).question == ListPods()


def test_what_was_said_of_another_revision_is_not_said_of_this_one() -> None:
    cr, world, now = crowded(is_full=True)
    settle(cr, world, now)
    cr = {**with_spec(cr, image="shop:3"), "status": cr["status"]}
    cr["status"] = decide(cr, world, now).status
    assert cr["status"]["release"]["deadline"]
    assert decide(cr, world, now).has_writes


def test_a_rollback_by_hand_that_finds_no_room_ends_at_its_deadline() -> None:
    cr, world = body(SPEC), World()
    now = released(cr, world)
    cr = with_spec(cr, image="shop:2")
    now = released(cr, world, now)
    world.objects[ChildKey(names.ACTION_KIND, "back")] = rollback()
    settle(cr, world, now)
    world.dead.add("shop-blue")
    world.follow(now)
    homeless(world, "blue")
    settle(cr, world, now + 20 * SECOND)
    assert cr["status"]["release"]["deadline"]
    settle(cr, world, now + HOUR)
    assert cr["status"]["release"]["step"] == "Keep", "what it has got stays, and what serves serves on"
    assert sizes(world) == {"shop-blue": 2, "shop-green": 2}
    assert cr["status"]["actions"][0]["phase"] == "Failed"
