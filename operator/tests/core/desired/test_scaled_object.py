"""The ScaledObject of a service: what the spec says of it, by the fields of KEDA's; and how it is paused."""

from typing import Any

import pytest
from tests.core.worlds import NOW, WEB, live, service

from hardened.core.desired.autoscaler import autoscaler, frozen
from hardened.core.desired.children import at_rest, signed
from hardened.core.desired.scaled_object import hpa_name, is_paused, paused, paused_as_it_is, scaled_object
from hardened.core.hold.children import as_held
from hardened.core.model.hold import Hold, HoldPhase
from hardened.core.model.manifest import Manifest
from hardened.core.observe.compare import difference
from hardened.core.revisions.revision import render, revision_name

SERVER = "http://prometheus.monitoring:9090"
NUMBER = {"query": 'sum(rate(http_requests{service="$(service)", namespace="$(namespace)"}[1m]))', "target": 100}
BOUNDS: dict[str, Any] = {"minReplicas": 3, "maxReplicas": 6, "prometheus": [NUMBER]}


def made(spec: dict[str, Any] = WEB, **autoscale: Any) -> Manifest:
    found = scaled_object(service(spec, autoscale={**BOUNDS, **autoscale}), SERVER)
    assert found
    return found


def test_there_is_none_without_a_word_of_prometheus() -> None:
    assert scaled_object(service(WEB), SERVER) is None
    assert scaled_object(service(WEB, autoscale={"maxReplicas": 6, "cpu": 70}), SERVER) is None


def test_it_scales_the_service_itself_within_its_bounds_and_keeps_what_runs_where_there_is_no_number() -> None:
    spec = made()["spec"]
    assert spec["scaleTargetRef"] == {"apiVersion": "hardened.dev/v1alpha1", "kind": "HardenedService", "name": "shop"}
    assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (3, 6)
    assert spec["fallback"] == {"failureThreshold": 3, "replicas": 3, "behavior": "currentReplicasIfHigher"}
    assert spec["advanced"] == {"horizontalPodAutoscalerConfig": {"name": "keda-hpa-shop"}}


def test_all_metrics_are_in_it_those_of_resources_first() -> None:
    triggers = made(cpu=70, memory=80, prometheus=[NUMBER, {"query": "x", "target": 0.25}])["spec"]["triggers"]
    assert triggers[:2] == [
        {"type": "cpu", "metricType": "Utilization", "metadata": {"value": "70", "containerName": "app"}},
        {"type": "memory", "metricType": "Utilization", "metadata": {"value": "80", "containerName": "app"}},
    ]
    assert triggers[2] == {
        "type": "prometheus",
        "metricType": "AverageValue",
        "metadata": {
            "serverAddress": SERVER,
            "query": 'sum(rate(http_requests{service="shop", namespace="market"}[1m]))',
            "threshold": "100",
            "ignoreNullValues": "false",
        },
    }
    assert triggers[3]["metadata"]["threshold"] == "0.25"


@pytest.mark.parametrize(("target", "text"), [(0.001, "0.001"), (1e12, "1000000000000"), (123456.75, "123456.75")])
def test_a_target_is_written_as_a_plain_number(target: float, text: str) -> None:
    assert made(prometheus=[{"query": "x", "target": target}])["spec"]["triggers"][0]["metadata"]["threshold"] == text


def test_the_behaviour_is_passed_on_as_it_is_written() -> None:
    careful = {"scaleDown": {"selectPolicy": "Min", "policies": [{"type": "Percent", "value": 10, "periodSeconds": 60}]}}
    assert made(behavior=careful)["spec"]["advanced"]["horizontalPodAutoscalerConfig"]["behavior"] == careful


@pytest.mark.parametrize("spec", [{**WEB, "suspend": True}, {**WEB, "replicas": 0}], ids=["suspended", "at 0 replicas"])
def test_it_is_paused_where_nothing_may_scale(spec: dict[str, Any]) -> None:
    found = made(spec)
    assert is_paused(found)
    assert found == paused(made({**spec, "suspend": False, "replicas": 2})) == paused(found)


def test_paused_as_it_is_it_keeps_what_it_says() -> None:
    svc, there = service(WEB, autoscale={"maxReplicas": 9, "cpu": 1}), live(signed(made()))
    frozen = paused_as_it_is(svc, there)
    assert frozen
    assert (frozen["spec"], is_paused(frozen)) == (there["spec"], True)
    assert difference(signed(frozen), there) is not None
    assert paused_as_it_is(svc, live(signed(frozen))) is None, "once is enough"


def test_a_hold_pauses_it_as_it_freezes_the_other_one() -> None:
    svc = service(WEB, autoscale={**BOUNDS, "cpu": 70})
    hold = Hold("a", "uid", "nightly", "abc", "Self", HoldPhase.STOPPING, NOW, 2, "")
    ours = autoscaler(svc)
    assert ours
    held = {each["kind"]: each for each in as_held(svc, [signed(made(cpu=70)), signed(ours)], hold)}
    assert is_paused(held["ScaledObject"])
    assert held["HorizontalPodAutoscaler"]["spec"] == frozen(ours["spec"], 2)


def test_what_keda_adds_to_it_is_no_difference() -> None:
    wanted = signed(made(cpu=70))
    there = live(wanted)
    there["metadata"] |= {
        "finalizers": ["finalizer.keda.sh"],
        "labels": {**there["metadata"]["labels"], "scaledobject.keda.sh/name": "shop"},
    }
    assert difference(wanted, there) is None


def test_of_numbers_alone_there_is_no_autoscaler_of_ours_since_the_server_would_fill_in_a_metric() -> None:
    assert autoscaler(service(WEB, autoscale=BOUNDS)) is None
    assert autoscaler(service(WEB, autoscale={**BOUNDS, "cpu": 70})) is not None


def test_at_rest_there_is_one_of_the_two() -> None:
    svc = service(WEB, autoscale={**BOUNDS, "cpu": 70})
    kinds = {server: [each["kind"] for each in at_rest(svc, render(svc), 2, None, server)] for server in ("", SERVER)}
    assert ("HorizontalPodAutoscaler" in kinds[""], "ScaledObject" in kinds[""]) == (True, False)
    assert ("HorizontalPodAutoscaler" in kinds[SERVER], "ScaledObject" in kinds[SERVER]) == (False, True)


def test_the_name_of_what_keda_makes_fits_into_a_label() -> None:
    assert len(hpa_name(service(WEB))) == len("keda-hpa-") + len("shop")


def test_it_is_no_part_of_a_revision() -> None:
    assert revision_name(service(WEB, autoscale=BOUNDS).spec) == revision_name(service(WEB).spec)
