"""What of a failed reply is told to people."""

import json
from typing import Any

import pytest

from hardenctl.cluster.failures import explained
from hardenctl.cluster.replies import Conflict, FieldConflict, InvalidFields, failure, is_kind_missing
from hardenctl.output.outcome import Exit
from hardened.errors import LookAgain, Refused, TryAgain, Vanished


def _status(**fields: Any) -> bytes:
    return json.dumps({"kind": "Status", "message": "said", **fields}).encode()


CONFLICT = {"reason": "FieldManagerConflict", "message": 'conflict with "argocd" using hardened.dev/v1alpha1', "field": ".spec.image"}
WRONG_UID = {"reason": "FieldValueInvalid", "field": "metadata.uid", "message": "no"}
NOT_DECLARED = "failed to create typed patch object (shop/a): .spec.x: field not declared in schema"


@pytest.mark.parametrize(
    ("code", "body", "expected"),
    [
        (409, _status(), LookAgain),
        (409, _status(details={"causes": [CONFLICT]}), Conflict),
        (422, _status(details={"causes": [{"field": "spec.image", "message": "no"}]}), InvalidFields),
        (422, _status(details={"causes": [WRONG_UID]}), InvalidFields),
        (422, _status(), Refused),
        (503, b"<html>", TryAgain),
    ],
)
def test_a_failure_that_names_fields_has_a_class_of_its_own(code: int, body: bytes, expected: type[Exception]) -> None:
    assert type(failure(code, {}, body)) is expected


def test_the_words_are_those_of_the_server() -> None:
    assert failure(403, {}, _status(message="pods is forbidden")).message == "pods is forbidden"


@pytest.mark.parametrize(
    ("code", "body", "said"),
    [
        pytest.param(503, b"<html>", "HTTP 503", id="a proxy that has no server"),
        pytest.param(500, _status(message=NOT_DECLARED), NOT_DECLARED, id="an older CRD"),
    ],
)
def test_a_fault_of_the_server_is_told_as_one(code: int, body: bytes, said: str) -> None:
    end = explained(failure(code, {}, body), "patch", "shop")
    assert (end.message, end.code, end.hint) == (
        f"the API server failed: {said}",
        Exit.FAILED,
        "try again; it may be starting or overloaded",
    )


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        pytest.param(failure(404, {}, b"404 page not found"), True, id="without a Status"),
        pytest.param(failure(404, {}, _status(message="the server could not find the requested resource")), True, id="in its own words"),
        pytest.param(failure(404, {}, _status(message='hardenedservices "a" not found')), False, id="it is the object"),
    ],
)
def test_a_kind_that_is_not_there_is_told_from_an_object(error: Vanished, expected: bool) -> None:
    assert is_kind_missing(error) is expected


def test_a_conflict_names_field_and_manager() -> None:
    found = failure(409, {}, _status(details={"causes": [CONFLICT]}))
    assert isinstance(found, Conflict)
    assert found.conflicts == (FieldConflict("spec.image", "argocd"),)


@pytest.mark.parametrize(("header", "expected"), [("3", 3.0), ("9999", 30.0), ("soon", None), (None, None)])
def test_a_wait_that_the_server_asks_for_is_bounded(header: str | None, expected: float | None) -> None:
    found = failure(429, {"Retry-After": header} if header else {}, _status())
    assert isinstance(found, TryAgain)
    assert found.retry_after == expected
