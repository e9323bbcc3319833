"""The traps that tools for releases fell into in public: each as it was, and that it is none here. See docs/promises.md."""

import itertools
import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from tests.core import worlds
from tests.core.releases import CHECKED, GATED, SECOND, SPEC, lead, released, released_until, sizes, target
from tests.core.worlds import NOW, begun, body, condition, decide, settle, with_spec
from tests.enumerations import one_of_seven

from hardened.core.model.manifest import ChildKey, Manifest
from hardened.core.model.target import COLORS
from hardened.core.plan import Plan

pytestmark = pytest.mark.one_of(3)

SERVICE = ChildKey("Service", "shop")
NOBODY = {"revision": "none"}
#: Every step is met: one check before the cutover, a promotion by time, more pods than the preview has.
STEPS = ("", "Preview", "VerifyBefore", "Approval", "ScaleUp", "Cutover", "VerifyAfter", "Keep")
STRIPPED = ("service", "color", "revision", "all")


@dataclass
class TracedWorld(worlds.World):
    """led: where clients were led to after each write, whatever came next."""

    led: list[dict[str, str]] = field(default_factory=list)

    def write(self, decided: Plan) -> None:
        super().write(decided)
        if SERVICE in self.objects:
            self.led.append(lead(self))


def strip(world: TracedWorld, key: str) -> None:
    """As a server-side apply of a manager leaves it who takes the selector over and gives this key up."""
    spec = world.objects[SERVICE]["spec"]
    spec["selector"] = {k: v for k, v in spec["selector"].items() if key != "all" and not k.endswith(f"/{key}")}


# ---- what cannot be seen is not gone


@pytest.mark.parametrize(("step", "color"), one_of_seven(itertools.product(STEPS[1:], COLORS)))
def test_a_stack_that_lost_its_labels_holds_no_release_up(step: str, color: str) -> None:
    def after(*, is_stripped: bool) -> tuple[dict[str, str], dict[str, int], Any]:
        cr, world = body(GATED), TracedWorld()
        now = released(cr, world)
        cr = with_spec(cr, image="shop:2")
        now = released_until(cr, world, now, step)
        stack = world.objects[ChildKey("Deployment", f"shop-{color}")]
        labels = stack["metadata"]["labels"]
        if is_stripped:
            del stack["metadata"]["labels"]
        settle(cr, world, now)
        assert world.objects[ChildKey("Deployment", f"shop-{color}")]["metadata"]["labels"] == labels
        return lead(world), sizes(world), cr["status"]["release"]["step"]

    assert after(is_stripped=True) == after(is_stripped=False)


# ---- a missing key of the selector is no first deploy


@pytest.mark.parametrize(("step", "key"), one_of_seven(itertools.product(STEPS, STRIPPED)))
def test_a_stripped_selector_is_led_to_stable_whatever_the_step(step: str, key: str) -> None:
    cr, world = body(GATED), TracedWorld()
    now, stable = released(cr, world), target(cr, "blue")
    cr = with_spec(cr, image="shop:2")
    if step:
        now = released_until(cr, world, now, step)
    else:
        cr = with_spec(cr, image=GATED["image"])
    if step == "Keep":
        stable = target(cr, "green")
    strip(world, key)
    stripped = lead(world)
    world.led.clear()
    settle(cr, world, now)
    assert lead(world) == stable
    assert all(led in (stripped, stable) for led in world.led)


@pytest.mark.parametrize("is_first", [True, False], ids=["first release", "beside what serves"])
def test_clients_led_by_hand_to_a_version_are_led_away_before_its_pods_make_way_for_a_newer_one(is_first: bool) -> None:
    cr, world = body(GATED), TracedWorld()
    now = NOW if is_first else released(cr, world)
    cr = cr if is_first else with_spec(cr, image="shop:2")
    now = released_until(cr, world, now, "Approval")
    color = "blue" if is_first else "green"
    older, cr = target(cr, color), with_spec(cr, image="shop:3")
    begun(cr, world, now)
    world.objects[SERVICE]["spec"]["selector"] |= {f"hardened.dev/{key}": value for key, value in older.items()}
    world.writes.clear()
    settle(cr, world, now)
    assert world.writes.index("apply Service shop") < world.writes.index(f"apply Deployment shop-{color}")


