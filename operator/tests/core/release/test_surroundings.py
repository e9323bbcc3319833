"""What is around a version and not its fault rejects none: a preview Service that cannot be made, endpoints that nobody keeps."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.core.machines import policy, step
from tests.core.releases import CHECKED, SECOND, SPEC, passes, pods, refused_service, released, released_until
from tests.core.worlds import NOW, World, body, condition, decide, revision, with_spec

from hardened.api.steps import Step
from hardened.core.model.input import Input
from hardened.core.model.manifest import ChildKey, Manifest
from hardened.core.model.reasons import Reason
from hardened.core.model.state import ReleaseState
from hardened.core.model.target import Stack, Target, Traffic

BLUE, GREEN = Target("blue", "last"), Target("green", "new")
TERMS = policy()
AT_ITS_DEADLINE = ReleaseState(GREEN, "key of new", Step.CUTOVER, NOW - timedelta(minutes=10), deadline=NOW)
PREVIEW = ChildKey("Service", "shop-preview")


def led(*, ready: int, green: Stack, stable: Target | None = BLUE) -> Input:
    """Traffic was led to green, and the endpoints have not followed."""
    traffic = Traffic(GREEN, ready=ready, has_followed=False)
    stacks = {"blue": Stack("last", 2, 2), "green": green}
    return Input(
        wanted="new", key="key of new", replicas=2, stable=stable, stacks=stacks, traffic=traffic, policy=TERMS, now=NOW, is_proven=True
    )


@pytest.mark.parametrize(
    ("seen", "is_rejected"),
    [
        pytest.param(led(ready=0, green=Stack("new", 2, 2)), False, id="its pods are there, and no endpoint is any of them"),
        pytest.param(led(ready=1, green=Stack("new", 2, 1)), True, id="one of its pods is missing"),
        pytest.param(led(ready=0, green=Stack("new", 2, 2), stable=None), True, id="the first one has nothing to go back to"),
    ],
)
def test_endpoints_that_do_not_follow_reject_no_version_whose_pods_are_there(seen: Input, is_rejected: bool) -> None:
    found = step(AT_ITS_DEADLINE, seen, TERMS, NOW)
    left = found.rejects or (found.state and found.state.left)
    assert (left is not None and left.reason is Reason.PROGRESS_DEADLINE_EXCEEDED) == is_rejected
    if seen.stable:
        assert found.state
        assert found.state.step is Step.SWITCH_BACK


def test_a_version_whose_preview_service_cannot_be_made_waits_for_it() -> None:
    cr, world = body(CHECKED), World()
    now = released(cr, world)
    cr = with_spec(cr, image="shop:2")
    now = released_until(cr, world, now, "VerifyBefore")
    world.mute = True  # its check pod is there, and gets no answer
    now = passes(cr, world, now, 10)
    assert [name for name in pods(world) if "verify" in name]
    del world.objects[PREVIEW]
    for _ in range(5):
        now += timedelta(minutes=5)
        refused_service(cr, world, now)
        world.follow(now)
        assert cr["status"]["release"]["step"] == "VerifyBefore"
    assert "pin" not in cr["status"]
    world.mute = False
    released(cr, world, now)
    assert cr["status"]["stable"]["revision"] == revision(cr), "it goes on once it is there"


def test_what_ran_in_place_serves_on_while_the_other_colour_comes_up() -> None:
    spec: Manifest = {**SPEC, "release": {"strategy": "RollingUpdate"}}
    cr, world = body(spec), World()
    now = released(cr, world)
    before = revision(cr)
    cr = with_spec(cr, image="shop:2", release=SPEC["release"])
    for _ in range(30):
        decided = decide(cr, world, now)
        if decided.has_writes:
            world.write(decided)
        if decided.status and decided.status["release"]["step"] in ("Preview", "Cutover"):
            assert condition(decided.status, "Available")[0] == "True"
            assert decided.status["serving"]["revision"] in (before, revision(cr))
        if not decided.has_writes:
            cr["status"] = decided.status
            world.follow(now)
            now += SECOND
    assert cr["status"]["serving"]["revision"] == revision(cr)


def test_once_what_was_kept_is_deleted_nothing_is_said_to_be_kept() -> None:
    kept = ReleaseState(BLUE, "key of last", Step.KEEP, NOW, cutover_at=NOW, keep_until=NOW + timedelta(minutes=5))
    given: dict[str, Any] = {"wanted": "last", "key": "key of last", "replicas": 2, "stable": BLUE, "policy": TERMS, "now": NOW}
    both = Input(**given, stacks={"blue": Stack("last", 2, 2), "green": Stack("old", 2, 2)}, traffic=Traffic(BLUE, 2, True))
    assert step(kept, both, TERMS, NOW).state == kept
    assert step(kept, replace(both, stacks={"blue": Stack("last", 2, 2)}), TERMS, NOW).state is None
