"""What stands in for a spec that cannot be used."""

from typing import Any

import pytest
from tests.core.releases import SPEC, lead, released, released_until, sizes, target
from tests.core.worlds import ANY_KEY, NOW, World, body, condition, revision, settle, with_spec

from hardened.core.model.manifest import ChildKey, Manifest
from hardened.core.model.policy import Policy
from hardened.core.observe.last_usable import last_usable
from hardened.core.observe.observed import Observed

INVALID: dict[str, dict[str, Any]] = {
    "an image without a tag": {"image": "shop"},
    "ports that clash": {"ports": [{"name": "a", "containerPort": 1}, {"name": "b", "containerPort": 1}]},
    "checks that are none": {"verify": {"beforeCutover": "smoke"}},
    "terms that are none": {"release": {"keepPrevious": "soon"}},
    "a size that is none": {"replicas": -1},
    "a field that nobody knows": {"imagee": "shop:2"},
}


@pytest.mark.parametrize("changes", INVALID.values(), ids=INVALID)
def test_it_is_what_serves_with_each_field_that_can_be_used(changes: dict[str, Any]) -> None:
    cr, world = body({**SPEC, "availability": {"disruptionBudget": {"minAvailable": 1}}}), World()
    released(cr, world)
    found = last_usable(with_spec(cr, **changes), world.seen(), ANY_KEY)
    assert found is not None
    assert found.is_stand_in
    assert found.spec.image == cr["spec"]["image"]
    assert found.spec.availability is not None
    at_once = changes.keys() & {"verify", "release", "replicas"}
    assert found.lacks == at_once
    assert found.generation == cr["metadata"]["generation"] + 1


def test_before_anything_was_stored_there_is_none() -> None:
    assert last_usable(body({**SPEC, "image": "shop"}), Observed.of([]), ANY_KEY) is None


def test_a_field_that_the_settings_refuse_is_left_out() -> None:
    query = {"afterCutover": {"checks": [{"name": "errors", "prometheus": {"query": "up", "min": 1}}]}}
    cr, world = body(SPEC), World()
    released(cr, world)
    changed = with_spec(cr, verify=query)
    found = last_usable(changed, world.seen(), Policy(allows_queries=False))
    assert found is not None
    assert found.lacks == {"verify"}
    assert last_usable(changed, world.seen(), ANY_KEY).lacks == frozenset()  # type: ignore[union-attr]


def test_a_service_that_is_not_allowed_any_more_stays_open_to_its_clients_as_it_is() -> None:
    said = {"type": "LoadBalancer", "annotations": {"example.org/internal": "true"}, "sessionAffinity": "ClientIP"}
    cr, world = body({**SPEC, "service": said}), World()
    now = released(cr, world)
    # More of the kind does not come.
    cr = with_spec(cr, service={**said, "annotations": {**said["annotations"], "example.org/open": "true"}})  # type: ignore[dict-item]
    settle(cr, world, now, Policy(verifier_image="x"))
    service = world.objects[ChildKey("Service", "shop")]
    assert (service["spec"]["type"], service["spec"]["sessionAffinity"]) == ("LoadBalancer", "ClientIP")
    assert service["metadata"]["annotations"]["example.org/internal"] == "true"
    assert "example.org/open" not in service["metadata"]["annotations"]
    assert condition(cr["status"], "Stalled") == ("True", "InvalidSpec")


@pytest.mark.parametrize("more", [{"annotations": {"hardened.dev/x": "y"}}, {"sessionAffinity": "Sometimes"}])
def test_nor_is_it_closed_for_what_else_its_spec_says(more: Manifest) -> None:
    """As after an upgrade, by which something is refused that was taken before."""
    cr, world = body({**SPEC, "service": {"type": "LoadBalancer"}}), World()
    now = released(cr, world)
    world.objects[ChildKey("Service", "shop")]["metadata"]["annotations"] |= more.get("annotations", {})
    cr = with_spec(cr, service={"type": "LoadBalancer", **more})
    settle(cr, world, now)
    assert world.objects[ChildKey("Service", "shop")]["spec"]["type"] == "LoadBalancer"
    assert condition(cr["status"], "Stalled") == ("True", "InvalidSpec")


def test_a_service_that_was_never_allowed_to_be_open_is_not_opened() -> None:
    cr, world = body(SPEC), World()
    now = released(cr, world)
    cr = with_spec(cr, service={"type": "LoadBalancer", "annotations": {"example.org/open": "true"}})
    settle(cr, world, now, Policy(verifier_image="x"))
    service = world.objects[ChildKey("Service", "shop")]
    assert service["spec"]["type"] == "ClusterIP"
    assert "example.org/open" not in service["metadata"]["annotations"]
    assert condition(cr["status"], "Stalled") == ("True", "InvalidSpec")


def test_while_it_stands_in_the_stack_that_serves_follows_its_size_and_is_repaired() -> None:
    cr, world = body(SPEC), World()
    now = released(cr, world)
    cr = with_spec(cr, image="shop", replicas=4)
    del world.objects[ChildKey("Service", "shop")]
    settle(cr, world, now)
    world.follow(now)
    settle(cr, world, now)
    assert sizes(world) == {"shop-blue": 4}
    assert lead(world)["color"] == "blue"
    assert condition(cr["status"], "Ready") == ("False", "InvalidSpec")
    assert condition(cr["status"], "Available") == ("True", "PodsAvailable")
    assert condition(cr["status"], "Stalled") == ("True", "InvalidSpec")


def test_a_release_before_its_cutover_stands_still_and_goes_on_with_the_time_that_it_had() -> None:
    cr, world = body({**SPEC, "verify": {"beforeCutover": [{"name": "smoke", "http": {"path": "/"}}]}}), World()
    now = released(cr, world)
    good = with_spec(cr, image="shop:2")
    now = released_until(good, world, now, "VerifyBefore")
    stable = target(cr, "blue")
    bad = {**with_spec(good, podMetadata={"labels": {"team": "a"}}), "status": good["status"]}
    world.mute = True
    for _ in range(100):
        settle(bad, world, now, Policy(verifier_image="x"))
        world.follow(now)
        now += 60 * (NOW - NOW.replace(second=4))
    assert bad["status"]["release"]["step"] == "VerifyBefore"
    assert lead(world) == stable
    world.mute = False
    mended = {**with_spec(good, token="1"), "status": bad["status"]}
    released(mended, world, now)
    assert mended["status"]["serving"]["revision"] == revision(mended)
