"""The Status bodies with which an API server refuses. Pure; wording and details follow apimachinery's `errors` package."""

from __future__ import annotations

import json
from typing import Any

from e2e.faults.calls import Operation

REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    406: "NotAcceptable",
    409: "Conflict",
    410: "Expired",
    413: "RequestEntityTooLarge",
    415: "UnsupportedMediaType",
    422: "Invalid",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}


def status_body(code: int, operation: Operation | None = None, retry_after: int | None = None) -> bytes:
    """The JSON of a `Status` for this code. With an operation it names the object and, for 409, tells create, apply and update apart."""
    reason, message, causes = _explain(code, operation)
    details: dict[str, Any] = {}
    if operation and operation.resource:
        named = {"name": operation.name, "group": operation.group, "kind": operation.resource}
        details = {key: value for key, value in named.items() if value}
    if causes:
        details["causes"] = causes
    if retry_after is not None:
        details["retryAfterSeconds"] = retry_after
    status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message, "reason": reason, "code": code}
    return json.dumps(status | ({"details": details} if details else {})).encode()


def _explain(code: int, operation: Operation | None) -> tuple[str, str, list[dict[str, str]]]:
    """(reason, message, causes)."""
    reason = REASONS.get(code, "InternalError" if code >= 500 else "Unknown")
    verb = operation.verb if operation else ""
    qualified, name = "resource", ""
    if operation and operation.resource:
        qualified, name = f"{operation.resource}.{operation.group}".rstrip("."), operation.name
    match code:
        case 409 if verb == "create":
            return "AlreadyExists", f'{qualified} "{name}" already exists', []
        case 409 if verb == "apply":
            cause = {"reason": "FieldManagerConflict", "message": 'conflict with "someone-else"', "field": ".spec"}
            return reason, 'Apply failed with 1 conflict: conflict with "someone-else": .spec', [cause]
        case 422:
            cause = {"reason": "FieldValueInvalid", "message": "Invalid value: null: injected", "field": "spec"}
            return reason, f'{qualified} "{name}" is invalid: spec: Invalid value: null: injected', [cause]
        case 500:
            return reason, "Internal error occurred: injected", [{"message": "injected"}]
    messages = {
        401: "Unauthorized",
        403: f'{qualified} "{name}" is forbidden: User "injected" cannot {verb} resource',
        404: f'{qualified} "{name}" not found' if name else "the server could not find the requested resource",
        409: f'Operation cannot be fulfilled on {qualified} "{name}": the object has been modified; '
        "please apply your changes to the latest version and try again",
        410: "too old resource version: 1 (2)",
        429: "the server has received too many requests and has asked us to try again later",
        503: "the server is currently unable to handle the request",
        504: "Timeout: request did not complete within requested timeout - context deadline exceeded",
    }
    return reason, messages.get(code, f"injected {code}"), []
