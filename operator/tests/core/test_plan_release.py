"""A blue-green release as it is planned: what is written, in which order, and what status says meanwhile."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.core.worlds import ANY_KEY, NOW, WEB, World, body, condition, decide, revision, settle, with_spec

from hardened.core.manifest import ChildKey, Manifest
from hardened.core.measuring import Sample
from hardened.core.plan import plan

SPEC = {**WEB, "release": {"strategy": "BlueGreen", "keepPrevious": "1m"}}
SECOND = timedelta(seconds=1)


def lead(world: World, name: str = "shop") -> dict[str, str]:
    """What a Service selects, without the service's own label."""
    found = world.objects[ChildKey("Service", name)]["spec"]["selector"]
    return {key.partition("/")[2]: value for key, value in found.items() if not key.endswith("/service")}


def sizes(world: World) -> dict[str, int]:
    return {key.name: live["spec"]["replicas"] for key, live in world.objects.items() if key.kind == "Deployment"}


def released(cr: Manifest, world: World, now: Any = NOW, *, until: str = "") -> Any:
    """Lets pods and endpoints follow until the release is done, or in this step. The moment then."""
    for _ in range(40):
        settle(cr, world, now)
        world.follow(now)
        step = (cr["status"].get("release") or {}).get("step", "")
        if step == until:
            return now
        now += SECOND if until else 10 * SECOND
    raise AssertionError(f"never there: {cr['status']}")


@pytest.fixture
def first() -> tuple[Manifest, World, Any]:
    """A service whose first revision was released."""
    cr, world = body(SPEC), World()
    now = released(cr, world)
    world.writes.clear()
    return cr, world, now


def test_before_the_first_release_nobody_is_led_anywhere() -> None:
    cr, world = body(SPEC), World()
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
    assert lead(world, "shop-preview") == {"revision": "none"}
    assert sizes(world) == {"shop-blue": 2}


def test_a_new_revision_takes_over_in_the_other_colour_and_the_previous_one_is_kept_for_a_time(first: tuple[Manifest, World, Any]) -> None:
    cr, world, now = first
    cr = with_spec(cr, image="shop:2")
    settle(cr, world, now)
    assert lead(world, "shop-preview") == {"color": "green", "revision": revision(cr)}
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
    assert kinds == [("Deployment", "shop-green"), ("Service", "shop"), ("Service", "shop-preview")]
    assert all("resourceVersion" in a.manifest["metadata"] for a in decided.apply if a.manifest["kind"] == "Service")


def test_what_is_known_of_the_switch_is_read_anew_before_a_release_is_rejected_for_it(first: tuple[Manifest, World, Any]) -> None:
    cr, world, now = first
    switch = ChildKey("Service", "shop")
    old = world.objects[switch]
    cr = with_spec(cr, image="shop:2")
    now = released(cr, world, now, until="VerifyAfter")
    new, world.objects[switch] = world.objects[switch], old
    stale = world.seen()
    assert plan(cr, stale, ANY_KEY, now).look == {switch}
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


def test_a_version_whose_pods_all_go_is_taken_back_and_stays_rejected(first: tuple[Manifest, World, Any]) -> None:
    cr, world, now = first
    cr = with_spec(cr, image="shop:2")
    now = released(cr, world, now, until="VerifyAfter")
    world.dead.add("shop-green")
    world.follow(now)
    now = released(cr, world, now)
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


# ---- checks

CHECKED = {
    **SPEC,
    "verify": {
        "beforeCutover": [{"name": "smoke", "http": {"path": "/health"}}],
        "afterCutover": {"window": "10s", "checks": [{"name": "live", "tcp": {}}]},
    },
}


def checks(cr: Manifest) -> dict[str, str]:
    return {check["name"]: check["result"] for check in (cr["status"].get("release") or {}).get("checks") or ()}


