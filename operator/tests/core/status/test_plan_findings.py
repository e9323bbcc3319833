"""What one step finds wrong, and tells: in the spec, in the pods, and in what the API server refuses."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.core.worlds import ANY_KEY, NOW, WEB, body, condition, decide, keys, live_sample, revision, running, with_spec

from hardened.api import names
from hardened.api.parse import parse_spec
from hardened.api.text import plain
from hardened.core.model.manifest import ChildKey, Manifest
from hardened.core.model.policy import Policy
from hardened.core.model.question import ListPods
from hardened.core.observe.observed import NamespaceSnapshot, Observed, WriteError
from hardened.core.plan import plan
from hardened.core.requeue import LOOK_AGAIN
from hardened.core.status.blockers import PATIENCE
from hardened.errors import Refused, TryAgain

DEPLOYMENT = ChildKey("Deployment", "shop-blue")
LATER = NOW + timedelta(minutes=1)


def pod_of(cr: Manifest, sample: str, **meta: Any) -> Manifest:
    """A pod of the spec's revision, in this state."""
    found = live_sample("pods")[sample]
    return {**found, "metadata": {**found["metadata"], "labels": {names.REVISION_LABEL: revision(cr)}, **meta}}


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
    decided = decide(with_spec(cr, image="shop:latest"), world)
    assert keys(decided.apply) == ["Deployment shop-blue"]
    assert decided.status
    assert decided.status["availableReplicas"] == 0


def test_a_key_that_the_platform_team_does_not_allow_is_an_invalid_spec() -> None:
    cr = body({**WEB, "podMetadata": {"labels": {"team": "a", "example.org/x": "b"}}})
    decided = plan(cr, Observed.of([]), Policy(pod_label_keys=frozenset({"example.org/*"})), NOW)
    assert decided.status
    assert "spec.podMetadata.labels[team]" in decided.status["conditions"][0]["message"]
    assert "example.org/x" not in decided.status["conditions"][0]["message"]


ODD = "\x07\x1b[2J\x7f\x9b31m\u202e\u2066\u200b\u2028"


def test_what_others_say_is_told_without_what_drives_a_terminal() -> None:
    cr, world = running()
    observed = world.seen().with_write_error(WriteError(f"apply {ODD}", Refused(f"a webhook said {ODD}", status=403)))
    decided = plan(cr, observed, ANY_KEY, NOW)
    assert decided.status
    assert "a webhook said" in decided.status["conditions"][0]["message"]
    assert plain(decided.status) == decided.status
    invalid = plan(with_spec(cr, image=f"shop:{ODD}"), Observed.of([]), ANY_KEY, NOW)
    assert invalid.status
    assert plain(invalid.status) == invalid.status


BALANCER = "service.beta.kubernetes.io/aws-load-balancer-scheme"


@pytest.mark.parametrize(
    ("service", "policy", "expected"),
    [
        pytest.param({"annotations": {BALANCER: "x"}}, Policy(), f"spec.service.annotations[{BALANCER}]: ", id="an annotation"),
        pytest.param({"annotations": {BALANCER: "x"}}, Policy(pod_annotation_keys=frozenset({BALANCER})), "", id="one that pods may have"),
        pytest.param(
            {"annotations": {BALANCER: "x"}},
            Policy(service_annotation_keys=frozenset({"service.beta.kubernetes.io/*"})),
            "",
            id="one that Services may have",
        ),
        pytest.param({"type": "ClusterIP"}, Policy(), "", id="the type by default"),
        pytest.param({"type": "Headless"}, Policy(), "", id="the type without an address"),
        pytest.param({"type": "LoadBalancer"}, Policy(), "do not allow LoadBalancer: use ClusterIP, or have it", id="a load balancer"),
        pytest.param({"type": "NodePort"}, Policy(service_types=frozenset({"LoadBalancer"})), "do not allow NodePort", id="another type"),
        pytest.param({"type": "NodePort"}, Policy(service_types=frozenset({"NodePort"})), "", id="a type that is allowed"),
    ],
)
def test_what_opens_a_service_to_the_outside_is_the_platform_teams_to_allow(service: Any, policy: Policy, expected: str) -> None:
    errors = [str(error) for error in policy.violations(parse_spec({"image": "shop:1", "ports": WEB["ports"], "service": service}))]
    assert len(errors) == bool(expected)
    assert expected in "".join(errors)


