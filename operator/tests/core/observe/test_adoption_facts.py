"""Who still runs of those that a Service led to before it was taken over, and whose they are."""

from typing import Any

import pytest
from tests.core.observe.test_adoptable import theirs
from tests.core.releases import released
from tests.core.worlds import STAMP, WEB, World, body, condition, decide, keys, service, settle

from hardened.api import names
from hardened.core.desired.metadata import owner_reference
from hardened.core.model.manifest import ChildKey, Manifest
from hardened.core.observe.adoption import Adoption, adoption_of, workloads
from hardened.core.observe.facts import Facts
from hardened.core.observe.observed import Observed
from hardened.core.observe.origin import adopted, origin_text
from hardened.core.observe.traffic import traffic
from hardened.core.requeue import FORMER_WAIT
from hardened.core.revisions.revision import render

SVC = service({**WEB, "release": {"strategy": "BlueGreen"}})


def pod(owner: str = "ReplicaSet shop-7d9c", phase: str = "Running", *, ready: bool = True, **meta: Any) -> Manifest:
    kind, _, name = owner.partition(" ")
    labels = {"app": "shop", "pod-template-hash": "7d9c"}
    conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
    own = {"name": f"{name}-x", "labels": labels, "ownerReferences": [{"kind": kind, "name": name, "controller": True}] if name else []}
    return {"kind": "Pod", "metadata": {**own, **meta}, "status": {"phase": phase, "conditions": conditions}}


def seen(live: Manifest | None, *pods: Manifest, ours: bool = False, has_stable: bool = False, replicas: int = 2) -> Adoption:
    known = {ChildKey("Service", "shop"): live} if live and not ours else {}
    observed = Observed(known, former=pods or None)
    return adoption_of(SVC, render(SVC), live if ours else None, observed, replicas=replicas, has_stable=has_stable)


MADE: Manifest = {"metadata": {"labels": {}}, "spec": {"selector": {}, "ports": []}}
TAKEN = adopted(theirs(), origin_text(MADE, theirs()))


def test_a_service_that_may_be_taken_over_has_its_pods_listed_and_another_one_has_not() -> None:
    assert seen(theirs()).may_begin
    assert seen(theirs()).selector == {"app": "shop"}
    assert seen(theirs(adopt=None)).selector is None
    assert not seen(theirs(adopt=None)).may_begin
    assert seen(None) == Adoption()


def test_it_is_not_taken_over_by_fewer_pods_than_are_ready() -> None:
    assert "3 ready pods serve it" in seen(theirs(), pod(), pod(), pod()).refusal
    assert seen(theirs(), pod(), pod(), pod(ready=False)).may_begin


def test_what_it_was_like_says_where_to_go_back_to_until_something_of_ours_was_promoted() -> None:
    taken, promoted = seen(TAKEN, ours=True), seen(TAKEN, ours=True, has_stable=True)
    assert taken.origin
    assert not taken.former
    assert promoted.former == taken.origin
    assert not promoted.origin
    assert promoted.selector == {"app": "shop"}
    assert not promoted.is_over, "nobody has looked"


@pytest.mark.parametrize(
    ("left", "is_over"),
    [
        pytest.param(pod(), False, id="one runs"),
        pytest.param(pod(ready=False), False, id="one is not ready"),
        pytest.param(pod(phase="Succeeded"), True, id="it has ended"),
        pytest.param(pod(deletionTimestamp=STAMP), True, id="it is ending"),
        pytest.param(pod(labels={"app": "shop", "hardened.dev/service": "shop"}), True, id="it is one of ours"),
    ],
)
def test_it_is_over_once_none_of_the_pods_is_left_that_it_led_to(left: Manifest, is_over: bool) -> None:
    assert seen(TAKEN, left, ours=True, has_stable=True).is_over is is_over


def test_the_workload_of_a_pod_is_the_one_that_a_person_scales() -> None:
    found = workloads((pod(), pod(), pod("StatefulSet db"), pod("ReplicaSet alone"), pod("")))
    assert found == {("Deployment", "shop"): 2, ("StatefulSet", "db"): 1, ("ReplicaSet", "alone"): 1, ("Pod", "-x"): 1}


def led_back(endpoint: str, *, listed: bool = True) -> tuple[int, bool]:
    """Of a Service that leads to what served before us, whose one endpoint is this pod: how many are ready, and whether ours are gone."""
    labels = {"app.kubernetes.io/managed-by": "hardened", "hardened.dev/service": "shop"}
    meta = {**TAKEN["metadata"], "labels": labels, "ownerReferences": [owner_reference(SVC)]}
    slice_labels = {"kubernetes.io/service-name": "shop", "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io"}
    endpoints = [{"targetRef": {"uid": endpoint}, "conditions": {"ready": True}}]
    of_service = {"kind": "EndpointSlice", "metadata": {"name": "shop-x", "labels": slice_labels}, "endpoints": endpoints}
    observed = Observed.of([{**TAKEN, "metadata": meta}, of_service])
    ours = {"kind": "Pod", "metadata": {"name": "ours", "uid": "ours", "labels": {}}}
    facts = Facts(SVC, {}, observed.with_pods([ours]) if listed else observed)
    assert facts.adoption.origin
    found = traffic(facts)
    assert not found.is_strange
    assert found.active_target is None
    return found.ready, found.has_followed


def test_traffic_has_left_once_no_endpoint_is_a_pod_of_ours() -> None:
    assert led_back("theirs") == (1, True)
    assert led_back("ours") == (1, False)
    assert led_back("theirs", listed=False) == (1, False), "nobody knows which are ours"


def test_as_long_as_old_pods_run_it_is_looked_at_every_minute_and_then_no_more() -> None:
    cr, world = body({**WEB, "release": {"strategy": "BlueGreen"}}), World()
    released(cr, world)
    live = world.objects[ChildKey("Service", "shop")]
    live["metadata"]["annotations"][names.ADOPTED_ANNOTATION] = TAKEN["metadata"]["annotations"][names.ADOPTED_ANNOTATION]
    world.strangers = [pod()]
    settle(cr, world)
    told = decide(cr, world)
    assert told.status
    assert condition(told.status, "Drifted") == ("True", "FormerPods")
    assert told.requeue_after == FORMER_WAIT
    world.strangers = []
    assert keys(decide(cr, world).apply) == ["Service shop"]
    settle(cr, world)
    assert names.ADOPTED_ANNOTATION not in world.objects[ChildKey("Service", "shop")]["metadata"]["annotations"]
    assert condition(cr["status"], "Drifted")[0] == "False"
