"""Why an autoscaler does not scale, in words; and that what is measured is never told."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.core.worlds import NOW, WEB, World, decide, running, settle, with_spec

from hardened.core.model.manifest import ChildKey, Manifest
from hardened.core.observe.autoscaling import BELIEVED_AFTER

HPA = ChildKey("HorizontalPodAutoscaler", "shop")
SCALED = {**WEB, "autoscale": {"minReplicas": 2, "maxReplicas": 6, "cpu": 70}}
LONG_AGO = NOW - timedelta(hours=1)
SCALES = [("AbleToScale", "True", "ReadyForNewScale", ""), ("ScalingActive", "True", "ValidMetricFound", "")]
NO_API = (
    "the HPA was unable to compute the replica count: failed to get cpu container metric value: unable to get metrics for resource cpu: "
    "unable to fetch metrics from resource metrics API: the server could not find the requested resource (get pods.metrics.k8s.io)"
)


def conditions(*given: tuple[str, str, str, str], since: datetime = LONG_AGO) -> list[Manifest]:
    at = since.strftime("%Y-%m-%dT%H:%M:%SZ")
    return [{"type": k, "status": s, "reason": r, "message": m, "lastTransitionTime": at} for k, s, r, m in given]


def told(cr: Manifest, world: World, now: datetime = NOW) -> Manifest:
    settle(cr, world, now)
    found: Manifest = cr["status"]["autoscale"]
    return found


def scaled(*given: tuple[str, str, str, str], since: datetime = LONG_AGO, **spec: Any) -> tuple[Manifest, World]:
    cr, world = running({**SCALED, **spec})
    world.objects[HPA]["metadata"]["creationTimestamp"] = since.strftime("%Y-%m-%dT%H:%M:%SZ")
    world.objects[HPA]["status"] = {"conditions": conditions(*given, since=since)}
    return cr, world


INACTIVE = "FailedGetContainerResourceMetric"


@pytest.mark.parametrize(
    ("given", "reason", "message"),
    [
        pytest.param(SCALES, "Active", "", id="it scales"),
        pytest.param([*SCALES, ("ScalingLimited", "False", "DesiredWithinRange", "")], "Active", "", id="within its bounds"),
        pytest.param([*SCALES, ("ScalingLimited", "True", "TooFewReplicas", "")], "Active", "", id="at its least, which is usual"),
        pytest.param([*SCALES, ("ScalingLimited", "True", "ScaleUpLimit", "")], "Active", "", id="not as fast as it would"),
        pytest.param([*SCALES, ("ScalingLimited", "True", "TooManyReplicas", "")], "AtMaximum", "maxReplicas, which is 6", id="at most"),
        pytest.param([("ScalingActive", "False", INACTIVE, NO_API)], "NoMetricsAPI", "install metrics-server", id="no metrics API"),
        pytest.param(
            [("ScalingActive", "False", INACTIVE, "the HPA was unable to compute the replica count: no metrics returned")],
            "NoMetrics", "nothing is known of what the pods use: no metrics returned", id="no metrics of its pods",
        ),
        pytest.param(
            [("ScalingActive", "False", "AmbiguousSelector", "pods by selector … are controlled by multiple HPAs: [a/b a/c]")],
            "CannotScale", "another HorizontalPodAutoscaler", id="two for the same pods",
        ),
        pytest.param(
            [("AbleToScale", "False", "FailedGetScale", "the HPA controller was unable to get the target's current scale: no"), SCALES[1]],
            "CannotScale", "unable to get the target's current scale", id="no size to begin with",
        ),
        pytest.param([], "NotSeen", "nothing in the cluster looks at it", id="nobody looks at it"),
    ],
)  # fmt: skip
def test_why_it_does_not_scale_is_told(given: list[tuple[str, str, str, str]], reason: str, message: str) -> None:
    found = told(*scaled(*given))
    assert found["reason"] == reason
    assert message in found.get("message", "")
    assert ("message" in found) == (reason != "Active")
    assert {name: found[name] for name in ("minReplicas", "maxReplicas", "replicas")} == {"minReplicas": 2, "maxReplicas": 6, "replicas": 2}


@pytest.mark.parametrize("given", [("ScalingActive", "False", INACTIVE, "no metrics"), ("ScalingLimited", "True", "TooManyReplicas", "")])
def test_it_is_believed_once_it_has_stood_for_a_while(given: tuple[str, str, str, str]) -> None:
    cr, world = scaled(SCALES[0], given, since=NOW)
    assert told(cr, world)["reason"] == "Active", "the metrics of new pods come late"
    just_before, then = NOW + BELIEVED_AFTER - timedelta(seconds=1), NOW + BELIEVED_AFTER
    assert told(cr, world, just_before)["reason"] == "Active"
    assert decide(cr, world, just_before).requeue_after == timedelta(seconds=1), "nothing else would tell of it"
    assert told(cr, world, then)["reason"] != "Active"
    assert decide(cr, world, then).requeue_after is None


def test_the_words_for_one_cause_stay_though_they_name_another_pod_each_time() -> None:
    cr, world = scaled(("ScalingActive", "False", INACTIVE, "container app not present in metrics for pod market/shop-1"))
    before = told(cr, world)
    world.objects[HPA]["status"]["conditions"][0]["message"] = "container app not present in metrics for pod market/shop-2"
    assert told(cr, world) == before
    world.objects[HPA]["status"]["conditions"] = conditions(*SCALES)
    assert told(cr, world)["reason"] == "Active"


def test_a_service_without_pods_says_how_it_comes_back() -> None:
    cr, world = scaled(*SCALES)
    found = told(with_spec(cr, replicas=0), world)
    assert found["reason"] == "ScaledToZero"
    assert "kubectl scale hs shop -n market --replicas=2" in found["message"]


def test_one_that_is_not_there_says_so_until_it_is() -> None:
    cr, world = running(SCALED)
    del world.objects[HPA]
    decided = decide(cr, world)
    assert decided.status
    assert decided.status["autoscale"]["reason"] == "Missing"
    assert told(cr, world)["reason"] != "Missing"


def test_a_service_without_an_autoscaler_tells_of_none() -> None:
    cr, _ = running()
    assert "autoscale" not in cr["status"]
