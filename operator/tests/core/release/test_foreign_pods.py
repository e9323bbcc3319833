"""Pods that only carry the labels of a service's pods neither take a version back nor hold it up, and are named."""

from typing import Any

import pytest
from tests.core.release.test_plan_migrations import UNDO, migrating, runs
from tests.core.releases import CHECKED, SECOND, SPEC, lead, released, sizes, target
from tests.core.worlds import NOW, WEB, World, body, condition, revision, settle, with_spec

from hardened.api import names
from hardened.api.parse import parse
from hardened.core.desired.metadata import metadata
from hardened.core.model.manifest import Manifest, key_of

pytestmark = pytest.mark.one_of(3)

NOBODYS: list[Manifest] = []
OTHERS = [{"kind": "ReplicaSet", "name": "theirs", "uid": "rs-theirs", "controller": True}]
NAMED_LIKE_OURS = [{"kind": "ReplicaSet", "name": "shop-green-1", "uid": "rs-unknown", "controller": True}]
OF_THE_DEPLOYMENT = [{"kind": "Deployment", "name": "shop-green", "uid": "theirs", "controller": True}]
NO_CONTROLLER = [{"kind": "ReplicaSet", "name": "shop-green-1", "uid": "rs-shop-green", "controller": False}]
OWNERS = {
    "of nobody": NOBODYS,
    "of another ReplicaSet": OTHERS,
    "of one that is named like ours": NAMED_LIKE_OURS,
    "of a Deployment": OF_THE_DEPLOYMENT,
    "of no controller": NO_CONTROLLER,
}


def stranger(cr: Manifest, color: str, owners: list[Manifest]) -> Manifest:
    """A pod with the labels of the spec's revision in this colour, which crashes."""
    labels = {
        names.SERVICE_LABEL: "shop", names.COMPONENT_LABEL: "app", names.COLOR_LABEL: color, names.REVISION_LABEL: revision(cr),
    }  # fmt: skip
    ended = {"terminated": {"exitCode": 128, "reason": "StartError", "finishedAt": "2027-01-02T03:04:05Z"}}
    waiting = {"waiting": {"reason": "CrashLoopBackOff"}}
    containers = [{"name": "x", "restartCount": 7, "ready": False, "state": waiting, "lastState": ended}]
    meta = {"name": "not-yours", "uid": "not-yours", "creationTimestamp": "2026-01-02T03:04:05Z"}
    status = {"phase": "Running", "containerStatuses": containers}
    return {"kind": "Pod", "metadata": {**meta, "labels": labels, "ownerReferences": owners}, "spec": {}, "status": status}


def world_with_replica_sets() -> World:
    theirs = {"kind": "ReplicaSet", "metadata": {"name": "theirs", "uid": "rs-theirs", "ownerReferences": OF_THE_DEPLOYMENT}}
    return World(replica_sets=[theirs])


def passes(cr: Manifest, world: World, now: Any, seconds: int) -> list[tuple[str, str]]:
    """What Drifted said meanwhile."""
    said = []
    for _ in range(0, seconds, 5):
        settle(cr, world, now)
        said.append(condition(cr["status"], "Drifted"))
        world.follow(now)
        now += 5 * SECOND
    return said


@pytest.mark.parametrize("owners", OWNERS)
def test_a_good_version_is_not_taken_back_for_a_pod_of_nobody_and_that_is_named(owners: str) -> None:
    cr, world = body(CHECKED), world_with_replica_sets()
    now = released(cr, world)
    cr = with_spec(cr, image="shop:2")
    world.strangers.append(stranger(cr, "green", OWNERS[owners]))
    said = passes(cr, world, now, 240)
    assert (cr["status"]["serving"]["image"], condition(cr["status"], "Ready")) == ("shop:2", ("True", "Healthy"))
    assert ("True", "ForeignPods") in said


@pytest.mark.parametrize("strategy", ["RollingUpdate", "Recreate"])
@pytest.mark.parametrize("of_the_old_one", [False, True])
def test_in_place_it_is_the_same(strategy: str, of_the_old_one: bool) -> None:
    cr, world = body({**WEB, "release": {"strategy": strategy, "progressDeadline": "1m"}}), world_with_replica_sets()
    now = NOW
    for _ in range(12):
        settle(cr, world, now)
        world.follow(now)
        now += 5 * SECOND
    newer = with_spec(cr, image="shop:2")
    world.strangers.append(stranger(cr if of_the_old_one else newer, "blue", NOBODYS))
    passes(newer, world, now, 240)
    assert (newer["status"]["serving"]["image"], condition(newer["status"], "Ready")) == ("shop:2", ("True", "Healthy"))


