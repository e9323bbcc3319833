"""The API: bookmarks, the audit log, and the dashboard of the queue."""

import asyncio
import json
import re
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web
from prometheus_client import Gauge

from . import backoff, jobqueue, jobs, log, schema, store
from .database import AWAY, Away, Database
from .settings import Settings
from .web import Server

WAITING = Gauge("bookmarks_jobs_waiting", "Jobs that wait, or are worked on.")
DEAD = Gauge("bookmarks_jobs_dead", "Dead letters.")
OLDEST = Gauge("bookmarks_jobs_oldest_seconds", "Age of the oldest job that waits.")
CONNECTIONS = Gauge("bookmarks_database_connections", "Connections to PostgreSQL.")
_LARGEST_ID = 2**63 - 1
_COUNT_S = 5


class Api:
    """The handlers, one for each route."""

    def __init__(self, database: Database, queue: jobqueue.JobQueue) -> None:
        self._database, self._queue = database, queue

    def add_to(self, app: web.Application) -> None:
        """Adds the routes."""
        routes = app.router
        routes.add_get("/", self.index)
        routes.add_post("/bookmarks", self.create)
        routes.add_get("/bookmarks", self.list_)
        routes.add_get("/bookmarks/search", self.search)
        routes.add_get(r"/bookmarks/{id:\d{1,18}}", self.get)
        routes.add_delete(r"/bookmarks/{id:\d{1,18}}", self.delete)
        routes.add_get("/audit", self.audit)
        routes.add_get("/queue", self.queue)
        routes.add_post(r"/queue/dead/{id:\d{1,18}}/retry", self.retry)

    async def index(self, request: web.Request) -> web.Response:
        return web.json_response({"routes": sorted({r.canonical for r in request.app.router.resources()})})

    async def create(self, request: web.Request) -> web.Response:
        url, title, tags = _bookmark(await _json(request))
        async with self._database.transaction() as connection:
            found = await store.create(connection, url, title, tags, _actor(request))
        return web.json_response(found, status=201, headers={"Location": f"/bookmarks/{found['id']}"})

    async def list_(self, request: web.Request) -> web.Response:
        below, limit = _page(request)
        async with self._database.use() as connection:
            return _paged(await store.page(connection, below=below, limit=limit, tag=_word(request, "tag")), limit)

    async def search(self, request: web.Request) -> web.Response:
        below, limit = _page(request)
        words = _word(request, "q")
        if not words:
            raise ValueError("q: say what to search for")
        async with self._database.use() as connection:
            return _paged(await store.page(connection, below=below, limit=limit, words=_plain(words)), limit)

    async def get(self, request: web.Request) -> web.Response:
        async with self._database.use() as connection:
            found = await store.get(connection, int(request.match_info["id"]))
        if found is None:
            raise web.HTTPNotFound
        return web.json_response(found)

    async def delete(self, request: web.Request) -> web.Response:
        async with self._database.transaction() as connection:
            if not await store.delete(connection, int(request.match_info["id"]), _actor(request)):
                raise web.HTTPNotFound
        return web.Response(status=204)

    async def audit(self, request: web.Request) -> web.Response:
        below, limit = _page(request)
        async with self._database.use() as connection:
            return _paged(await store.audited(connection, below=below, limit=limit), limit)

    async def queue(self, request: web.Request) -> web.Response:
        async with self._database.use() as connection:
            found = {**await jobs.counts(connection), "deadLetters": await jobs.dead_letters(connection, 20)}
        try:
            found["redis"] = {"ready": await self._queue.waiting(), "workers": await self._queue.workers()}
        except jobqueue.AWAY as error:
            found["redis"] = {"error": log.told(error)}
        return web.json_response(found)

    async def retry(self, request: web.Request) -> web.Response:
        async with self._database.transaction() as connection:
            if not await jobs.revive(connection, int(request.match_info["id"]), _actor(request)):
                raise web.HTTPNotFound
        return web.json_response({"status": "queued"}, status=202)

    async def count(self, stop: asyncio.Event) -> None:
        """Keeps the gauges of the queue, every five seconds."""
        while not stop.is_set():
            CONNECTIONS.set(self._database.connections)
            try:
                async with self._database.use() as connection:
                    found = await jobs.counts(connection)
                for gauge, name in ((WAITING, "waiting"), (DEAD, "dead"), (OLDEST, "oldestSeconds")):
                    gauge.set(found[name])
            except (Away, *AWAY):
                pass  # the watch says so
            await backoff.wait(stop, _COUNT_S)


async def run(settings: Settings) -> int:
    """Serves until SIGTERM. Without Redis it serves all the same: bookmarks wait in the outbox, and `/health` says degraded."""
    database, queue = Database(settings, schema.NEWEST), jobqueue.JobQueue(settings, connections=4)
    api = Api(database, queue)
    server = Server(settings, lambda: {"database": database.why_not}, lambda: {"redis": queue.why_not})
    api.add_to(server.app)
    await database.open()
    try:
        return await server.run(database.watch(server.stop), queue.watch(server.stop), api.count(server.stop))
    finally:
        await database.close()
        await queue.close()


async def _json(request: web.Request) -> dict[str, Any]:
    try:
        found = json.loads(await request.text())
    except ValueError:
        raise ValueError("the body is not JSON") from None
    if not isinstance(found, dict):
        raise ValueError("the body is not a JSON object")
    return found


def _bookmark(body: dict[str, Any]) -> tuple[str, str, list[str]]:
    """Raises ValueError, naming the field."""
    url, title, tags = body.get("url"), body.get("title", ""), body.get("tags", [])
    if unknown := body.keys() - {"url", "title", "tags"}:
        raise ValueError(f"{min(unknown)}: there is no such field")
    if not isinstance(url, str) or not re.fullmatch(r"https?://[^\s\x00]{1,2000}", url) or not urlsplit(url).hostname:
        raise ValueError("url: an http or https address of at most 2000 characters")
    if not isinstance(title, str) or len(title) > 500 or "\x00" in title:
        raise ValueError("title: a text of at most 500 characters")
    if not isinstance(tags, list) or len(tags) > 16 or not all(isinstance(t, str) and re.fullmatch(r"[^\s\x00]{1,64}", t) for t in tags):
        raise ValueError("tags: at most 16 words of at most 64 characters")
    return url, title, sorted(set(tags))


def _page(request: web.Request) -> tuple[int, int]:
    """Which page is asked for: items below `after`, the `next` of the page before, and at most `limit` of them."""
    after, limit = request.query.get("after", str(_LARGEST_ID)), request.query.get("limit", "20")
    if not re.fullmatch(r"\d{1,19}", after) or int(after) > _LARGEST_ID:
        raise ValueError("after: the `next` of another page")
    if not re.fullmatch(r"\d{1,3}", limit) or not 1 <= int(limit) <= 100:
        raise ValueError("limit: a number from 1 to 100")
    return int(after), int(limit)


def _paged(items: list[store.Row], limit: int) -> web.Response:
    return web.json_response({"items": items, "next": str(items[-1]["id"]) if len(items) == limit else None})


def _word(request: web.Request, name: str) -> str:
    found = request.query.get(name, "")
    if len(found) > 200 or "\x00" in found:
        raise ValueError(f"{name}: at most 200 characters")
    return found


def _plain(words: str) -> str:
    """As the index has them: what is between words is left out of both."""
    return re.sub(r"[\W_]+", " ", words)


def _actor(request: web.Request) -> str:
    """Who the client says it is: nothing here proves it."""
    return log.printable(request.headers.get("X-Actor", ""), 100) or "anonymous"
