"""Without a fault the proxy is not there, but for its record; and what it offers to a test."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import ssl
import stat
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from aiohttp import web
from fake_upstream import APPLY, COLLECTION, TOKEN, WRITE, ProxiedApi, check, fake_api, names, proxied
from yarl import URL

from e2e.faults import (
    Fault,
    FaultProxy,
    NeverHappened,
    Silence,
    Upstream,
    record,
)


def test_a_call_passes_unchanged_both_ways(tmp_path: Path) -> None:
    async def test(w: ProxiedApi) -> None:
        target = URL(f"{COLLECTION}/a?fieldManager=x%2Fy&force=true", encoded=True)
        async with w.client.patch(target, headers=APPLY, data='{"metadata":{"name":"a"}}') as answer:
            assert (answer.status, answer.headers["Audit-Id"]) == (200, "a")
            assert await answer.json() == {"metadata": {"name": "a"}}
        method, path, headers = w.api.asked[0]
        assert (method, path) == ("PATCH", f"{COLLECTION}/a?fieldManager=x%2Fy&force=true")
        assert headers["Authorization"] == f"Bearer {TOKEN}"
        assert headers["Content-Type"] == APPLY["Content-Type"]
        assert headers["User-Agent"] == "tests/1"

    check(tmp_path, test)


def test_all_methods_pass_and_are_recorded_in_order(tmp_path: Path) -> None:
    async def test(w: ProxiedApi) -> None:
        body = json.dumps({"metadata": {"name": "a"}})
        for method, path, data in (
            ("POST", COLLECTION, body),
            ("PUT", f"{COLLECTION}/a", body),
            ("GET", f"{COLLECTION}/a", None),
            ("GET", COLLECTION, None),
            ("DELETE", f"{COLLECTION}/a", None),
            ("GET", f"{COLLECTION}/a", None),
        ):
            async with w.client.request(method, path, data=data) as answer:
                await answer.read()
        await w.proxy.until(lambda call: call.finished is not None, count=6)
        seen = [(call.verb, call.name, call.code, call.upstream_code) for call in w.proxy.calls]
        assert seen == [
            ("create", "a", 201, 201),
            ("update", "a", 200, 200),
            ("get", "a", 200, 200),
            ("list", "", 200, 200),
            ("delete", "a", 200, 200),
            ("get", "a", 404, 404),
        ]
        assert [call.verb for call in w.proxy.writes] == ["create", "update", "delete"]
        first = w.proxy.calls[0]
        assert (first.kind, first.namespace, first.user_agent, first.fault) == ("configmaps", "test", "tests/1", "")
        assert first.finished is not None
        assert first.finished >= first.started

    check(tmp_path, test)


def test_a_body_of_some_megabytes_passes_both_ways(tmp_path: Path) -> None:
    async def test(w: ProxiedApi) -> None:
        big = {"metadata": {"name": "a"}, "data": {"x": "y" * 900_000}}
        async with w.client.put(f"{COLLECTION}/a", json=big) as answer:
            assert await answer.json() == big
        for name in ("b", "c", "d"):
            w.api.objects[name] = big
        async with w.client.get(COLLECTION) as answer:
            assert len((await answer.json())["items"]) == 4

    check(tmp_path, test)


def test_a_compressed_answer_stays_compressed_and_is_not_asked_for_by_the_proxy_itself(tmp_path: Path) -> None:
    async def test(w: ProxiedApi) -> None:
        async with w.client.get(COLLECTION, headers={"Accept-Encoding": "gzip"}) as answer:
            await answer.read()
        assert w.api.asked[0][2]["Accept-Encoding"] == "gzip"
        async with w.client.get(COLLECTION, skip_auto_headers=["Accept-Encoding"]) as answer:
            await answer.read()
        assert "Accept-Encoding" not in w.api.asked[1][2]

    check(tmp_path, test)


def test_gzip_bytes_are_passed_as_they_are() -> None:
    packed = gzip.compress(b'{"items":[]}')

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(body=packed, headers={"Content-Encoding": "gzip"})

    async def run() -> None:
        async with plain_api(handle) as upstream, FaultProxy(upstream) as proxy, aiohttp.ClientSession(auto_decompress=False) as client:
            answer = await client.get(proxy.url + COLLECTION, ssl=trust(proxy))
            assert (answer.headers["Content-Encoding"], await answer.read()) == ("gzip", packed)

    asyncio.run(run())


@contextlib.asynccontextmanager
async def plain_api(handle: Callable[[web.BaseRequest], Coroutine[Any, Any, web.StreamResponse]]) -> AsyncIterator[Upstream]:
    """An API server without TLS, as a test's own process may have, that does only what `handle` does."""
    runner = web.ServerRunner(web.Server(handle))
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield Upstream(f"http://127.0.0.1:{runner.addresses[0][1]}")
    finally:
        await runner.cleanup()


def trust(proxy: FaultProxy) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=proxy.authority.decode())


