"""A blue-green release as it is planned: what is written, in which order, and what status says meanwhile."""

from datetime import timedelta
from typing import Any

import pytest
from tests.core.releases import SECOND, SPEC, lead, refused_service, released, sizes, target
from tests.core.worlds import ANY_KEY, WEB, World, body, condition, decide, revision, settle, with_spec

from hardened.api import names
from hardened.core.model.manifest import ChildKey, Manifest
from hardened.core.model.question import ReadChildren
from hardened.core.plan import plan


@pytest.fixture
def first() -> tuple[Manifest, World, Any]:
    """A service whose first revision was released."""
    cr, world = body(SPEC), World()
    now = released(cr, world)
    world.writes.clear()
    return cr, world, now


def test_before_the_first_release_nobody_is_led_anywhere() -> None:
    cr, world = body({**SPEC, "verify": {"afterCutover": {"window": "10s"}}}), World()
    settle(cr, world)
    assert lead(world) == {"revision": "none"}
    assert condition(cr["status"], "Ready") == ("False", "RollingOut")
    assert cr["status"]["release"]["step"] == "Preview"
    released(cr, world, until="VerifyAfter")
    assert lead(world) == {"color": "blue", "revision": revision(cr)}
    assert condition(cr["status"], "Ready") == ("False", "RollingOut")
    assert condition(cr["status"], "Available")[0] == "True"


def test_the_first_release_ends_ready(first: tuple[Manifest, World, Any]) -> None:
    cr, world, _ = first
    assert condition(cr["status"], "Ready") == ("True", "Healthy")
    assert cr["status"]["stable"] == {"color": "blue", "revision": revision(cr), "promotion": 1}
    assert sizes(world) == {"shop-blue": 2}


def test_a_new_revision_takes_over_in_the_other_colour_and_the_previous_one_is_kept_for_a_time(first: tuple[Manifest, World, Any]) -> None:
    cr, world, now = first
    cr = with_spec(cr, image="shop:2")
    settle(cr, world, now)
    assert lead(world)["color"] == "blue"
    now = released(cr, world, now, until="Keep")
    assert lead(world) == {"color": "green", "revision": revision(cr)}
    assert sizes(world) == {"shop-blue": 2, "shop-green": 2}
    assert condition(cr["status"], "Ready") == ("True", "Healthy")
    released(cr, world, now)
    assert sizes(world) == {"shop-blue": 0, "shop-green": 2}
    assert cr["status"]["stable"]["promotion"] == 2


def test_the_switch_is_recorded_before_it_is_made(first: tuple[Manifest, World, Any]) -> None:
    cr, world, now = first
    cr = with_spec(cr, image="shop:2")
    settle(cr, world, now)
    world.follow(now)
    while cr["status"]["release"]["step"] != "Cutover":
        decided = decide(cr, world, now)
        assert "Service shop" not in [str(ChildKey(a.manifest["kind"], a.manifest["metadata"]["name"])) for a in decided.apply]
        world.write(decided)
        cr["status"] = decided.status or cr["status"]
    decided = decide(cr, world, now)
    kinds = [(a.manifest["kind"], a.manifest["metadata"]["name"]) for a in decided.apply]
    assert kinds == [("Service", "shop"), ("PodDisruptionBudget", "shop-green")]
    assert all("resourceVersion" in a.manifest["metadata"] for a in decided.apply if a.manifest["kind"] == "Service")
    (green,) = (live for key, live in world.objects.items() if key == ChildKey("Deployment", "shop-green"))
    assert green["metadata"]["annotations"][names.EPOCH_ANNOTATION], "what this release has made is marked from the beginning"


def test_a_colour_that_was_there_before_is_marked_before_traffic_is_led_to_it(first: tuple[Manifest, World, Any]) -> None:
    cr, world, now = first
    for image in ("shop:2", "shop:3"):
        cr = with_spec(cr, image=image)
        settle(cr, world, now)
        now = released(cr, world, now, until="Cutover" if image == "shop:3" else "")
    kinds = [write for write in world.writes if "Pod" not in write][-2:]
    assert kinds == ["apply Deployment shop-blue", "apply Service shop"]


