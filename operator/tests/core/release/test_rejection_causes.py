"""A version that is rejected at a deadline is rejected for what kept its pods: reason and message say it, and so does what is marked."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.core.observe.test_diagnosis import CLAIMS
from tests.core.releases import CHECKED, SPEC, released, released_until
from tests.core.worlds import ANY_KEY, WEB, World, body, condition, decide, live_sample, revision, settle, with_spec

from hardened.api import names
from hardened.core.model.manifest import ChildKey, Manifest
from hardened.core.observe.observed import WriteError
from hardened.core.plan import plan
from hardened.errors import Refused

HOUR = timedelta(hours=1)
SAMPLES: dict[str, Any] = live_sample("pods")
BETWEEN: dict[str, Any] = {
    "phase": "Running",
    "containerStatuses": [
        {
            "name": "app",
            "ready": False,
            "restartCount": 3,
            "state": {"running": {}},
            "lastState": {"terminated": {"exitCode": 1, "reason": "Error"}},
        }
    ],
}
FLAPPING = {
    "phase": "Running",
    "conditions": [{"type": "Ready", "status": "True"}],
    "containerStatuses": [{**BETWEEN["containerStatuses"][0], "ready": True}],
}
UNBOUND = {
    "phase": "Pending",
    "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": CLAIMS[0]}],
}
CAUSES = [
    pytest.param(SAMPLES["crash"]["status"], "CrashLooping", "exit code 3 (Error)", id="it ends"),
    pytest.param(BETWEEN, "CrashLooping", "ended with exit code 1 (Error), restarted 3 times", id="between crashes"),
    pytest.param(FLAPPING, "CrashLooping", "ended with exit code 1 (Error), restarted 3 times", id="ready for a moment between crashes"),
    pytest.param(SAMPLES["initcrash"]["status"], "CrashLooping", "container init: ended with exit code 4", id="an init container fails"),
    pytest.param(SAMPLES["pull"]["status"], "ImagePullFailed", "registry.invalid", id="an image cannot be pulled"),
    pytest.param(SAMPLES["noconfig"]["status"], "ConfigMissing", 'secret "missing" not found', id="a Secret is missing"),
    pytest.param(UNBOUND, "Unschedulable", "unbound immediate PersistentVolumeClaims", id="a claim has no volume"),
    pytest.param(SAMPLES["unready"]["status"], "PodsNotReady", "readiness probe fails", id="nothing listens"),
    pytest.param(SAMPLES["unmounted"]["status"], "PodsNotReady", "volumes are not mounted yet", id="volumes are not mounted"),
]


def show(cr: Manifest, world: World, now: datetime, color: str, status: Manifest) -> None:
    """Lets the pods of a colour, of what the spec asks for, be like this."""
    world.dead.add(f"shop-{color}")
    world.follow(now)
    for pod in world.pods:
        if (pod["metadata"]["labels"][names.COLOR_LABEL], pod["metadata"]["labels"][names.REVISION_LABEL]) == (color, revision(cr)):
            pod["status"] = status


def second(spec: Manifest) -> tuple[Manifest, World, Any]:
    cr, world = body(spec), World()
    now = released(cr, world)
    return with_spec(cr, image="shop:2"), world, now


def marked(world: World, cr: Manifest) -> str:
    """The rejections that are stored."""
    name = next(key for key in world.objects if key.kind == "ControllerRevision" and key.name.endswith(revision(cr)))
    return str(world.objects[name]["metadata"]["annotations"][names.REJECTED_ANNOTATION])


@pytest.mark.parametrize(("status", "reason", "says"), CAUSES)
def test_in_preview(status: Manifest, reason: str, says: str) -> None:
    cr, world, now = second(SPEC)
    settle(cr, world, now)
    show(cr, world, now, "green", status)
    settle(cr, world, now + HOUR)
    pin = cr["status"]["pin"]
    assert (pin["reason"], condition(cr["status"], "Ready")) == (reason, ("False", "Rejected"))
    assert pin["message"].startswith("Preview made no progress for 10m (spec.release.progressDeadline): pod ")
    assert says in pin["message"]
    assert "; see " not in pin["message"], "its pods are gone within seconds, and no command shows more of them"
    ready = next(c["message"] for c in cr["status"]["conditions"] if c["type"] == "Ready")
    assert f"was rejected: {reason}: Preview made no progress" in ready, "which the Event says, too"
    assert reason in marked(world, cr), "which history says, too"


@pytest.mark.parametrize(("status", "reason", "says"), CAUSES)
@pytest.mark.parametrize("strategy", ["RollingUpdate", "Recreate"])
def test_in_place(strategy: str, status: Manifest, reason: str, says: str) -> None:
    cr, world, now = second({**WEB, "release": {"strategy": strategy}})
    settle(cr, world, now)
    color = "blue" if strategy == "RollingUpdate" else "green"
    if strategy == "Recreate":
        world.follow(now)  # the pods of the version before go
        settle(cr, world, now)
    show(cr, world, now, color, status)
    settle(cr, world, now + HOUR)
    pin = cr["status"]["pin"]
    assert pin["reason"] == reason
    assert pin["message"].startswith("the cutover made no progress for 10m (spec.release.progressDeadline): pod ")
    assert says in pin["message"]


@pytest.mark.parametrize("strategy", ["BlueGreen", "RollingUpdate"])
def test_with_the_end_of_its_log_where_the_settings_say_so(strategy: str) -> None:
    cr, world, now = second(SPEC if strategy == "BlueGreen" else {**WEB, "release": {"strategy": strategy}})
    world.log = "starting\n\x1b[31mno database\x1b[0m at \x07db:5432\n"
    told = replace(ANY_KEY, crash_log_lines=5)
    settle(cr, world, now, told)
    show(cr, world, now, "green" if strategy == "BlueGreen" else "blue", BETWEEN)
    settle(cr, world, now + timedelta(minutes=5), told)
    assert world.read_logs == [], "it is read once, when the revision is rejected"
    settle(cr, world, now + HOUR, told)
    assert {(each.container, each.is_previous, each.lines) for each in world.read_logs} == {("app", True, 5)}
    assert cr["status"]["pin"]["message"].endswith("; its log ends with: starting | no database at �db:5432")
    assert "no database" in marked(world, cr), "which history says, too"


def test_without_a_word_of_its_log_by_default() -> None:
    cr, world, now = second(SPEC)
    world.log = "password=hunter2"
    settle(cr, world, now)
    show(cr, world, now, "green", BETWEEN)
    settle(cr, world, now + HOUR)
    assert (world.read_logs, cr["status"]["pin"]["reason"]) == ([], "CrashLooping")
    assert "hunter2" not in str(cr) + str(world.objects)


def test_a_log_that_cannot_be_read_delays_nothing() -> None:
    cr, world, now = second(SPEC)
    told = replace(ANY_KEY, crash_log_lines=5)
    settle(cr, world, now, told)
    show(cr, world, now, "green", BETWEEN)
    settle(cr, world, now + HOUR, told)
    assert len(world.read_logs) >= 1
    assert cr["status"]["pin"]["reason"] == "CrashLooping"
    assert "its log" not in cr["status"]["pin"]["message"]


def test_while_checks_wait_for_pods_that_died() -> None:
    cr, world, now = second(CHECKED)
    world.mute = True
    now = released(cr, world, now, until="VerifyBefore")
    show(cr, world, now, "green", BETWEEN)
    settle(cr, world, now + HOUR)
    assert cr["status"]["pin"]["reason"] == "CrashLooping"
    assert "VerifyBefore made no progress for 10m (spec.release.progressDeadline): pod " in cr["status"]["pin"]["message"]


def test_with_no_cause_to_see_by_then_the_last_one_that_was_told_of_it() -> None:
    cr, world, now = second(SPEC)
    settle(cr, world, now)
    show(cr, world, now, "green", SAMPLES["pull"]["status"])
    settle(cr, world, now + timedelta(minutes=5))
    assert condition(cr["status"], "Ready") == ("False", "ImagePullFailed")
    show(cr, world, now, "green", {"phase": "Pending"})
    settle(cr, world, now + HOUR)
    assert cr["status"]["pin"]["reason"] == "ImagePullFailed"
    assert "registry.invalid" in cr["status"]["pin"]["message"]


def test_what_was_told_of_another_release_says_nothing_of_this_one() -> None:
    cr, world, now = second(SPEC)
    settle(cr, world, now)
    show(cr, world, now, "green", SAMPLES["pull"]["status"])
    settle(cr, world, now + timedelta(minutes=5))
    cr = {**with_spec(cr, image="shop:3"), "status": cr["status"]}
    now += timedelta(minutes=6)
    settle(cr, world, now)
    show(cr, world, now, "green", {"phase": "Pending"})
    settle(cr, world, now + HOUR)
    assert cr["status"]["pin"]["reason"] == "ProgressDeadlineExceeded"


def test_a_deployment_whose_pods_are_refused_says_it() -> None:
    cr, world, now = second(SPEC)
    settle(cr, world, now)
    world.dead.add("shop-green")
    world.follow(now)
    world.pods = []
    refused = {"type": "ReplicaFailure", "status": "True", "message": 'pods "x" is forbidden: violates PodSecurity "restricted:latest"'}
    world.objects[ChildKey("Deployment", "shop-green")]["status"]["conditions"].append(refused)
    settle(cr, world, now + HOUR)
    assert cr["status"]["pin"]["reason"] == "PodSecurityRefused"


def test_pods_are_listed_at_the_deadline_and_not_before() -> None:
    cr, world, now = second({**WEB, "release": {"strategy": "RollingUpdate"}})
    settle(cr, world, now)
    show(cr, world, now, "blue", BETWEEN)
    assert decide(cr, world, now + timedelta(seconds=1)).status
    settle(cr, world, now + HOUR)
    assert "restarted 3 times" in cr["status"]["pin"]["message"]


def test_no_pod_is_ready_after_the_cutover_and_why() -> None:
    cr, world, now = second(SPEC)
    now = released(cr, world, now, until="VerifyAfter")
    show(cr, world, now, "green", BETWEEN)
    settle(cr, world, now)
    settle(cr, world, now)
    assert condition(cr["status"], "Ready")[1] == "RolledBack"
    assert cr["status"]["pin"]["reason"] == "NoPodsAvailable"
    assert "no pod of the new revision is ready: pod " in cr["status"]["pin"]["message"]


WEBHOOK = Refused('admission webhook "policy.example.org" denied the request: no team label', status=403)


def test_what_kept_the_operator_from_writing_its_pods_is_the_cause_too() -> None:
    cr, world, now = second(SPEC)
    settle(cr, world, now)
    missing = ChildKey("Deployment", "shop-green")
    del world.objects[missing]
    refused = world.seen().with_gone(missing).with_write_error(WriteError("apply Deployment shop-green", WEBHOOK))
    cr["status"] = plan(cr, refused, ANY_KEY, now).status
    assert condition(cr["status"], "Ready") == ("False", "Forbidden")
    settle(cr, world, now + HOUR)
    assert cr["status"]["pin"]["reason"] == "Forbidden"
    assert (
        "Preview made no progress for 10m (spec.release.progressDeadline): apply Deployment shop-green: admission webhook"
        in cr["status"]["pin"]["message"]
    )


@pytest.mark.parametrize(("step", "check"), [("VerifyBefore", "smoke"), ("VerifyAfter", "live")])
def test_a_check_that_fails_says_what_its_pods_show_beside_it(step: str, check: str) -> None:
    cr, world, now = second(CHECKED)
    now = released_until(cr, world, now, step)
    world.failing = {check}
    follow_checks(world, now)
    show(cr, world, now, "green", BETWEEN)
    settle(cr, world, now)
    settle(cr, world, now)
    pin = cr["status"]["pin"]
    assert pin["reason"] in ("CheckFailed", "NoPodsAvailable")
    assert "ended with exit code 1 (Error), restarted 3 times" in pin["message"]
    assert pin["message"].count("exit code 1") == 1


def follow_checks(world: World, now: datetime) -> None:
    """Lets the pods of checks end anew, and all else follow."""
    for key, live in world.objects.items():
        if key.kind == "Pod":
            live.pop("status", None)
    world.follow(now)
