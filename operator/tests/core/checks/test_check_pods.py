"""Pods of checks that cannot be made, or that nobody runs: that is waited for and told, and no version is rejected for it."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.core.needs.test_plan_preflight import ready, rollback
from tests.core.releases import CHECKED, SECOND, SPEC, lead, released, sizes
from tests.core.worlds import WEB, World, body, condition, settle, with_spec

from hardened.core.model.manifest import ChildKey, Manifest
from hardened.core.model.reasons import Reason
from hardened.core.observe import diagnosis
from hardened.errors import ApiFailure, Refused, TryAgain

pytestmark = pytest.mark.one_of(3)

DAY = timedelta(days=1)
QUOTA = "exceeded quota: small, requested: pods=1, used: pods=4, limited: pods=4"
LIMITS = "[maximum cpu usage per Container is 200m, but limit is 500m, minimum memory usage per Container is 64Mi, but request is 48Mi]"
LEVEL = 'violates PodSecurity "restricted:latest": seccompProfile'
WEBHOOK = 'admission webhook "policy.example" denied the request: no pods on Fridays'


@pytest.mark.parametrize(
    ("failure", "reason", "says"),
    [
        (Refused(QUOTA, status=403), Reason.QUOTA_EXCEEDED, "raise the ResourceQuota"),
        (Refused(f"apply pods market/x-1: {QUOTA}", status=403), Reason.QUOTA_EXCEEDED, f"cannot be created: {QUOTA}"),
        (Refused(LIMITS, status=403), Reason.PODS_REFUSED, "maximum cpu usage per Container is 200m, but limit is 500m"),
        (Refused(LIMITS, status=403), Reason.PODS_REFUSED, "a LimitRange of the namespace"),
        (
            Refused("memory max limit to request ratio per Pod is 2, but provided ratio is 3.0", status=403),
            Reason.PODS_REFUSED,
            "LimitRange",
        ),
        (Refused(LEVEL, status=403), Reason.POD_SECURITY, "pod security level"),
        (Refused(WEBHOOK, status=403), Reason.PODS_REFUSED, "no pods on Fridays"),
        (TryAgain('failed calling webhook "policy.example"', status=500), Reason.PODS_REFUSED, "failed calling webhook"),
        (Refused("no", status=403, reason="NamespaceTerminating"), Reason.NAMESPACE_TERMINATING, "being deleted"),
    ],
)
def test_what_refuses_a_pod_of_a_check_is_named_and_never_final(failure: ApiFailure, reason: Reason, says: str) -> None:
    found = diagnosis.of_refused_check("shop-verify-cutover-1", failure)
    assert (found.reason, found.is_final) == (reason, False)
    assert says in found.message


def second(spec: Manifest = SPEC, image: str = "shop:2") -> tuple[Manifest, World, Any]:
    """A service of which another version is asked for."""
    cr, world = body(spec), World()
    now = released(cr, world)
    world.tried.clear()
    return with_spec(cr, image=image), world, now


def waits(cr: Manifest, world: World, now: datetime, step: str, reason: str) -> datetime:
    """Holds the release to waiting in this step for a whole day, with stable untouched. The moment then."""
    for later in (now, now + 30 * SECOND, now + timedelta(hours=1), now + DAY):
        decided = settle(cr, world, later)
        world.follow(later)
        settle(cr, world, later)
        assert cr["status"]["release"]["step"] == step
        assert "pin" not in cr["status"]
        assert condition(cr["status"], "Stalled")[0] == "False"
        assert sizes(world)["shop-blue"] == 2
    assert decided.requeue_after, "nobody tells when a quota is raised"
    assert decided.requeue_after <= timedelta(seconds=15)
    assert condition(cr["status"], "Ready") == ("False", reason)
    assert "deadline" not in cr["status"]["release"]
    return now + DAY


PARTS = [
    pytest.param(SPEC, "-cutover-", "ScaleUp", id="the probe, before the cutover"),
    pytest.param(CHECKED, "-after-", "ScaleUp", id="checks of live traffic, tried before the cutover"),
    pytest.param(CHECKED, "-before-", "VerifyBefore", id="checks before the cutover"),
]


@pytest.mark.parametrize(
    ("words", "reason"), [(QUOTA, "QuotaExceeded"), (LIMITS, "PodsRefused"), (LEVEL, "PodSecurityRefused"), (WEBHOOK, "PodsRefused")]
)
@pytest.mark.parametrize(("spec", "part", "step"), PARTS)
def test_a_version_waits_until_the_pods_of_its_checks_can_be_made(spec: Manifest, part: str, step: str, words: str, reason: str) -> None:
    cr, world, now = second(spec)
    world.barred[part] = words
    now = waits(cr, world, released(cr, world, now, until=step), step, reason)
    assert lead(world)["color"] == "blue"
    assert words in ready(cr)
    world.barred.clear()
    released(cr, world, now)
    assert condition(cr["status"], "Ready") == ("True", "Healthy")


@pytest.mark.parametrize("strategy", ["RollingUpdate", "Recreate"])
def test_in_place_no_pod_is_replaced_before_they_can_be_made(strategy: str) -> None:
    cr, world, now = second({**WEB, "release": {"strategy": strategy}})
    before = {name: live["spec"] for name, live in world.objects.items() if name.kind == "Deployment"}
    world.barred["-verify-"] = QUOTA
    now = waits(cr, world, now, "Preflight", "QuotaExceeded")
    assert {name: live["spec"] for name, live in world.objects.items() if name.kind == "Deployment"} == before
    world.barred.clear()
    released(cr, world, now)
    assert condition(cr["status"], "Ready") == ("True", "Healthy")


@pytest.mark.parametrize("strategy", ["BlueGreen", "RollingUpdate", "Recreate"])
@pytest.mark.parametrize(("spec", "part"), [({}, "-cutover-"), ({"verify": CHECKED["verify"]}, "-after-")], ids=["the probe", "checks"])
def test_after_the_cutover_it_is_watched_anew_once_somebody_can_look(spec: Manifest, part: str, strategy: str) -> None:
    spec = {**WEB, **spec, "release": {"strategy": strategy}}
    if strategy != "BlueGreen":
        spec = {**spec, "verify": {"afterCutover": spec["verify"]["afterCutover"]}} if "verify" in spec else spec
    cr, world, now = second(spec)
    now = released(cr, world, now, until="Cutover" if strategy == "BlueGreen" else "VerifyAfter")
    world.barred[part] = QUOTA
    for key in [key for key in world.objects if key.kind == "Pod" and part in key.name]:
        del world.objects[key]
    serving = now = released(cr, world, now, until="VerifyAfter")
    for later in (now, now + timedelta(hours=1), now + DAY):
        world.follow(later)
        settle(cr, world, later)
        assert cr["status"]["release"]["step"] == "VerifyAfter"
        assert condition(cr["status"], "Ready") == ("False", "QuotaExceeded"), "that is told"
        assert "pin" not in cr["status"]
    assert "windowEndsAt" not in cr["status"]["release"], "it begins anew"
    assert cr["status"]["stable"]["promotion"] == 1
    world.barred.clear()
    settle(cr, world, serving + DAY)
    world.follow(serving + DAY)
    settle(cr, world, serving + DAY)
    begins = cr["status"]["release"]["windowEndsAt"]
    assert begins.startswith((serving + DAY + 10 * SECOND).strftime("%Y-%m-%dT%H:%M:%S"))
    released(cr, world, serving + DAY)
    assert condition(cr["status"], "Ready") == ("True", "Healthy")


def test_no_node_takes_the_probe_before_the_cutover() -> None:
    cr, world, now = second()
    world.homeless = True
    now = waits(cr, world, released(cr, world, now, until="ScaleUp"), "ScaleUp", "Unschedulable")
    assert lead(world)["color"] == "blue"
    assert ready(cr).startswith("ScaleUp: revision ")
    assert " waits for room: pod shop-verify-cutover-" in ready(cr)
    world.homeless = False
    released(cr, world, now)
    assert condition(cr["status"], "Ready") == ("True", "Healthy")


@pytest.mark.parametrize(("trouble", "reason"), [("homeless", "Unschedulable"), ("slow", "PodsNotReady")])
@pytest.mark.parametrize("step", ["VerifyBefore", "VerifyAfter"])
def test_pods_of_checks_that_nobody_runs_condemn_nobody(step: str, trouble: str, reason: str) -> None:
    cr, world, now = second(CHECKED)
    now = now if step == "VerifyBefore" else released(cr, world, now, until="Cutover")
    setattr(world, trouble, True)
    now = released(cr, world, now, until=step)
    now = waits(cr, world, now, step, reason)
    setattr(world, trouble, False)
    released(cr, world, now)
    assert condition(cr["status"], "Ready") == ("True", "Healthy")


def test_what_fails_while_nobody_can_look_is_taken_back_all_the_same() -> None:
    cr, world, now = second(CHECKED)
    now = released(cr, world, now, until="Cutover")
    world.homeless = True
    now = waits(cr, world, released(cr, world, now, until="VerifyAfter"), "VerifyAfter", "Unschedulable")
    world.dead.add("shop-green")
    released(cr, world, now)
    assert condition(cr["status"], "Ready") == ("False", "RolledBack")
    assert lead(world)["color"] == "blue"


def test_a_version_that_does_not_come_up_is_not_excused_by_the_pods_of_its_checks() -> None:
    cr, world, now = second()
    world.barred["-verify-"] = QUOTA
    world.dead.add("shop-green")
    now = released(cr, world, now, until="Preview")
    settle(cr, world, now + timedelta(minutes=11))
    assert condition(cr["status"], "Ready") == ("False", "Rejected")


def test_a_rollback_by_hand_asks_for_no_pod_of_a_check() -> None:
    cr, world, now = second()
    now = released(cr, world, now)
    world.barred["-verify-"] = QUOTA
    world.objects[ChildKey("HardenedServiceAction", "back")] = rollback()
    released(cr, world, now)
    assert cr["status"]["serving"]["color"] == "blue"


def test_a_newer_version_is_not_held_up_by_what_an_older_one_waits_for() -> None:
    cr, world, now = second(CHECKED)
    world.barred["-before-"] = QUOTA
    now = waits(cr, world, released(cr, world, now, until="VerifyBefore"), "VerifyBefore", "QuotaExceeded")
    cr = {**with_spec(cr, image="shop:3", verify={}), "status": cr["status"]}
    released(cr, world, now)
    assert condition(cr["status"], "Ready") == ("True", "Healthy")


@pytest.mark.parametrize(
    ("spec", "first", "second"),
    [
        pytest.param(SPEC, 0, 0, id="BlueGreen: the probe is there by then"),
        pytest.param(CHECKED, 1, 1, id="BlueGreen with checks: their pod"),
        pytest.param({**WEB, "release": {"strategy": "RollingUpdate"}}, 0, 1, id="RollingUpdate: the probe"),
        pytest.param({**WEB, "release": {"strategy": "Recreate"}}, 0, 1, id="Recreate: the probe"),
    ],
)
def test_each_pod_is_tried_once_and_for_a_first_release_without_checks_none(spec: Manifest, first: int, second: int) -> None:
    cr, world = body(spec), World()
    now = released(cr, world)
    assert len(world.tried) == first
    world.tried.clear()
    released(with_spec(cr, image="shop:2"), world, now)
    assert len(world.tried) == second
