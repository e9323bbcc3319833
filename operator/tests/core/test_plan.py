"""One step for one service: what is looked up, made, changed, removed and told."""

from datetime import timedelta
from typing import Any

import pytest
from tests.core.worlds import (
    ANY_KEY,
    NOW,
    STAMP,
    WEB,
    WORKER,
    World,
    body,
    condition,
    decide,
    keys,
    live,
    live_sample,
    running,
    settle,
    with_spec,
)  # fmt: skip

from hardened.api.parse import parse
from hardened.core.history import LIMIT
from hardened.core.manifest import ChildKey
from hardened.core.observed import Observed, Trouble
from hardened.core.plan import LOOK_AGAIN, PATIENCE, Plan, plan
from hardened.core.policy import Policy
from hardened.core.revision import revision_name
from hardened.errors import Refused

DEPLOYMENT, SERVICE = ChildKey("Deployment", "shop-blue"), ChildKey("Service", "shop")
LATER = NOW + timedelta(minutes=1)


def revision(cr: dict[str, Any]) -> str:
    return revision_name(parse(cr).spec)


def test_a_wanted_child_is_looked_for_by_name_before_it_is_made() -> None:
    first = plan(body(), Observed.of([]), ANY_KEY, NOW)
    assert first == Plan(look=first.look)
    assert {str(k) for k in first.look} >= {"Deployment shop-blue", "Service shop", "NetworkPolicy shop-blue"}


def test_only_what_is_not_known_is_looked_for() -> None:
    cr, world = running()
    seen = world.seen().without_child(DEPLOYMENT)
    assert not plan(cr, seen, ANY_KEY, NOW).look
    lost = Observed.of(o for k, o in world.objects.items() if k != SERVICE)
    assert plan(cr, lost, ANY_KEY, NOW).look == {SERVICE}


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
    ],
)
def test_everything_is_made_in_an_order_that_each_child_can_rely_on(spec: dict[str, Any], expected: list[str]) -> None:
    decided = decide(body(spec), World())
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
    assert (decided.look, decided.look_at_pods, decided.has_writes, decided.requeue_after) == (frozenset(), False, False, None)
    assert decided.status == cr["status"]
    assert condition(decided.status, "Ready") == ("True", "Healthy")


def test_a_suspended_service_is_left_as_it_is_whatever_happens_to_its_children() -> None:
    cr, world = running()
    world.objects.pop(SERVICE)
    world.objects[DEPLOYMENT]["spec"]["replicas"] = 7
    decided = plan(with_spec(cr, suspend=True, image="shop:9"), world.seen(), ANY_KEY, NOW)
    assert (decided.look, decided.has_writes, decided.requeue_after) == (frozenset(), False, None)
    assert decided.status
    assert decided.status["phase"] == "Suspended"
    assert condition(decided.status, "Ready") == ("False", "Suspended")
    assert condition(decided.status, "Available")[0] == "True"


def test_an_invalid_spec_changes_nothing_and_says_which_field() -> None:
    cr, world = running()
    decided = plan(with_spec(cr, image="shop:latest"), world.seen(), ANY_KEY, NOW)
    assert not decided.has_writes
    assert decided.status
    assert condition(decided.status, "Stalled") == ("True", "InvalidSpec")
    assert decided.status["conditions"][0]["message"].startswith("spec.image: ")


@pytest.mark.parametrize("available", [0, 1])
def test_with_an_invalid_spec_the_pods_that_run_are_still_counted(available: int) -> None:
    cr, world = running()
    world.objects[DEPLOYMENT]["status"]["availableReplicas"] = available
    decided = plan(with_spec(cr, image="shop:latest"), world.seen(), ANY_KEY, NOW)
    assert decided.status
    assert decided.status["availableReplicas"] == available
    assert condition(decided.status, "Available")[0] == ("True" if available else "False")
    world.objects.pop(DEPLOYMENT)
    decided = plan(with_spec(cr, image="shop:latest"), world.seen(), ANY_KEY, NOW)
    assert decided.status
    assert decided.status["availableReplicas"] == 0


def test_a_key_that_the_platform_team_does_not_allow_is_an_invalid_spec() -> None:
    cr = body({**WEB, "podMetadata": {"labels": {"team": "a", "example.org/x": "b"}}})
    decided = plan(cr, Observed.of([]), Policy(pod_label_keys=frozenset({"example.org/*"})), NOW)
    assert decided.status
    assert "spec.podMetadata.labels[team]" in decided.status["conditions"][0]["message"]
    assert "example.org/x" not in decided.status["conditions"][0]["message"]


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
    decided = decide(cr, world)
    assert decided.seed_replicas == expected
    settle(cr, world)
    assert cr["spec"]["replicas"] == world.objects[DEPLOYMENT]["spec"]["replicas"] == expected
    assert decide(cr, world).seed_replicas is None


