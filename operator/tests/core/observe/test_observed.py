"""Whose an object is, seen from one service."""

from typing import Any

import pytest
from tests.core.worlds import OTHER_UID, UID, live_sample

from hardened.api import names
from hardened.core.model.manifest import ChildKey
from hardened.core.observe.observed import Observed, Ownership, WriteError, is_deleting, owner_of
from hardened.errors import TryAgain

LABELS = {names.MANAGED_BY_LABEL: "hardened", names.SERVICE_LABEL: "shop"}
SIGNED = {names.APPLIED_ANNOTATION: "abc"}


def controller(kind: str = names.KIND, name: str = "shop", uid: str = UID, *, is_controller: bool = True) -> dict[str, Any]:
    return {"kind": kind, "name": name, "uid": uid, "controller": is_controller}


@pytest.mark.parametrize(
    ("meta", "owner"),
    [
        pytest.param({"ownerReferences": [controller()], "labels": LABELS, "annotations": SIGNED}, Ownership.OURS, id="as we made it"),
        pytest.param({"ownerReferences": [controller()]}, Ownership.OURS, id="somebody stripped the labels: the controller decides"),
        pytest.param(
            {"labels": LABELS, "annotations": SIGNED}, Ownership.OURS, id="somebody stripped the owner: labels and signature remain"
        ),
        pytest.param({"labels": LABELS}, Ownership.FOREIGN, id="labels alone prove nothing: anybody can write them"),
        pytest.param({"annotations": SIGNED}, Ownership.FOREIGN, id="a signature alone proves nothing"),
        pytest.param({}, Ownership.FOREIGN, id="a bare object of the same name"),
        pytest.param(
            {"labels": {**LABELS, names.SERVICE_LABEL: "other"}, "annotations": SIGNED}, Ownership.FOREIGN, id="another service's"
        ),
        pytest.param({"ownerReferences": [controller(uid=OTHER_UID)]}, Ownership.PREVIOUS, id="a deleted service of the same name had it"),
        pytest.param(
            {"ownerReferences": [controller(uid=OTHER_UID, name="other")]}, Ownership.FOREIGN, id="a service of another name has it"
        ),
        pytest.param({"ownerReferences": [controller("Deployment", uid=OTHER_UID)]}, Ownership.FOREIGN, id="a Deployment has it"),
        pytest.param(
            {"ownerReferences": [controller("Helm", uid=OTHER_UID)], "labels": LABELS, "annotations": SIGNED},
            Ownership.FOREIGN,
            id="another controller outweighs our labels",
        ),
        pytest.param(
            {"ownerReferences": [controller(is_controller=False)], "labels": LABELS, "annotations": SIGNED},
            Ownership.OURS,
            id="an owner that is no controller any more does not matter",
        ),
        pytest.param({"ownerReferences": [controller(is_controller=False)]}, Ownership.FOREIGN, id="a mere owner is not a controller"),
        pytest.param({"ownerReferences": None, "labels": None, "annotations": None}, Ownership.FOREIGN, id="nulls are nothing"),
    ],
)
def test_owner_of(meta: dict[str, Any], owner: Ownership) -> None:
    assert owner_of({"metadata": meta}, "shop", UID) is owner


@pytest.mark.parametrize(
    ("labels", "service", "owner"),
    [
        pytest.param(None, "web", Ownership.OURS, id="as we made it: also for a service that was made anew"),
        pytest.param(None, "other", Ownership.FOREIGN, id="its labels name another service"),
        pytest.param({}, "web", Ownership.OURS, id="it lost its labels, and keeps our mark"),
        pytest.param({names.MANAGED_BY_LABEL: "helm"}, "web", Ownership.FOREIGN, id="its labels name another manager"),
    ],
)
def test_a_claim_has_no_owner_and_is_ours_by_its_labels(labels: dict[str, str] | None, service: str, owner: Ownership) -> None:
    claim = live_sample("web")["PersistentVolumeClaim"]
    assert "ownerReferences" not in claim["metadata"]
    if labels is not None:
        claim["metadata"]["labels"] = labels
    assert owner_of(claim, service, UID) is owner


def test_a_claim_without_our_mark_is_somebody_elses() -> None:
    assert owner_of({"kind": "PersistentVolumeClaim", "metadata": {"labels": LABELS}}, "shop", UID) is Ownership.FOREIGN


def test_a_snapshot_changes_only_by_making_another() -> None:
    child = {"kind": "Service", "metadata": {"name": "shop"}}
    key = ChildKey("Service", "shop")
    empty = Observed.of([])
    without, within = empty.without_child(key), empty.with_child(child)
    assert (dict(empty.children), empty.absent) == ({}, frozenset())
    assert without.absent == {key}
    assert without.with_child(child).absent == frozenset()
    assert within.without_child(key).children == {}
    trouble = WriteError("apply Service shop", TryAgain("no reply"))
    assert within.with_write_error(trouble).write_errors == (trouble,)
    assert within.with_pods([child]).pods == (child,)


@pytest.mark.parametrize(("meta", "expected"), [({}, False), ({"deletionTimestamp": None}, False), ({"deletionTimestamp": "2026"}, True)])
def test_a_deletion_is_seen_by_its_time(meta: dict[str, Any], expected: bool) -> None:
    assert is_deleting({"metadata": meta}) is expected