@pytest.mark.parametrize("key", STRIPPED)
def test_a_selector_that_is_stripped_again_and_again_opens_no_gate(key: str) -> None:
    cr, world = body(GATED), TracedWorld()
    now, stable = released(cr, world), target(cr, "blue")
    cr = with_spec(cr, image="shop:2")
    world.failing.add("smoke")
    world.led.clear()
    for _ in range(60):
        strip(world, key)
        settle(cr, world, now)
        assert lead(world) == stable
        world.follow(now)
        now += SECOND
    assert target(cr, "green") not in world.led
    assert condition(cr["status"], "Ready") == ("False", "Rejected")
    assert condition(cr["status"], "Available")[0] == "True"


# ---- an autoscaler


def test_a_size_that_changes_at_every_look_neither_holds_a_release_up_nor_stops_the_stack_that_serves() -> None:
    cr, world = body(GATED), TracedWorld()
    now = released(cr, world)
    asked = itertools.cycle((2, 5, 3, 7, 4))
    cr = with_spec(cr, image="shop:2")
    for _ in range(60):
        cr = with_spec(cr, replicas=next(asked))
        settle(cr, world, now)
        wanted = cr["spec"]["replicas"]
        assert sizes(world)[f"shop-{lead(world)['color']}"] == wanted
        assert cr["spec"]["replicas"] == wanted
        if (cr["status"].get("release") or {}).get("step") == "Keep":
            break
        world.follow(now)
        now += SECOND
    assert lead(world) == target(cr, "green")
    assert cr["status"]["stable"]["promotion"] == 2


# ---- the preview


def test_the_preview_leads_to_ready_pods_of_the_new_version_alone_and_to_nobody_once_it_is_none() -> None:
    cr, world = body(GATED), TracedWorld()
    now = released(cr, world)
    for image, steps in (("shop:2", ("Preview", "VerifyBefore")), ("shop:3", ("Preview", "VerifyBefore", "Approval", "ScaleUp"))):
        cr = with_spec(cr, image=image)  # the second one while the first one is checked
        for step in steps:
            now = released_until(cr, world, now, step)
            assert lead(world, "shop-preview") == target(cr, "green"), f"{image} in {step}"
            assert "publishNotReadyAddresses" not in world.objects[ChildKey("Service", "shop-preview")]["spec"]
    now = released(cr, world, now, until="Keep")
    assert lead(world, "shop-preview") == NOBODY
    cr = with_spec(cr, image="shop:4")
    world.failing.add("smoke")
    released(cr, world, now + timedelta(minutes=1))
    assert condition(cr["status"], "Ready") == ("False", "Rejected")
    assert lead(world, "shop-preview") == NOBODY


def test_a_preview_whose_pods_are_not_ready_is_not_judged() -> None:
    cr, world = body(GATED), TracedWorld()
    now = released(cr, world)
    cr = with_spec(cr, image="shop:2")
    world.dead.add("shop-green")
    for _ in range(30):
        settle(cr, world, now)
        world.follow(now)  # the checks say that all is well
        now += SECOND
    assert cr["status"]["release"]["step"] == "Preview"


# ---- checks that pass though nothing was checked


def ended(code: int, message: str = "", reason: str = "Completed") -> Manifest:
    """The status of a pod whose only container has ended."""
    state = {"terminated": {"exitCode": code, "reason": reason, "message": message}}
    return {"phase": "Failed" if code else "Succeeded", "containerStatuses": [{"name": "verifier", "state": state}]}


def load(verdict: str, *reasons: str, requests: int = 0) -> str:
    """A report of the load generator."""
    return json.dumps({"verdict": verdict, "reasons": reasons, "figures": {"requests": requests, "failed": 0} if requests else None})


LOAD = {"name": "peak", "load": {"rate": 50, "duration": "10s", "maxErrorRatio": 0.01}}
JOB = {"name": "contract", "job": {"command": ["check"]}}


def judged(check: Manifest, status: Manifest) -> tuple[Manifest, set[str]]:
    """A service whose second version is checked once before its cutover, a quarter of an hour later, where every pod that checks ended like
    this; and the colours that clients were led to.
    """
    cr, world, colors = body(SPEC), TracedWorld(), set()
    now = released(cr, world)
    cr = with_spec(cr, image="shop:2", verify={"beforeCutover": [check]})
    for seconds in (0, 1, 2, 3, 4, 900, 901):
        settle(cr, world, now + seconds * SECOND)
        colors.add(lead(world)["color"])
        for name in ("shop-blue", "shop-green"):
            if ChildKey("Deployment", name) in world.objects:
                world.run_pods(name)
        for key, live in world.objects.items():
            if key.kind == "Pod":
                live["status"] = status
    return cr, colors


