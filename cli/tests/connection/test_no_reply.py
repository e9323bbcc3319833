"""A call without a reply says why."""

import socket
import ssl

import pytest

from hardenctl.connection.no_reply import no_reply


def _wrapped(cause: BaseException) -> Exception:
    try:
        try:
            raise cause
        except BaseException as error:
            raise RuntimeError("the library's words") from error
    except RuntimeError as error:
        return error


@pytest.mark.parametrize(
    ("cause", "expected"),
    [
        (ConnectionRefusedError(111, "Connection refused"), "x: Connection refused"),
        (socket.gaierror(-2, "Name or service not known"), "x: there is no such host"),
        (TimeoutError("timed out"), "x: no reply in time"),
        (ssl.SSLError(1, "wrong version number"), "x: TLS failed: "),
        (ValueError("?"), "x: no usable reply (RuntimeError)"),
    ],
)
def test_a_call_without_reply_says_why(cause: BaseException, expected: str) -> None:
    assert str(no_reply("x", _wrapped(cause))).startswith(expected)
