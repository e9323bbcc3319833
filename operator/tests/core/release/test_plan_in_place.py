"""Releases in which one Deployment replaces its pods, as they are planned: what is written, and what status says meanwhile."""

import json
from datetime import timedelta
from typing import Any

import pytest
from tests.core.releases import lead, sizes
from tests.core.worlds import NOW, WEB, WORKER, World, body, condition, decide, revision, running, settle, with_spec

from hardened.api import names
from hardened.core.model.manifest import ChildKey, Manifest

SECOND = timedelta(seconds=1)
DEPLOYMENT = ChildKey("Deployment", "shop-blue")


def template(world: World, color: str = "blue") -> str:
    """The revision that a Deployment's template carries."""
    found = world.objects[ChildKey("Deployment", f"shop-{color}")]["spec"]["template"]["metadata"]["labels"]
    return str(found[names.REVISION_LABEL])


def played(cr: Manifest, world: World, now: Any = NOW, *, until: str = "") -> Any:
    """Lets pods and endpoints follow until the release is over, or in this step. The moment then."""
    for _ in range(60):
        settle(cr, world, now)
        if (cr["status"].get("release") or {}).get("step", "") == until:
            return now
        world.follow(now)
        now += SECOND
    raise AssertionError(f"never there: {cr['status'].get('release')}")


@pytest.fixture
def first() -> tuple[Manifest, World]:
    """A service whose first revision was released."""
    return running()


def test_until_the_first_revision_has_come_up_nobody_is_led_to_it() -> None:
    cr, world = body(), World()
    settle(cr, world)
    assert (lead(world), sizes(world)) == ({"revision": "none"}, {"shop-blue": 2})
    assert (cr["status"]["release"]["step"], cr["status"]["release"]["strategy"]) == ("Cutover", "RollingUpdate")
    assert condition(cr["status"], "Available")[0] == "False"
    played(cr, world, until="VerifyAfter")
    assert lead(world) == {"color": "blue"}
    assert condition(cr["status"], "Ready") == ("False", "RollingOut")
    assert condition(cr["status"], "Available")[0] == "True"


def test_what_a_revision_depends_on_is_waited_for_before_its_first_pod() -> None:
    cr, world = body({**body()["spec"], "dependsOn": [{"service": "database"}]}), World()
    settle(cr, world)
    settle(cr, world, NOW + timedelta(days=1))
    assert cr["status"]["release"]["step"] == "Preflight"
    assert condition(cr["status"], "Ready") == ("False", "WaitingForDependencies")
    assert sizes(world) == {}
    world.available.add("database")
    played(cr, world, NOW + timedelta(days=1))
    assert condition(cr["status"], "Ready") == ("True", "Healthy")


def test_it_is_ready_once_it_was_watched_for_its_window(first: tuple[Manifest, World]) -> None:
    cr, world = first
    cr = with_spec(cr, image="shop:2")
    watched = played(cr, world, until="VerifyAfter")
    assert (template(world), lead(world)) == (revision(cr), {"color": "blue"})
    done = played(cr, world, watched)
    assert done - watched >= 10 * SECOND
    assert condition(cr["status"], "Ready") == ("True", "Healthy")
    assert cr["status"]["stable"] == {"color": "blue", "revision": revision(cr), "promotion": 2}


def test_what_fails_its_checks_is_taken_back_at_once_and_stays_rejected(first: tuple[Manifest, World]) -> None:
    cr, world = first
    old, checks = revision(cr), {"afterCutover": {"checks": [{"name": "smoke", "http": {}}]}}
    cr = with_spec(cr, image="shop:2", verify=checks)
    now = played(cr, world, until="VerifyAfter")
    world.failing.add("smoke")
    world.follow(now)
    settle(cr, world, now)
    assert (cr["status"]["release"]["step"], template(world)) == ("SwitchBack", old)
    now = played(cr, world, now)
    assert condition(cr["status"], "Ready") == ("False", "RolledBack")
    assert condition(cr["status"], "Stalled")[0] == "True"
    assert condition(cr["status"], "Available")[0] == "True"
    assert cr["status"]["pin"]["reason"] == "CheckFailed"
    world.failing.clear()
    settle(with_spec(cr, replicas=3), world, now + timedelta(hours=1))
    assert (template(world), sizes(world)) == (old, {"shop-blue": 3})


