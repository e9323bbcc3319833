"""A small HTTPS server that plays the API server for config maps: list, get, watch, apply, create, delete; and a client behind a proxy."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from e2e.faults import Fault, FaultProxy, Upstream, Where
from e2e.faults.tls import make_server_tls

COLLECTION = "/api/v1/namespaces/test/configmaps"
WATCH = f"{COLLECTION}?watch=true"
APPLY = {"Content-Type": "application/apply-patch+yaml"}
TOKEN = "a-service-account-token"
WRITE = Where(is_write=True)
ON_WATCH = Where(verb="watch")


@dataclass
class FakeApi:
    """Objects by name; everything it was asked, with the headers; and watchers that get each event as a line."""

    objects: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    watchers: list[asyncio.Queue[bytes]] = field(default_factory=list)
    upstream: Upstream = field(default_factory=lambda: Upstream(""))

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.asked.append((request.method, request.raw_path, dict(request.headers)))
        name = request.path.removeprefix(COLLECTION).strip("/")
        body = await request.read()
        if request.query.get("watch"):
            return await self.watch(request)
        match request.method:
            case "GET" if not name:
                return web.json_response({"kind": "ConfigMapList", "items": list(self.objects.values())})
            case "GET" if name in self.objects:
                return web.json_response(self.objects[name])
            case "PATCH" | "PUT" | "POST":
                stored = json.loads(body)
                self.objects[stored["metadata"]["name"]] = stored
                self.event("MODIFIED", stored["metadata"]["name"])
                return web.json_response(stored, status=201 if request.method == "POST" else 200, headers={"Audit-Id": "a"})
            case "DELETE" if name in self.objects:
                return web.json_response(self.objects.pop(name))
            case _:
                return web.json_response({"kind": "Status", "code": 404}, status=404)

    async def watch(self, request: web.BaseRequest) -> web.StreamResponse:
        lines: asyncio.Queue[bytes] = asyncio.Queue()
        self.watchers.append(lines)
        answer = web.StreamResponse(headers={"Content-Type": "application/json"})
        answer.enable_chunked_encoding()
        await answer.prepare(request)
        while line := await lines.get():
            await answer.write(line)
        await answer.write_eof()
        return answer

    def event(self, kind: str, name: str, **more: Any) -> None:
        line = {"type": kind, "object": {"kind": "ConfigMap", "metadata": {"namespace": "test", "name": name, **more}}}
        for watcher in self.watchers:
            watcher.put_nowait(json.dumps(line).encode() + b"\n")

    def end_watches(self) -> None:
        for watcher in self.watchers:
            watcher.put_nowait(b"")


@contextlib.asynccontextmanager
async def fake_api(folder: Path) -> AsyncIterator[FakeApi]:
    api = FakeApi()
    context, authority = make_server_tls(folder)
    runner = web.ServerRunner(web.Server(api.handle, handler_cancellation=True), shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        api.upstream = Upstream(f"https://127.0.0.1:{runner.addresses[0][1]}", authority.decode())
        yield api
    finally:
        await runner.cleanup()


@dataclass
class ProxiedApi:
    """The API server, the proxy, and a client that knows only the proxy."""

    api: FakeApi
    proxy: FaultProxy
    client: aiohttp.ClientSession

    async def apply(self, name: str, **headers: str) -> tuple[int, Any]:
        """Server-side apply of a config map: (status, JSON)."""
        body = json.dumps({"kind": "ConfigMap", "metadata": {"name": name}})
        async with self.client.patch(f"{COLLECTION}/{name}", data=body, headers=APPLY | headers) as answer:
            return answer.status, await answer.json()

    @contextlib.asynccontextmanager
    async def watching(self) -> AsyncIterator[aiohttp.ClientResponse]:
        """An open watch; when the answer was 200, the API server already has the watcher."""
        async with self.client.get(WATCH, timeout=aiohttp.ClientTimeout(total=20)) as answer:
            yield answer


@contextlib.asynccontextmanager
async def proxied(folder: Path, faults: Iterable[Fault] = ()) -> AsyncIterator[ProxiedApi]:
    async with fake_api(folder) as api, FaultProxy(api.upstream, faults) as proxy:
        trust = ssl.create_default_context(cadata=proxy.authority.decode())
        async with aiohttp.ClientSession(
            proxy.url,
            connector=aiohttp.TCPConnector(ssl=trust),
            headers={"Authorization": f"Bearer {TOKEN}", "User-Agent": "tests/1"},
            timeout=aiohttp.ClientTimeout(total=20),
            read_bufsize=2**22,
        ) as client:
            yield ProxiedApi(api, proxy, client)


async def names(stream: aiohttp.StreamReader, count: int) -> list[str]:
    """The names of the next objects of a watch stream."""
    return [json.loads(await stream.readline())["object"]["metadata"]["name"] for _ in range(count)]


def check(folder: Path, test: Callable[[ProxiedApi], Coroutine[Any, Any, None]], *faults: Fault) -> None:
    """Runs the test on an API server behind a proxy with these faults."""

    async def run() -> None:
        async with asyncio.timeout(30), proxied(folder, faults) as w:
            await test(w)
            for fault in faults:
                assert w.proxy.hits(fault) == 1, "the fault was meant to strike once"

    asyncio.run(run())
