"""Answers of Prometheus, over a small HTTP server: one number, no data, or a query that cannot work."""

import asyncio
import ipaddress
import ssl
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from tests.shell.http_server import Server, reply

from hardened.core.model.measurement import Query, Sample
from hardened.shell import prometheus
from hardened.shell.prometheus import Access, Prometheus
from hardened.shell.workqueue import Key

QUERY = Query("errors", 'sum(rate(errors{color="green"}[1m]))')


def asked(*answers: bytes, server: Server | None = None) -> Sample:
    server = server or Server(*answers)

    async def ask() -> Sample:
        async with server:
            return await Prometheus(server.url).ask(QUERY)

    return asyncio.run(ask())


def answer(result: Any, **more: Any) -> bytes:
    """That of a server which closes the connection then: whoever took it for one that is kept would ask the next time in vain."""
    return reply(200, {"status": "success", "data": {"resultType": "vector", "result": result}, **more}, "Connection: close")


def series(value: str) -> dict[str, Any]:
    return {"metric": {}, "value": [1767323045.0, value]}


@pytest.mark.parametrize(
    ("answered", "sample"),
    [
        pytest.param(answer([series("0.25")]), Sample(0.25), id="one series"),
        pytest.param(answer([1767323045.0, "7"]), Sample(7.0), id="a scalar"),
        pytest.param(answer([series("+Inf")]), Sample(float("inf")), id="infinite"),
        pytest.param(answer([]), Sample(None, "the query returned no series"), id="no series"),
    ],
)
def test_a_query_gives_one_number_or_none(answered: bytes, sample: Sample) -> None:
    assert asked(answered) == sample


def test_not_a_number_is_what_it_says() -> None:
    assert str(asked(answer([series("NaN")])).value) == "nan"


@pytest.mark.parametrize(
    ("answered", "says", "is_final"),
    [
        pytest.param(answer([series("1"), series("2")]), "returned 2 series", True, id="two series"),
        pytest.param(answer([series("1")] * 40_000), "far more than one number", True, id="endless"),
        pytest.param(answer([series("1")], warnings=["one store is gone"]), "incomplete: one store is gone", False, id="partial"),
        pytest.param(reply(400, {"status": "error", "error": "parse error: unexpected"}), "parse error: unexpected", True, id="no PromQL"),
        pytest.param(reply(503, {"status": "error", "error": "x"}), "answered 503", False, id="unavailable"),
        pytest.param(reply(200, {"data": 1}), "readable answer", False, id="no result"),
        pytest.param(reply(200, [1]), "readable answer", False, id="no object"),
        pytest.param(
            b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", "readable answer", False, id="a redirect"
        ),
        pytest.param(b"nonsense", "readable answer", False, id="no HTTP"),
    ],
)
def test_what_is_no_number_is_no_data(answered: bytes, says: str, is_final: bool) -> None:
    found = asked(answered)
    assert (found.value, found.is_final) == (None, is_final)
    assert says in found.problem


def test_an_answer_that_does_not_come_is_no_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prometheus, "DEADLINE", 0.2)

    async def ask() -> Sample:
        silent = await asyncio.start_server(lambda _, __: None, "127.0.0.1", 0)
        async with silent:
            port = silent.sockets[0].getsockname()[1]
            return await Prometheus(f"http://127.0.0.1:{port}").ask(QUERY)

    found = asyncio.run(ask())
    assert found.value is None
    assert found.problem


def test_as_many_are_asked_at_once_as_a_service_may_have(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prometheus, "DEADLINE", 3.0)

    async def late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(1)
        writer.write(answer([series("1")]))
        await writer.drain()
        writer.close()

    async def ask() -> list[Sample]:
        async with await asyncio.start_server(late, "127.0.0.1", 0) as slow:
            found = Prometheus(f"http://127.0.0.1:{slow.sockets[0].getsockname()[1]}")
            return await asyncio.gather(*(found.ask(QUERY) for _ in range(24)))

    assert asyncio.run(ask()) == [Sample(1.0)] * 24


def test_slow_queries_of_one_team_leave_threads_for_everybody_else() -> None:
    async def answer_late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        if b"slow" in request:
            await asyncio.sleep(30)
        writer.write(answer([series("1")]))
        await writer.drain()
        writer.close()

    async def play() -> float:
        async with await asyncio.start_server(answer_late, "127.0.0.1", 0) as slow:
            asked = Prometheus(f"http://127.0.0.1:{slow.sockets[0].getsockname()[1]}")
            greedy = [
                asyncio.create_task(asked.ask(Query("x", f"slow{check}"), Key("mall", f"never{service}")))
                for service in range(6)
                for check in range(16)
            ]
            await asyncio.sleep(0.5)
            began = time.monotonic()
            assert await asked.ask(QUERY, Key("shop", "web")) == Sample(1.0)
            seconds = time.monotonic() - began
            for task in greedy:
                task.cancel()
            return seconds

    assert asyncio.run(play()) < 2


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate of 127.0.0.1 that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "prometheus")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now - timedelta(days=1), now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("tls")
    (folder / "tls.crt").write_bytes(made.public_bytes(Encoding.PEM))
    (folder / "tls.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return folder / "tls.crt", folder / "tls.key"


def served(certificate: Path, key: Path) -> Server:
    """A Prometheus that shows this certificate, and wants one that it signed."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    tls.load_verify_locations(certificate)
    tls.verify_mode = ssl.CERT_REQUIRED
    return Server(answer([series("1")]), tls=tls)


def test_it_is_told_who_asks_and_shows_who_it_is(signed: tuple[Path, Path], tmp_path: Path) -> None:
    certificate, key = map(str, signed)
    token = tmp_path / "token"

    async def ask(access: Access) -> tuple[Sample, list[str | None]]:
        async with (server := served(*signed)):
            found = await Prometheus(server.url, access).ask(QUERY)
            return found, [headers.get("authorization") for _, _, headers, _ in server.requests]

    token.write_text("first\n")
    assert asyncio.run(ask(Access(certificate, str(token), certificate, key))) == (Sample(1.0), ["Bearer first"])
    token.write_text("second\n")
    assert asyncio.run(ask(Access(certificate, str(token), certificate, key))) == (Sample(1.0), ["Bearer second"]), "it is read anew"
    untrusted, unknown = Access("", str(token), certificate, key), Access(certificate, str(token))
    mute = Access(certificate, "/no/token", certificate, key)
    for lacking in (untrusted, unknown, mute):
        found, told = asyncio.run(ask(lacking))
        assert (found.value, told) == (None, [])
        assert "second" not in found.problem


def test_the_query_is_sent_as_it_is_and_nowhere_without_an_address() -> None:
    server = Server(answer([series("1")]))
    asked(server=server)
    ((method, path, _, _),) = server.requests
    assert method == "GET"
    assert path.startswith("/api/v1/query?query=sum")
    assert "set prometheus.url" in asyncio.run(Prometheus("").ask(QUERY)).problem
