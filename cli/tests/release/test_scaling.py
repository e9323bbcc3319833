"""`status` of a service that is scaled by what its pods use: target, use, bounds, and why it is not scaled."""

import json
from typing import Any

import pytest
from hardenctl_world import FakeCluster, healthy, service

from hardened.errors import ApiFailure, Refused, TryAgain

HPAS = "/apis/autoscaling/v2/namespaces/shop/horizontalpodautoscalers"
AUTOSCALE = {"minReplicas": 3, "maxReplicas": 20, "cpu": 70, "memory": 80}


def metric(resource: str, percent: int | None) -> dict[str, Any]:
    current = {"averageValue": "30m"} | ({} if percent is None else {"averageUtilization": percent})
    return {"type": "ContainerResource", "containerResource": {"name": resource, "container": "app", "current": current}}


def scaled(*metrics: dict[str, Any], replicas: int | None = 4, autoscale: dict[str, Any] | None = None, **told: Any) -> FakeCluster:
    """A service with an autoscaler that has measured this. told: of status.autoscale."""
    status = healthy() | ({"autoscale": {"minReplicas": 3, "maxReplicas": 20, "replicas": 4, **told}} if told else {})
    cluster = FakeCluster(service(status=status, autoscale=autoscale or AUTOSCALE, replicas=replicas))
    meta = {"name": "api", "ownerReferences": [{"uid": "uid-api", "controller": True}]}
    cluster.objects[HPAS] = {"items": [{"metadata": meta, "status": {"currentMetrics": list(metrics)}}]}
    return cluster


def lines(run: Any, cluster: FakeCluster) -> dict[str, str]:
    shown = run(cluster, "status", "api")
    assert shown.exit_code == 0
    rows = [line.split("   ", 1) for line in shown.stdout.splitlines() if "   " in line]
    return {name: value.strip() for name, value in rows}


@pytest.mark.parametrize(
    ("cluster", "expected"),
    [
        pytest.param(
            scaled(metric("cpu", 45), metric("memory", 12), reason="Active"),
            "4 pods, within 3 to 20, cpu 45% of 70%, memory 12% of 80%", id="it scales",
        ),
        pytest.param(scaled(metric("cpu", 45), reason="Active"), "4 pods, within 3 to 20, cpu 45% of 70%, memory ?% of 80%", id="half"),
        pytest.param(scaled(metric("cpu", None)), "4 pods, within 3 to 20, cpu ?% of 70%, memory ?% of 80%", id="nothing is known yet"),
        pytest.param(
            scaled(replicas=None, autoscale={"maxReplicas": 5, "cpu": 70}), "? pods, within 2 to 5, cpu ?% of 70%", id="no size yet"
        ),
    ],
)  # fmt: skip
def test_size_bounds_and_use_stand_in_one_line(run: Any, cluster: FakeCluster, expected: str) -> None:
    found = lines(run, cluster)
    assert found["Autoscaling"] == expected
    assert "Not scaled" not in found


def test_what_prometheus_knows_is_shown_by_the_autoscaler_that_keda_made(run: Any) -> None:
    entry = {"query": "sum(rate(requests[1m]))", "target": 100}
    cluster = scaled(reason="Active", kind="ScaledObject", autoscale={**AUTOSCALE, "prometheus": [entry, {**entry, "target": 0.5}]})
    external = {"type": "External", "external": {"metric": {"name": "s2-prometheus"}, "current": {"averageValue": "62500m"}}}
    meta = {"name": "keda-hpa-api", "ownerReferences": [{"kind": "ScaledObject", "name": "api", "uid": "so", "controller": True}]}
    other = {"name": "theirs", "ownerReferences": [{"kind": "ScaledObject", "name": "web", "uid": "x", "controller": True}]}
    theirs = {"metadata": other, "status": {"currentMetrics": [metric("cpu", 99)]}}
    cluster.objects[HPAS] = {"items": [theirs, {"metadata": meta, "status": {"currentMetrics": [metric("cpu", 45), external]}}]}
    expected = "4 pods, within 3 to 20, cpu 45% of 70%, memory ?% of 80%, prometheus[0] 62.5 of 100, prometheus[1] ? of 0.5"
    assert lines(run, cluster)["Autoscaling"] == expected


def test_why_it_is_not_scaled_is_told_and_what_a_quota_lacks(run: Any) -> None:
    quota = "ResourceQuota small has 4 pods left, and 20 pods need 16"
    found = lines(run, scaled(reason="NoMetricsAPI", message="the resource metrics API does not answer", quota=quota))
    assert found["Not scaled"] == "NoMetricsAPI: the resource metrics API does not answer"
    assert found["Quota"] == quota


@pytest.mark.parametrize("failure", [Refused("forbidden", status=403), TryAgain("overloaded", status=503)])
def test_who_may_not_read_autoscalers_sees_the_rest(run: Any, failure: ApiFailure) -> None:
    cluster = scaled(reason="Active")
    cluster.objects[HPAS] = failure
    assert lines(run, cluster)["Autoscaling"] == "4 pods, within 3 to 20, cpu ?% of 70%, memory ?% of 80%"


def test_as_data_it_has_the_same(run: Any) -> None:
    shown = run(scaled(metric("cpu", 45), reason="AtMaximum", message="it asks for more"), "status", "api", "-o", "json")
    assert json.loads(shown.stdout)["autoscale"] == {
        "replicas": 4,
        "minReplicas": 3,
        "maxReplicas": 20,
        "reason": "AtMaximum",
        "message": "it asks for more",
        "quota": "",
        "metrics": [{"resource": "cpu", "target": 70, "current": 45}, {"resource": "memory", "target": 80, "current": None}],
    }


def test_of_a_service_without_it_nothing_is_said_or_asked(run: Any) -> None:
    cluster = FakeCluster(service(status=healthy()))
    cluster.objects[HPAS] = AssertionError("asked")
    assert "Autoscaling" not in lines(run, cluster)
    assert json.loads(run(cluster, "status", "api", "-o", "json").stdout)["autoscale"] is None
