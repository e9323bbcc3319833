"""Containers that a mesh or an agent injects beside ours live as long as they like: what ours says, and how it ends, is all that counts."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.core.release.test_plan_migrations import UNDO, runs, second
from tests.core.releases import CHECKED, SECOND, SPEC, lead, passes, pods, released, released_until
from tests.core.worlds import NOW, World, body, condition, service, settle, with_spec

from hardened.api import names
from hardened.core.checks.verdicts import CheckResult, NoData, Pending, Reported, job_result, once_result
from hardened.core.desired.check_pod import job_pod
from hardened.core.model.input import Verdict
from hardened.core.model.manifest import ChildKey, Manifest

SVC = service(SPEC)
PROXY = {"name": "istio-proxy", "restartCount": 0, "state": {"running": {"startedAt": "2026-01-02T03:04:00Z"}}}
DEAD_PROXY = {
    "name": "a-vault-agent",
    "restartCount": 0,
    "state": {"terminated": {"exitCode": 1, "reason": "Error"}},
}
BROKEN = {"name": "istio-proxy", "restartCount": 0, "state": {"waiting": {"reason": "InvalidImageName", "message": "no such image"}}}
RUNNING = {"name": names.VERIFIER, "state": {"running": {"startedAt": "2026-01-02T03:04:06Z"}}}
PULLING = {"name": names.VERIFIER, "state": {"waiting": {"reason": "ContainerCreating"}}}


class Meshed(World):
    """Each pod of a check, or of a migration, has a container before ours that never ends, and one that ended badly at once."""

    def follow(self, now: datetime = NOW) -> None:
        mine = [live for key, live in self.objects.items() if key.kind == "Pod" and "status" in live]
        for live in mine:
            live["status"]["containerStatuses"] = [c for c in live["status"].get("containerStatuses") or () if c["name"] == names.VERIFIER]
        super().follow(now)
        for live in [o for key, o in self.objects.items() if key.kind == "Pod" and o["status"].get("containerStatuses")]:
            is_told = live["spec"]["activeDeadlineSeconds"] == 1
            ours = live["status"]["containerStatuses"]
            live["status"] = {"phase": "Running", "startTime": now.isoformat(), "containerStatuses": [DEAD_PROXY, PROXY, *ours]}
            if is_told:
                live["status"] |= {"phase": "Failed", "reason": "DeadlineExceeded"}


def test_a_good_version_is_released_beside_injected_containers() -> None:
    cr, world = body(CHECKED), Meshed()
    now = passes(cr, world, NOW, 120)
    cr = with_spec(cr, image="shop:2")
    passes(cr, world, now, 180)
    assert (cr["status"]["serving"]["image"], condition(cr["status"], "Ready")) == ("shop:2", ("True", "Healthy"))
    assert pods(world) == [], "what has ended is removed, whatever runs on beside it"


def test_a_check_that_fails_beside_them_rejects_and_its_pod_is_kept_to_be_looked_at() -> None:
    cr, world = body(CHECKED), Meshed()
    now = passes(cr, world, NOW, 120)
    world.failing.add("smoke")
    cr = with_spec(cr, image="shop:2")
    passes(cr, world, now, 120)
    assert (lead(world)["color"], cr["status"]["pin"]["reason"]) == ("blue", "CheckFailed")
    assert [name for name in pods(world) if "-before-" in name]


@pytest.mark.parametrize("fails", [False, True])
def test_a_migration_ends_with_its_own_container(fails: bool) -> None:
    cr, plain, now = second(**UNDO)
    world = Meshed(objects=plain.objects, pods=plain.pods, written=plain.written)
    if fails:
        world.failing.add("migrate")
    passes(cr, world, now, 240)
    assert runs(world) == ["migrate"]
    if fails:
        assert (cr["status"]["pin"]["reason"], "exit code 1" in cr["status"]["pin"]["message"]) == ("MigrationFailed", True)
    else:
        assert condition(cr["status"], "Ready") == ("True", "Healthy")


def job(*containers: Manifest, **status: Any) -> Manifest:
    made = job_pod(SVC, "job", ["check"], {}, image="team:1", seconds=60)
    made["metadata"]["creationTimestamp"] = "2026-01-02T03:04:05Z"
    return {**made, "status": {"phase": "Running", "startTime": "2026-01-02T03:04:05Z", "containerStatuses": list(containers), **status}}


def ours(code: int | None, at: str = "") -> Manifest:
    state: Manifest = {"running": {"startedAt": "2026-01-02T03:04:06Z"}}
    if code is not None:
        state = {"terminated": {"exitCode": code, "reason": "Error" if code else "Completed", **({"finishedAt": at} if at else {})}}
    return {"name": names.VERIFIER, "state": state}


IN_TIME, LATE = "2026-01-02T03:05:04Z", "2026-01-02T03:05:05Z"


@pytest.mark.parametrize(
    ("pod", "expected"),
    [
        pytest.param(job(DEAD_PROXY, ours(None)), None, id="another has ended, ours has not"),
        pytest.param(job(PROXY, ours(0)), True, id="ours has ended, another runs on"),
        pytest.param(job(ours(0), DEAD_PROXY, phase="Failed"), True, id="ours has ended well, another has not"),
        pytest.param(job(PROXY, ours(3)), False, id="ours has failed, another runs on"),
        pytest.param(job(PROXY, ours(0, IN_TIME), phase="Failed", reason="DeadlineExceeded"), True, id="it was done in time"),
        pytest.param(job(PROXY, ours(0, LATE), phase="Failed", reason="DeadlineExceeded"), False, id="told to end, it said 0"),
        pytest.param(job(PROXY, ours(0), phase="Failed", reason="DeadlineExceeded"), False, id="nobody knows when"),
        pytest.param(job(DEAD_PROXY, phase="Failed"), None, id="nothing is known of ours"),
        pytest.param(job(BROKEN, RUNNING, phase="Pending"), None, id="ours runs, another never can"),
        pytest.param(job(BROKEN, PULLING, phase="Pending"), None, id="ours is about to begin, another never can"),
        pytest.param(job(BROKEN, ours(0, IN_TIME), phase="Pending"), True, id="ours has ended, another never began"),
    ],
)
def test_how_a_command_ended(pod: Manifest, expected: bool | None) -> None:
    found = job_result(SVC, pod, "contract")
    if expected is None:
        assert isinstance(found, Pending | NoData)
    else:
        assert isinstance(found, Reported)
        assert [type(each) for each in found.results] == [CheckResult]
        assert found.results[0].has_passed is expected
    word, _ = once_result(SVC, pod, NOW + timedelta(seconds=30))
    if expected is not None:
        assert word is (Verdict.PASSED if expected else Verdict.FAILED)


@pytest.mark.parametrize("own", [RUNNING, PULLING])
def test_a_migration_goes_on_beside_a_container_that_cannot_be_started(own: Manifest) -> None:
    cr, world, now = second(**UNDO)
    settle(cr, world, now)
    (key,) = (key for key in world.objects if key.kind == "Pod" and "-migrate-" in key.name)
    pod = world.objects[key]
    for seconds in range(0, 180, 20):
        pod["status"] = {"phase": "Pending", "startTime": now.isoformat(), "containerStatuses": [BROKEN, own]}
        settle(cr, world, now + seconds * SECOND)
        assert (cr["status"]["release"]["step"], runs(world)) == ("Migrate", ["migrate"])
    pod["status"] = {"phase": "Pending", "startTime": now.isoformat(), "containerStatuses": [BROKEN, ours(0)]}
    passes(cr, world, now + 180 * SECOND, 240)
    assert (condition(cr["status"], "Ready"), runs(world)) == (("True", "Healthy"), ["migrate"])


def test_nor_is_one_taken_away_that_no_status_tells_of() -> None:
    cr, world, now = second(**UNDO)
    settle(cr, world, now)
    (key,) = (key for key in world.objects if key.kind == "Pod" and "-migrate-" in key.name)
    world.objects[key]["status"] = {"phase": "Pending", "startTime": now.isoformat(), "containerStatuses": [BROKEN, RUNNING]}
    del cr["status"]
    settle(cr, world, now)
    assert (key in world.objects, runs(world)) == (True, ["migrate"])


def test_a_check_that_runs_beside_such_a_container_has_its_deadline() -> None:
    cr, world = body({**CHECKED, "release": {**SPEC["release"], "progressDeadline": "1m"}}), World()
    now = released(cr, world)
    cr = with_spec(cr, image="shop:2")
    now = released_until(cr, world, now, "VerifyBefore") + 20 * SECOND
    for seconds in range(0, 120, 10):
        settle(cr, world, now + seconds * SECOND)
        for live in [live for key, live in world.objects.items() if key.kind == "Pod" and "-before-" in key.name]:
            live["status"] = {"phase": "Pending", "containerStatuses": [BROKEN, RUNNING]}
    assert (cr["status"].get("release"), cr["status"]["pin"]["reason"]) == (None, "ProgressDeadlineExceeded")


def test_a_check_that_was_made_anew_beside_one_is_not_taken_for_one_that_waits_in_vain() -> None:
    cr, world = body(CHECKED), World()
    now = released(cr, world)
    cr = with_spec(cr, image="shop:2")
    now = released_until(cr, world, now, "VerifyBefore") + 20 * SECOND
    settle(cr, world, now)
    (key,) = (key for key in world.objects if key.kind == "Pod" and "-before-" in key.name)
    pod = world.objects[key]
    assert "status" not in pod, "it was made anew"
    pod["spec"]["containers"].insert(0, {"name": "istio-proxy", "image": "istio:1", "env": [{"name": "A", "value": "b"}]})
    pod["status"] = {"phase": "Running", "containerStatuses": [PROXY, RUNNING]}
    settle(cr, world, now + 60 * SECOND)
    assert world.objects.get(key) is pod


def test_the_probe_is_believed_to_have_begun_with_its_own_container() -> None:
    cr, world = body(CHECKED), World()
    now = released(cr, world)
    cr = with_spec(cr, image="shop:2")
    now = released(cr, world, now, until="VerifyAfter")
    (key,) = (key for key in world.objects if key.kind == "Pod" and "-cutover-" in key.name)
    probe = world.objects[ChildKey("Pod", key.name)]
    own = probe["status"]["containerStatuses"][0]
    late = {"name": "istio-proxy", "state": {"running": {"startedAt": (now + timedelta(days=1)).isoformat()}}}
    probe["status"] = {"phase": "Running", "containerStatuses": [late, own]}
    settle(cr, world, now + 11 * SECOND)
    assert probe["spec"]["activeDeadlineSeconds"] == 1, "the window is over, and it is told so"
