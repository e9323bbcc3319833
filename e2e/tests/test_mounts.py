"""Who mounted a claim on a node between two versions of a cluster, by events on pods."""

from __future__ import annotations

from typing import Any

import pytest

from e2e.kube import Body
from e2e.mounts import Mounts


def seen(version: int, *, node: str = "", phase: str = "Pending", run: str = "", claim: str = "data", kind: str = "MODIFIED") -> Body:
    """An event on the pod `p`. node, run: "" for none."""
    labels = {"hardened.dev/run": run} if run else {}
    spec: dict[str, Any] = {"volumes": [{"name": "d", "persistentVolumeClaim": {"claimName": claim}}]} | (
        {"nodeName": node} if node else {}
    )
    meta = {"name": "p", "uid": "u", "resourceVersion": str(version), "labels": labels}
    return {"type": kind, "object": {"metadata": meta, "spec": spec, "status": {"phase": phase}}}


RUNS = {"node": "one", "phase": "Running"}


@pytest.mark.parametrize(
    ("events", "is_user"),
    [
        pytest.param([seen(5, **RUNS)], True, id="it runs all the time"),
        pytest.param([seen(5, **RUNS), seen(12, **RUNS, kind="DELETED")], True, id="it is gone too late"),
        pytest.param([seen(5, **RUNS), seen(9, **RUNS, kind="DELETED")], False, id="it is gone before"),
        pytest.param([seen(5, **RUNS), seen(9, node="one", phase="Succeeded")], False, id="it has ended before"),
        pytest.param([seen(11), seen(12, node="one"), seen(13, node="one", kind="DELETED")], True, id="it comes for a moment"),
        pytest.param([seen(11), seen(21, **RUNS)], False, id="it comes to a node afterwards"),
        pytest.param([seen(11), seen(12)], False, id="it never comes to a node"),
        pytest.param([seen(5, **RUNS, claim="other")], False, id="it mounts another claim"),
        pytest.param([seen(5, **RUNS, run="restore")], False, id="it restores"),
    ],
)
def test_a_pod_uses_a_claim_from_the_moment_it_has_a_node_until_it_has_ended(events: list[Body], *, is_user: bool) -> None:
    mounts = Mounts("data")
    for event in events:
        mounts.saw(event)
    assert mounts.users(10, 20) == ({"p"} if is_user else set())


def test_those_that_restore_and_those_that_never_came_to_a_node_are_told_apart() -> None:
    mounts = Mounts("data")
    mounts.saw(seen(11, run="restore"))
    assert mounts.kept_away() == {"p"}
    mounts.saw(seen(12, **RUNS, run="restore"))
    assert mounts.users(10, 20, restores=True) == {"p"}
    assert mounts.kept_away() == set()