def test_a_query_is_an_invalid_spec_where_it_could_ask_for_what_is_not_the_teams() -> None:
    check = {"name": "errors", "prometheus": {"query": "up", "min": 1}}
    other = {"name": "smoke", "http": {}}
    spec = {**WEB, "release": {}, "verify": {"beforeCutover": [other, check], "afterCutover": {"checks": [check | {"name": "late"}]}}}
    decided_by = Observed.of([]), Policy(allows_queries=False), NOW
    decided = plan(body(spec), *decided_by)
    assert decided.status
    assert not decided.has_writes
    assert condition(decided.status, "Stalled") == ("True", "InvalidSpec")
    said = decided.status["conditions"][0]["message"]
    scaled = plan(body({**WEB, "autoscale": {"maxReplicas": 3, "prometheus": [{"query": "up", "target": 1}]}}), *decided_by).status
    assert scaled
    assert "spec.autoscale.prometheus" in scaled["conditions"][0]["message"]
    assert "spec.verify.beforeCutover[1].prometheus" in said
    assert "spec.verify.afterCutover.checks[0].prometheus" in said
    assert "set prometheus.shared" in said


def test_pods_are_asked_only_once_they_are_late() -> None:
    cr, world = running()
    world.run_pods(ready=0, since=NOW)
    assert plan(cr, world.seen(), ANY_KEY, NOW + PATIENCE / 2).question is None
    assert plan(cr, world.seen(), ANY_KEY, NOW + PATIENCE / 2).requeue_after == PATIENCE
    assert plan(cr, world.seen(), ANY_KEY, NOW + PATIENCE).question == ListPods()


def test_a_cause_is_found_in_the_pods_and_looked_at_again() -> None:
    cr, world = running()
    world.run_pods(ready=0, since=NOW)
    world.pods = [pod_of(cr, "pull")]
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
        pytest.param("unmounted", 15, "PodsNotReady", id="then one is slow, or something is missing"),
        pytest.param("unready", 59, "RollingOut", id="an application may start slowly"),
        pytest.param("unready", 60, "PodsNotReady", id="then it is not ready"),
    ],
)
def test_a_cause_is_believed_once_it_is_no_ordinary_start(pod: str, seconds: int, reason: str) -> None:
    cr, world = running()
    world.run_pods(ready=0, since=NOW)
    world.pods = [pod_of(cr, pod)]
    decided = decide(cr, world, NOW + timedelta(seconds=seconds))
    assert decided.status
    assert condition(decided.status, "Ready") == ("False", reason)


@pytest.mark.parametrize(("age", "reason"), [(14, "RollingOut"), (15, "PodsNotReady")])
def test_a_pod_of_a_deployment_that_is_scaled_up_anew_may_start_as_any_other(age: int, reason: str) -> None:
    cr, world = running()
    world.run_pods(ready=0, since=NOW)
    now = NOW + timedelta(hours=1)
    made_at = (now - timedelta(seconds=age)).strftime("%Y-%m-%dT%H:%M:%SZ")
    world.pods = [pod_of(cr, "unmounted", creationTimestamp=made_at)]
    decided = decide(cr, world, now)
    assert decided.status
    assert condition(decided.status, "Ready") == ("False", reason)


@pytest.mark.parametrize(
    ("newer", "reason"), [pytest.param(["unready"], "PodsNotReady", id="it has pods"), pytest.param([], "RollingOut", id="it has none yet")]
)
def test_pods_of_another_revision_say_nothing_of_the_one_that_is_waited_for(newer: list[str], reason: str) -> None:
    cr, world = running()
    world.run_pods(ready=0, since=NOW)
    older = pod_of(cr, "pull", labels={names.REVISION_LABEL: "0123456789ab"})
    world.pods = [older, *(pod_of(cr, sample) for sample in newer)]
    decided = decide(cr, world, LATER)
    assert decided.status
    assert condition(decided.status, "Ready") == ("False", reason)


