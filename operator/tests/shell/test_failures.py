import json
from typing import Any

import pytest

from hardened.errors import ApiFailure, LookAgain, Refused, TryAgain, Vanished
from hardened.shell.api_server import EXCEEDED_QUOTA, NAMESPACE_TERMINATING
from hardened.shell.failures import MESSAGE_LIMIT, RETRY_AFTER_LIMIT, failure, no_reply


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
    error = failure("apply configmaps shop/a", code, {}, text)
    assert (type(error), error.status, error.reason) == (class_, code, reason)
    assert error.message.startswith("apply configmaps shop/a: ")


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
        pytest.param({"Retry-After": "86400"}, "", RETRY_AFTER_LIMIT, id="a day is cut to the limit"),
    ],
)
def test_retry_after(headers: dict[str, str], text: str, expected: float | None) -> None:
    error = failure("get", 429, headers, text)
    assert isinstance(error, TryAgain)
    assert error.retry_after == expected


def test_a_message_is_bounded() -> None:
    assert len(failure("x", 422, {}, status("y" * 100_000)).message) == MESSAGE_LIMIT


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        pytest.param(TimeoutError(), "TimeoutError", id="a time-out"),
        pytest.param(ConnectionResetError(104, "Connection reset by peer"), "Connection reset by peer", id="a reset"),
        pytest.param(ValueError("Bearer sesame"), "ValueError", id="of another error only the class"),
    ],
)
def test_no_reply_says_why(error: Exception, expected: str) -> None:
    failed = no_reply("get pods shop/a", error)
    assert expected in failed.message
    assert "sesame" not in failed.message
    assert failed.status == 0
