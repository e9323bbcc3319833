"""Which autoscaler there is to be, one look after the other, and what is told of one that KEDA is to make."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.core.worlds import ANY_KEY, NOW, STAMP, WEB, World, body, decide, running, settle, with_spec

from hardened.core.model.manifest import ChildKey, Manifest
from hardened.core.observe.autoscaling import BELIEVED_AFTER
from hardened.core.observe.observed import Observed
from hardened.core.plan import plan

HPA, OBJECT, MADE = (
    ChildKey("HorizontalPodAutoscaler", "shop"),
    ChildKey("ScaledObject", "shop"),
    ChildKey("HorizontalPodAutoscaler", "keda-hpa-shop"),
)
CPU: dict[str, Any] = {"minReplicas": 2, "maxReplicas": 6, "cpu": 70}
BOTH = {**CPU, "prometheus": [{"query": "sum(rate(requests[1m]))", "target": 100}]}
POLICY = replace(ANY_KEY, prometheus_url="http://prometheus:9090")
LONG_AGO = "2026-01-02T00:00:00Z"


def scaled_by_ours() -> tuple[Manifest, World]:
    cr, world = running({**WEB, "autoscale": CPU})
    world.has_keda = True
    return cr, world


def scaled_by_keda() -> tuple[Manifest, World]:
    """With the autoscaler that KEDA made of it."""
    cr, world = scaled_by_ours()
    cr = with_spec(cr, autoscale=BOTH)
    settle(cr, world, policy=POLICY)
    world.objects[OBJECT]["metadata"]["creationTimestamp"] = LONG_AGO
    world.objects[MADE] = made(world)
    says(world, ("Ready", "True", ""), ("Fallback", "False", ""))
    settle(cr, world, policy=POLICY)
    world.writes.clear()
    return cr, world


def made(world: World) -> Manifest:
    live = world.objects[OBJECT]
    owner = {"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "name": "shop", "uid": live["metadata"]["uid"], "controller": True}
    meta = {"name": MADE.name, "namespace": "market", "labels": live["metadata"]["labels"], "ownerReferences": [owner], "uid": "m"}
    conditions = [{"type": "ScalingActive", "status": "True", "lastTransitionTime": STAMP}]
    return {
        "apiVersion": "autoscaling/v2", "kind": MADE.kind, "metadata": meta | {"resourceVersion": "1", "creationTimestamp": LONG_AGO},
        "spec": {}, "status": {"conditions": conditions},
    }  # fmt: skip


def says(world: World, *conditions: tuple[str, str, str], **health: Any) -> None:
    """What KEDA writes on its ScaledObject."""
    found = [{"type": kind, "status": status, "message": message} for kind, status, message in conditions]
    world.objects[OBJECT]["status"] = {"conditions": found, "health": health}


def told(cr: Manifest, world: World, now: datetime = NOW) -> Manifest:
    settle(cr, world, now, POLICY)
    found: Manifest = cr["status"]["autoscale"]
    return found


# ---- one after the other


def test_status_says_that_there_may_be_one_before_anything_is_deleted_or_made() -> None:
    cr, world = scaled_by_ours()
    first = decide(with_spec(cr, autoscale=BOTH), world, policy=POLICY)
    assert (first.is_status_first, first.has_writes) == (True, False)
    assert first.status
    assert first.status["autoscale"]["kind"] == "ScaledObject"


def test_a_deletion_of_ours_is_not_believed_before_it_is_seen_gone() -> None:
    cr, world = scaled_by_ours()
    cr = with_spec(cr, autoscale=BOTH)
    world.held.add(HPA)
    settle(cr, world, policy=POLICY)
    assert world.writes == [f"delete {HPA}"]
    assert (told(cr, world)["reason"], OBJECT in world.objects) == ("Switching", False)
    assert decide(cr, world, policy=POLICY).requeue_after == timedelta(seconds=2)
    del world.objects[HPA]
    settle(cr, world, policy=POLICY)
    assert world.writes == [f"delete {HPA}", f"apply {OBJECT}"]


def test_ours_waits_until_the_scaled_object_and_then_what_keda_made_of_it_are_gone() -> None:
    cr, world = scaled_by_keda()
    cr = with_spec(cr, autoscale=CPU)
    world.held.add(OBJECT)
    settle(cr, world, policy=POLICY)
    assert world.writes == [f"delete {OBJECT}"]
    del world.objects[OBJECT]
    assert (told(cr, world)["reason"], HPA in world.objects) == ("Switching", False)
    assert str(MADE) in cr["status"]["autoscale"]["message"]
    del world.objects[MADE]
    settle(cr, world, policy=POLICY)
    assert world.writes == [f"delete {OBJECT}", f"apply {HPA}"]
    assert "kind" not in cr["status"]["autoscale"]


def test_what_keda_made_is_read_by_name_where_no_watch_has_told_of_it() -> None:
    cr, world = scaled_by_keda()
    cr = with_spec(cr, autoscale=CPU)
    del world.objects[OBJECT]
    world.objects[MADE]["metadata"]["labels"] = {}
    assert told(cr, world)["reason"] == "Switching"
    assert world.writes == []


def test_a_status_that_somebody_emptied_is_made_up_for_by_what_keda_made() -> None:
    cr, world = scaled_by_keda()
    cr = with_spec(cr, autoscale=CPU)
    del cr["status"]["autoscale"]
    settle(cr, world, policy=POLICY)
    assert world.writes == [f"delete {OBJECT}"]


def test_one_of_ours_that_comes_back_beside_keda_goes_and_the_scaled_object_stays() -> None:
    cr, world = scaled_by_keda()
    _, ours = scaled_by_ours()
    world.objects[HPA] = ours.objects[HPA]
    settle(cr, world, policy=POLICY)
    assert world.writes == [f"delete {HPA}"]


def test_a_settled_one_is_read_and_nothing_is_written() -> None:
    cr, world = scaled_by_keda()
    decided = decide(cr, world, policy=POLICY)
    assert (decided.has_writes, decided.status) == (False, cr["status"])
    assert decided.requeue_after == timedelta(minutes=1)


def test_a_spec_that_says_of_it_what_cannot_be_used_leaves_it_as_it_is() -> None:
    cr, world = scaled_by_keda()
    before = cr["status"]["autoscale"]
    cr = with_spec(cr, autoscale={**BOTH, "minReplicas": 9})
    settle(cr, world, policy=POLICY)
    assert (world.writes, cr["status"]["autoscale"]) == ([], before)
    settle(with_spec(cr, autoscale=CPU), world, policy=POLICY)
    assert world.writes[0] == f"delete {OBJECT}", "nothing was forgotten meanwhile"


def test_of_a_suspended_service_it_is_paused_once_and_nothing_else_is_written() -> None:
    cr, world = scaled_by_keda()
    for autoscale in (BOTH, CPU, None):
        settle(with_spec(cr, suspend=True, autoscale=autoscale), world, policy=POLICY)
    assert world.writes == [f"apply {OBJECT}"]
    assert world.objects[OBJECT]["metadata"]["annotations"]["autoscaling.keda.sh/paused"] == "true"


def test_a_new_service_is_scaled_by_keda_from_the_beginning_and_by_ours_where_nobody_may_be_asked() -> None:
    for policy, expected in ((POLICY, OBJECT), (ANY_KEY, HPA)):
        world = World(has_keda=True)
        settle(body({**WEB, "autoscale": BOTH}), world, policy=policy)
        assert {OBJECT, HPA} & world.objects.keys() == {expected}


# ---- what is told


def test_an_older_chart_that_does_not_let_it_be_read_is_named_and_the_other_metrics_scale() -> None:
    cr, world = scaled_by_ours()
    cr = with_spec(cr, autoscale=BOTH)
    world.objects[HPA]["status"] = {"conditions": [{"type": "ScalingActive", "status": "True", "lastTransitionTime": LONG_AGO}]}
    seen: Observed = world.seen().with_hidden(OBJECT)
    decided = plan(cr, seen, POLICY, NOW)
    assert not decided.has_writes
    assert decided.status
    assert decided.status["autoscale"]["reason"] == "NoKEDA"
    assert "may not read ScaledObjects" in decided.status["autoscale"]["message"]


@pytest.mark.parametrize(
    ("conditions", "reason", "words"),
    [
        pytest.param([], "NotSeen", "is KEDA's operator at work", id="nobody looks at it"),
        pytest.param([("Ready", "False", "failed to ensure HPA: no")], "CannotScale", "failed to ensure HPA: no", id="not ready"),
        pytest.param([("Ready", "True", ""), ("Fallback", "True", "")], "Fallback", "spec.autoscale.prometheus[0]", id="no number"),
        pytest.param([("Ready", "True", ""), ("Fallback", "False", "")], "Active", "", id="it scales"),
    ],
)
def test_what_keda_says_is_told(conditions: list[tuple[str, str, str]], reason: str, words: str) -> None:
    cr, world = scaled_by_keda()
    says(world, *conditions, **{"s1-prometheus": {"status": "Failing"}, "s0-cpu": {"status": "Happy"}})
    found = told(cr, world)
    assert (found["reason"], found["kind"]) == (reason, "ScaledObject")
    assert words in found.get("message", "")


def test_what_keda_says_of_one_that_was_just_made_is_believed_after_a_while() -> None:
    cr, world = scaled_by_keda()
    world.objects[OBJECT]["metadata"]["creationTimestamp"] = STAMP
    says(world, ("Ready", "False", "not yet"))
    assert told(cr, world)["reason"] == "Active"
    assert told(cr, world, NOW + BELIEVED_AFTER)["reason"] == "CannotScale"


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("unable to get external metric market/s1-prometheus: the server is currently unable to handle the request", "KEDA's metrics API"),
        ("unable to get metrics for resource cpu: the server could not find the requested resource", "install metrics-server"),
    ],
)
def test_whose_metrics_do_not_come_is_told_apart(message: str, words: str) -> None:
    cr, world = scaled_by_keda()
    condition = {"type": "ScalingActive", "status": "False", "reason": "FailedGet", "message": message, "lastTransitionTime": LONG_AGO}
    world.objects[MADE]["status"]["conditions"] = [condition]
    found = told(cr, world)
    assert found["reason"] == "NoMetricsAPI"
    assert words in found["message"]


@pytest.mark.parametrize(("autoscale", "reason"), [(CPU, "Switching"), (None, "Leaving")])
def test_one_that_is_held_is_told_with_the_remedy_once_it_lasts(autoscale: Any, reason: str) -> None:
    cr, world = scaled_by_keda()
    cr = with_spec(cr, autoscale=autoscale)
    world.held.add(OBJECT)
    assert "waits until ScaledObject shop is gone" in told(cr, world)["message"]
    found = told(cr, world, NOW + BELIEVED_AFTER)
    assert (found["reason"], found["minReplicas"], found["maxReplicas"]) == (reason, 2, 6)
    assert "kubectl patch scaledobject shop -n market" in found["message"]
    del world.objects[OBJECT], world.objects[MADE]
    settle(cr, world, NOW + BELIEVED_AFTER, POLICY)
    assert ("autoscale" in cr["status"]) == (autoscale is not None)