def test_a_watch_event_arrives_before_the_next_one_exists(tmp_path: Path) -> None:
    async def test(w: ProxiedApi) -> None:
        async with w.watching() as watch:
            for name in ("a", "b", "c"):
                w.api.event("ADDED", name)
                assert await names(watch.content, 1) == [name]
            (call,) = w.proxy.calls
            assert (call.verb, call.code, call.finished) == ("watch", 200, None)
            w.api.end_watches()
            assert await watch.content.read() == b""
        await w.proxy.until(lambda call: call.finished is not None)

    check(tmp_path, test)


def test_a_client_that_leaves_its_watch_is_gone_upstream_as_well(tmp_path: Path) -> None:
    async def test(w: ProxiedApi) -> None:
        async with w.watching():
            pass
        (call,) = await w.proxy.until(lambda call: call.finished is not None)
        assert call.verb == "watch"

    check(tmp_path, test)


def test_an_api_server_that_is_away_is_a_reset_connection() -> None:
    async def run() -> None:
        async with FaultProxy(Upstream("http://127.0.0.1:1")) as proxy, aiohttp.ClientSession() as client:
            with pytest.raises(aiohttp.ClientOSError):
                await client.get(proxy.url + COLLECTION, ssl=trust(proxy))
            assert {call.code for call in proxy.calls} == {None}

    asyncio.run(run())


def test_the_kubeconfig_names_proxy_authority_and_token_and_is_private(tmp_path: Path) -> None:
    async def run() -> None:
        async with fake_api(tmp_path) as api, FaultProxy(api.upstream) as proxy:
            path = proxy.kubeconfig(tmp_path / "config", token_file=tmp_path / "token", namespace="here")
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            document = yaml.safe_load(path.read_text())
            assert document["users"][0]["user"] == {"tokenFile": str(tmp_path / "token")}
            assert document["contexts"][0]["context"]["namespace"] == "here"
            back = Upstream.from_kubeconfig(path)
            assert (back.url, back.ca) == (proxy.url, proxy.authority.decode())

    asyncio.run(run())


def test_a_lost_upstream_connection_is_not_repaired_by_sending_twice() -> None:
    async def run() -> None:
        asked = 0

        async def die(request: web.BaseRequest) -> web.StreamResponse:
            nonlocal asked
            asked += 1
            assert request.transport
            request.transport.abort()
            return web.Response()

        async with plain_api(die) as upstream, FaultProxy(upstream) as proxy, aiohttp.ClientSession() as client:
            with pytest.raises(aiohttp.ClientOSError):
                await client.delete(proxy.url + COLLECTION + "/a", ssl=trust(proxy))
            assert asked == len(proxy.calls)

    asyncio.run(run())


def test_severing_resets_open_watches_and_leaves_the_proxy_working(tmp_path: Path) -> None:
    async def test(w: ProxiedApi) -> None:
        async with w.watching() as watch:
            w.proxy.sever()
            with pytest.raises(aiohttp.ClientError):
                await watch.content.readline()
        assert (await w.apply("a"))[0] == 200

    check(tmp_path, test)


def test_the_end_of_the_proxy_does_not_wait_for_open_watches_or_silent_calls(tmp_path: Path) -> None:
    async def run() -> None:
        async with asyncio.timeout(10), proxied(tmp_path, [Fault(WRITE, Silence(3600))]) as w, w.watching():
            asyncio.get_running_loop().create_task(w.client.delete(f"{COLLECTION}/a")).add_done_callback(lambda task: task.exception())
            await w.proxy.until(lambda call: call.verb == "delete")

    asyncio.run(run())


def test_waiting_for_a_call_that_never_comes_says_what_came(tmp_path: Path) -> None:
    async def test(w: ProxiedApi) -> None:
        with pytest.raises(NeverHappened, match="does the client use"):
            await w.proxy.until(lambda call: True, within=0.05)
        await w.apply("a")
        with pytest.raises(NeverHappened, match="apply configmaps test/a: 200 after"):
            await w.proxy.until(lambda call: call.verb == "delete", within=0.05)

    check(tmp_path, test)


def test_quiet_means_no_write_for_a_while_reads_do_not_count(tmp_path: Path) -> None:
    async def test(w: ProxiedApi) -> None:
        await w.apply("a")
        reading = asyncio.create_task(read_on(w))
        await w.proxy.until_quiet(0.3, within=10)
        reading.cancel()
        assert len(w.proxy.calls) > 2

    check(tmp_path, test)


async def read_on(w: ProxiedApi) -> None:
    while True:
        async with w.client.get(COLLECTION) as answer:
            await answer.read()


def test_a_client_that_writes_on_is_never_quiet(tmp_path: Path) -> None:
    async def test(w: ProxiedApi) -> None:
        async def write_on() -> None:
            while True:
                await w.apply("a")

        writing = asyncio.create_task(write_on())
        with pytest.raises(NeverHappened, match="without a write"):
            await w.proxy.until_quiet(0.5, within=1)
        writing.cancel()

    check(tmp_path, test)


def test_a_run_is_recorded(tmp_path: Path) -> None:
    async def run() -> None:
        async with fake_api(tmp_path) as api:

            async def work(proxy: FaultProxy) -> None:
                async with aiohttp.ClientSession() as client, client.get(proxy.url + COLLECTION, ssl=trust(proxy)) as answer:
                    await answer.read()

            assert [call.verb for call in await record(api.upstream, work)] == ["list"]

    asyncio.run(run())
