"""Whether a version has lost its pods by no fault of its own: what its pods show -> what follows."""

import json
from datetime import timedelta
from typing import Any

import pytest
from tests.core.releases import CHECKED, SECOND, SPEC, lead, released
from tests.core.worlds import NOW, World, body, condition, revision, settle, with_spec

from hardened.core.model.manifest import ChildKey, Manifest
from hardened.core.observe.disruptions import are_taken_away

#: When all pods were available; the moments below are seconds after that.
SINCE = NOW


def stamp(seconds: float) -> str:
    return (SINCE + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def pod(
    *,
    made: int = -60,
    ready: bool = True,
    since: int | None = -50,
    containers_ready: bool | None = None,
    disrupted: int | None = None,
    deleted: int | None = None,
    runs: int | None = -55,
    restarts: int = 0,
    phase: str = "Running",
) -> Manifest:
    """A pod as a real cluster shows it. Times in seconds, see SINCE; runs: since when its container does, None: it has ended."""

    def said(kind: str, value: bool, at: int | None) -> list[Manifest]:
        return [{"type": kind, "status": str(value), "lastTransitionTime": stamp(at)}] if at is not None else []

    conditions = [
        *said("Ready", ready, since),
        *said("ContainersReady", ready if containers_ready is None else containers_ready, since),
        *(said("DisruptionTarget", True, disrupted)),
    ]
    state = {"running": {"startedAt": stamp(runs)}} if runs is not None else {"terminated": {"exitCode": 1}}
    meta: Manifest = {"name": "p", "creationTimestamp": stamp(made)}
    if deleted is not None:
        meta |= {"deletionTimestamp": stamp(deleted + 10), "deletionGracePeriodSeconds": 10}
    containers = [{"name": "app", "restartCount": restarts, "state": state}]
    return {"kind": "Pod", "metadata": meta, "status": {"phase": phase, "conditions": conditions, "containerStatuses": containers}}


DRAINED = pod(disrupted=5, deleted=5)
STARTING = pod(made=5, ready=False, since=5, runs=6)
HANGING = pod(ready=False, since=7)
CRASHED = pod(ready=False, since=7, runs=None)
UNSCHEDULED: Manifest = {
    "kind": "Pod", "metadata": {"name": "p", "creationTimestamp": stamp(5)},
    "status": {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}]},
}  # fmt: skip

SHOWN = [
    pytest.param([DRAINED], True, id="it is drained, and was ready until then"),
    pytest.param([pod(disrupted=5, deleted=5, ready=False, since=8, runs=None)], True, id="it is drained, and has ended since"),
    pytest.param([pod(disrupted=5)], True, id="it makes way for another one, and was not told yet"),
    pytest.param([pod(disrupted=5, ready=False, since=5, runs=None, phase="Failed")], True, id="the kubelet has put it out"),
    pytest.param([pod(ready=False, since=40, containers_ready=True)], True, id="its node is not heard of any more"),
    pytest.param([pod(ready=False, since=40, containers_ready=True, disrupted=340, deleted=340)], True,
                 id="its node was lost, and it with it"),
    pytest.param([pod(deleted=5)], True, id="somebody deleted it"),
    pytest.param([STARTING], True, id="it has gone by now: another one starts in its place"),
    pytest.param([UNSCHEDULED], True, id="another one waits for a node in its place"),
    pytest.param([DRAINED, STARTING], True, id="another one starts already"),
    pytest.param([DRAINED, DRAINED, STARTING, UNSCHEDULED], True, id="all of several are drained"),
    pytest.param([], False, id="there are none: that says nothing"),
    pytest.param([pod()], False, id="all is well"),
    pytest.param([HANGING], False, id="it does not answer any more"),
    pytest.param([CRASHED], False, id="it has ended by itself"),
    pytest.param([pod(ready=False, since=7, runs=9, restarts=1)], False, id="it was restarted, and starts"),
    pytest.param([pod(ready=False, since=5, runs=None, phase="Failed"), STARTING], False, id="it was put out for what it used"),
    pytest.param([DRAINED, HANGING], False, id="one is drained, the other does not answer"),
    pytest.param([DRAINED, CRASHED], False, id="one is drained, the other has ended by itself"),
    pytest.param([DRAINED, pod(made=5, ready=False, since=5, runs=9, restarts=1)], False, id="what came in its place ends by itself"),
    pytest.param([pod(made=5, ready=False, since=12, runs=6)], False, id="what came in its place was ready, and does not answer any more"),
    pytest.param([pod(ready=False, since=3, disrupted=5, deleted=5)], False, id="it did not answer before it was drained"),
    pytest.param([pod(ready=False, since=3, restarts=2, disrupted=5, deleted=5, runs=None), STARTING], False,
                 id="it was restarted again and again before it was drained"),
    pytest.param([pod(disrupted=-20, phase="Failed", ready=False, since=-20, runs=None), HANGING], False,
                 id="what was drained long before says nothing"),
    pytest.param([{"kind": "Pod", "metadata": {"name": "p"}}], False, id="nothing is known of it"),
]  # fmt: skip


