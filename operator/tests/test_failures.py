"""What a reply of the API server means, whoever asked."""

import json
from typing import Any

import pytest

from hardened.errors import ApiFailure, LookAgain, Refused, TryAgain, Vanished
from hardened.failures import EXCEEDED_QUOTA, NAMESPACE_TERMINATING, failure_of, read_failed

LONGEST = 300.0


def status(message: str = "said", reason: str = "", **details: Any) -> str:
    return json.dumps({"kind": "Status", "apiVersion": "v1", "message": message, "reason": reason, "details": details})


TERMINATING = status("being terminated", "Forbidden", causes=[{"reason": "NamespaceTerminating"}])
QUOTA = status('pods "a" is forbidden: exceeded quota: q, requested: pods=1, used: pods=3, limited: pods=3', "Forbidden")
WRONG_UID = status("is invalid", "Invalid", causes=[{"reason": "FieldValueInvalid", "field": "metadata.uid"}])
UNTYPED = status("failed to create typed patch object (shop/a; /v1, Kind=ConfigMap): .dat: field not declared in schema")


@pytest.mark.parametrize(
    ("code", "text", "class_", "reason"),
    [
        pytest.param(400, status(reason="BadRequest"), Refused, "BadRequest", id="400"),
        pytest.param(401, status(reason="Unauthorized"), TryAgain, "Unauthorized", id="401: the token may have been renewed"),
        pytest.param(403, status(reason="Forbidden"), Refused, "Forbidden", id="403"),
        pytest.param(403, QUOTA, Refused, EXCEEDED_QUOTA, id="403 of a quota"),
        pytest.param(403, status("status unknown for quota: q"), Refused, EXCEEDED_QUOTA, id="403 of a quota not counted yet"),
        pytest.param(403, TERMINATING, Refused, NAMESPACE_TERMINATING, id="403 of a namespace that ends"),
        pytest.param(404, "404 page not found", Vanished, "", id="404 of a kind that is not served"),
        pytest.param(404, status(reason="NotFound"), Vanished, "NotFound", id="404"),
        pytest.param(405, status(reason="MethodNotAllowed"), Refused, "MethodNotAllowed", id="405"),
        pytest.param(409, status(reason="Conflict"), LookAgain, "Conflict", id="409"),
        pytest.param(409, status(reason="AlreadyExists"), LookAgain, "AlreadyExists", id="409 of a name that is taken"),
        pytest.param(410, status(reason="Expired"), TryAgain, "Expired", id="410"),
        pytest.param(413, "too large", Refused, "", id="413"),
        pytest.param(415, "", Refused, "", id="415"),
        pytest.param(422, status(reason="Invalid"), Refused, "Invalid", id="422"),
        pytest.param(422, WRONG_UID, LookAgain, "Invalid", id="422 of an apply with the uid of a predecessor"),
        pytest.param(429, "", TryAgain, "", id="429"),
        pytest.param(500, status(reason="InternalError"), TryAgain, "InternalError", id="500"),
        pytest.param(500, UNTYPED, Refused, "", id="500 of an apply that does not fit the schema"),
        pytest.param(503, "<html>gateway</html>", TryAgain, "", id="503 of a proxy"),
        pytest.param(504, status(reason="Timeout"), TryAgain, "Timeout", id="504"),
        pytest.param(302, "", TryAgain, "", id="a redirect"),
        pytest.param(500, "[1]", TryAgain, "", id="JSON that is no Status"),
        pytest.param(403, '{"kind":"Status","details":{"causes":[1,null]},"message":7}', Refused, "", id="a Status with nonsense in it"),
        pytest.param(403, '{"kind":"Status","details":[]}', Refused, "", id="details of another type"),
    ],
)
def test_a_reply_becomes_what_to_do(code: int, text: str, class_: type[ApiFailure], reason: str) -> None:
    error = failure_of(read_failed(code, {}, text, longest_wait=LONGEST), "words")
    assert (type(error), error.status, error.reason, error.message) == (class_, code, reason, "words")


@pytest.mark.parametrize(
    ("headers", "text", "expected"),
    [
        pytest.param({"Retry-After": "7"}, "", 7.0, id="the header"),
        pytest.param({}, status(retryAfterSeconds=3), 3.0, id="the Status"),
        pytest.param({"Retry-After": "7"}, status(retryAfterSeconds=3), 7.0, id="the header goes first"),
        pytest.param({}, "", None, id="neither"),
        pytest.param({"Retry-After": "0"}, "", None, id="zero says nothing"),
        pytest.param({"Retry-After": "-5"}, "", None, id="nor does less"),
        pytest.param({"Retry-After": "nan"}, "", None, id="nor what is no number"),
        pytest.param({"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, "", None, id="nor a date"),
        pytest.param({"Retry-After": "86400"}, "", LONGEST, id="a day is cut to the limit"),
    ],
)
def test_retry_after(headers: dict[str, str], text: str, expected: float | None) -> None:
    error = failure_of(read_failed(429, headers, text, longest_wait=LONGEST), "get")
    assert isinstance(error, TryAgain)
    assert error.retry_after == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(status("no room"), "no room", id="in its own words"),
        pytest.param("<html>gateway</html>", "HTTP 503", id="by the code, where it says nothing"),
        pytest.param("[" * 100_000, "HTTP 503", id="nor is a bottomless body read"),
    ],
)
def test_what_the_server_says_is_kept(text: str, expected: str) -> None:
    assert read_failed(503, {}, text, longest_wait=LONGEST).message == expected


def test_each_part_of_a_failure_is_kept_as_it_is_written() -> None:
    causes = [{"field": "spec.image", "message": "no"}, {"reason": "FieldManagerConflict"}]
    assert read_failed(422, {}, status(causes=[*causes, 7]), longest_wait=LONGEST).causes == tuple(causes)
