"""What aiohttp makes the replies of that kopf gets: its lists and watches go into the cache on their way."""

import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, Final

import aiohttp

from hardened.shell import reading
from hardened.shell.lists import Lists
from hardened.shell.streams import Streams, Watched

#: Seconds for a page that is asked for again, as kopf has for each.
PAGE_SECONDS: Final = 15


def fewer_objects(limits: Mapping[str, int]) -> aiohttp.ClientMiddlewareType:
    """Asks for pages of so many objects at most, by path."""

    async def fewer(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        asked, most = request.url.query.get("limit"), limits.get(request.url.path)
        if asked and most and most < int(asked):
            request.url = request.url.update_query(limit=str(most))
        return await send(request)

    return fewer


def response_class(lists: Lists, streams: Streams, limits: MutableMapping[str, int]) -> type[aiohttp.ClientResponse]:
    """The class for the replies of one session. A reply that cannot be read is as one that was cut off: kopf asks anew after a pause.

    limits: by path, how many objects to ask for where more were too large: a page that has too many bytes to be read at once is asked for
    with fewer, see fewer_objects, and those after it with more again.
    """

    class Response(aiohttp.ClientResponse):
        async def start(self, connection: Any) -> aiohttp.ClientResponse:
            self._asked_by = self._session  # which forgets it with the last byte of the reply
            await super().start(connection)
            kind = streams.kind_of(self.url.path)
            if self.status == 200 and kind and "watch" in self.url.query:
                self.content: Any = Watched(self.content, streams.taken(kind, self.content))
            return self

        async def json(self, **how: Any) -> Any:
            if self.status != 200:
                return await super().json(**how)
            path, limit = self.url.path, int(self.request_info.url.query.get("limit", "1"))
            try:
                # Of one object all is read.
                page = await reading.read(await reading.at_most(self.content.iter_any(), reading.MOST_BYTES if limit > 1 else sys.maxsize))
            except reading.TooLarge:
                limits[path] = max(1, limit // 10)
                return await self._again(limits[path])
            except ValueError as error:
                raise aiohttp.ClientPayloadError("the reply is no JSON") from error
            if path in limits:
                limits[path] = 2 * limit
            return lists.taken(path, page, is_first="continue" not in self.url.query) if isinstance(page, dict) else page

        async def _again(self, limit: int) -> Any:
            assert self._asked_by, "by a session"
            self.close()
            url, timeout = self.url.update_query(limit=str(limit)), aiohttp.ClientTimeout(total=PAGE_SECONDS)
            async with self._asked_by.get(url, timeout=timeout) as reply:
                if reply.status != 200:
                    raise aiohttp.ClientPayloadError(f"a smaller page was answered with HTTP {reply.status}")
                return await reply.json()

    return Response
