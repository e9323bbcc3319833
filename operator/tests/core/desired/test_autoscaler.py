"""The autoscaler of a service: what the spec says of it, by the fields of a HorizontalPodAutoscaler; and how it is frozen."""

from typing import Any

import pytest
from tests.core.worlds import WEB, live, live_sample, service

from hardened.core.desired.autoscaler import autoscaler, frozen
from hardened.core.desired.children import signed
from hardened.core.desired.container import APP
from hardened.core.model.manifest import Manifest
from hardened.core.observe.compare import difference
from hardened.core.revisions.revision import render, revision_name

BOUNDS: dict[str, Any] = {"minReplicas": 3, "maxReplicas": 6, "cpu": 70}
CAREFUL = {
    "scaleUp": {"stabilizationWindowSeconds": 30, "policies": [{"type": "Pods", "value": 2, "periodSeconds": 60}]},
    "scaleDown": {"selectPolicy": "Min", "policies": [{"type": "Percent", "value": 10, "periodSeconds": 60}]},
}


def made(spec: dict[str, Any] = WEB, **autoscale: Any) -> Manifest:
    found = autoscaler(service(spec, autoscale={**BOUNDS, **autoscale}))
    assert found
    return found


def metric(resource: str, percent: int) -> Manifest:
    target = {"type": "Utilization", "averageUtilization": percent}
    return {"type": "ContainerResource", "containerResource": {"name": resource, "container": "app", "target": target}}


def test_there_is_none_without_a_word_of_it() -> None:
    assert autoscaler(service(WEB)) is None


def test_it_scales_the_service_itself_within_its_bounds() -> None:
    found = made()
    assert found["spec"]["scaleTargetRef"] == {"apiVersion": "hardened.dev/v1alpha1", "kind": "HardenedService", "name": "shop"}
    assert (found["spec"]["minReplicas"], found["spec"]["maxReplicas"]) == (3, 6)
    assert "behavior" not in found["spec"]


@pytest.mark.parametrize(
    ("autoscale", "expected"),
    [
        pytest.param({}, [metric("cpu", 70)], id="CPU"),
        pytest.param({"cpu": None, "memory": 80}, [metric("memory", 80)], id="memory"),
        pytest.param({"memory": 80}, [metric("cpu", 70), metric("memory", 80)], id="both"),
    ],
)
def test_what_is_measured_is_the_applications_own_container(autoscale: dict[str, Any], expected: list[Manifest]) -> None:
    template = render(service(WEB, sidecars=[{"name": "proxy", "image": "proxy:1"}])).template["spec"]
    assert made(**autoscale)["spec"]["metrics"] == expected
    assert [each["name"] for each in template["containers"]] == [APP], "a pod has one container of this name, and the metrics are its own"


@pytest.mark.parametrize("behavior", [None, {}, {"scaleUp": {}}, {"scaleDown": {"stabilizationWindowSeconds": 0}}, CAREFUL])
@pytest.mark.parametrize("suspend", [False, True])
def test_what_the_server_fills_in_is_no_difference(behavior: Any, suspend: bool) -> None:
    manifest = signed(made({**WEB, "suspend": suspend}, behavior=behavior))
    assert difference(manifest, live(manifest)) is None


@pytest.mark.parametrize("case", live_sample("autoscalers").values(), ids=live_sample("autoscalers"))
def test_what_a_real_server_keeps_of_it_is_no_difference(case: dict[str, Any]) -> None:
    wanted = autoscaler(service(WEB, autoscale=case["autoscale"], suspend=case["suspend"]))
    assert wanted
    assert difference(wanted["spec"], case["live"]) is None
    assert frozen(frozen(case["live"], 2), 2) == frozen(case["live"], 2)


def test_the_behaviour_is_passed_on_as_it_is_written() -> None:
    assert made(behavior=CAREFUL)["spec"]["behavior"] == CAREFUL


@pytest.mark.parametrize(
    ("size", "bounds"),
    [
        pytest.param(4, (3, 6), id="within its bounds"),
        pytest.param(1, (1, 6), id="scaled by hand to less"),
        pytest.param(9, (3, 9), id="scaled by hand to more"),
        pytest.param(0, (3, 6), id="scaled to nothing, where it does nothing anyway"),
        pytest.param(None, (3, 6), id="before there is a size"),
    ],
)
def test_frozen_it_scales_in_neither_direction_and_keeps_what_else_it_says(size: int | None, bounds: tuple[int, int]) -> None:
    before = made(behavior=CAREFUL)["spec"]
    after = frozen(before, size)
    assert frozen(after, size) == after, "once is enough"
    ways = after["behavior"]
    assert {way: rules.pop("selectPolicy") for way, rules in ways.items()} == {"scaleUp": "Disabled", "scaleDown": "Disabled"}
    assert ways == {way: {k: v for k, v in rules.items() if k != "selectPolicy"} for way, rules in CAREFUL.items()}
    assert (after["minReplicas"], after["maxReplicas"]) == bounds
    assert before == made(behavior=CAREFUL)["spec"], "nothing is shared"


def test_a_suspended_service_has_a_frozen_one() -> None:
    assert made({**WEB, "replicas": 9, "suspend": True})["spec"] == frozen(made({**WEB, "replicas": 9})["spec"], 9)


def test_it_is_no_part_of_a_revision() -> None:
    assert revision_name(service(WEB, autoscale=BOUNDS).spec) == revision_name(service(WEB).spec)