def pods(world: World) -> list[str]:
    """Of the checks and of the cutover's probe. The one of a removal goes on for a while."""
    return [key.name for key in world.objects if key.kind == "Pod" and "-removal-" not in key.name]


def test_a_revision_that_passes_its_checks_goes_live_and_no_verifier_is_left() -> None:
    cr, world = body(CHECKED), World()
    now = released(cr, world, until="VerifyAfter")
    assert checks(cr) == {"smoke": "Passed"}
    while cr["status"].get("release"):
        now += SECOND
        settle(cr, world, now)
        assert "Keep" not in str(cr["status"].get("release")) or checks(cr) == {"smoke": "Passed", "live": "Passed", "zero-loss": "Passed"}
        world.follow(now)
    assert condition(cr["status"], "Ready") == ("True", "Healthy")
    assert pods(world) == []


def test_a_failed_check_before_the_cutover_rejects_and_nothing_was_switched() -> None:
    cr, world = body(CHECKED), World()
    now = released(cr, world)
    cr = with_spec(cr, image="shop:2")
    world.failing.add("smoke")
    released(cr, world, now)
    assert lead(world)["color"] == "blue"
    assert condition(cr["status"], "Ready") == ("False", "Rejected")
    assert "check smoke failed: as asked" in cr["status"]["pin"]["message"]
    assert len(pods(world)) == 1, "what has failed is kept to be looked at"
    cr = with_spec(cr, image="shop:3")
    world.failing.clear()
    released(cr, world, now + timedelta(hours=1))
    assert pods(world) == []


@pytest.mark.parametrize("name", ["live", "zero-loss"])
def test_a_failed_check_or_lost_requests_after_the_cutover_switch_back(name: str) -> None:
    cr, world = body(CHECKED), World()
    now = released(cr, world)
    cr = with_spec(cr, image="shop:2")
    now = released(cr, world, now, until="Cutover")
    world.failing.add(name)
    released(cr, world, now)
    assert lead(world)["color"] == "blue"
    assert condition(cr["status"], "Ready") == ("False", "RolledBack")
    assert f"check {name} failed" in cr["status"]["pin"]["message"]


def test_requests_that_the_revision_before_lost_do_not_take_the_new_one_back() -> None:
    cr, world = body(SPEC), World()
    now = released(cr, world)
    cr = with_spec(cr, image="shop:2")
    world.failing.add("zero-loss")
    now = released(cr, world, now, until="Cutover")
    assert [name for name in pods(world) if world.objects[ChildKey("Pod", name)]["status"]["phase"] == "Succeeded"]
    world.failing.clear()
    released(cr, world, now + timedelta(minutes=1))
    assert condition(cr["status"], "Ready") == ("True", "Healthy")


def test_verifiers_that_say_nothing_are_asked_again_and_neither_pass_nor_fail() -> None:
    cr, world = body(CHECKED), World()
    now = released(cr, world)
    cr = with_spec(cr, image="shop:2")
    world.mute = True
    settle(cr, world, now)
    for _ in range(5):
        world.follow(now)
        now += SECOND
        settle(cr, world, now)
    assert cr["status"]["release"]["step"] == "VerifyBefore"
    assert sum(write.startswith("apply Pod") for write in world.writes) > 1
    world.mute = False
    released(cr, world, now)
    assert condition(cr["status"], "Ready") == ("True", "Healthy")


def test_without_anybody_who_could_check_a_revision_is_rejected_at_its_deadline() -> None:
    cr, world = body(CHECKED), World()
    nobody = replace(ANY_KEY, verifier_image="")
    settle(cr, world, policy=nobody)
    world.follow()
    settle(cr, world, NOW + SECOND, policy=nobody)
    assert cr["status"]["release"]["step"] == "VerifyBefore"
    settle(cr, world, NOW + timedelta(minutes=11), policy=nobody)
    assert condition(cr["status"], "Ready") == ("False", "Rejected")


# ---- places


