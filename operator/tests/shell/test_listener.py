"""Whatever somebody sends to it, or does not: others are answered, and it holds no more connections than it may."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardened.shell.listener import REQUEST_LIMIT, Listener, Reply

ASK = b"GET /well HTTP/1.1\r\nHost: x\r\n\r\n"
BIG = 1 << 24


def answer(path: str, headers: Mapping[str, str]) -> Reply | None:
    return {"/well": Reply(headers.get("accept", "ok").encode()), "/big": Reply(b"x" * BIG)}.get(path)


@asynccontextmanager
async def listening(*, deadline: float = 5, connections: int = 8) -> AsyncIterator[Listener]:
    listener = Listener(answer, deadline=deadline, connections=connections)
    await listener.open(0)
    try:
        yield listener
    finally:
        await listener.close()


async def told(port: int, request: bytes, source: str = "127.0.0.1") -> bytes:
    """All that comes back for these bytes; nothing where it hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))
    writer.write(request)
    try:
        return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


@pytest.mark.parametrize(
    ("request_", "status", "body"),
    [
        pytest.param(ASK, b"200 OK", b"ok", id="what is there"),
        pytest.param(b"GET /well?a=b HTTP/1.0\r\nACCEPT:  that \r\n\r\n", b"200 OK", b"that", id="headers, by whatever case"),
        pytest.param(b"HEAD /well HTTP/1.1\r\n\r\n", b"200 OK", b"", id="without a body"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", b"404 Not Found", b"404: Not Found", id="what is not"),
        pytest.param(b"POST /well HTTP/1.1\r\n\r\n", b"405 Method Not Allowed", b"405: Method Not Allowed", id="nothing can be told to it"),
        pytest.param(b"\xff\x00 \r\n\r\n", b"400 Bad Request", b"400: Bad Request", id="what is no HTTP"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\n", b"400 Bad Request", b"400: Bad Request", id="nor HTTP/1"),
    ],
)
def test_a_request_is_answered(request_: bytes, status: bytes, body: bytes) -> None:
    async def ask() -> bytes:
        async with listening() as listener:
            return await told(listener.port, request_)

    head, _, said = asyncio.run(ask()).partition(b"\r\n\r\n")
    assert head.split(b"\r\n")[0] == b"HTTP/1.1 " + status
    assert said == body


def test_a_byte_now_and_then_renews_nothing() -> None:
    async def play() -> float:
        async with listening(deadline=0.3) as listener:
            reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
            began = time.monotonic()
            while not reader.at_eof() and time.monotonic() - began < 3:
                writer.write(b"G")
                await asyncio.sleep(0.05)
            writer.close()
            return time.monotonic() - began

    assert asyncio.run(play()) < 1.5


def test_who_does_not_read_the_answer_is_hung_up_on() -> None:
    async def play() -> int:
        async with listening(deadline=0.3) as listener:
            reader, writer = await asyncio.open_connection("127.0.0.1", listener.port, limit=1024)
            writer.write(b"GET /big HTTP/1.1\r\n\r\n")
            await asyncio.sleep(0.8)
            try:
                return len(await reader.read())
            except ConnectionError:
                return 0
            finally:
                writer.close()

    assert asyncio.run(play()) < BIG


def test_who_drips_on_every_connection_loses_one_of_their_own_to_whoever_comes() -> None:
    async def play() -> None:
        async with listening(connections=8) as listener:
            patient = await asyncio.open_connection("127.0.0.1", listener.port, local_addr=("127.0.0.2", 0))
            dripping = [await asyncio.open_connection("127.0.0.1", listener.port) for _ in range(40)]
            for _, writer in dripping:
                writer.write(b"GET /well HTTP/1.1\r\nX: ")
            for _ in range(5):
                assert b"200 OK" in await told(listener.port, ASK, "127.0.0.3")
                assert b"200 OK" in await told(listener.port, ASK), "also from the address of those who drip"
                assert len(listener._open) <= 8
            patient[1].write(ASK)
            assert b"200 OK" in await patient[0].read(), "who has one keeps it"
            for _, writer in (*dripping, patient):
                writer.close()

    asyncio.run(play())


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(st.binary(max_size=200), st.sampled_from([ASK, ASK[:-2], b"a" * 2 * REQUEST_LIMIT, b""])), max_size=12))
def test_whatever_was_sent_the_next_one_is_answered(sent: list[bytes]) -> None:
    async def play() -> None:
        async with listening(deadline=0.5, connections=4) as listener:
            open_ = [await asyncio.open_connection("127.0.0.1", listener.port) for _ in sent]
            for (_, writer), data in zip(open_, sent, strict=True):
                writer.write(data)
            assert b"200 OK" in await told(listener.port, ASK)
            for _, writer in open_:
                writer.close()

    asyncio.run(play())
