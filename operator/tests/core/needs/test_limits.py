"""Pods that work for a release ask for what the LimitRanges of their namespace allow, and for nothing else than before where they do."""

from typing import Any

import pytest
from tests.core.worlds import WEB, service

from hardened.api.quantity import amount
from hardened.core.desired.check_pod import job_pod, load_pod, verifier_pod
from hardened.core.model.kit import Kit
from hardened.core.model.manifest import Manifest
from hardened.core.needs.limits import fitted

SVC = service(WEB)
PODS = {
    "one that asks": verifier_pod(SVC, "v", {}, kit=Kit("hardened:1"), seconds=9),
    "one that sends load": load_pod(SVC, "v", [], kit=Kit("hardened:1"), seconds=9),
    "a command": job_pod(SVC, "v", ["check"], {}, image="team:1", seconds=9),
}


def limit_range(*items: Manifest) -> Manifest:
    return {"kind": "LimitRange", "metadata": {"name": "sizes", "namespace": "market"}, "spec": {"limits": list(items)}}


def container(**bounds: Any) -> Manifest:
    return limit_range({"type": "Container", **bounds})


def pod(**resources: Any) -> Manifest:
    return {"spec": {"containers": [{"name": "verifier", "resources": resources}]}}


def asked(made: Manifest) -> Manifest:
    found: Manifest = made["spec"]["containers"][0]["resources"]
    return found


SMALL = {"requests": {"cpu": "20m", "memory": "48Mi"}, "limits": {"cpu": "500m", "memory": "128Mi"}}


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        pytest.param([], {}, id="none"),
        pytest.param([container(min={"cpu": "10m"}, max={"cpu": "1"})], {}, id="it fits"),
        pytest.param([container(min={"cpu": "25m"})], {"requests": {"cpu": "25m"}}, id="the least"),
        pytest.param([container(min={"cpu": "1"})], {"requests": {"cpu": "1"}, "limits": {"cpu": "1"}}, id="more than its limit at least"),
        pytest.param([container(max={"cpu": "200m"})], {"limits": {"cpu": "200m"}}, id="the most"),
        pytest.param(
            [container(max={"memory": "32Mi"})], {"requests": {"memory": "32Mi"}, "limits": {"memory": "32Mi"}}, id="less than asked"
        ),
        pytest.param([container(maxLimitRequestRatio={"cpu": "10"})], {"requests": {"cpu": "50m"}}, id="the ratio of the two"),
        pytest.param([container(maxLimitRequestRatio={"memory": "2.5"})], {"requests": {"memory": "53687092"}}, id="in whole bytes"),
        pytest.param(
            [container(min={"cpu": "25m"}, maxLimitRequestRatio={"cpu": "10"})], {"requests": {"cpu": "50m"}}, id="the least, and the ratio"
        ),
        pytest.param(
            [container(max={"cpu": "100m"}, maxLimitRequestRatio={"cpu": "2"})],
            {"requests": {"cpu": "50m"}, "limits": {"cpu": "100m"}}, id="the most, and the ratio",
        ),
        pytest.param(
            [container(max={"cpu": "400m"}), limit_range({"type": "Pod", "max": {"cpu": "300m"}})], {"limits": {"cpu": "300m"}},
            id="the narrowest of several, that of pods too",
        ),
        pytest.param([limit_range({"type": "PersistentVolumeClaim", "min": {"storage": "1Gi"}})], {}, id="of claims"),
        pytest.param([container(min={"nvidia.com/gpu": "1"})], {}, id="of what it does not ask for"),
        pytest.param([container(min={"cpu": "a few"})], {}, id="not understood"),
        pytest.param([{"kind": "LimitRange", "metadata": {"name": "empty"}}], {}, id="one that says nothing"),
    ],
)  # fmt: skip
def test_what_it_asks_for(bounds: list[Manifest], expected: Manifest) -> None:
    found = asked(fitted(pod(**SMALL), bounds))
    assert found == {kind: {**SMALL[kind], **expected.get(kind, {})} for kind in SMALL}


@pytest.mark.parametrize(
    ("given", "bounds", "expected"),
    [
        pytest.param(
            {"requests": {"cpu": "20m"}}, {"max": {"cpu": "1"}}, {"requests": {"cpu": "20m"}, "limits": {"cpu": "1"}}, id="the most"
        ),
        pytest.param(
            {"requests": {"cpu": "20m"}}, {"maxLimitRequestRatio": {"cpu": "4"}}, {"requests": {"cpu": "20m"}, "limits": {"cpu": "80m"}},
            id="the ratio",
        ),
        pytest.param(
            {"requests": {"cpu": "20m"}}, {"default": {"cpu": "200m"}, "maxLimitRequestRatio": {"cpu": "4"}},
            {"requests": {"cpu": "50m"}, "limits": {"cpu": "200m"}}, id="what the API server would fill in",
        ),
        pytest.param(
            {"limits": {"cpu": "500m"}}, {"max": {"cpu": "200m"}}, {"requests": {"cpu": "200m"}, "limits": {"cpu": "200m"}},
            id="no request",
        ),
        pytest.param({}, {"min": {"cpu": "1"}}, {}, id="nothing is asked for: the API server fills all in"),
    ],
)  # fmt: skip
def test_what_nobody_has_asked_for_is_asked_for_where_it_is_bounded(given: Manifest, bounds: Manifest, expected: Manifest) -> None:
    assert asked(fitted(pod(**given), [container(**bounds)])) == expected


@pytest.mark.parametrize("kind", PODS)
def test_every_pod_passes_a_limit_range_that_none_would_have_passed(kind: str) -> None:
    least, most, ratio = {"cpu": "25m", "memory": "50Mi"}, {"cpu": "250m", "memory": "100Mi"}, {"cpu": "5", "memory": "1.5"}
    found = asked(fitted(PODS[kind], [container(min=least, max=most, maxLimitRequestRatio=ratio)]))
    for name in least:
        request, limit = amount(found["requests"][name]), amount(found["limits"][name])
        assert amount(least[name]) <= request <= limit <= amount(most[name])
        assert limit / request <= amount(ratio[name])
    assert found["limits"]["ephemeral-storage"] == asked(PODS[kind])["limits"]["ephemeral-storage"]
