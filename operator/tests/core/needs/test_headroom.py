"""Whether quotas have room for all pods that an autoscaler may ask for: told, and waited for by nobody."""

from datetime import timedelta
from typing import Any

from tests.core.worlds import NOW, WEB, World, body, decide, released, running, settle, with_spec

from hardened.core.model.manifest import Manifest
from hardened.core.needs.headroom import LOOK_AGAIN

SCALED = {**WEB, "autoscale": {"minReplicas": 2, "maxReplicas": 6, "cpu": 70}}


def quota(pods: int, used: int) -> Manifest:
    counted = {"hard": {"pods": str(pods)}, "used": {"pods": str(used)}}
    return {"metadata": {"name": "small"}, "spec": {"hard": counted["hard"]}, "status": counted}


def told(cr: Manifest) -> Any:
    return cr["status"]["autoscale"].get("quota")


def test_a_first_release_tells_of_it_and_goes_on() -> None:
    cr, world = body(SCALED), World(quotas=[quota(4, 0)])
    settle(cr, world, NOW - timedelta(minutes=5))
    assert told(cr) == "ResourceQuota small has 4 pods left, and 6 pods need 6"
    world.quotas = [quota(4, 2)]
    released(cr, world)
    assert told(cr) == "ResourceQuota small has 2 pods left, and 6 pods need 4"
    assert cr["status"]["phase"] == "Healthy"


def test_pods_that_are_there_count() -> None:
    cr, world = running(SCALED)
    world.quotas = [quota(5, 2)]
    cr = with_spec(cr, autoscale={**SCALED["autoscale"], "maxReplicas": 5})
    settle(cr, world)
    assert told(cr) is None
    cr = with_spec(cr, autoscale=SCALED["autoscale"])
    settle(cr, world)
    assert told(cr) == "ResourceQuota small has 3 pods left, and 6 pods need 4"


def test_it_is_looked_at_again_while_something_is_short_and_not_after() -> None:
    cr, world = running(WEB)
    world.quotas = [quota(4, 2)]
    cr = with_spec(cr, autoscale=SCALED["autoscale"])
    decided = settle(cr, world)
    assert told(cr)
    assert decided.requeue_after == LOOK_AGAIN
    assert decide(cr, world, NOW + timedelta(minutes=1)).status == cr["status"]
    world.quotas = [quota(40, 2)]
    settle(cr, world, NOW + timedelta(minutes=5))
    assert told(cr) is None
    world.quotas = [quota(1, 2)]
    settle(cr, world, NOW + timedelta(minutes=9))
    assert told(cr) is None, "a service at rest costs no call"
