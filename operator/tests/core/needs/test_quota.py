"""What pods use of a ResourceQuota is counted as Kubernetes does, and a release is told what is short of it."""

from decimal import Decimal
from typing import Any

import pytest

from hardened.core.model.manifest import Manifest
from hardened.core.needs.quota import Growth, covers, rolled, shortages, surge_of, usage


def container(cpu: str = "100m", memory: str = "64Mi", limit: str = "1", **more: Any) -> Manifest:
    """A container that asks for this much."""
    return {"name": "c", "resources": {"requests": {"cpu": cpu, "memory": memory}, "limits": {"cpu": limit, "memory": "1Gi"}}, **more}


def pod(*init: Manifest, app: Manifest | None = None, **more: Any) -> Manifest:
    """The spec of a pod with one container of the application."""
    return {"initContainers": list(init), "containers": [app or container()], **more}


def quota(hard: dict[str, str], used: dict[str, str] | None = None, name: str = "small", **spec: Any) -> Manifest:
    """A quota as its controller has counted it."""
    counted = {"hard": hard, "used": used or dict.fromkeys(hard, "0")}
    return {"metadata": {"name": name}, "spec": {"hard": hard, **spec}, "status": counted}


ALWAYS = {"restartPolicy": "Always"}


@pytest.mark.parametrize(
    ("spec", "cpu"),
    [
        pytest.param(pod(), "0.1", id="one container"),
        pytest.param({"containers": [container(), container("50m")]}, "0.15", id="two containers at once"),
        pytest.param(pod(container("50m")), "0.1", id="a small init container runs before"),
        pytest.param(pod(container("1")), "1", id="a large one is what counts"),
        pytest.param(pod(container("50m", **ALWAYS)), "0.15", id="a sidecar runs beside"),
        pytest.param(pod(container("50m", **ALWAYS), container("1")), "1.05", id="an init container beside an earlier sidecar"),
        pytest.param(pod(container("1"), container("50m", **ALWAYS)), "1", id="an init container before a sidecar"),
        pytest.param(pod(container("1", **ALWAYS), container("300m", **ALWAYS)), "1.4", id="two sidecars"),
    ],
)
def test_a_pod_uses_what_runs_at_the_same_time(spec: Manifest, cpu: str) -> None:
    found = usage(spec)
    assert found["requests.cpu"] == found["cpu"] == Decimal(cpu)
    assert found["pods"] == found["count/pods"] == 1


def test_limits_are_counted_the_same_way_and_stand_in_for_requests() -> None:
    only = {"resources": {"limits": {"cpu": "2", "memory": "1Gi", "ephemeral-storage": "3Gi", "nvidia.com/gpu": "1"}}}
    found = usage(pod(container(**ALWAYS), app=only))
    assert (found["limits.cpu"], found["requests.cpu"]) == (3, Decimal("2.1"))
    assert found["requests.ephemeral-storage"] == found["limits.ephemeral-storage"] == 3 * 2**30
    assert (found["requests.nvidia.com/gpu"], "limits.nvidia.com/gpu" in found) == (1, False)


def grown(size: int, held: int = 0, before: Manifest | None = None, stages: Any = None) -> Growth:
    return Growth(pod(), stages or ((0, size),), before or pod(), held)


SAYS = "ResourceQuota small has {} {} left, and the release needs {}"


@pytest.mark.parametrize(
    ("live", "growth", "expected"),
    [
        pytest.param(quota({"pods": "2"}), grown(2), [], id="just enough"),
        pytest.param(quota({"pods": "3"}, {"pods": "2"}), grown(2), [SAYS.format(1, "pods", 2)], id="one pod too many"),
        pytest.param(quota({"pods": "3"}, {"pods": "2"}), grown(2, held=1), [], id="a pod that it has already counts"),
        pytest.param(quota({"pods": "1"}, {"pods": "2"}), grown(2, held=2), [], id="nothing is needed of a quota that was lowered"),
        pytest.param(quota({"pods": "1"}, {"pods": "2"}), grown(3, held=2), [SAYS.format(0, "pods", 1)], id="less than nothing is nothing"),
        pytest.param(quota({"count/pods": "1"}), grown(2), [SAYS.format(1, "count/pods", 2)], id="objects are counted, too"),
        pytest.param(quota({"requests.cpu": "150m"}), grown(2), [SAYS.format("150m", "requests.cpu", "200m")], id="cpu that is requested"),
        pytest.param(quota({"cpu": "150m"}), grown(2), [SAYS.format("150m", "cpu", "200m")], id="the same by its short name"),
        pytest.param(quota({"limits.cpu": "1"}), grown(2), [SAYS.format(1, "limits.cpu", 2)], id="cpu that it may take"),
        pytest.param(quota({"memory": "100Mi"}), grown(2), [SAYS.format("100Mi", "memory", "128Mi")], id="memory"),
        pytest.param(quota({"limits.memory": "1Gi"}), grown(2), [SAYS.format("1Gi", "limits.memory", "2Gi")], id="memory it may take"),
        pytest.param(
            quota({"requests.cpu": "1", "pods": "1"}), grown(20),
            [SAYS.format(1, "pods", 20), SAYS.format(1, "requests.cpu", 2)], id="all that is short is told, in one order",
        ),
        pytest.param(quota({"cpu": "100m"}), grown(2, 2, pod(app=container("50m"))), [], id="larger pods need the difference"),
        pytest.param(
            quota({"cpu": "99m"}), grown(2, 2, pod(app=container("50m"))), [SAYS.format("99m", "cpu", "100m")], id="and are short of it",
        ),
        pytest.param(quota({"cpu": "0"}), grown(2, 2, pod(app=container("200m"))), [], id="smaller ones need nothing"),
        pytest.param(
            quota({"pods": "4"}, {"pods": "4"}), grown(4, 4, stages=rolled(4, 4, 1)), [SAYS.format(0, "pods", 1)],
            id="a roll needs its surge",
        ),
        pytest.param(
            quota({"cpu": "299m"}), grown(4, 4, pod(app=container("50m")), rolled(4, 4, 2)), [SAYS.format("299m", "cpu", "300m")],
            id="most at its end, where pods get larger",
        ),
        pytest.param(quota({"services": "0", "requests.storage": "0"}), grown(2), [], id="what no pod uses"),
        pytest.param(quota({"pods": "many", "cpu": "100m"}), grown(2), [SAYS.format("100m", "cpu", "200m")], id="what cannot be read"),
        pytest.param({"metadata": {"name": "new"}, "spec": {"hard": {"pods": "0"}}}, grown(2), [], id="one that nobody has counted yet"),
        pytest.param(quota({"pods": "0"}, scopes=["Terminating"]), grown(2), [], id="one for other pods"),
        pytest.param(
            quota({"pods": "2"}, {"pods": "0"}, scopeSelector={"matchExpressions": [{"scopeName": "PriorityClass", "operator": "Exists"}]}),
            Growth(pod(priorityClassName="high"), ((0, 3),), pod(), 3), [SAYS.format(2, "pods", 3)], id="it did not count the pods that go",
        ),
    ],
)  # fmt: skip
def test_what_is_short_is_told(live: Manifest, growth: Growth, expected: list[str]) -> None:
    assert shortages([live], growth) == expected