@pytest.mark.parametrize(("pods", "expected"), SHOWN)
def test_what_pods_show(pods: list[Manifest], expected: bool) -> None:
    assert are_taken_away(pods, SINCE) is expected


@pytest.mark.parametrize("seconds", [0.0, 0.4, 0.999])
def test_what_comes_in_the_place_of_a_pod_in_the_very_second_of_the_cutover_is_no_failure(seconds: float) -> None:
    gone, unseen = pod(disrupted=0, deleted=0), pod(made=0, since=None, runs=None, phase="Pending")
    unseen["status"] = {"phase": "Pending"}  # no kubelet, nor the scheduler, has said anything of it yet
    assert are_taken_away([gone, unseen], SINCE + timedelta(seconds=seconds))


# ---- as it is planned


def second(strategy: str, step: str = "VerifyAfter", spec: Manifest = SPEC) -> tuple[Manifest, World, Any]:
    """A service whose second revision has come to this step."""
    cr, world = body({**spec, "release": {**SPEC["release"], "strategy": strategy}}), World()
    now = released(cr, world)
    cr = with_spec(cr, image="shop:2")
    return cr, world, released(cr, world, now, until=step)


def show(world: World, cr: Manifest, *pods: Manifest) -> None:
    """Of the new revision these pods are left, and none that is ready has endpoints."""
    labels = next(p["metadata"]["labels"] for p in world.pods if p["metadata"]["labels"]["hardened.dev/revision"] == revision(cr))
    world.pods = [p for p in world.pods if p["metadata"]["labels"]["hardened.dev/revision"] != revision(cr)]
    for number, each in enumerate(pods):
        world.pods.append({**each, "metadata": {**each["metadata"], "name": f"p{number}", "uid": f"p{number}", "labels": labels}})
    for key in [key for key in world.objects if key.kind == "EndpointSlice"]:
        world.objects[key] = {**world.objects[key], "endpoints": []}
    for key, live in world.objects.items():
        if key.kind == "Deployment" and live["spec"]["template"]["metadata"]["labels"]["hardened.dev/revision"] == revision(cr):
            world.run_pods(key.name, ready=0)


