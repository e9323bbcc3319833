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
        pytest.param(503, b"<html>", "HTTP 503 with a web page, from a proxy before it", id="a proxy that has no server"),
        pytest.param(500, _status(message="etcd is away"), "etcd is away", id="the server itself"),
    ],
)
def test_a_fault_of_the_server_is_told_as_one(code: int, body: bytes, said: str) -> None:
    end = explained(failure(code, {}, body), "patch", "shop")
    assert (end.message, end.code, end.hint) == (
        f"the API server failed: {said}",
        Exit.UNANSWERED,
        "try again; it may be starting or overloaded",
    )


def test_a_field_that_the_crd_lacks_is_refused_whatever_the_code_says() -> None:
    end = explained(failure(500, {}, _status(message=NOT_DECLARED)), "patch", "shop")
    assert (end.message, end.code) == (NOT_DECLARED, Exit.REFUSED)
    assert "the CRD in the cluster is older than hardenctl" in end.hint


@pytest.mark.parametrize(
    ("code", "body", "said"),
    [
        (403, b"\n<!DOCTYPE html>", "the answer is HTTP 403, with a web page"),
        (404, b"<html>", "the answer is HTTP 404, with a web page"),
        (302, b"", "the answer is HTTP 302, a redirection"),
    ],
)
def test_what_no_api_server_says_is_not_taken_for_its_word(code: int, body: bytes, said: str) -> None:
    end = explained(failure(code, {}, body), "get", "shop")
    assert (end.code, end.result) == (Exit.UNANSWERED, "unanswered")
    assert said in end.message
    assert "does a proxy or a login page stand before the API server" in end.message
    assert "\n" not in end.message


def test_one_that_is_overloaded_says_when_to_come_back() -> None:
    end = explained(failure(429, {"Retry-After": "7"}, b"{}"), "get", "shop")
    assert (end.code, end.hint) == (Exit.UNANSWERED, "try again in 7 s; it is overloaded")


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
