"""EndpointSlices that others add to a Service hold no release up, and are named."""

from itertools import product
from typing import Any

import pytest
from tests.core.releases import CHECKED, SECOND, SPEC, lead, passes, released, target
from tests.core.worlds import NOW, OTHER_UID, SERVICE_OWNER, WEB, World, body, condition, settle, with_spec
from tests.enumerations import one_of_seven

from hardened.core.model.manifest import ChildKey, Manifest

MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
KUBERNETES = {MANAGED_BY: "endpointslice-controller.k8s.io"}
OURS = {"app.kubernetes.io/managed-by": "hardened", "hardened.dev/service": "shop", "kubernetes.io/service-name": "shop"}
ADDRESS = {"addresses": ["10.244.250.9"]}
STRANGER = {"kind": "Pod", "name": "theirs", "uid": "theirs"}


def foreign(name: str = "shop-other-cluster", *, labels: Manifest | None = None, endpoint: Manifest = ADDRESS, **meta: Any) -> Manifest:
    """What a mesh's controller adds: it clones the labels of the Service."""
    mesh = {MANAGED_BY: "endpointslice-mesh-controller.cilium.io"} if labels is None else labels
    return {
        "kind": "EndpointSlice",
        "metadata": {"name": name, "namespace": "market", "uid": name, "labels": {**OURS, **mesh}, **meta},
        "endpoints": [{**endpoint, "conditions": {"ready": False}}],
    }


SLICES = {
    "of a mesh": foreign(),
    "of a mesh, with a pod of its own": foreign(endpoint={**ADDRESS, "targetRef": STRANGER}),
    "mirrored": foreign(labels={MANAGED_BY: "endpointslicemirroring-controller.k8s.io"}),
    "of nobody": foreign(labels={}),
    "of nobody, owned by the Service": foreign(labels={}, ownerReferences=[SERVICE_OWNER]),
    "of an operator": foreign(labels={}, ownerReferences=[{"kind": "Mesh", "name": "m", "uid": OTHER_UID, "controller": True}]),
}


def adds(world: World, live: Manifest) -> None:
    world.objects[ChildKey("EndpointSlice", live["metadata"]["name"])] = live


@pytest.mark.parametrize(("strategy", "kind"), one_of_seven(product(("BlueGreen", "RollingUpdate", "Recreate"), SLICES)))
def test_a_release_comes_to_its_end_beside_what_others_have_added(kind: str, strategy: str) -> None:
    cr, world = body({**WEB, "release": {"strategy": strategy, "keepPrevious": "30s", "progressDeadline": "1m"}}), World()
    now = passes(cr, world, NOW, 60)
    adds(world, SLICES[kind])
    cr = with_spec(cr, image="shop:2")
    now = passes(cr, world, now, 120)
    assert (cr["status"]["serving"]["image"], condition(cr["status"], "Ready")) == ("shop:2", ("True", "Healthy"))
    assert condition(cr["status"], "Drifted") == ("True", "ForeignEndpoints")
    said = next(c["message"] for c in cr["status"]["conditions"] if c["type"] == "Drifted")
    assert "shop-other-cluster" in said
    assert SLICES[kind]["metadata"]["labels"].get(MANAGED_BY, "") in said
    del world.objects[ChildKey("EndpointSlice", "shop-other-cluster")]
    settle(cr, world, now)
    assert condition(cr["status"], "Drifted")[0] == "False"


@pytest.mark.parametrize("kind", SLICES)
def test_traffic_is_led_back_and_that_ends_beside_what_others_have_added(kind: str) -> None:
    cr, world = body(CHECKED), World()
    now = released(cr, world)
    serving = target(cr, "blue")
    adds(world, SLICES[kind])
    world.failing.add("live")
    cr = with_spec(cr, image="shop:2")
    passes(cr, world, now, 180)
    assert lead(world) == serving
    assert (cr["status"].get("release"), condition(cr["status"], "Ready")) == (None, ("False", "RolledBack"))


def test_endpoints_of_another_revision_in_a_slice_of_kubernetes_are_waited_for_all_the_same() -> None:
    cr, world = body(SPEC), World()
    now = released(cr, world)
    cr = with_spec(cr, image="shop:2")
    now = released(cr, world, now, until="Cutover")
    left = foreign("shop-y", labels=KUBERNETES, endpoint={**ADDRESS, "targetRef": {"kind": "Pod", "name": "old", "uid": "old"}})
    for seconds in range(60):
        world.follow(now)
        adds(world, left)
        settle(cr, world, now + seconds * SECOND)
        assert cr["status"]["release"]["step"] == "Cutover"
