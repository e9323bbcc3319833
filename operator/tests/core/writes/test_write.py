"""A write is made again for a newer state of its object only where nobody wants another thing of it."""

import copy
from typing import Any

import pytest

from hardened.core.writes.write import Apply, pinned_to

LIVE: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {
        "name": "web-blue",
        "namespace": "shop",
        "uid": "u1",
        "resourceVersion": "7",
        "generation": 3,
        "labels": {"hardened.dev/service": "web"},
        "annotations": {"deployment.kubernetes.io/revision": "2", "hardened.dev/applied": "abc"},
        "ownerReferences": [{"kind": "HardenedService", "name": "web", "uid": "s1"}],
    },
    "spec": {"replicas": 3, "template": {"spec": {"containers": [{"name": "app", "image": "web:1"}]}}},
    "status": {"readyReplicas": 3},
}
MANIFEST: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web-blue", "namespace": "shop"},
    "spec": {"replicas": 8},
}


def newer(**parts: Any) -> dict[str, Any]:
    """The object after a change: `parts` are merged into its metadata, or replace spec and status."""
    live = copy.deepcopy(LIVE)
    live["metadata"] |= {"resourceVersion": "9", **parts.pop("metadata", {})}
    return live | parts


def decided() -> Apply:
    return Apply(pinned_to(MANIFEST, LIVE), LIVE)


@pytest.mark.parametrize(
    "now",
    [
        pytest.param(newer(status={"readyReplicas": 1}), id="pods come and go"),
        pytest.param({key: value for key, value in newer().items() if key != "status"}, id="no status"),
        pytest.param(
            newer(metadata={"annotations": {**LIVE["metadata"]["annotations"], "deployment.kubernetes.io/revision": "3"}}), id="a rollout"
        ),
        pytest.param(newer(metadata={"managedFields": [{"manager": "kube-controller-manager"}]}), id="who wrote it"),
        pytest.param(newer(metadata={"finalizers": []}), id="an empty list of finalizers"),
    ],
)
def test_it_is_made_again_where_only_the_status_has_moved_on(now: dict[str, Any]) -> None:
    again = decided().on(now)
    assert again
    assert again.manifest["metadata"]["resourceVersion"] == "9"
    assert again.wish == decided().wish
    assert again.on(newer(status={}))


@pytest.mark.parametrize(
    "now",
    [
        pytest.param(newer(spec={**LIVE["spec"], "replicas": 0}), id="another size"),
        pytest.param(newer(spec={**LIVE["spec"], "paused": True}), id="paused by hand"),
        pytest.param(newer(metadata={"uid": "u2"}), id="another object of the name"),
        pytest.param(newer(metadata={"annotations": {"hardened.dev/serving-epoch": "x"}}), id="a mark that keeps late writes out"),
        pytest.param(newer(metadata={"labels": {}}), id="other labels"),
        pytest.param(newer(metadata={"ownerReferences": []}), id="nobody's"),
        pytest.param(newer(metadata={"deletionTimestamp": "2030-01-01T00:00:00Z"}), id="it is being deleted"),
    ],
)
def test_it_is_not_made_again_where_somebody_wants_another_thing_of_it(now: dict[str, Any]) -> None:
    assert decided().on(now) is None


def test_what_was_not_there_is_never_taken_over() -> None:
    assert Apply(MANIFEST).on(LIVE) is None
