"""Marks on stored revisions: written, read, bounded, and nothing where somebody else wrote there."""

import json
from typing import Any

import pytest

from hardened.api.names import PROMOTION_ANNOTATION, REJECTED_ANNOTATION
from hardened.core.model.annotations import LIMIT, MESSAGE_LIMIT, RevisionAnnotations, annotations_of
from hardened.core.model.reasons import Reason
from hardened.core.model.state import Rejection


def failed(key: str = "k", message: str = "p99 was 2 s") -> Rejection:
    return Rejection("rev", key, Reason.CHECK_FAILED, message)


def stored(annotations: Any) -> dict[str, Any]:
    return {"metadata": {"annotations": annotations}}


def test_what_was_written_is_read() -> None:
    annotations = RevisionAnnotations().promoted(7, "key").rejected(failed()).rejected(failed("other", "ein Prüfschritt: „nein“"))
    assert annotations_of(stored(annotations.written()), "rev") == annotations
    assert RevisionAnnotations().written() == {}


def test_what_a_revision_has_passed_is_remembered_also_once_it_is_gone_back_to_without_checks() -> None:
    annotations = RevisionAnnotations().promoted(1, "key").promoted(3)
    assert (annotations.promotion, annotations.promoted_key) == (3, "key")
    assert annotations.promoted(4, "other").promoted_key == "other"


def test_a_key_is_rejected_once_and_the_newest_are_kept() -> None:
    annotations = RevisionAnnotations()
    for number in range(LIMIT + 3):
        annotations = annotations.rejected(failed(str(number), "x" * 1000))
    annotations = annotations.rejected(failed("5", "again"))
    assert [r.key for r in annotations.rejections] == ["3", "4", "6", "7", "8", "9", "10", "5"]
    assert {len(r.message) for r in annotations.rejections} == {MESSAGE_LIMIT, len("again")}


@pytest.mark.parametrize(
    "annotations",
    [
        None,
        {PROMOTION_ANNOTATION: "-1", REJECTED_ANNOTATION: "no json"},
        {PROMOTION_ANNOTATION: "seven", REJECTED_ANNOTATION: "{}"},
        {PROMOTION_ANNOTATION: "", REJECTED_ANNOTATION: "7"},
        {REJECTED_ANNOTATION: json.dumps([{"key": "k"}])},
        {REJECTED_ANNOTATION: json.dumps([{"key": "k", "reason": "Because", "message": ""}])},
        {REJECTED_ANNOTATION: "[" * 100_000},
    ],
)
def test_what_cannot_be_read_is_no_mark(annotations: Any) -> None:
    assert annotations_of(stored(annotations), "rev") == RevisionAnnotations()