def moved(pods: list[Manifest], to: Any) -> list[Manifest]:
    """The same pods, with their times moved to those of a release that has come to its window at this moment."""
    text = json.dumps(pods)
    for seconds in range(-60, 400):
        text = text.replace(stamp(seconds), f"@{seconds}@")
    for seconds in range(-60, 400):
        text = text.replace(f"@{seconds}@", (to + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ"))
    found: list[Manifest] = eval(text)
    return found


@pytest.mark.parametrize("step", ["VerifyAfter", "Cutover"])
def test_drained_under_live_traffic_it_is_led_back_from_and_released_anew_by_itself(step: str) -> None:
    cr, world, now = second("BlueGreen", step)
    show(world, cr, *moved([DRAINED, UNSCHEDULED], now))
    settle(cr, world, now + 6 * SECOND)
    assert cr["status"]["release"]["step"] == "SwitchBack"
    assert lead(world)["color"] == "blue"
    assert "pin" not in cr["status"]
    assert condition(cr["status"], "Ready") == ("False", "RollingOut")
    world.follow(now)
    released(cr, world, now + 7 * SECOND)
    assert condition(cr["status"], "Ready") == ("True", "Healthy")
    assert lead(world)["color"] == "green"


@pytest.mark.parametrize("strategy", ["BlueGreen", "RollingUpdate", "Recreate"])
@pytest.mark.parametrize("bad", [HANGING, CRASHED], ids=["hangs", "crashes"])
def test_a_version_that_fails_while_one_of_its_pods_is_drained_is_rejected(strategy: str, bad: Manifest) -> None:
    cr, world, now = second(strategy)
    show(world, cr, *moved([DRAINED, bad], now))
    settle(cr, world, now + 8 * SECOND)
    assert cr["status"]["release"]["step"] == "SwitchBack"
    assert cr["status"]["pin"]["reason"] == "NoPodsAvailable"


@pytest.mark.parametrize("strategy", ["RollingUpdate", "Recreate"])
def test_in_place_it_is_waited_for_and_watched_anew_whatever_checks_found_meanwhile(strategy: str) -> None:
    cr, world, now = second(strategy, spec={**SPEC, "verify": {"afterCutover": CHECKED["verify"]["afterCutover"]}})
    first = cr["status"]["stable"]["revision"]
    world.failing |= {"live", "zero-loss"}
    settle(cr, world, now)
    world.follow(now)
    for seconds, pods in ((6, [DRAINED, STARTING]), (9, [STARTING]), (12, [STARTING])):
        show(world, cr, *moved(pods, now))
        settle(cr, world, now + seconds * SECOND)
        assert cr["status"]["release"]["step"] == "Cutover"
        assert "pin" not in cr["status"]
    assert cr["status"]["stable"]["revision"] == first
    assert [key for key in world.objects if key.kind == "Pod"] == [], "who asked before is asked anew"
    world.failing.clear()
    released(cr, world, now + 13 * SECOND)
    assert condition(cr["status"], "Ready") == ("True", "Healthy")
    assert cr["status"]["stable"]["revision"] == revision(cr)


@pytest.mark.parametrize("strategy", ["RollingUpdate", "Recreate"])
def test_in_place_it_is_waited_for_no_longer_than_the_progress_deadline(strategy: str) -> None:
    cr, world, now = second(strategy)
    show(world, cr, *moved([DRAINED, UNSCHEDULED], now))
    settle(cr, world, now + 6 * SECOND)
    for minutes in (5, 9):
        show(world, cr, *moved([UNSCHEDULED], now))
        settle(cr, world, now + timedelta(minutes=minutes))
        assert cr["status"]["release"]["step"] == "Cutover"
    settle(cr, world, now + timedelta(minutes=11))
    assert cr["status"]["pin"]["reason"] == "Unschedulable", "that is what kept its pods"


def test_two_of_three_drained_it_serves_on_and_is_promoted_once_its_window_has_passed() -> None:
    cr, world, now = second("BlueGreen", spec={**SPEC, "replicas": 3})
    labels = place_labels(world, cr)
    lost = 0
    for each in world.pods:
        if each["metadata"]["labels"] == labels and lost < 2:
            lost += 1
            each["status"] = {**each["status"], "isReady": False, "conditions": moved([DRAINED], now)[0]["status"]["conditions"]}
            each["metadata"]["deletionTimestamp"] = "2026-01-02T03:04:05Z"
    key = ChildKey("EndpointSlice", "shop-x")
    ready = {p["metadata"]["uid"]: p["status"]["isReady"] for p in world.pods}
    for endpoint in world.objects[key]["endpoints"]:
        endpoint["conditions"] = {"ready": ready[endpoint["targetRef"]["uid"]]}
    world.run_pods("shop-green", ready=1)
    settle(cr, world, now + 6 * SECOND)
    assert (lost, cr["status"]["release"]["step"], lead(world)["color"]) == (2, "VerifyAfter", "green")
    released(cr, world, now + 7 * SECOND)
    assert condition(cr["status"], "Ready") == ("True", "Healthy")
    assert lead(world)["color"] == "green"


def place_labels(world: World, cr: Manifest) -> dict[str, str]:
    found: dict[str, str] = next(
        p["metadata"]["labels"] for p in world.pods if p["metadata"]["labels"]["hardened.dev/revision"] == revision(cr)
    )
    return found
