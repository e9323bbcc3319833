"""What status tells of one version stands beside no other: images, who serves, what waits, and why something was rejected."""

from datetime import timedelta
from typing import Any

import pytest
from tests.core.releases import CHECKED, SECOND, SPEC, released
from tests.core.worlds import WEB, World, body, decide, revision, settle, with_spec

from hardened.core.model.manifest import ChildKey, Manifest

HOUR = timedelta(hours=1)


def image(number: int) -> str:
    return f"shop:{number}"


def ready(cr: Manifest) -> str:
    return str(next(c["message"] for c in cr["status"]["conditions"] if c["type"] == "Ready"))


def first(spec: Manifest = SPEC) -> tuple[Manifest, World, Any]:
    cr, world = body({**spec, "image": image(1)}), World()
    return cr, world, released(cr, world)


def newer(cr: Manifest, number: int, **more: Any) -> Manifest:
    return with_spec(cr, image=image(number), **more)


def test_a_newer_spec_that_waits_is_told_with_what_it_waits_for() -> None:
    cr, world, now = first()
    cr = newer(cr, 2)
    now = released(cr, world, now, until="VerifyAfter")
    at_work = revision(cr)
    cr = newer(cr, 3)
    settle(cr, world, now)
    waits = f"the release of revision {at_work}, which is in VerifyAfter, ends first"
    assert cr["status"]["pending"] == {"revision": revision(cr), "image": image(3), "message": waits}
    assert f"revision {at_work} (shop:2)" in ready(cr), "the revision at work, with its own image"
    assert cr["status"]["release"]["image"] == image(2)
    now = released(cr, world, now, until="Keep")
    pending = cr["status"]["pending"]
    assert (pending["revision"], pending["message"]) == (revision(cr), "the previous pods must stay up first")
    assert pending["until"] > cr["status"]["release"]["cutoverAt"]
    released(cr, world, now + HOUR)
    assert "pending" not in cr["status"]


def test_a_newer_spec_waits_for_what_is_paused_or_suspended() -> None:
    cr, world, now = first()
    cr = newer(cr, 2, suspend=True)
    settle(cr, world, now)
    assert cr["status"]["pending"] == {"revision": revision(cr), "image": image(2), "message": "spec.suspend is true"}
    cr = newer(cr, 2, suspend=False)
    settle(cr, world, now)
    assert "pending" not in cr["status"], "it is at work"
    at_work = revision(cr)
    cr["status"]["release"] |= {"pausedAt": now.isoformat(), "remaining": "1m"}
    cr = newer(cr, 3)
    settle(cr, world, now)
    assert cr["status"]["pending"]["message"] == f"the release of revision {at_work} is paused in Preview: resume or abort it"
    assert cr["status"]["release"]["image"] == image(2)


def test_what_was_rejected_does_not_wait() -> None:
    cr, world, now = first(CHECKED)
    cr = newer(cr, 2)
    world.failing = {"smoke"}
    released(cr, world, now)
    assert cr["status"]["pin"]["revision"] == revision(cr)
    assert "pending" not in cr["status"]


def test_the_image_of_what_serves_is_its_own_where_its_stored_revision_was_deleted() -> None:
    cr, world, now = first()
    stored = next(key for key in world.objects if key.kind == "ControllerRevision")
    serving = revision(cr)
    cr = newer(cr, 2)
    del world.objects[stored]
    status = decide(cr, world, now).status
    assert status
    assert status["serving"] == {"color": "blue", "revision": serving, "image": image(1)}


def test_while_pods_are_replaced_one_by_one_the_version_before_serves_until_its_last_pod_is_gone() -> None:
    cr, world, now = first({**WEB, "release": {"strategy": "RollingUpdate"}})
    before = revision(cr)
    cr = newer(cr, 2)
    settle(cr, world, now)
    deployment = world.objects[ChildKey("Deployment", "shop-blue")]
    counted = {"replicas": 3, "updatedReplicas": 1, "availableReplicas": 2}
    deployment["status"] |= counted | {"observedGeneration": deployment["metadata"]["generation"]}
    settle(cr, world, now + SECOND)
    assert cr["status"]["serving"] == {"color": "blue", "revision": before, "image": image(1)}
    assert cr["status"]["availableReplicas"] == 2, "whichever version they are of, they take requests"
    world.follow(now)
    settle(cr, world, now + SECOND)
    assert cr["status"]["serving"] == {"color": "blue", "revision": revision(cr), "image": image(2)}


@pytest.mark.parametrize("is_late", [False, True])
def test_history_tells_why_a_revision_was_rejected(is_late: bool) -> None:
    cr, world, now = first(CHECKED)
    cr = newer(cr, 2)
    world.failing = {"live" if is_late else "smoke"}
    released(cr, world, now)
    pin, rejected = cr["status"]["pin"], revision(cr)
    entries = {entry["revision"]: entry.get("rejection") for entry in cr["status"]["history"]}
    told = {"reason": "CheckFailed", "message": pin["message"]} | ({"afterCutover": True} if is_late else {})
    assert entries.pop(rejected) == told
    assert set(entries.values()) == {None}
    world.failing = set()
    cr = newer(cr, 3)
    released(cr, world, now + HOUR)
    assert {entry["revision"]: entry.get("rejection") for entry in cr["status"]["history"]}[rejected] == told, "also once it is not wanted"