def test_ports_that_go_take_the_service_with_them() -> None:
    cr, world = running()
    decided = decide(with_spec(cr, ports=None), world)
    assert [d.key for d in decided.delete] == [SERVICE]
    meta = world.objects[SERVICE]["metadata"]
    assert (decided.delete[0].uid, decided.delete[0].resource_version) == (meta["uid"], meta["resourceVersion"])


def test_somebody_elses_service_stays_where_ports_go() -> None:
    cr, world = running()
    world.objects[SERVICE]["metadata"]["ownerReferences"] = [{"kind": "Helm", "name": "x", "uid": "y", "controller": True}]
    assert not decide(with_spec(cr, ports=None), world).delete


def test_only_as_many_revisions_as_the_limit_are_kept_and_none_is_missed() -> None:
    cr, world = running({**WEB, "files": [{"mountPath": "/etc/shop", "data": {"a": "b"}}]})
    for number in range(LIMIT + 3):
        cr = with_spec(cr, token=str(number))
        settle(cr, world)
        world.run_pods()
        decided = settle(cr, world)
        assert decided.status
        assert condition(decided.status, "Drifted")[0] == "False"
    kinds = [key.kind for key in world.objects]
    assert (kinds.count("ControllerRevision"), kinds.count("ConfigMap")) == (LIMIT, LIMIT)
    assert len(cr["status"]["history"]) == LIMIT


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


PULL = live_sample("pods")["pull"]


def test_pods_are_asked_only_once_they_are_late() -> None:
    cr, world = running()
    world.run_pods(ready=0, since=NOW)
    assert not plan(cr, world.seen(), ANY_KEY, NOW + PATIENCE / 2).look_at_pods
    assert plan(cr, world.seen(), ANY_KEY, NOW + PATIENCE / 2).requeue_after == PATIENCE
    assert plan(cr, world.seen(), ANY_KEY, NOW + PATIENCE).look_at_pods


def test_a_cause_is_found_in_the_pods_and_looked_at_again() -> None:
    cr, world = running()
    world.run_pods(ready=0, since=NOW)
    world.pods = [PULL]
    decided = decide(cr, world, LATER)
    assert decided.status
    assert condition(decided.status, "Ready") == ("False", "ImagePullFailed")
    assert condition(decided.status, "Stalled")[0] == "False"
    assert decided.requeue_after == LOOK_AGAIN


@pytest.mark.parametrize(
    ("pod", "seconds", "reason"),
    [
        pytest.param("pull", 6, "ImagePullFailed", id="an image that cannot be pulled, at once"),
        pytest.param("unmounted", 14, "RollingOut", id="volumes take their time"),
        pytest.param("unmounted", 15, "ConfigMissing", id="then something is missing"),
        pytest.param("unready", 59, "RollingOut", id="an application may start slowly"),
        pytest.param("unready", 60, "PodsNotReady", id="then it is not ready"),
    ],
)
def test_a_cause_is_believed_once_it_is_no_ordinary_start(pod: str, seconds: int, reason: str) -> None:
    cr, world = running()
    world.run_pods(ready=0, since=NOW)
    world.pods = [live_sample("pods")[pod]]
    decided = decide(cr, world, NOW + timedelta(seconds=seconds))
    assert decided.status
    assert condition(decided.status, "Ready") == ("False", reason)


def test_pods_of_the_wanted_revision_speak_before_older_ones() -> None:
    cr, world = running()
    world.run_pods(ready=0, since=NOW)
    newer = {**live_sample("pods")["unready"], "metadata": {"name": "new", "labels": {"hardened.dev/revision": revision(cr)}}}
    world.pods = [PULL, newer]
    decided = decide(cr, world, LATER)
    assert decided.status
    assert condition(decided.status, "Ready") == ("False", "PodsNotReady")


@pytest.mark.parametrize(("pods", "reason"), [([PULL], "ImagePullFailed"), ([], "ProgressDeadlineExceeded")])
def test_a_rollout_that_passed_its_deadline_stalls(pods: list[Any], reason: str) -> None:
    cr, world = running()
    world.run_pods(ready=0, reason="ProgressDeadlineExceeded")
    world.pods = pods
    decided = decide(cr, world, LATER)
    assert decided.status
    assert condition(decided.status, "Stalled") == ("True", reason)


def test_a_refused_write_is_in_status_while_the_previous_version_serves() -> None:
    cr, world = running()
    cr = with_spec(cr, image="shop:2")
    seen = decide(cr, world)
    observed = world.seen()
    for step in seen.apply:
        observed = observed.without_child(ChildKey(step.manifest["kind"], step.manifest["metadata"]["name"])) if step.is_new else observed
    trouble = Trouble("apply Deployment shop-blue", Refused("spec.x: Invalid value", status=422, reason="Invalid"))
    decided = plan(cr, observed.with_trouble(trouble), ANY_KEY, NOW)
    assert decided.status
    assert condition(decided.status, "Stalled") == ("True", "ApplyRefused")
    assert condition(decided.status, "Available") == ("True", "PodsAvailable")
    assert decided.status["serving"]["image"] == WEB["image"]


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
