"""Replies become the error tree."""

import json
from typing import Any

import pytest

from hardenctl.cluster.replies import Conflict, FieldConflict, InvalidFields, failure
from hardened.errors import LookAgain, Refused, TryAgain, Vanished


def _status(**fields: Any) -> bytes:
    return json.dumps({"kind": "Status", "message": "said", **fields}).encode()


CONFLICT = {"reason": "FieldManagerConflict", "message": 'conflict with "argocd" using hardened.dev/v1alpha1', "field": ".spec.image"}


@pytest.mark.parametrize(
    ("code", "body", "expected"),
    [
        (404, _status(), Vanished),
        (404, b"404 page not found", Vanished),
        (403, _status(), Refused),
        (400, _status(), Refused),
        (409, _status(), LookAgain),
        (409, _status(details={"causes": [CONFLICT]}), Conflict),
        (422, _status(details={"causes": [{"field": "spec.image", "message": "no"}]}), InvalidFields),
        (422, _status(), Refused),
        (401, _status(), TryAgain),
        (429, _status(), TryAgain),
        (503, b"<html>", TryAgain),
    ],
)
def test_a_code_has_its_class(code: int, body: bytes, expected: type[Exception]) -> None:
    assert type(failure(code, {}, body)) is expected


def test_a_conflict_names_field_and_manager() -> None:
    found = failure(409, {}, _status(details={"causes": [CONFLICT]}))
    assert isinstance(found, Conflict)
    assert found.conflicts == (FieldConflict("spec.image", "argocd"),)


@pytest.mark.parametrize(("header", "expected"), [("3", 3.0), ("9999", 30.0), ("soon", None), (None, None)])
def test_a_wait_that_the_server_asks_for_is_bounded(header: str | None, expected: float | None) -> None:
    found = failure(429, {"Retry-After": header} if header else {}, _status())
    assert isinstance(found, TryAgain)
    assert found.retry_after == expected
