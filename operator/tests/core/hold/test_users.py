"""Somebody scales a Deployment that is held: its pods use nothing, as long as nobody can make one that comes to a node."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.core.worlds import UID, service

from hardened.api import names
from hardened.core.hold.users import all_stopped, users
from hardened.core.model.hold import Hold, HoldPhase
from hardened.core.model.manifest import Manifest
from hardened.core.observe.facts import Facts
from hardened.core.observe.observed import Observed

HOLD = Hold("r", "u", "nightly", "ab" * 32, "Self", HoldPhase.STOPPING, datetime(2030, 1, 1, tzinfo=UTC), 2)
GATED = {"schedulingGates": [{"name": names.HOLD_GATE}]}
MAY_MAKE_PODS = "have not heard yet"


def deployment(spec: Manifest, *, replicas: int = 2, seen: int = 3, uid: str = "u") -> Manifest:
    """Generation 3 of one. seen: the one that its controller has seen; uid: that it is marked with."""
    owner = {"apiVersion": names.API_VERSION, "kind": names.KIND, "name": "shop", "uid": UID, "controller": True}
    meta = {"name": "shop-blue", "namespace": "market", "uid": "d", "generation": 3, "annotations": {names.HOLD_ANNOTATION: uid}}
    labels = {"labels": {names.SERVICE_LABEL: "shop"}, "ownerReferences": [owner]}
    template = {"metadata": {"labels": {names.REVISION_LABEL: "0123456789ab"}}, "spec": {"containers": [{"name": "app"}], **spec}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": meta | labels,
        "spec": {"replicas": replicas, "template": template},
        "status": {"observedGeneration": seen},
    }


def replica_set(spec: Manifest, *, replicas: int, seen: int = 2, uid: str = "u", **meta: Any) -> Manifest:
    """Generation 2 of one, as it is kept."""
    owner = {"kind": "Deployment", "name": "shop-blue", "uid": "d", "controller": True}
    told = {"generation": 2, "annotations": {names.HOLD_ANNOTATION: uid} if uid else {}, "ownerReferences": [owner]}
    return {
        "kind": "ReplicaSet",
        "metadata": {"name": "shop-blue-1", "uid": "s", **told, **meta},
        "spec": {"replicas": replicas, "template": {"spec": spec}},
        "status": {"observedGeneration": seen},
    }


OLD = replica_set({}, replicas=0, uid="")
HELD = replica_set(GATED, replicas=2)


def facts(live: Manifest, *replica_sets: Manifest, pods: tuple[Manifest, ...] = ()) -> Facts:
    return Facts(service(), {}, replace(Observed.of([live]), namespace_pods=pods, replica_sets=replica_sets))


@pytest.mark.parametrize(
    ("live", "expected"),
    [
        pytest.param(deployment(GATED), True, id="scaled, behind the gate"),
        pytest.param(deployment({}, replicas=0), True, id="no pods"),
        pytest.param(deployment({}), False, id="scaled, without the gate"),
        pytest.param(deployment(GATED, seen=2), False, id="scaled, and nobody has seen the gate yet"),
        pytest.param(deployment(GATED, replicas=0, seen=2), False, id="nobody has seen yet that it has no pods"),
        pytest.param(deployment(GATED, uid="v"), False, id="of another hold"),
    ],
)
def test_a_deployment_is_stopped_without_pods_or_behind_the_gate_once_its_controller_has_seen_that(live: Manifest, expected: bool) -> None:
    assert all_stopped(facts(live), HOLD) is expected


@pytest.mark.parametrize(
    ("replica_sets", "expected"),
    [
        pytest.param([OLD, HELD], "", id="behind the gate"),
        pytest.param([OLD, replica_set(GATED, replicas=9, seen=1)], "", id="how many wait behind it does not matter"),
        pytest.param([replica_set({}, replicas=1, uid=""), HELD], MAY_MAKE_PODS, id="one without the gate has pods"),
        pytest.param(
            [replica_set({}, replicas=0, seen=1, uid=""), HELD], MAY_MAKE_PODS, id="one without it has not heard that it has none"
        ),
        pytest.param([replica_set({}, replicas=1), HELD], MAY_MAKE_PODS, id="a mark is no gate"),
        pytest.param([OLD, replica_set(GATED, replicas=2, uid="v")], MAY_MAKE_PODS, id="the gate of another hold"),
        pytest.param(
            [OLD, replica_set(GATED, replicas=2, deletionTimestamp="2030-01-01T00:00:00Z")], MAY_MAKE_PODS, id="it is being deleted"
        ),
        pytest.param([OLD], MAY_MAKE_PODS, id="the one with the gate is not made yet: the old one may be scaled in its place"),
        pytest.param([], MAY_MAKE_PODS, id="none is known"),
    ],
)
def test_a_scaled_deployment_uses_nothing_once_no_replica_set_makes_a_pod_that_comes_to_a_node(
    replica_sets: list[Manifest], expected: str
) -> None:
    found = users(facts(deployment(GATED), *replica_sets), HOLD)
    assert bool(found) is bool(expected)
    assert expected in found


def test_a_pod_whose_gate_somebody_took_away_is_waited_for() -> None:
    labels = {names.SERVICE_LABEL: "shop", names.COMPONENT_LABEL: "app"}
    pod = {"metadata": {"name": "a", "labels": labels, "ownerReferences": [{"uid": "s"}]}, "spec": GATED, "status": {"phase": "Pending"}}
    assert users(facts(deployment(GATED), OLD, HELD, pods=(pod,)), HOLD) == ""
    assert users(facts(deployment(GATED), OLD, HELD, pods=(pod | {"spec": {}},)), HOLD) == "waits for the end of pod a"