@pytest.mark.parametrize(
    ("status", "says"),
    [
        pytest.param(ended(0, load("Passed")), "no request was sent", id="it passed without a request"),
        pytest.param(ended(0, load("Invalid", "99 of 100 replies were 429 or shed", requests=100)), "429", id="it was turned away"),
        pytest.param(ended(2, load("Passed", requests=100)), "exit code 2", id="it says that it passed, and failed itself"),
        pytest.param(ended(128, reason="StartError"), "exit code 128 (StartError)", id="it did not start"),
        pytest.param(ended(127, "sh: load: not found"), "exit code 127", id="it is not there"),
        pytest.param(ended(0), "no readable report", id="it says nothing"),
    ],
)
def test_a_load_that_proves_nothing_passes_nothing(status: Manifest, says: str) -> None:
    cr, colors = judged(LOAD, status)
    assert condition(cr["status"], "Ready") == ("False", "Rejected")
    assert cr["status"]["pin"]["reason"] == "ProgressDeadlineExceeded"
    assert says in cr["status"]["pin"]["message"]
    assert colors == {"blue"}


def test_a_pod_that_ends_without_a_word_is_not_made_anew_at_once() -> None:
    cr, world = body(SPEC), TracedWorld()
    now = released(cr, world)
    cr = with_spec(cr, image="shop:2", verify={"beforeCutover": [LOAD]})
    now = released_until(cr, world, now, "VerifyBefore")
    settle(cr, world, now)
    (key,) = (key for key in world.objects if key.kind == "Pod")
    world.objects[key]["status"] = ended(127)
    world.objects[key]["metadata"]["creationTimestamp"] = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    soon = decide(cr, world, now + 9 * SECOND)
    assert (soon.delete, soon.requeue_after) == ((), SECOND)
    (gone,) = decide(cr, world, now + 10 * SECOND).delete
    assert gone.key == key


def test_a_load_that_proves_something_passes() -> None:
    _, colors = judged(LOAD, ended(0, load("Passed", requests=100)))
    assert colors == {"blue", "green"}


@pytest.mark.parametrize("code", [1, 2, 126, 127, 137, 255])
def test_a_command_that_ends_with_anything_but_0_rejects(code: int) -> None:
    cr, colors = judged(JOB, ended(code, "all tests passed", reason="Error"))
    assert condition(cr["status"], "Ready") == ("False", "Rejected")
    assert f"check contract failed: ended with exit code {code}" in cr["status"]["pin"]["message"]
    assert colors == {"blue"}


def test_a_command_that_ends_with_0_passes() -> None:
    _, colors = judged(JOB, ended(0))
    assert colors == {"blue", "green"}


# ---- a cluster that was restored, or built anew


def watch(cr: Manifest, world: TracedWorld, now: Any) -> None:
    """Lets 40 seconds pass. Where clients were led to by then stands in the world."""
    world.led.clear()
    for _ in range(40):
        settle(cr, world, now)
        world.follow(now)
        now += SECOND


def test_in_a_cluster_that_is_built_anew_nobody_is_led_to_a_version_that_was_not_checked() -> None:
    cr, world = body(CHECKED), TracedWorld()
    world.failing.add("smoke")
    watch(cr, world, NOW)
    assert all(led == NOBODY for led in world.led)
    assert condition(cr["status"], "Ready") == ("False", "Rejected")
    assert condition(cr["status"], "Available")[0] == "False"


@pytest.mark.parametrize("is_stored", [True, False], ids=["revisions are kept", "revisions are lost"])
def test_without_its_status_a_service_is_never_led_to_what_was_not_checked(is_stored: bool) -> None:
    cr, world = body(CHECKED), TracedWorld()
    now, stable = released(cr, world), target(cr, "blue")
    cr = with_spec(cr, image="shop:2")
    world.failing.add("smoke")
    now = released_until(cr, world, now, "VerifyBefore")
    del cr["status"]
    if not is_stored:
        for key in [key for key in world.objects if key.kind == "ControllerRevision"]:
            del world.objects[key]
    watch(cr, world, now)
    assert all(led in (stable, NOBODY) for led in world.led)
    assert lead(world) == (stable if is_stored else NOBODY), "which revision has passed is known by what is stored"
    assert condition(cr["status"], "Ready") == ("False", "Rejected")