def test_a_deployment_whose_controller_has_not_seen_the_new_template_says_nothing_of_it() -> None:
    cr, world = running()
    world.run_pods(ready=0, reason="ProgressDeadlineExceeded")
    refused = {"type": "ReplicaFailure", "status": "True", "message": 'pods "x" is forbidden: violates PodSecurity "restricted:latest"'}
    world.objects[DEPLOYMENT]["status"]["conditions"].append(refused)
    told = decide(cr, world, LATER).status
    assert told
    assert condition(told, "Ready") == ("False", "PodSecurityRefused")
    world.objects[DEPLOYMENT]["metadata"]["generation"] += 1
    told = decide(cr, world, LATER).status
    assert told
    assert condition(told, "Ready") == ("False", "RollingOut")
    assert condition(told, "Stalled")[0] == "False"


@pytest.mark.parametrize(("pods", "reason"), [(["pull"], "ImagePullFailed"), ([], "ProgressDeadlineExceeded")])
def test_a_rollout_that_passed_its_deadline_stalls(pods: list[str], reason: str) -> None:
    cr, world = running()
    world.run_pods(ready=0, reason="ProgressDeadlineExceeded")
    world.pods = [pod_of(cr, sample) for sample in pods]
    decided = decide(cr, world, LATER)
    assert decided.status
    assert condition(decided.status, "Stalled") == ("True", reason)


def test_a_refused_write_is_in_status_while_the_previous_version_serves() -> None:
    cr, world = running()
    cr = with_spec(cr, image="shop:2")
    seen = decide(cr, world)
    observed = replace(world.seen(), namespace_snapshot=NamespaceSnapshot())
    for step in seen.apply:
        observed = observed.without_child(ChildKey(step.manifest["kind"], step.manifest["metadata"]["name"])) if step.is_new else observed
    for key in (ChildKey("Deployment", "shop-blue"), ChildKey("Service", "shop")):
        observed = observed.with_child(world.objects[key])
    trouble = WriteError("apply Deployment shop-blue", Refused("spec.x: Invalid value", status=422, reason="Invalid"))
    decided = plan(cr, observed.with_tried({}).with_write_error(trouble), ANY_KEY, NOW)
    assert decided.status
    assert condition(decided.status, "Stalled") == ("True", "ApplyRefused")
    assert condition(decided.status, "Available") == ("True", "PodsAvailable")
    assert decided.status["serving"]["image"] == WEB["image"]


def test_a_spec_that_cannot_be_used_hides_no_refused_write() -> None:
    cr, world = running()
    trouble = WriteError("apply Service shop", TryAgain('failed calling webhook "policy.example"', status=500))
    decided = plan(with_spec(cr, image="no tag"), world.seen().with_write_error(trouble), ANY_KEY, NOW)
    assert decided.status
    assert condition(decided.status, "Ready") == ("False", "InvalidSpec")
    (said,) = [c["message"] for c in decided.status["conditions"] if c["type"] == "Ready"]
    assert "spec.image" in said
    assert "apply Service shop: failed calling webhook" in said


@pytest.mark.parametrize(("ready", "within"), [(0, timedelta(seconds=5)), (2, None)])
def test_what_is_refused_is_tried_again_within_seconds_while_clients_have_no_pod(ready: int, within: timedelta | None) -> None:
    cr, world = running()
    world.run_pods(ready=ready)
    world.pods = []
    refused = world.seen().with_refused(ChildKey("NetworkPolicy", "shop-green"), Refused("forbidden", status=403))
    assert plan(cr, refused.with_pods([]), ANY_KEY, LATER).requeue_after == within


def test_a_profile_that_the_platform_forbids_is_refused_by_its_field() -> None:
    spec = {**WEB, "security": {"profile": "baseline", "addCapabilities": ["CHOWN"]}}
    decided = plan(body(spec), Observed.of([]), Policy(allows_baseline=False), NOW)
    assert decided.status
    (ready,) = (c for c in decided.status["conditions"] if c["type"] == "Ready")
    assert ready["reason"] == "InvalidSpec"
    assert "spec.security.profile: " in ready["message"]
    assert "allowBaseline" in ready["message"]