PREVIEWED = pytest.mark.parametrize(
    "more",
    [{"verify": {"beforeCutover": [{"name": "smoke", "tcp": {}}]}}, {"release": {**SPEC["release"], "promotion": "Manual"}}],
    ids=["checks before the cutover", "a person who promotes it"],
)


@PREVIEWED
def test_the_preview_service_is_made_once_somebody_is_to_look_at_a_new_revision_and_stays(more: Manifest) -> None:
    key, cr, world = ChildKey("Service", "shop-preview"), body(SPEC), World()
    settle(cr, world)
    now = released(cr, world)
    assert key not in world.objects
    cr = with_spec(cr, **more, image="shop:2")
    settle(cr, world, now)
    assert lead(world, key.name) == {"color": "green", "revision": revision(cr)}
    now = released(cr, world, now, until="VerifyAfter" if "verify" in more else "Approval")
    back = with_spec(cr, image="shop:3", verify=None, release=SPEC["release"])
    settle(back, world, now)
    assert key in world.objects
    released(back, world, now)
    assert lead(world, key.name) == {"revision": "none"}


def test_what_is_known_of_the_switch_is_read_anew_before_a_release_is_rejected_for_it(first: tuple[Manifest, World, Any]) -> None:
    cr, world, now = first
    active_service = ChildKey("Service", "shop")
    old = world.objects[active_service]
    cr = with_spec(cr, image="shop:2")
    now = released(cr, world, now, until="VerifyAfter")
    new, world.objects[active_service] = world.objects[active_service], old
    stale = world.seen()
    assert plan(cr, stale, ANY_KEY, now).question == ReadChildren(frozenset({active_service}))
    decided = plan(cr, stale.with_child(new).with_pods(world.pods), ANY_KEY, now)
    assert decided.status
    assert decided.status["release"]["step"] == "VerifyAfter"


def test_a_pod_with_two_addresses_is_one_pod(first: tuple[Manifest, World, Any]) -> None:
    cr, world, now = first
    cr = with_spec(cr, image="shop:2")
    now = released(cr, world, now, until="Cutover")
    first_family = world.objects[ChildKey("EndpointSlice", "shop-x")]
    del first_family["endpoints"][1:]
    world.objects[ChildKey("EndpointSlice", "shop-y")] = {**first_family, "metadata": {**first_family["metadata"], "name": "shop-y"}}
    settle(cr, world, now)
    assert cr["status"]["release"]["step"] == "Cutover"


def test_where_no_endpoint_slice_is_known_nobody_says_that_no_pod_is_ready(first: tuple[Manifest, World, Any]) -> None:
    cr, world, now = first
    cr = with_spec(cr, image="shop:2")
    now = released(cr, world, now, until="VerifyAfter")
    for key in [key for key in world.objects if key.kind == "EndpointSlice"]:
        del world.objects[key]  # they lose their labels with their Service
    settle(cr, world, now)
    assert cr["status"]["release"]["step"] == "VerifyAfter"


def died_under_traffic(cr: Manifest, world: World, now: Any) -> tuple[Manifest, World, Any]:
    """The service after its second revision was switched to, and has lost all its pods."""
    cr = with_spec(cr, image="shop:2")
    now = released(cr, world, now, until="VerifyAfter")
    world.dead.add("shop-green")
    world.follow(now)
    return cr, world, released(cr, world, now)


def test_a_version_whose_pods_all_go_is_taken_back_and_stays_rejected(first: tuple[Manifest, World, Any]) -> None:
    cr, world, now = died_under_traffic(*first)
    assert lead(world)["color"] == "blue"
    assert sizes(world) == {"shop-blue": 2, "shop-green": 0}
    assert condition(cr["status"], "Ready") == ("False", "RolledBack")
    assert condition(cr["status"], "Stalled")[0] == "True"
    assert condition(cr["status"], "Available")[0] == "True"
    assert cr["status"]["pin"]["rejectedKey"]
    world.writes.clear()
    world.dead.clear()
    settle(with_spec(cr, replicas=3), world, now + timedelta(hours=1))
    assert sizes(world) == {"shop-blue": 3, "shop-green": 0}, "the same revision stays rejected"
    settle(with_spec(cr, image=WEB["image"]), world, now)
    assert sizes(world)["shop-green"] == 0