def test_each_quota_counts() -> None:
    found = shortages([quota({"pods": "1"}, name="b"), quota({"pods": "9"}), quota({"pods": "0"}, name="a")], grown(2))
    assert [sentence.split()[1] for sentence in found] == ["a", "b"]


def test_a_template_that_cannot_be_read_is_no_obstacle() -> None:
    assert shortages([quota({"pods": "0"})], Growth(pod(app=container("much")), ((0, 2),))) == []


def selecting(operator: str, *values: str, scope: str = "PriorityClass") -> dict[str, Any]:
    return {"scopeSelector": {"matchExpressions": [{"scopeName": scope, "operator": operator, "values": list(values)}]}}


@pytest.mark.parametrize(
    ("scopes", "name", "expected"),
    [
        ({}, "", True),
        ({"scopes": ["NotTerminating"]}, "", True),
        ({"scopes": ["Terminating"]}, "", False),
        ({"scopes": ["NotBestEffort"]}, "", True),
        ({"scopes": ["BestEffort"]}, "", False),
        ({"scopes": ["NotTerminating", "BestEffort"]}, "", False),
        ({"scopes": ["PriorityClass"]}, "high", True),
        ({"scopes": ["PriorityClass"]}, "", False),
        ({"scopes": ["CrossNamespacePodAffinity"]}, "", False),
        (selecting("In", "high", "low"), "high", True),
        (selecting("In", "low"), "high", False),
        (selecting("In", "low"), "", False),
        (selecting("NotIn", "low"), "high", True),
        (selecting("NotIn", "high"), "high", False),
        (selecting("NotIn", "high"), "", True),
        (selecting("Exists"), "high", True),
        (selecting("Exists"), "", False),
        (selecting("DoesNotExist"), "", True),
        (selecting("DoesNotExist"), "high", False),
        (selecting("Near", "high"), "high", False),
        (selecting("Exists", scope="NotTerminating"), "", True),
        (selecting("Exists", scope="Later"), "high", False),
        ({"scopes": ["Terminating"], **selecting("In", "high")}, "high", False),
    ],
)
def test_only_a_quota_for_such_pods_counts(scopes: dict[str, Any], name: str, expected: bool) -> None:
    spec = pod(priorityClassName=name) if name else pod()
    assert covers(quota({"pods": "0"}, **scopes), spec) is expected


def test_pods_that_ask_for_nothing_are_best_effort_and_those_that_end_terminate() -> None:
    idle = {"containers": [{"name": "c", "resources": {"limits": {"ephemeral-storage": "1Gi"}}}], "activeDeadlineSeconds": 5}
    assert covers(quota({}, scopes=["BestEffort", "Terminating"]), idle)
    assert not covers(quota({}, scopes=["NotBestEffort"]), idle)
    assert not covers(quota({}, scopes=["NotTerminating"]), idle)
    assert not covers(quota({}, scopes=["BestEffort"]), {**idle, "initContainers": [container()]})


@pytest.mark.parametrize(
    ("held", "size", "surge", "expected"),
    [
        (0, 4, 1, ((0, 4),)),
        (4, 4, 0, ((0, 4),)),
        (4, 4, 1, ((4, 1), (1, 4))),
        (5, 2, 1, ((2, 1), (1, 2))),
        (1, 4, 2, ((1, 2), (1, 4))),
    ],
)
def test_a_roll_needs_most_at_its_beginning_or_at_its_end(held: int, size: int, surge: int, expected: Any) -> None:
    assert rolled(held, size, surge) == expected


@pytest.mark.parametrize(
    ("strategy", "size", "expected"),
    [
        ({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%"}}, 4, 1),
        ({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%"}}, 5, 2),
        ({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 3}}, 4, 3),
        ({"type": "Recreate"}, 4, 0),
    ],
)
def test_a_surge_is_rounded_up(strategy: Manifest, size: int, expected: int) -> None:
    assert surge_of({"spec": {"strategy": strategy}}, size) == expected
