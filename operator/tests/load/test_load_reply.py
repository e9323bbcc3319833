"""Replies as bytes: what they say, where they end, and whether the connection can be used again."""

from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardened.load.reply import MAX_HEAD, BadReply, ReplyReader

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\nA \r\n, a world \r\n0\r\nTrailer: x\r\n\r\n"
SIZED = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: 1\r\nx-a: 2\r\n\r\nhello"
EARLY = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\nContent-Length: 3\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"

WHOLE = [
    pytest.param(SIZED, 200, b"hello", True, id="a length"),
    pytest.param(CHUNKED, 200, b"hello, a world ", True, id="chunks, with an extension and a trailer"),
    pytest.param(EARLY + SIZED, 200, b"hello", True, id="after news of it"),
    pytest.param(b"HTTP/1.1 204 No Content\r\nContent-Length: 9\r\n\r\n", 204, b"", True, id="no content, whatever its length says"),
    pytest.param(b"HTTP/1.1 304\r\n\r\n", 304, b"", True, id="not modified, without a phrase"),
    pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok", 200, b"ok", True, id="a length said twice"),
    pytest.param(b"HTTP/1.1 503 \r\nContent-Length: 0\r\n\r\n", 503, b"", True, id="an empty body"),
    pytest.param(b"HTTP/1.1 200 OK\r\nA: b\r\n  c\r\nContent-Length: 0\r\n\r\n", 200, b"", True, id="a folded line"),
    pytest.param(b"HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 0\r\n\r\n", 200, b"", False, id="the server closes"),
    pytest.param(b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", 200, b"", False, id="HTTP/1.0 closes"),
    pytest.param(b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n", 200, b"", True, id="HTTP/1.0 that does not"),
    pytest.param(SIZED + b"HTTP", 200, b"hello", False, id="more than was asked for"),
]


@pytest.mark.parametrize(("data", "status", "body", "keeps_alive"), WHOLE)
def test_whole_replies(data: bytes, status: int, body: bytes, keeps_alive: bool) -> None:
    reader = ReplyReader(keep=100)
    assert reader.feed(data)
    assert (reader.reply.status, reader.reply.body, reader.keeps_alive) == (status, body, keeps_alive)
    assert not reader.end()


@pytest.mark.parametrize("data", [SIZED, CHUNKED, EARLY + SIZED, EARLY + CHUNKED])
def test_a_reply_is_whole_with_its_last_byte_however_it_comes(data: bytes) -> None:
    byte_by_byte = ReplyReader(keep=100)
    found = [byte_by_byte.feed(data[i : i + 1]) for i in range(len(data))]
    assert found == [False] * (len(data) - 1) + [True]
    at_once = ReplyReader(keep=100)
    assert at_once.feed(data)
    assert byte_by_byte.reply == at_once.reply


@given(st.sampled_from([SIZED, CHUNKED, EARLY + SIZED]), st.lists(st.integers(0, 200)))
def test_how_a_reply_is_cut_does_not_matter(data: bytes, cuts: list[int]) -> None:
    at_once, in_pieces = ReplyReader(keep=9), ReplyReader(keep=9)
    at_once.feed(data)
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    found = [in_pieces.feed(data[a:b]) for a, b in pairwise(edges)]
    assert found == [False] * (len(found) - 1) + [True]
    assert (in_pieces.reply, in_pieces.keeps_alive) == (at_once.reply, at_once.keeps_alive)


@given(st.binary(max_size=300))
def test_whatever_comes_is_a_reply_or_a_bad_one(data: bytes) -> None:
    for head in (b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"):
        with suppress(BadReply):
            ReplyReader().feed(head + data)


def test_headers_are_found_in_lower_case_and_repeated_ones_joined() -> None:
    reader = ReplyReader()
    reader.feed(SIZED)
    assert reader.reply.headers == {b"content-length": b"5", b"x-a": b"1, 2"}


def test_a_body_without_a_length_lasts_until_the_connection_ends() -> None:
    reader = ReplyReader(keep=100)
    assert not reader.feed(b"HTTP/1.1 200 OK\r\n\r\nhel")
    assert not reader.feed(b"lo")
    assert reader.end()
    assert (reader.reply.body, reader.keeps_alive) == (b"hello", False)


@pytest.mark.parametrize("data", [b"", b"HTT", SIZED[:20], SIZED[:-1], CHUNKED[:-1], CHUNKED[:60], EARLY])
def test_a_reply_that_was_cut_is_not_whole(data: bytes) -> None:
    reader = ReplyReader()
    assert not reader.feed(data)
    assert not reader.end()


def test_only_so_much_of_a_body_is_kept() -> None:
    reader = ReplyReader(keep=4)
    reader.feed(CHUNKED)
    assert reader.reply.body == b"hell"
    assert ReplyReader().feed(SIZED)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"SSH-2.0-x\r\n", id="another protocol, told by its first bytes"),
        pytest.param(b"\x15\x03\x01", id="TLS"),
        pytest.param(b"HTTP/2.0 200 OK\r\n\r\n", id="another version"),
        pytest.param(b"HTTP/1.1 20 OK\r\n\r\n", id="no status"),
        pytest.param(b"HTTP/1.1 099 OK\r\n\r\n", id="a status below 100"),
        pytest.param(b"HTTP/1.1 2000 OK\r\n\r\n", id="a status of four digits"),
        pytest.param(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", id="another protocol, unasked"),
        pytest.param(b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", id="a header without a name"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\n", id="a space before the colon"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", id="a negative length"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", id="two lengths"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", id="a length and chunks"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", id="a coding that was not offered"),
        pytest.param(b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", id="chunks in HTTP/1.0"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", id="a chunk without a size"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n", id="a chunk that is too long"),
        pytest.param(b"HTTP/1.1 200 OK\r\nA: " + b"x" * MAX_HEAD, id="a head that does not end"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1" * (MAX_HEAD + 1), id="a line that does not end"),
    ],
)
def test_bad_replies(data: bytes) -> None:
    with pytest.raises(BadReply):
        ReplyReader().feed(data)