def test_what_does_not_come_up_within_its_deadline_is_taken_back(first: tuple[Manifest, World]) -> None:
    cr, world = first
    old = revision(cr)
    cr = with_spec(cr, image="shop:2")
    world.dead.add("shop-blue")
    now = played(cr, world, until="Cutover")
    world.follow(now)
    settle(cr, world, now + timedelta(minutes=10) - SECOND)
    assert template(world) == revision(cr)
    settle(cr, world, now + timedelta(minutes=10))
    assert template(world) == old
    world.dead.clear()
    played(cr, world, now + timedelta(minutes=10))
    assert condition(cr["status"], "Ready") == ("False", "RolledBack")
    assert cr["status"]["pin"]["reason"] == "ProgressDeadlineExceeded"


@pytest.mark.parametrize("spec", [WEB, WORKER], ids=["with ports", "a worker"])
def test_a_first_revision_that_fails_leaves_nothing(spec: Manifest) -> None:
    cr, world = body({**spec, "verify": {"afterCutover": {"window": "10s"}}}), World()
    now = played(cr, world, until="VerifyAfter")
    world.dead.add("shop-blue")
    world.follow(now)
    played(cr, world, now)
    assert sizes(world) == {"shop-blue": 0}
    assert "ports" not in spec or lead(world) == {"revision": "none"}
    assert condition(cr["status"], "Ready") == ("False", "RolledBack")
    assert condition(cr["status"], "Available")[0] == "False"


def test_a_newer_spec_takes_over_at_any_time_and_the_one_before_is_not_rejected(first: tuple[Manifest, World]) -> None:
    cr, world = first
    second = with_spec(cr, image="shop:2")
    now = played(second, world, until="VerifyAfter")
    third = {**with_spec(second, image="shop:3"), "status": second["status"]}
    settle(third, world, now)
    assert (third["status"]["release"]["step"], template(world)) == ("Cutover", revision(third))
    back = {**with_spec(third, image=WEB["image"]), "status": third["status"]}
    settle(back, world, now)
    assert (back["status"]["release"]["step"], template(world)) == ("SwitchBack", revision(cr))
    played(back, world, now)
    assert condition(back["status"], "Ready") == ("True", "Healthy")
    assert "pin" not in back["status"]


def test_nothing_is_released_at_no_replicas(first: tuple[Manifest, World]) -> None:
    cr, world = first
    old = revision(cr)
    cr = with_spec(cr, image="shop:2", replicas=0)
    settle(cr, world)
    world.follow()
    settle(cr, world)
    assert (template(world), sizes(world)) == (old, {"shop-blue": 0})
    assert condition(cr["status"], "Ready") == ("True", "ScaledToZero")
    cr = {**with_spec(cr, replicas=1), "status": cr["status"]}
    played(cr, world)
    assert template(world) == revision(cr)


def test_a_suspended_service_is_not_left_with_what_has_not_passed(first: tuple[Manifest, World]) -> None:
    cr, world = first
    old = revision(cr)
    cr = with_spec(cr, image="shop:2")
    now = played(cr, world, until="VerifyAfter")
    world.dead.add("shop-blue")
    world.follow(now)
    still = {**with_spec(cr, suspend=True, image="shop:3"), "status": cr["status"]}
    settle(still, world, now)
    assert (still["status"]["release"]["step"], template(world)) == ("SwitchBack", old)
    world.dead.clear()
    played(still, world, now)
    assert still["status"]["phase"] == "Suspended"
    assert not decide(still, world, now + timedelta(hours=1)).has_writes


def test_the_record_is_written_before_the_template(first: tuple[Manifest, World]) -> None:
    cr, world = first
    decided = decide(with_spec(cr, image="shop:2"), world)
    assert (decided.is_status_first, decided.has_writes) == (True, False)


@pytest.mark.parametrize(("kind", "port"), [("ClusterIP", 80), ("Headless", 8080)])
def test_the_probe_asks_where_clients_do(kind: str, port: int) -> None:
    cr, world = running({**WEB, "ports": [{"name": "http", "containerPort": 8080, "port": 80}], "service": {"type": kind}})
    cr = with_spec(cr, image="shop:2")
    settle(cr, world)
    assert not [key for key in world.objects if key.kind == "Pod"], "while pods come and go nobody asks"
    played(cr, world, until="VerifyAfter")
    (pod,) = [live for key, live in world.objects.items() if key.kind == "Pod"]
    (probe,) = json.loads(pod["spec"]["containers"][0]["env"][0]["value"])["probes"]
    assert probe["port"] == port