def test_a_release_waits_for_a_place_and_the_first_one_does_not(first: tuple[Manifest, World, Any]) -> None:
    cr, world, now = first
    world.has_place = False
    cr = with_spec(cr, image="shop:2")
    settle(cr, world, now)
    assert cr["status"]["release"]["step"] == cr["status"]["phase"] == "Queued"
    assert sizes(world) == {"shop-blue": 2}
    assert not decide(cr, world, now + timedelta(hours=1)).has_writes
    world.has_place = True
    released(cr, world, now + timedelta(hours=1))
    assert condition(cr["status"], "Ready") == ("True", "Healthy")

    anew, other = body(SPEC), World()
    other.has_place = False
    settle(anew, other)
    assert anew["status"]["release"]["step"] == "Preview"


# ---- queries

QUERY = {"query": 'errors{color="$(color)",ns="$(namespace)"}', "max": 0.01, "interval": "2s", "failureLimit": 1}
MEASURED = {**SPEC, "verify": {"afterCutover": {"window": "10s", "checks": [{"name": "errors", "prometheus": QUERY}]}}}


def measured(sample: Sample) -> tuple[Manifest, World, Any]:
    """A service whose second revision serves, and Prometheus answers with this sample from then on."""
    cr, world = body(MEASURED), World()
    world.samples["errors"] = Sample(0.0)
    now = released(cr, world)
    cr = with_spec(cr, image="shop:2")
    now = released(cr, world, now, until="Cutover")
    world.samples["errors"] = sample
    world.asked.clear()
    return cr, world, now


def test_a_query_is_asked_at_its_interval_and_passes_a_release() -> None:
    cr, world, now = measured(Sample(0.0))
    now = released(cr, world, now, until="Keep")
    assert set(world.asked) == {'errors{color="green",ns="market"}'}
    assert 5 <= len(world.asked) <= 7
    assert checks(cr)["errors"] == "Passed"


def test_a_query_out_of_bounds_more_often_than_borne_switches_back() -> None:
    cr, world, now = measured(Sample(0.5))
    released(cr, world, now)
    assert lead(world)["color"] == "blue"
    assert "check errors failed: 0.5, above 0.01; 2 of 2 times" in cr["status"]["pin"]["message"]


@pytest.mark.parametrize("sample", [Sample(None, "no answer"), Sample(float("nan"))], ids=["nothing", "NaN"])
def test_no_data_neither_passes_nor_fails_until_its_deadline(sample: Sample) -> None:
    cr, world, now = measured(sample)
    settle(cr, world, now)
    world.follow(now)
    settle(cr, world, now + timedelta(minutes=5))
    assert cr["status"]["release"]["step"] == "VerifyAfter"
    settle(cr, world, now + timedelta(minutes=11))
    released(cr, world, now + timedelta(minutes=11))
    assert condition(cr["status"], "Ready") == ("False", "RolledBack")
    assert "NoData" in cr["status"]["pin"]["reason"]


@pytest.mark.parametrize("path", ["beforeCutover", "afterCutover"])
def test_nothing_passes_before_one_number_was_within_its_bounds(path: str) -> None:
    check = {"name": "errors", "prometheus": {**QUERY, "failureLimit": 3}}
    verify = {"beforeCutover": [check]} if path == "beforeCutover" else {"afterCutover": {"window": "2s", "checks": [check]}}
    cr, world = body({**SPEC, "verify": verify}), World()
    world.samples["errors"] = Sample(0.5)
    now = released(cr, world, until="VerifyBefore" if path == "beforeCutover" else "VerifyAfter")
    step = cr["status"]["release"]["step"]
    for _ in range(2):
        now += 2 * SECOND
        settle(cr, world, now)
        world.follow(now)
    assert cr["status"]["release"]["step"] == step
    world.samples["errors"] = Sample(0.0)
    released(cr, world, now)
    assert condition(cr["status"], "Ready") == ("True", "Healthy")


