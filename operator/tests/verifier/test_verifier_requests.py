"""What each answer is taken for, over real connections on the loopback."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.shell.http_server import Server, reply
from tests.verifier.grpc_server import NOT_SERVING as SAYS_NOT_SERVING
from tests.verifier.grpc_server import SERVING, GrpcServer

from hardened.verifier.addresses import FRESH, Addresses
from hardened.verifier.failures import BODY_LIMIT, CUT, NO_ANSWER, NO_CONNECTION, NO_NAME, NO_TEXT, NOT_UNDERSTOOD
from hardened.verifier.grpc_health import NOT_SERVING
from hardened.verifier.requests import asking, is_reachable
from hardened.verifier.task import RequestTarget

TARGET = RequestTarget("http", "127.0.0.1", 0, path="/health?deep=1")
OK = reply(200, b"all is well")
CHUNKS = b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nis\r\n5\r\n well\r\n0\r\n\r\n"


#: HTTP/2 frames: settings without a setting, and a ping.
SETTINGS, PING = bytes.fromhex("000000 04 00 00000000"), bytes.fromhex("000008 06 01 00000000 0000000000000000")


def run(ask: Awaitable[Any]) -> Any:
    async def bounded() -> Any:
        async with asyncio.timeout(5):
            return await ask

    return asyncio.run(bounded())


async def asked(target: RequestTarget, within: float = 2.0, addresses: Addresses | None = None) -> str:
    return await asking("shop", addresses or Addresses(), [target.kind])(target, within)


def port_of(server: Server) -> int:
    return int(server.url.rpartition(":")[2])


def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


async def against(answer: bytes, within: float = 2.0, **target: Any) -> str:
    async with Server(answer) as server:
        return await asked(replace(TARGET, port=port_of(server), **target), within)


def short(body: bytes, said: int) -> bytes:
    return b"HTTP/1.1 200 X\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (said, body)


@pytest.mark.parametrize(
    ("answer", "target", "expected"),
    [
        pytest.param(OK, {}, "", id="an answer"),
        pytest.param(reply(404, b""), {}, "", id="a request that was served, if nothing else is expected"),
        pytest.param(reply(429, b""), {}, "HTTP 429", id="one that was turned away"),
        pytest.param(reply(503, b""), {}, "HTTP 503", id="one that was not served"),
        pytest.param(OK, {"expect_status": frozenset({204})}, "HTTP 200", id="another status than the expected one"),
        pytest.param(reply(503, b""), {"expect_status": frozenset({503})}, "", id="the expected one, whatever it is"),
        pytest.param(OK, {"expect_body": b"is well"}, "", id="the expected text"),
        pytest.param(OK, {"expect_body": b"is bad"}, NO_TEXT, id="another text"),
        pytest.param(b"HTTP/1.1 103 Early Hints\r\n\r\n" + OK, {}, "", id="hints before the answer"),
        pytest.param(CHUNKS, {"expect_body": b"is well"}, "", id="a text in two chunks"),
        pytest.param(b"SSH-2.0-OpenSSH\r\n\r\n", {}, NOT_UNDERSTOOD, id="another protocol"),
        pytest.param(b"HTTP/1.1 200 X\r\nA: " + b"a" * 200_000 + b"\r\n\r\n", {}, NOT_UNDERSTOOD, id="endless headers"),
        pytest.param(b"", {}, CUT, id="closed without an answer"),
        pytest.param(b"HTTP/1.1 200 X\r\nContent-", {}, CUT, id="closed within the headers"),
        pytest.param(short(b"all", 11), {}, CUT, id="closed within the body"),
        pytest.param(short(b"is well" + b"x" * 300_000, 400_000), {"expect_body": b"is well"}, "", id="more body than is read"),
        pytest.param(short(b"x" * BODY_LIMIT + b"is well", 400_000), {"expect_body": b"is well"}, NO_TEXT, id="a text after that"),
    ],
)  # fmt: skip
def test_an_http_answer_is_taken_for_what_it_is(answer: bytes, target: dict[str, Any], expected: str) -> None:
    assert run(against(answer, **target)) == expected


def test_an_answer_that_does_not_come_is_waited_for_no_longer_than_allowed() -> None:
    assert run(against(b"hang", within=0.05)) == NO_ANSWER


def test_a_request_is_a_plain_get_under_the_name_of_the_service() -> None:
    async def scenario() -> None:
        async with Server(OK) as server:
            assert await asked(replace(TARGET, port=port_of(server))) == ""
            ((method, path, headers, body),) = server.requests
            assert (method, path, body) == ("GET", "/health?deep=1", b"")
            assert (headers["host"], headers["connection"]) == ("shop", "close")
            assert not headers.keys() & {"authorization", "cookie"}

    run(scenario())


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_nothing_in_an_answer_leads_anywhere_else(code: int) -> None:
    async def scenario() -> None:
        async with Server(OK) as canary:
            links = (f"Location: {canary.url}/", f"Refresh: 0; url={canary.url}/", f"Alt-Svc: h2={canary.url}", f"Link: <{canary.url}>")
            async with Server(reply(code, b"", *links)) as server:
                target = replace(TARGET, port=port_of(server), expect_status=frozenset({200}))
                assert await asked(target) == f"HTTP {code}"
                assert len(server.requests) == 1
            assert canary.requests == []

    run(scenario())


@pytest.mark.parametrize("kind", ["http", "grpc", "tcp"])
def test_nobody_listens(kind: str) -> None:
    assert run(asked(replace(TARGET, kind=kind, port=unused_port()))) == NO_CONNECTION


def test_an_accepted_connection_is_all_that_tcp_asks_for() -> None:
    assert run(against(b"hang", kind="tcp")) == ""


@pytest.mark.parametrize(
    ("server", "expected"),
    [
        pytest.param(GrpcServer(), "", id="serving"),
        pytest.param(GrpcServer(SAYS_NOT_SERVING), NOT_SERVING, id="not serving"),
        pytest.param(GrpcServer(b""), NOT_SERVING, id="no message"),
        pytest.param(GrpcServer(SERVING[:-1]), NOT_SERVING, id="half a message"),
        pytest.param(GrpcServer(b"\x01" + SERVING[1:]), NOT_SERVING, id="a compressed message"),
        pytest.param(GrpcServer(trailers=None), "gRPC status 5", id="a service that is not known, in headers alone"),
        pytest.param(GrpcServer(trailers=[("grpc-status", "14")]), "gRPC status 14", id="a call that failed after its message"),
        pytest.param(GrpcServer(trailers=[("grpc-status", "all is well")]), NOT_UNDERSTOOD, id="a status that is none"),
        pytest.param(GrpcServer(trailers=[("other", "0")]), NOT_UNDERSTOOD, id="no status"),
        pytest.param(GrpcServer(status="503"), "HTTP 503", id="a proxy that says no"),
        pytest.param(GrpcServer(reset=True), CUT, id="a stream that is reset"),
    ],
)
def test_a_grpc_answer_is_taken_for_what_it_is(server: GrpcServer, expected: str) -> None:
    async def scenario() -> str:
        async with server:
            return await asked(replace(TARGET, kind="grpc", port=server.port))

    assert run(scenario()) == expected


@pytest.mark.parametrize(
    ("service", "message"),
    [
        ("", b"\x00\x00\x00\x00\x00"),
        ("shop.v1", b"\x00\x00\x00\x00\x09\x0a\x07shop.v1"),
        ("s" * 200, b"\x00\x00\x00\x00\xcb\x0a\xc8\x01" + b"s" * 200),
    ],
)
def test_a_grpc_request_is_the_health_check_of_a_service(service: str, message: bytes) -> None:
    async def scenario() -> None:
        async with GrpcServer() as server:
            assert await asked(replace(TARGET, kind="grpc", port=server.port, service=service)) == ""
            ((headers, body),) = server.requests
            assert (headers[b":path"], headers[b":authority"]) == (b"/grpc.health.v1.Health/Check", b"shop")
            assert body == message

    run(scenario())


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param(OK, NOT_UNDERSTOOD, id="an HTTP/1.1 server"),
        pytest.param(b"", CUT, id="a server that says nothing"),
        pytest.param(bytes.fromhex("000004 08 00 00000000 00000000"), NOT_UNDERSTOOD, id="a frame that is none"),
        pytest.param(SETTINGS + bytes.fromhex("003fff 00 00 00000001") + b"x" * 200_000, NOT_UNDERSTOOD, id="a frame for no stream"),
        pytest.param(SETTINGS + PING * 8000, NOT_UNDERSTOOD, id="endless talk"),
        pytest.param(SETTINGS, CUT, id="a server that gives up"),
    ],
)
def test_what_is_no_grpc_server_is_not_understood(answer: bytes, expected: str) -> None:
    async def answered(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65536)
        writer.write(answer)
        writer.close()

    async def scenario() -> str:
        server = await asyncio.start_server(answered, "127.0.0.1", 0)
        try:
            return await asked(replace(TARGET, kind="grpc", port=server.sockets[0].getsockname()[1]))
        finally:
            server.close()

    assert run(scenario()) == expected


class Names:
    """A name server that answers in turn; None: it does not know."""

    def __init__(self, *answers: list[str] | None) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def __call__(self, host: str) -> list[str]:
        self.asked += 1
        answer = self.answers.pop(0)
        await asyncio.sleep(0)
        if answer is None:
            raise OSError("no such name")
        return answer


def test_a_name_that_is_not_known_is_said_to_be_so() -> None:
    assert run(asked(replace(TARGET, port=1), addresses=Addresses(Names(None)))) == NO_NAME


@pytest.mark.parametrize("answer", [["127.0.0.9", "127.0.0.1"], ["127.0.0.1", "127.0.0.9"]], ids=["last", "first"])
def test_every_address_of_a_name_is_tried(answer: list[str]) -> None:
    async def scenario() -> str:
        async with Server(OK) as server:
            return await asked(replace(TARGET, port=port_of(server)), addresses=Addresses(Names(answer)))

    assert run(scenario()) == ""


def test_a_name_is_asked_for_once_by_many_and_used_on_while_nobody_knows_it(virtually: Callable[[Awaitable[Any]], Any]) -> None:
    async def scenario() -> None:
        names = Names(["192.0.2.1"], None, ["192.0.2.2"])
        addresses = Addresses(names)
        assert await asyncio.gather(*(addresses.of("shop") for _ in range(9))) == [["192.0.2.1"]] * 9
        assert names.asked == 1
        await asyncio.sleep(FRESH)
        assert await addresses.of("shop") == ["192.0.2.1"]
        await asyncio.sleep(FRESH / 2)
        assert names.asked == 2
        assert await addresses.of("shop") == ["192.0.2.1"]
        await asyncio.sleep(FRESH)
        await addresses.of("shop")
        await asyncio.sleep(FRESH / 2)
        assert await addresses.of("shop") == ["192.0.2.2"]

    virtually(scenario())


def test_a_verifier_waits_for_somebody_to_listen() -> None:
    async def scenario() -> None:
        port = unused_port()
        target = replace(TARGET, host="shop", port=port)
        assert not await is_reachable(target, Addresses(Names(["127.0.0.1"])), 0.02)
        waiting = asyncio.create_task(is_reachable(target, Addresses(Names(None, ["127.0.0.1"])), 4))
        server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", port)
        assert await waiting
        server.close()

    run(scenario())
