import asyncio
import socket
import time

import aiohttp
import pytest

from hardened.shell import probes


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        pytest.param("GET", "/well", (200, "ok\n"), id="nothing is wrong"),
        pytest.param("GET", "/ill", (500, "one thing\nand another\n"), id="all that is wrong is said"),
        pytest.param("HEAD", "/ill", (500, ""), id="without a body"),
        pytest.param("POST", "/well", (405, "405: Method Not Allowed"), id="nothing can be told to it"),
        pytest.param("GET", "/", (404, "404: Not Found"), id="another path"),
    ],
)
@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
def test_a_probe_is_answered(host: str, method: str, path: str, expected: tuple[int, str]) -> None:
    if host == "[::1]" and not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no IPv6")

    async def ask() -> tuple[int, str]:
        server = await probes.serve(0, {"/well": list, "/ill": lambda: ["one thing", "and another"]})
        try:
            async with aiohttp.ClientSession() as session, session.request(method, f"http://{host}:{server.port}{path}") as reply:
                return reply.status, await reply.text()
        finally:
            await server.close()

    assert asyncio.run(ask()) == expected


def test_who_holds_a_connection_open_holds_up_neither_others_nor_the_end() -> None:
    async def scenario() -> None:
        server = await probes.serve(0, {"/well": list})
        slow = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(50)]
        for _, writer in slow:
            writer.write(b"GET /we")
        async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{server.port}/well") as reply:
            assert reply.status == 200
        began = time.monotonic()
        await server.close()
        assert time.monotonic() - began < 1
        for _, writer in slow:
            writer.close()

    asyncio.run(scenario())


def test_a_port_that_is_taken_is_said() -> None:
    async def scenario() -> None:
        server = await probes.serve(0, {})
        try:
            with pytest.raises(OSError, match="in use"):
                await probes.serve(server.port, {})
        finally:
            await server.close()

    asyncio.run(scenario())