def test_a_version_stays_rejected_whose_stored_revision_is_deleted(first: tuple[Manifest, World, Any]) -> None:
    cr, world, now = died_under_traffic(*first)
    world.dead.clear()
    (key,) = [each for each in world.objects if each.kind == "ControllerRevision" and each.name.endswith(revision(cr))]
    for minutes in (1, 2):
        world.objects.pop(key, None)
        released(cr, world, now + timedelta(minutes=minutes))
        assert condition(cr["status"], "Ready") == ("False", "RolledBack")
        assert sizes(world) == {"shop-blue": 2, "shop-green": 0}
    assert "hardened.dev/rejected" in world.objects[key]["metadata"]["annotations"]


def test_a_version_that_never_comes_up_is_rejected_and_nothing_was_switched(first: tuple[Manifest, World, Any]) -> None:
    cr, world, now = first
    cr = with_spec(cr, image="shop:2")
    world.dead.add("shop-green")
    settle(cr, world, now)
    released(cr, world, now + timedelta(minutes=11))
    assert lead(world)["color"] == "blue"
    assert condition(cr["status"], "Ready") == ("False", "Rejected")
    assert cr["status"]["phase"] == "Rejected"


def test_what_is_stable_is_healthy_although_it_was_rejected_under_the_same_checks_before(first: tuple[Manifest, World, Any]) -> None:
    cr, world, now = first
    world.failing.add("smoke")
    cr = with_spec(cr, image="shop:2", verify={"beforeCutover": [{"name": "smoke", "http": {}}]})
    now = released(cr, world, now)
    assert condition(cr["status"], "Ready") == ("False", "Rejected")
    other = {**with_spec(cr, verify=None), "status": cr["status"]}
    now = released(other, world, now)
    again = {**with_spec(other, verify=cr["spec"]["verify"]), "status": other["status"]}
    released(again, world, now)
    assert condition(again["status"], "Ready") == ("True", "Healthy")
    assert "pin" not in again["status"]


def test_without_replicas_nothing_is_released() -> None:
    cr, world = body({**SPEC, "replicas": 0}), World()
    settle(cr, world)
    assert sizes(world) == {}
    assert condition(cr["status"], "Ready") == ("True", "ScaledToZero")


@pytest.mark.parametrize("until", ["Cutover", "VerifyAfter"])
def test_what_is_scaled_to_nothing_under_live_traffic_is_not_rejected(first: tuple[Manifest, World, Any], until: str) -> None:
    cr, world, now = first
    cr = with_spec(cr, image="shop:2")
    now = released(cr, world, now, until=until)
    none = {**with_spec(cr, replicas=0), "status": cr["status"]}
    now = released(none, world, now)
    assert condition(none["status"], "Ready") == ("True", "ScaledToZero")
    again = {**with_spec(none, replicas=2), "status": none["status"]}
    released(again, world, now, until="Keep")
    assert condition(again["status"], "Ready") == ("True", "Healthy")


# ---- suspended


def suspended(cr: Manifest, *, is_so: bool = True, **changes: Any) -> Manifest:
    return {**with_spec(cr, suspend=is_so, **changes), "status": cr["status"]}


def test_while_it_is_suspended_no_release_begins(first: tuple[Manifest, World, Any]) -> None:
    cr, world, now = first
    still = suspended(cr, image="shop:2")
    settle(still, world, now)
    settle(still, world, now + timedelta(hours=1))
    assert (still["status"]["phase"], "release" in still["status"]) == ("Suspended", False)
    again = suspended(still, is_so=False)
    released(again, world, now + timedelta(hours=1), until="Keep")
    assert condition(again["status"], "Ready") == ("True", "Healthy")


