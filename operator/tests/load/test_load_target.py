"""The request, byte by byte."""

from typing import Any

import pytest

from hardened.load.errors import BadLoad
from hardened.load.target import LoadTarget


def test_a_request_on_a_kept_connection_and_one_on_its_own() -> None:
    target = LoadTarget("web.shop", 8080, "/a?b=%20", {"X-Token": "t"})
    head = b"GET /a?b=%20 HTTP/1.1\r\nHost: web.shop:8080\r\nUser-Agent: hardened-load\r\nAccept: */*\r\nX-Token: t\r\n"
    assert target.request(keeps_alive=True) == head + b"\r\n"
    assert target.request(keeps_alive=False) == head + b"Connection: close\r\n\r\n"


def test_an_ipv6_address_is_named_in_brackets() -> None:
    assert b"\r\nHost: [::1]:80\r\n" in LoadTarget("::1", 80).request(keeps_alive=True)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"port": 0}, "port"),
        ({"port": 65536}, "port"),
        ({"host": ""}, "host"),
        ({"host": "web\r\nX: y"}, "host"),
        ({"host": "user@web"}, "host"),
        ({"path": "health"}, "path"),
        ({"path": "/a b"}, "path"),
        ({"path": "/ HTTP/1.1\r\nX: y"}, "path"),
        ({"headers": {"X y": "1"}}, "header"),
        ({"headers": {"": "1"}}, "header"),
        ({"headers": {"X": "1\r\nY: 2"}}, "header"),
        ({"headers": {"X": "ü\u2013"}}, "header"),
        ({"headers": {"connection": "close"}}, "leave it out"),
        ({"headers": {"Host": "other"}}, "leave it out"),
        ({"authority": "web\r\nX: y"}, "authority"),
    ],
)
def test_what_would_be_another_request_is_refused(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(BadLoad, match=says):
        LoadTarget(**({"host": "web", "port": 80} | wrong))
