"""What is not ours is never touched, and what needs it is not made."""

from typing import Any

import pytest
from tests.core.worlds import NOW, OTHER_UID, STAMP, WEB, World, begun, body, condition, decide, keys, running, settle, with_spec

from hardened.api import names
from hardened.core.model.manifest import ChildKey, key_of
from hardened.core.requeue import GARBAGE_WAIT

FULL = {
    **WEB,
    "files": [{"mountPath": "/etc/shop", "data": {"a": "b"}}],
    "volumes": [{"name": "data", "mountPath": "/data", "claim": {"size": "1Gi"}}],
    "release": {"strategy": "Recreate"},
    "autoscale": {"maxReplicas": 4, "cpu": 70},
}
KINDS = [
    "ControllerRevision", "ConfigMap", "ServiceAccount", "NetworkPolicy", "PodDisruptionBudget", "PersistentVolumeClaim", "Deployment",
    "Service", "HorizontalPodAutoscaler",
]  # fmt: skip
OWNED = [k for k in KINDS if k != "PersistentVolumeClaim"]
#: No pod of a new revision runs without these.
NEEDED = ("ControllerRevision", "ConfigMap", "ServiceAccount", "NetworkPolicy", "PersistentVolumeClaim")


def without(kind: str) -> list[str]:
    """What is made where this kind of child cannot be."""
    return [each for each in KINDS if each != kind]


@pytest.mark.parametrize("kind", [*NEEDED, "PodDisruptionBudget"])
def test_pods_are_not_asked_for_where_one_of_the_children_that_they_need_is_somebody_elses(kind: str) -> None:
    cr, world = body(FULL), World({key_of(somebody_elses(kind)): somebody_elses(kind)})
    for _ in range(3):
        settle(cr, world)
        world.follow()
    has_pods = any(live["spec"].get("replicas") for key, live in world.objects.items() if key.kind == "Deployment")
    assert has_pods == (kind not in NEEDED)


def wanted(kind: str) -> dict[str, Any]:
    return next(step.manifest for step in begun(body(FULL), World()).apply if step.manifest["kind"] == kind)


def somebody_elses(kind: str, **meta: Any) -> dict[str, Any]:
    """An object with the name of a child, made by somebody else."""
    name = wanted(kind)["metadata"]["name"]
    return {"kind": kind, "metadata": {"name": name, "namespace": "market", "uid": "x", "resourceVersion": "1", **meta}, "spec": {}}


@pytest.mark.parametrize("kind", KINDS)
def test_a_foreign_object_is_not_touched_and_stops_only_what_needs_it(kind: str) -> None:
    theirs = somebody_elses(kind)
    decided = begun(body(FULL), World({key_of(theirs): theirs}))
    assert [step.manifest["kind"] for step in decided.apply] == without(kind)
    assert not decided.delete
    assert decided.status
    assert condition(decided.status, "Ready") == ("False", "NotOwned")
    assert condition(decided.status, "Stalled") == ("True", "NotOwned")
    assert str(key_of(theirs)) in decided.status["conditions"][0]["message"]


@pytest.mark.parametrize("kind", KINDS)
def test_an_object_that_only_claims_our_labels_is_foreign(kind: str) -> None:
    theirs = somebody_elses(kind, labels=wanted(kind)["metadata"]["labels"])
    decided = begun(body(FULL), World({key_of(theirs): theirs}))
    assert decided.status
    assert condition(decided.status, "Ready") == ("False", "NotOwned")


@pytest.mark.parametrize("kind", OWNED)
def test_a_child_of_a_deleted_namesake_is_left_to_the_garbage_collector(kind: str) -> None:
    cr, world = running(FULL)
    again = {**body(FULL), "metadata": {**cr["metadata"], "uid": OTHER_UID}}
    key = key_of(wanted(kind))
    decided = begun(again, World({key: world.objects[key]}))
    assert [step.manifest["kind"] for step in decided.apply] == without(kind)
    assert decided.requeue_after == GARBAGE_WAIT
    assert decided.status
    assert condition(decided.status, "Ready") == ("False", "WaitingForGarbageCollection")
    assert condition(decided.status, "Stalled")[0] == "False"


def test_a_service_that_is_made_anew_takes_its_claims_again() -> None:
    cr, world = running(FULL)
    claim = ChildKey("PersistentVolumeClaim", "shop-data")
    kept = World({claim: world.objects[claim]})
    settle({**body(FULL), "metadata": {**cr["metadata"], "uid": OTHER_UID}}, kept)
    assert f"apply {claim}" not in kept.writes
    assert ChildKey("Deployment", "shop-blue") in kept.objects


def test_what_is_not_owned_is_not_pruned_either() -> None:
    cr, world = running()
    world.objects[ChildKey("Deployment", "shop-blue")]["metadata"]["ownerReferences"][0]["uid"] = "theirs"
    world.objects[ChildKey("Deployment", "shop-blue")]["metadata"]["ownerReferences"][0]["name"] = "other"
    assert not decide(with_spec(cr, ports=None), world).delete


def strip(live: dict[str, Any], *parts: str) -> None:
    for part in parts:
        live["metadata"].pop(part)


@pytest.mark.parametrize(("kind", "stripped"), [*((k, "labels") for k in KINDS), *((k, "ownerReferences") for k in OWNED)])
def test_what_somebody_stripped_is_put_back_on_the_same_object(kind: str, stripped: str) -> None:
    cr, world = running(FULL)
    key = key_of(wanted(kind))
    uid = world.objects[key]["metadata"]["uid"]
    strip(world.objects[key], stripped)
    decided = decide(cr, world)
    assert keys(decided.apply) == [str(key)]
    assert decided.apply[0].repairs.startswith(f"metadata.{stripped}")
    assert decided.apply[0].manifest["metadata"]["uid"] == uid
    settle(cr, world)
    assert world.writes == [f"apply {key}"]


@pytest.mark.parametrize("kind", OWNED)
def test_an_object_stripped_of_all_that_ties_it_to_us_is_somebody_elses(kind: str) -> None:
    cr, world = running(FULL)
    live = world.objects[key_of(wanted(kind))]
    strip(live, "labels", "ownerReferences")
    decided = decide(cr, world)
    assert not decided.has_writes
    assert decided.status
    assert condition(decided.status, "Ready") == ("False", "NotOwned")
    assert condition(decided.status, "Available")[0] == ("False" if kind == "Deployment" else "True")


def test_a_deleted_service_leaves_nothing_of_its_own_to_its_namesakes_names() -> None:
    other = body({**FULL, "image": "shop:9"}, name="shop-data", uid=OTHER_UID)
    cr, world = running(FULL)
    decided = begun(other, World(dict(world.objects)))
    assert decided.status
    assert condition(decided.status, "Ready") == ("False", "RollingOut")
    assert {names.SERVICE_LABEL: "shop-data"}.items() <= decided.apply[0].manifest["metadata"]["labels"].items()
    assert decide({**cr, "metadata": {**cr["metadata"], "deletionTimestamp": STAMP}}, world, NOW).status is None
