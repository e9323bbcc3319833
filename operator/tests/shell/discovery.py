"""A small API server over HTTP: what it has, empty lists of it, and watches that stay silent."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from aiohttp import web

from hardened.shell.kinds import CUSTOM_RESOURCE_DEFINITION, EVENT, Kind
from hardened.shell.watches import WATCHED

#: What kopf looks for besides, whatever it is to watch.
BACKBONE = (CUSTOM_RESOURCE_DEFINITION, EVENT, Kind("", "v1", "namespaces", "Namespace"))


class Discovery:
    """late: groups and plurals that it does not tell of the first `looks` times it is asked; items: by plural, what it has, as JSON;
    news: by plural, the lines of its first watch."""

    def __init__(
        self,
        *late: str,
        looks: int = 2,
        items: Mapping[str, Sequence[bytes]] | None = None,
        news: Mapping[str, Sequence[bytes]] | None = None,
    ) -> None:
        self.late, self.looks = set(late), looks
        self.items, self.news = items or {}, dict(news or {})
        self.groups_asked = 0
        self.watched: list[str] = []
        self.url = ""

    async def __aenter__(self) -> "Discovery":
        app = web.Application()
        app.router.add_get("/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, shutdown_timeout=0.01)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = "http://{}:{}".format(*self._runner.addresses[0][:2])
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    def _kinds(self) -> list[Kind]:
        late = self.late if self.groups_asked <= self.looks else set()
        return [kind for kind in (*WATCHED, *BACKBONE) if not late & {kind.group, kind.plural}]

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        match request.path.strip("/").split("/"):
            case ["api"]:
                return web.json_response({"versions": ["v1"]})
            case ["apis"]:
                self.groups_asked += 1
                versions = {kind.group: {"version": kind.version} for kind in self._kinds() if kind.group}
                groups = [{"name": group, "versions": [version], "preferredVersion": version} for group, version in versions.items()]
                return web.json_response({"groups": groups})
            case ["api", _]:
                return self._resources("")
            case ["apis", group, _]:
                return self._resources(group)
            case [*_, plural] if "watch" in request.query:
                self.watched.append(plural)
                stream = web.StreamResponse()
                await stream.prepare(request)
                for line in self.news.pop(plural, ()):
                    await stream.write(line + b"\n")
                await asyncio.sleep(60)
                return stream
            case [*_, plural] if kind := next((kind for kind in WATCHED if kind.plural == plural), None):
                items = b",".join(self.items.get(plural, ()))
                page = b'{"kind":"%sList","metadata":{"resourceVersion":"5"},"items":[%s]}' % (kind.name.encode(), items)
                return web.Response(body=page, content_type="application/json")
        return web.Response(status=404)

    def _resources(self, group: str) -> web.Response:
        verbs: dict[str, Any] = {"namespaced": True, "verbs": ["get", "list", "watch", "patch"]}
        kinds = [kind for kind in self._kinds() if kind.group == group]
        return web.json_response({"resources": [{"name": k.plural, "kind": k.name, "singularName": "", **verbs} for k in kinds]})