@pytest.mark.parametrize("color", ["blue", "green"])
def test_traffic_is_led_back_and_that_ends_beside_such_a_pod(color: str) -> None:
    cr, world = body(CHECKED), world_with_replica_sets()
    now = released(cr, world)
    serving, first = target(cr, "blue"), cr
    world.failing.add("live")
    cr = with_spec(cr, image="shop:2")
    world.strangers.append(stranger(first if color == "blue" else cr, color, NOBODYS))
    passes(cr, world, now, 240)
    assert lead(world) == serving
    assert (cr["status"].get("release"), condition(cr["status"], "Ready")) == (None, ("False", "RolledBack"))


LEFT_OVER = {
    "whose ReplicaSet is gone": NAMED_LIKE_OURS,
    "whose Deployment was deleted": OTHERS,
}


@pytest.mark.parametrize("owners", LEFT_OVER)
def test_no_two_revisions_run_at_once_where_somebody_deleted_a_deployment(owners: str) -> None:
    cr, world = body({**WEB, "release": {"strategy": "Recreate", "progressDeadline": "5m"}}), world_with_replica_sets()
    passes(cr, world, NOW, 60)
    serving = cr["status"]["serving"]["color"]
    left = stranger(cr, serving, LEFT_OVER[owners])
    left["metadata"] |= {"deletionTimestamp": "2026-01-02T03:05:05Z"} if owners == "whose ReplicaSet is gone" else {}
    newer = with_spec(cr, image="shop:2")
    world.strangers.append(left)
    passes(newer, world, NOW + 60 * SECOND, 60)
    assert sum(sizes(world).values()) == 0
    world.strangers.clear()
    passes(newer, world, NOW + 120 * SECOND, 120)
    assert (newer["status"]["serving"]["image"], condition(newer["status"], "Ready")) == ("shop:2", ("True", "Healthy"))


@pytest.mark.parametrize("is_left", [True, False])
def test_a_migration_is_not_undone_beside_pods_of_a_deployment_that_somebody_deleted(is_left: bool) -> None:
    cr, world = body(SPEC), world_with_replica_sets()
    now = released(cr, world)
    world.writes.clear()
    smoke = {"beforeCutover": [{"name": "smoke", "http": {}}]}
    cr = with_spec(cr, image="shop:2", release=migrating(**UNDO), verify=smoke)
    world.failing.add("smoke")
    world.strangers += [stranger(cr, "green", OTHERS)] if is_left else []
    passes(cr, world, now, 120)
    assert runs(world) == (["migrate"] if is_left else ["migrate", "undo"])


def test_nor_does_it_hold_up_what_undoes_a_migration() -> None:
    cr, world = body(SPEC), world_with_replica_sets()
    now = released(cr, world)
    world.writes.clear()
    smoke = {"beforeCutover": [{"name": "smoke", "http": {}}]}
    cr = with_spec(cr, image="shop:2", release=migrating(**UNDO), verify=smoke)
    world.failing.add("smoke")
    world.strangers.append(stranger(cr, "green", NOBODYS))
    passes(cr, world, now, 120)
    assert runs(world) == ["migrate", "undo"]


def test_pods_of_the_version_itself_take_it_back_as_ever() -> None:
    cr, world = body(CHECKED), world_with_replica_sets()
    now = released(cr, world)
    cr = with_spec(cr, image="shop:2")
    now = released(cr, world, now, until="VerifyAfter")
    mine = next(pod for pod in world.pods if pod["metadata"]["labels"][names.COLOR_LABEL] == "green")
    mine["status"] |= stranger(cr, "green", NOBODYS)["status"]
    settle(cr, world, now + SECOND)
    assert cr["status"]["release"]["step"] == "SwitchBack"


def test_where_replica_sets_may_not_be_listed_labels_have_to_do() -> None:
    cr, world = body(CHECKED), World()
    now = released(cr, world)
    cr = with_spec(cr, image="shop:2")
    released(cr, world, now)
    assert condition(cr["status"], "Ready") == ("True", "Healthy")


def test_nor_does_a_pod_without_an_end_pass_for_a_migration_that_is_waited_for() -> None:
    cr, world = body(SPEC), World()
    now = released(cr, world)
    meta = {**metadata(parse(cr), "not-yours", names.VERIFIER), "uid": "not-yours", "annotations": {names.ONCE_ANNOTATION: "true"}}
    spec = {"containers": [{"name": names.VERIFIER, "image": "busybox"}]}
    theirs = {"kind": "Pod", "metadata": meta, "spec": spec, "status": {"phase": "Running"}}
    cr = with_spec(cr, image="shop:2")
    for _ in range(24):
        world.objects[key_of(theirs)] = theirs
        settle(cr, world, now)
        del world.objects[key_of(theirs)]
        world.follow(now)
        now += 5 * SECOND
    assert (cr["status"]["serving"]["image"], condition(cr["status"], "Ready")) == ("shop:2", ("True", "Healthy"))