def test_a_query_that_cannot_work_rejects_before_the_cutover() -> None:
    cr, world = body({**SPEC, "verify": {"beforeCutover": [{"name": "errors", "prometheus": QUERY}]}}), World()
    world.samples["errors"] = Sample(None, "the query does not work: parse error", is_final=True)
    released(cr, world)
    assert condition(cr["status"], "Ready") == ("False", "Rejected")
    assert "check errors failed: the query does not work: parse error" in cr["status"]["pin"]["message"]


def test_nothing_was_checked_of_a_release_that_waits_for_a_place() -> None:
    cr, world = body(CHECKED), World()
    now = released(cr, world)
    cr = with_spec(cr, image="shop:2")
    world.mute = True
    now = released(cr, world, now, until="VerifyBefore")
    cr["status"]["release"] |= {"step": "Queued", "startedAt": now.isoformat()}
    decided = decide(cr, world, now)
    assert decided.status
    assert decided.status["release"]["step"] == "VerifyBefore", "its pods are there already, and are to be checked"


# ---- commands of the team's

JOB = {**SPEC, "verify": {"beforeCutover": [{"name": "contract", "job": {"image": "tests:1", "command": ["check"]}}]}}
NEVER_PULLED = {"phase": "Failed", "reason": "DeadlineExceeded", "containerStatuses": [{"name": "verifier", "imageID": "", "state": {}}]}
ENDLESS = {**NEVER_PULLED, "containerStatuses": [{"name": "verifier", "state": {"running": {"startedAt": "2026-01-02T03:04:05Z"}}}]}
PULLING = {
    "phase": "Pending",
    "containerStatuses": [{"name": "verifier", "state": {"waiting": {"reason": "ErrImagePull", "message": "no such image"}}}],
}


@pytest.mark.parametrize(
    ("pod", "reason", "says"),
    [
        pytest.param(NEVER_PULLED, "CheckFailed", "image tests:1 was not pulled", id="its image never came"),
        pytest.param(ENDLESS, "CheckFailed", "check contract failed: ran longer than its deadline", id="endless"),
        pytest.param(PULLING, "ProgressDeadlineExceeded", "no such image", id="its image does not come until the release's own deadline"),
    ],
)
def test_a_command_that_cannot_end_rejects_with_its_cause(pod: Manifest, reason: str, says: str) -> None:
    cr, world = body(JOB), World()
    settle(cr, world)
    world.run_pods()
    settle(cr, world)
    (job,) = [live for key, live in world.objects.items() if key.kind == "Pod"]
    job["status"] = pod
    for at in (1, 2, 700, 701):
        settle(cr, world, NOW + at * SECOND)
    assert condition(cr["status"], "Ready") == ("False", "Rejected")
    assert cr["status"]["pin"]["reason"] == reason
    assert says in cr["status"]["pin"]["message"]


def test_load_and_commands_begin_once_somebody_can_answer_them() -> None:
    before = [*JOB["verify"]["beforeCutover"], {"name": "busy", "load": {"rate": 5, "duration": "5s"}}, {"name": "smoke", "http": {}}]
    cr, world = body({**SPEC, "verify": {"beforeCutover": before}}), World()

    def made() -> list[str]:
        return sorted(key.name.split("-")[2] for key in world.objects if key.kind == "Pod")

    settle(cr, world)
    assert (cr["status"]["release"]["step"], made()) == ("Preview", ["before"])
    world.run_pods()
    settle(cr, world)
    assert (cr["status"]["release"]["step"], made()) == ("VerifyBefore", ["before", "busy", "contract"])


def test_a_query_that_cannot_work_fails_at_once() -> None:
    cr, world, now = measured(Sample(None, "parse error", is_final=True))
    released(cr, world, now)
    assert "check errors failed: parse error" in cr["status"]["pin"]["message"]
