"""One step for one service: what is looked up, made, changed and removed."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.core.worlds import (
    ANY_KEY,
    NOW,
    STAMP,
    WEB,
    WORKER,
    World,
    begun,
    body,
    condition,
    decide,
    keys,
    live,
    released,
    revision,
    running,
    settle,
    with_spec,
)  # fmt: skip

from hardened.api.moment import moment_text
from hardened.core.model.manifest import ChildKey
from hardened.core.model.question import ReadChildren
from hardened.core.observe.observed import Observed
from hardened.core.plan import Plan, plan

DEPLOYMENT, SERVICE = ChildKey("Deployment", "shop-blue"), ChildKey("Service", "shop")
LATER = NOW + timedelta(minutes=1)


def test_a_wanted_child_is_looked_for_by_name_before_it_is_made() -> None:
    cr, _ = running()
    first = plan(cr, Observed.of([]), ANY_KEY, NOW)
    assert isinstance(first.question, ReadChildren)
    assert first == Plan(question=first.question)
    assert {str(k) for k in first.question.keys} >= {"Deployment shop-blue", "Service shop", "NetworkPolicy shop-blue"}


def test_a_new_service_has_each_child_made_on_the_condition_that_it_is_not_there() -> None:
    cr = body()
    begun(cr, World())
    first = plan(cr, Observed.of([]), ANY_KEY, NOW)
    assert not first.question
    assert len(first.apply) == 6
    assert all(step.is_new for step in first.apply)


def test_only_what_is_not_known_is_looked_for() -> None:
    cr, world = running()
    seen = world.seen().without_child(DEPLOYMENT)
    assert not plan(cr, seen, ANY_KEY, NOW).question
    lost = Observed.of(o for k, o in world.objects.items() if k != SERVICE)
    assert plan(cr, lost, ANY_KEY, NOW).question == ReadChildren(frozenset({SERVICE}))


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param(
            WEB,
            ["ControllerRevision", "ServiceAccount", "NetworkPolicy", "PodDisruptionBudget", "Deployment", "Service"],
            id="a web service",
        ),
        pytest.param(
            WORKER,
            ["ControllerRevision", "ServiceAccount", "NetworkPolicy", "PodDisruptionBudget", "Deployment"],
            id="a worker has no Service",
        ),
        pytest.param(
            {
                **WORKER,
                "files": [{"mountPath": "/etc/shop", "data": {"a": "b"}}],
                "volumes": [{"name": "data", "mountPath": "/data", "claim": {"size": "1Gi"}}],
            },
            [
                "ControllerRevision",
                "ConfigMap",
                "ServiceAccount",
                "NetworkPolicy",
                "PodDisruptionBudget",
                "PersistentVolumeClaim",
                "Deployment",
            ],
            id="files and claims stand before the pods that need them",
        ),
        pytest.param(
            {**WORKER, "autoscale": {"maxReplicas": 3, "cpu": 70}},
            ["ControllerRevision", "ServiceAccount", "NetworkPolicy", "PodDisruptionBudget", "Deployment", "HorizontalPodAutoscaler"],
            id="what is scaled stands before what scales it",
        ),
    ],
)
def test_everything_is_made_in_an_order_that_each_child_can_rely_on(spec: dict[str, Any], expected: list[str]) -> None:
    decided = begun(body(spec), World())
    assert [step.manifest["kind"] for step in decided.apply] == expected
    assert all(step.is_new and "uid" not in step.manifest["metadata"] for step in decided.apply)
    assert decided.status
    assert condition(decided.status, "Ready") == ("False", "RollingOut")


def test_a_service_that_is_being_deleted_has_an_empty_plan() -> None:
    cr, world = running()
    world.objects.clear()
    assert decide({**cr, "metadata": {**cr["metadata"], "deletionTimestamp": STAMP}}, world) == Plan()


def test_a_settled_service_needs_nothing_and_no_further_look() -> None:
    cr, world = running()
    decided = plan(cr, world.seen(), ANY_KEY, LATER)
    assert (decided.question, decided.has_writes, decided.requeue_after) == (None, False, None)
    assert decided.status == cr["status"]
    assert condition(decided.status, "Ready") == ("True", "Healthy")


def test_a_suspended_service_is_left_as_it_is_whatever_happens_to_its_children() -> None:
    cr, world = running()
    world.objects.pop(SERVICE)
    world.objects[DEPLOYMENT]["spec"]["replicas"] = 7
    decided = plan(with_spec(cr, suspend=True, image="shop:9"), world.seen(), ANY_KEY, NOW)
    assert (decided.question, decided.has_writes, decided.requeue_after) == (None, False, None)
    assert decided.status
    assert decided.status["phase"] == "Suspended"
    assert condition(decided.status, "Ready") == ("False", "Suspended")
    assert condition(decided.status, "Available")[0] == "True"


def test_a_service_goes_on_by_itself_at_the_moment_until_which_it_is_suspended() -> None:
    cr, world = running()
    until = NOW + timedelta(hours=2)
    cr = with_spec(cr, suspendUntil=moment_text(until), image="shop:9")
    for now in (NOW, until - timedelta(seconds=1)):
        decided = plan(cr, world.seen(), ANY_KEY, now)
        assert (decided.question, decided.has_writes, decided.requeue_after) == (None, False, until - now)
        assert decided.status
        assert decided.status["phase"] == "Suspended"
        ready = next(each for each in decided.status["conditions"] if each["type"] == "Ready")
        assert f"suspended until {moment_text(until)}, by spec.suspendUntil" in ready["message"]
        assert datetime.fromisoformat(decided.status["pending"]["until"]) == until
    # Whoever was killed meanwhile decides the same: nothing but the spec and the time counts.
    assert begun(cr, world, until).has_writes
    settle(cr, world, until)
    assert cr["status"]["phase"] != "Suspended"
    assert cr["status"]["release"]["image"] == "shop:9"


def test_suspend_has_no_end_whatever_the_moment_says() -> None:
    cr, world = running()
    for until in (NOW - timedelta(hours=1), NOW + timedelta(hours=1)):
        decided = plan(with_spec(cr, suspend=True, suspendUntil=moment_text(until)), world.seen(), ANY_KEY, NOW)
        assert (decided.has_writes, decided.requeue_after) == (False, None)
        assert decided.status
        ready = next(each for each in decided.status["conditions"] if each["type"] == "Ready")
        assert ready["message"] == "spec.suspend is true: the operator changes nothing until it is false"


def test_a_moment_that_has_passed_means_nothing() -> None:
    cr, world = running()
    whole = plan(with_spec(cr, suspend=False), world.seen(), ANY_KEY, NOW)
    assert plan(with_spec(cr, suspendUntil=moment_text(NOW)), world.seen(), ANY_KEY, NOW) == whole


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        pytest.param(None, 2, id="two where nothing runs"),
        pytest.param(5, 5, id="what runs"),
        pytest.param(0, 0, id="nothing, if that runs"),
    ],
)
def test_replicas_are_seeded_once(runs: int | None, expected: int) -> None:
    cr, world = body({k: v for k, v in WEB.items() if k != "replicas"}), World()
    if runs is not None:
        cr, world = running()
        world.objects[DEPLOYMENT]["spec"]["replicas"] = runs
        del cr["spec"]["replicas"]
    decided = begun(cr, world)
    assert decided.seed_replicas == expected
    settle(cr, world)
    assert cr["spec"]["replicas"] == world.objects[DEPLOYMENT]["spec"]["replicas"] == expected
    assert decide(cr, world).seed_replicas is None


AUTOSCALE: dict[str, Any] = {"minReplicas": 3, "maxReplicas": 6, "cpu": 70}


@pytest.mark.parametrize(
    ("runs", "autoscale", "expected"),
    [
        pytest.param(None, AUTOSCALE, 3, id="the least where nothing runs"),
        pytest.param(None, {**AUTOSCALE, "minReplicas": 1}, 1, id="the least, also where that is one"),
        pytest.param(None, {"maxReplicas": 6, "cpu": 70}, 2, id="two where the least is left out"),
        pytest.param(5, AUTOSCALE, 5, id="what runs"),
        pytest.param(1, AUTOSCALE, 3, id="what runs is below the bounds"),
        pytest.param(9, AUTOSCALE, 6, id="what runs is above the bounds"),
        pytest.param(0, AUTOSCALE, 3, id="nothing runs that could be scaled"),
    ],
)
@pytest.mark.parametrize("spec", [WEB, WORKER], ids=["web", "worker"])
def test_replicas_that_an_autoscaler_sets_are_seeded_within_its_bounds(
    spec: dict[str, Any], runs: int | None, autoscale: dict[str, Any], expected: int
) -> None:
    cr, world = body({k: v for k, v in spec.items() if k != "replicas"}), World()
    if runs is not None:
        cr, world = running(spec)
        world.objects[DEPLOYMENT]["spec"]["replicas"] = runs
        del cr["spec"]["replicas"]
    cr = with_spec(cr, autoscale=autoscale)
    assert begun(cr, world).seed_replicas == expected
    settle(cr, world)
    assert cr["spec"]["replicas"] == world.objects[DEPLOYMENT]["spec"]["replicas"] == expected
    assert (decide(cr, world).seed_replicas, decide(cr, world).has_writes) == (None, False)


def test_ports_that_go_take_the_service_with_them_once_the_worker_is_promoted() -> None:
    cr, world = running()
    cr, uid = with_spec(cr, ports=None), world.objects[SERVICE]["metadata"]["uid"]
    settle(cr, world)
    assert world.objects[SERVICE]["metadata"]["uid"] == uid
    released(cr, world)
    assert condition(cr["status"], "Ready") == ("True", "Healthy")
    assert SERVICE not in world.objects


def test_somebody_elses_service_stays_where_ports_go() -> None:
    cr, world = running()
    world.objects[SERVICE]["metadata"]["ownerReferences"] = [{"kind": "Helm", "name": "x", "uid": "y", "controller": True}]
    released(with_spec(cr, ports=None), world)
    assert SERVICE in world.objects


def test_only_as_many_revisions_as_the_limit_are_kept_and_none_is_missed() -> None:
    cr, world = running({**WEB, "files": [{"mountPath": "/etc/shop", "data": {"a": "b"}}]})
    for number in range(10 + 3):
        cr = with_spec(cr, token=str(number))
        settle(cr, world)
        world.run_pods()
        decided = settle(cr, world)
        assert decided.status
        assert condition(decided.status, "Drifted")[0] == "False"
    kinds = [key.kind for key in world.objects]
    assert (kinds.count("ControllerRevision"), kinds.count("ConfigMap")) == (10, 10)
    assert len(cr["status"]["history"]) == 10


def test_going_back_to_an_earlier_spec_uses_what_was_stored() -> None:
    cr, world = running()
    first = world.objects[DEPLOYMENT]["spec"]["template"]
    settle(with_spec(cr, image="shop:2"), world)
    writes = len(world.writes)
    settle(cr, world)
    assert world.objects[DEPLOYMENT]["spec"]["template"] == first
    assert not [w for w in world.writes[writes:] if "ControllerRevision" in w]


def test_scaling_makes_no_revision_and_touches_one_object() -> None:
    cr, world = running()
    decided = decide(with_spec(cr, replicas=9), world)
    assert keys(decided.apply) == ["Deployment shop-blue"]
    assert revision(with_spec(cr, replicas=9)) == revision(cr)


def test_a_claim_that_is_deleted_while_pods_mount_it_is_told_and_not_remade() -> None:
    cr, world = running({**WORKER, "volumes": [{"name": "data", "mountPath": "/data", "claim": {"size": "1Gi"}}]})
    world.objects[ChildKey("PersistentVolumeClaim", "shop-data")]["metadata"]["deletionTimestamp"] = STAMP
    decided = decide(cr, world)
    assert not decided.has_writes
    assert decided.status
    assert condition(decided.status, "Drifted") == ("True", "ClaimDeleting")


def test_a_volume_that_goes_leaves_its_claim() -> None:
    cr, world = running({**WORKER, "volumes": [{"name": "data", "mountPath": "/data", "claim": {"size": "1Gi"}}]})
    settle(with_spec(cr, volumes=None), world)
    assert ChildKey("PersistentVolumeClaim", "shop-data") in world.objects


def test_a_child_that_is_being_deleted_is_made_anew_only_once_it_is_gone() -> None:
    cr, world = running()
    world.objects[SERVICE]["metadata"]["deletionTimestamp"] = STAMP
    assert not decide(cr, world).has_writes
    del world.objects[SERVICE]
    assert keys(decide(cr, world).apply) == ["Service shop"]


def test_the_same_arguments_give_the_same_plan() -> None:
    cr, world = running()
    assert decide(with_spec(cr, image="shop:2"), world) == decide(with_spec(cr, image="shop:2"), world)
    assert live(world.objects[SERVICE])["kind"] == "Service"