def test_while_it_is_suspended_no_deadline_comes_nearer(first: tuple[Manifest, World, Any]) -> None:
    cr, world, now = first
    cr = with_spec(cr, image="shop:2")
    settle(cr, world, now)
    later = now + timedelta(minutes=4)
    still = suspended(cr)
    settle(still, world, later)
    settle(still, world, later + timedelta(hours=1))
    assert (still["status"]["release"]["step"], still["status"]["release"]["remaining"]) == ("Preview", "6m")
    again, world.dead = suspended(still, is_so=False), {"shop-green"}
    later += timedelta(hours=2)
    settle(again, world, later)
    settle(again, world, later + timedelta(minutes=6) - SECOND)
    assert again["status"]["release"]["step"] == "Preview"
    settle(again, world, later + timedelta(minutes=6))
    assert condition(again["status"], "Ready") == ("False", "Rejected")


@pytest.mark.parametrize(("dead", "color"), [({"shop-green"}, "blue"), (set(), "green")], ids=["taken back", "promoted"])
def test_suspended_under_live_traffic_it_comes_to_its_end_first(first: tuple[Manifest, World, Any], dead: set[str], color: str) -> None:
    cr, world, now = first
    cr = with_spec(cr, image="shop:2")
    now = released(cr, world, now, until="VerifyAfter")
    still, world.dead = suspended(cr), dead
    world.follow(now)
    for _ in range(20):
        settle(still, world, now)
        world.follow(now)
        now += 10 * SECOND
    assert (lead(world)["color"], still["status"]["phase"]) == (color, "Suspended")
    assert still["status"]["stable"]["color"] == color
    assert sizes(world) == {"shop-blue": 2, "shop-green": 2}, "what is over is put away once it is not suspended any more"


# ---- places


def test_a_release_waits_for_a_place_and_the_first_one_does_not(first: tuple[Manifest, World, Any]) -> None:
    cr, world, now = first
    world.has_slot = False
    cr = with_spec(cr, image="shop:2")
    settle(cr, world, now)
    assert cr["status"]["release"]["step"] == cr["status"]["phase"] == "Queued"
    assert sizes(world) == {"shop-blue": 2}
    assert not decide(cr, world, now + timedelta(hours=1)).has_writes
    world.has_slot = True
    released(cr, world, now + timedelta(hours=1))
    assert condition(cr["status"], "Ready") == ("True", "Healthy")

    anew, other = body(SPEC), World()
    other.has_slot = False
    settle(anew, other)
    assert anew["status"]["release"]["step"] == "Preview"


def test_a_flip_that_nobody_was_there_to_make_is_made_late_and_rejects_nothing(first: tuple[Manifest, World, Any]) -> None:
    cr, world, now = first
    cr = with_spec(cr, image="shop:2")
    now = recorded(cr, world, now, "Cutover")
    now = released(cr, world, now + timedelta(minutes=11))
    assert condition(cr["status"], "Ready") == ("True", "Healthy")
    assert lead(world) == target(cr, "green")


def test_a_flip_that_is_refused_until_its_deadline_rejects_the_revision(first: tuple[Manifest, World, Any]) -> None:
    cr, world, now = first
    cr = with_spec(cr, image="shop:2")
    now = recorded(cr, world, now, "Cutover")
    for _ in range(6):
        now += timedelta(minutes=10)
        refused_service(cr, world, now)
    assert condition(cr["status"], "Ready") == ("False", "Rejected")
    assert cr["status"]["pin"]["reason"] == "ProgressDeadlineExceeded"


def recorded(cr: Manifest, world: World, now: Any, step: str) -> Any:
    """Lets the release go on until the step is recorded, and not done. The moment then."""
    for _ in range(40):
        decided = decide(cr, world, now)
        if decided.has_writes:
            world.write(decided)
        else:
            cr["status"] = decided.status
            if (decided.status["release"] or {}).get("step") == step:
                return now
            world.follow(now)
    raise AssertionError(f"never there: {cr['status']}")
