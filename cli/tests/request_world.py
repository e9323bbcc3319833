"""Services that each verb of releases has something to ask for, and what the operator answers."""

from typing import Any

import pytest
from hardenctl_world import CHILDREN, NEW, NEW_IMAGE, OLD_IMAGE, REFERS, REVISION, FakeCluster, kept, releasing, service, stored, taken_back


def world(status: dict[str, Any], *answers: dict[str, Any], fields: dict[str, Any] | None = None) -> FakeCluster:
    cluster = FakeCluster(service(status=status, image=NEW_IMAGE))
    items = [stored(REVISION, 1, OLD_IMAGE, promotion=1, **(REFERS if fields is None else fields)), stored(NEW, 2, NEW_IMAGE, promotion=2)]
    cluster.objects[f"{CHILDREN}/controllerrevisions"] = {"items": items}
    cluster.answers = list(answers)
    return cluster


def said(phase: str, message: str = "because") -> dict[str, Any]:
    return {"phase": phase, "message": message}


RUNNING, DONE = said("Running", "on its way"), said("Succeeded", "it is done")

BEFORE = {
    "rollback": kept(),
    "promote": releasing("Approval"),
    "abort": releasing("VerifyBefore"),
    "retry": taken_back(),
    "pause": releasing("Preview"),
    "resume": releasing("Preview", phase="Paused", pausedAt="2026-01-02T03:04:05Z"),
}
NEXT = {
    "rollback": "hardenctl history api -n shop",
    "promote": "hardenctl status api -n shop -w",
    "abort": "hardenctl history api -n shop",
    "retry": "hardenctl status api -n shop -w",
    "pause": "hardenctl resume api -n shop",
    "resume": "hardenctl status api -n shop -w",
}
NAMED = {"promote", "abort", "retry"}

VERBS = pytest.mark.parametrize("verb", list(BEFORE))
