"""Whose an object is, seen from one service."""

from typing import Any

import pytest
from tests.core.worlds import OTHER_UID, UID, live_sample

from hardened.api import names
from hardened.core.model.manifest import ChildKey
from hardened.core.observe.observed import Observed, Owner, Trouble, is_deleting, owner_of
from hardened.errors import TryAgain

LABELS = {names.MANAGED_BY_LABEL: "hardened", names.SERVICE_LABEL: "shop"}
SIGNED = {names.APPLIED_ANNOTATION: "abc"}


def controller(kind: str = names.KIND, name: str = "shop", uid: str = UID, *, is_controller: bool = True) -> dict[str, Any]:
    return {"kind": kind, "name": name, "uid": uid, "controller": is_controller}


@pytest.mark.parametrize(
    ("meta", "owner"),
    [
        pytest.param({"ownerReferences": [controller()], "labels": LABELS, "annotations": SIGNED}, Owner.OURS, id="as we made it"),
        pytest.param({"ownerReferences": [controller()]}, Owner.OURS, id="somebody stripped the labels: the controller decides"),
        pytest.param({"labels": LABELS, "annotations": SIGNED}, Owner.OURS, id="somebody stripped the owner: labels and signature remain"),
        pytest.param({"labels": LABELS}, Owner.FOREIGN, id="labels alone prove nothing: anybody can write them"),
        pytest.param({"annotations": SIGNED}, Owner.FOREIGN, id="a signature alone proves nothing"),
        pytest.param({}, Owner.FOREIGN, id="a bare object of the same name"),
        pytest.param({"labels": {**LABELS, names.SERVICE_LABEL: "other"}, "annotations": SIGNED}, Owner.FOREIGN, id="another service's"),
        pytest.param({"ownerReferences": [controller(uid=OTHER_UID)]}, Owner.PREVIOUS, id="a deleted service of the same name had it"),
        pytest.param({"ownerReferences": [controller(uid=OTHER_UID, name="other")]}, Owner.FOREIGN, id="a service of another name has it"),
        pytest.param({"ownerReferences": [controller("Deployment", uid=OTHER_UID)]}, Owner.FOREIGN, id="a Deployment has it"),
        pytest.param(
            {"ownerReferences": [controller("Helm", uid=OTHER_UID)], "labels": LABELS, "annotations": SIGNED},
            Owner.FOREIGN,
            id="another controller outweighs our labels",
        ),
        pytest.param(
            {"ownerReferences": [controller(is_controller=False)], "labels": LABELS, "annotations": SIGNED},
            Owner.OURS,
            id="an owner that is no controller any more does not matter",
        ),
        pytest.param({"ownerReferences": [controller(is_controller=False)]}, Owner.FOREIGN, id="a mere owner is not a controller"),
        pytest.param({"ownerReferences": None, "labels": None, "annotations": None}, Owner.FOREIGN, id="nulls are nothing"),
    ],
)
def test_owner_of(meta: dict[str, Any], owner: Owner) -> None:
    assert owner_of({"metadata": meta}, "shop", UID) is owner


@pytest.mark.parametrize(
    ("labels", "service", "owner"),
    [
        pytest.param(None, "web", Owner.OURS, id="as we made it: also for a service that was made anew"),
        pytest.param(None, "other", Owner.FOREIGN, id="its labels name another service"),
        pytest.param({}, "web", Owner.OURS, id="it lost its labels, and keeps our mark"),
        pytest.param({names.MANAGED_BY_LABEL: "helm"}, "web", Owner.FOREIGN, id="its labels name another manager"),
    ],
)
def test_a_claim_has_no_owner_and_is_ours_by_its_labels(labels: dict[str, str] | None, service: str, owner: Owner) -> None:
    claim = live_sample("web")["PersistentVolumeClaim"]
    assert "ownerReferences" not in claim["metadata"]
    if labels is not None:
        claim["metadata"]["labels"] = labels
    assert owner_of(claim, service, UID) is owner


def test_a_claim_without_our_mark_is_somebody_elses() -> None:
    assert owner_of({"kind": "PersistentVolumeClaim", "metadata": {"labels": LABELS}}, "shop", UID) is Owner.FOREIGN


def test_a_snapshot_changes_only_by_making_another() -> None:
    child = {"kind": "Service", "metadata": {"name": "shop"}}
    key = ChildKey("Service", "shop")
    empty = Observed.of([])
    without, within = empty.without_child(key), empty.with_child(child)
    assert (dict(empty.children), empty.absent) == ({}, frozenset())
    assert without.absent == {key}
    assert without.with_child(child).absent == frozenset()
    assert within.without_child(key).children == {}
    trouble = Trouble("apply Service shop", TryAgain("no reply"))
    assert within.with_trouble(trouble).troubles == (trouble,)
    assert within.with_pods([child]).pods == (child,)


@pytest.mark.parametrize(("meta", "expected"), [({}, False), ({"deletionTimestamp": None}, False), ({"deletionTimestamp": "2026"}, True)])
def test_a_deletion_is_seen_by_its_time(meta: dict[str, Any], expected: bool) -> None:
    assert is_deleting({"metadata": meta}) is expected
