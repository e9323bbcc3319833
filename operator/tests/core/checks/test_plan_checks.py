"""The checks of a blue-green release as they are planned: by verifier pods, and by commands of the team's."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.core.releases import CHECKED, GATED, SECOND, SPEC, checks, lead, pods, released, released_until
from tests.core.worlds import ANY_KEY, NOW, World, body, condition, decide, settle, with_spec

from hardened.core.model.manifest import ChildKey, Manifest

pytestmark = pytest.mark.one_of(3)

# ---- checks


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


def port(name: str, number: int) -> Manifest:
    return {"name": name, "containerPort": number}


@pytest.mark.parametrize(
    "kind", [{"http": {"port": "new"}}, {"tcp": {"port": "new"}}, {"load": {"port": "new", "rate": 1, "duration": "5s"}}]
)
@pytest.mark.parametrize("others", [[], [{"name": "live", "tcp": {}}]], ids=["alone", "beside another"])
def test_a_check_of_a_port_that_only_a_newer_spec_has_is_not_expected_of_the_version_that_is_watched(
    kind: Manifest, others: list[Manifest]
) -> None:
    spec = {**SPEC, "ports": [port("http", 8080), port("old", 9090)], "verify": {"afterCutover": {"window": "10s", "checks": others}}}
    cr, world = body(spec), World()
    now = released(cr, world)
    cr = with_spec(cr, image="shop:2")
    now = released(cr, world, now, until="VerifyAfter")
    checks = [*others, {"name": "renamed", **kind}]
    newer = {"ports": [port("http", 8080), port("new", 9090)], "verify": {"afterCutover": {"window": "10s", "checks": checks}}}
    cr = {**with_spec(cr, image="shop:3", **newer), "status": cr["status"]}
    for _ in range(12):
        world.follow(now)
        now += SECOND
        settle(cr, world, now)
    promoted = cr["status"]["stable"]
    assert (promoted["promotion"], promoted["color"]) == (2, "green"), "by its own checks, and not taken back for the newer one's"


def test_a_check_that_nobody_can_make_and_only_a_newer_spec_has_holds_up_no_version_that_is_watched() -> None:
    nobody = replace(ANY_KEY, verifier_image="")
    cr, world = body(SPEC), World()
    settle(cr, world, policy=nobody)
    world.follow()
    for seconds in range(1, 4):
        settle(cr, world, NOW + timedelta(seconds=seconds), policy=nobody)
        world.follow(NOW)
    cr = {**with_spec(cr, image="shop:2"), "status": cr["status"]}
    now = NOW + timedelta(seconds=10)
    while (cr["status"].get("release") or {}).get("step") != "VerifyAfter":
        settle(cr, world, now, policy=nobody)
        world.follow(now)
        now += SECOND
    cr = {**with_spec(cr, image="shop:3", verify=CHECKED["verify"]), "status": cr["status"]}
    for _ in range(12):
        now += SECOND
        settle(cr, world, now, policy=nobody)
        world.follow(now)
    assert cr["status"]["stable"]["promotion"] == 2


def seconds_watched(cr: Manifest, world: World, now: datetime) -> Iterator[datetime]:
    """Each second of VerifyAfter, before anything happens in it; Keep follows."""
    while cr["status"]["release"]["step"] == "VerifyAfter":
        yield now
        world.follow(now)
        settle(cr, world, now)
        now += SECOND
    assert cr["status"]["release"]["step"] == "Keep"


def test_a_probe_that_is_slow_to_begin_is_not_ended_before_it_has_asked_for_as_long_as_the_window() -> None:
    cr, world = body(SPEC), World()
    now = released(cr, world)
    cr, world.slow = with_spec(cr, image="shop:2"), True
    now = released(cr, world, now, until="VerifyAfter")
    began_at = now + timedelta(minutes=1)
    ended: list[datetime] = []
    world.writes.clear()
    for second in seconds_watched(cr, world, now):
        world.slow = second < began_at
        ended += [second - SECOND for write in world.writes if write.startswith("end ")]
        world.writes.clear()
    assert ended == [began_at + timedelta(seconds=10)]


def test_a_probe_that_is_made_after_the_window_is_left_to_end_by_itself() -> None:
    cr, world = body(SPEC), World()
    now = released(cr, world)
    cr, world.mute = with_spec(cr, image="shop:2"), True
    watched_from = released(cr, world, now, until="VerifyAfter")
    heard_from = watched_from + timedelta(seconds=15)
    for now in seconds_watched(cr, world, watched_from):
        world.mute = now < heard_from
    assert not any(write.startswith("end ") for write in world.writes)
    assert now + SECOND < heard_from + timedelta(seconds=30)


def test_without_anybody_who_could_check_a_revision_waits_and_is_not_rejected() -> None:
    cr, world = body(CHECKED), World()
    nobody = replace(ANY_KEY, verifier_image="")
    settle(cr, world, policy=nobody)
    world.follow()
    settle(cr, world, NOW + SECOND, policy=nobody)
    assert cr["status"]["release"]["step"] == "VerifyBefore"
    settle(cr, world, NOW + timedelta(days=1), policy=nobody)
    assert condition(cr["status"], "Ready") == ("False", "NoData")
    assert condition(cr["status"], "Stalled")[0] == "False"
    released(cr, world, NOW + timedelta(days=1))
    assert condition(cr["status"], "Ready") == ("True", "Healthy")


STRICT: dict[str, Any] = {"verify": {"beforeCutover": [{"name": "strict", "http": {}}]}}


@pytest.mark.parametrize("step", ["VerifyBefore", "Approval", "ScaleUp"])
def test_what_is_to_be_passed_from_now_on_is_asked_of_pods_that_are_up_already(step: str) -> None:
    cr, world = body(GATED), World()
    now = released(cr, world)
    cr = with_spec(cr, image="shop:2")
    now = released_until(cr, world, now, step)
    world.failing.add("strict")
    cr = with_spec(cr, **STRICT)
    released(cr, world, now)
    assert "check strict failed" in cr["status"]["pin"]["message"]
    assert lead(world)["color"] == "blue"


def test_a_revision_that_was_taken_back_is_checked_again_before_it_takes_over_again() -> None:
    cr, world = body(SPEC), World()
    now = released(cr, world)
    cr = with_spec(cr, image="shop:2")
    now = released(cr, world, now, until="VerifyAfter")
    world.dead.add("shop-green")
    world.follow(now)
    now = released(cr, world, now, until="SwitchBack")
    world.dead.clear()
    world.failing.add("strict")
    cr = with_spec(cr, **STRICT)
    released(cr, world, now)
    assert "check strict failed" in cr["status"]["pin"]["message"]
    assert lead(world)["color"] == "blue"


def test_the_previous_revision_is_checked_although_it_is_still_up() -> None:
    cr, world = body(SPEC), World()
    now = released(cr, world)
    cr = with_spec(cr, image="shop:2")
    now = released(cr, world, now, until="Keep")
    world.failing.add("strict")
    cr = with_spec(cr, image=SPEC["image"], **STRICT)
    released(cr, world, now + timedelta(seconds=31))
    assert "check strict failed" in cr["status"]["pin"]["message"]
    assert lead(world)["color"] == "green"


def test_a_check_that_comes_while_it_is_watched_is_asked() -> None:
    cr, world = body(CHECKED), World()
    now = released(cr, world)
    cr = with_spec(cr, image="shop:2")
    now = released(cr, world, now, until="VerifyAfter")
    later = {"window": "10s", "checks": [{"name": "live", "tcp": {}}, {"name": "later", "tcp": {}}]}
    cr = with_spec(cr, verify={**cr["spec"]["verify"], "afterCutover": later})
    released(cr, world, now, until="Keep")
    assert checks(cr) == {"smoke": "Passed", "live": "Passed", "later": "Passed", "zero-loss": "Passed"}


def test_nobody_asks_a_revision_while_the_one_before_may_answer_for_it() -> None:
    cr, world = body(CHECKED), World()
    now = released(cr, world)
    cr = with_spec(cr, image="shop:2")
    now = released_until(cr, world, now, "VerifyBefore")
    cr = with_spec(cr, image="shop:3")
    settle(cr, world, now)
    assert (cr["status"]["release"]["step"], pods(world)) == ("Preview", [])
    world.follow(now)
    settle(cr, world, now + SECOND)
    assert (cr["status"]["release"]["step"], len(pods(world))) == ("Preview", 1), "the one before has no pod any more"
    world.follow(now)
    settle(cr, world, now + 2 * SECOND)
    assert cr["status"]["release"]["step"] == "ScaleUp"
    released(cr, world, now + 2 * SECOND)
    assert condition(cr["status"], "Ready") == ("True", "Healthy")


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


# ---- ports that nobody listens on


def task(world: World, part: str) -> Any:
    """What the verifier of this name is told."""
    (live,) = (live for key, live in world.objects.items() if key.kind == "Pod" and part in key.name)
    return json.loads(live["spec"]["containers"][0]["env"][0]["value"])


def test_a_verifier_waits_for_the_stack_until_its_pods_are_available_and_not_after() -> None:
    cr, world = body(CHECKED), World()
    world.slow = True
    now = released(cr, world, until="Preview")
    assert task(world, "-before-")["waitSeconds"] == 600
    (name,) = (key for key in world.objects if "-before-" in key.name)
    now = released(cr, world, now, until="VerifyBefore")
    del world.objects[name]
    settle(cr, world, now)
    assert task(world, "-before-")["waitSeconds"] == 0
    world.slow = False
    released(cr, world, now, until="VerifyAfter")
    assert task(world, "-after-")["waitSeconds"] == 0


@pytest.mark.parametrize("name", ["smoke", "there"])
def test_a_verifier_sees_by_the_port_of_readiness_that_the_stack_is_there_and_nobody_reads_that(name: str) -> None:
    ports = [{"name": "http", "containerPort": 8080}, {"name": "other", "containerPort": 9090}]
    cr, world = body({**SPEC, "ports": ports, "verify": {"beforeCutover": [{"name": name, "tcp": {"port": "other"}}]}}), World()
    now = released(cr, world, until="Preview")
    asked = task(world, "-before-")["checks"]
    assert [(each["name"] == name, each["kind"], each["port"]) for each in asked] == [(True, "tcp", 9090), (False, "tcp", 8080)]
    assert len({each["name"] for each in asked}) == 2
    world.failing.add(asked[1]["name"])
    now = released(cr, world, now, until="VerifyAfter")
    assert list(checks(cr)) == [name]


def test_a_verifier_that_waits_in_vain_since_nobody_listens_anywhere_is_made_anew_and_waits_no_more() -> None:
    cr, world = body(CHECKED), World()
    world.stuck = True
    now = released(cr, world, until="VerifyBefore")
    settle(cr, world, now + 30 * SECOND)
    assert task(world, "-before-")["waitSeconds"] == 600, "it may be asking"
    settle(cr, world, now + 60 * SECOND)
    assert task(world, "-before-")["waitSeconds"] == 0
    settle(cr, world, now + 120 * SECOND)
    assert sum(write.startswith("delete Pod") for write in world.writes) == 1, "once"
