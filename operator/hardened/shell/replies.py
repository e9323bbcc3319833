"""What aiohttp makes the replies of that kopf gets: its lists and watches go into the cache on their way."""

import sys
from collections.abc import Callable
from typing import Any

import aiohttp

from hardened.shell import reading
from hardened.shell.lists import Lists
from hardened.shell.streams import Streams, Watched


def response_class(lists: Lists, streams: Streams, ask_for_fewer: Callable[[], None]) -> type[aiohttp.ClientResponse]:
    """The class for the replies of one session. A reply that cannot be read is as one that was cut off: kopf asks anew after a pause.

    ask_for_fewer: called before that, where a page of a list has too many bytes to be read at once.
    """

    class Response(aiohttp.ClientResponse):
        async def start(self, connection: Any) -> aiohttp.ClientResponse:
            await super().start(connection)
            kind = streams.kind_of(self.url.path)
            if self.status == 200 and kind and "watch" in self.url.query:
                self.content: Any = Watched(self.content, streams.taken(kind, self.content))
            return self

        async def json(self, **how: Any) -> Any:
            if self.status != 200:
                return await super().json(**how)
            # Of one object all is read.
            most = reading.MOST_BYTES if int(self.url.query.get("limit", "1")) > 1 else sys.maxsize
            try:
                page = await reading.read(await reading.at_most(self.content.iter_any(), most))
            except reading.TooLarge as error:
                ask_for_fewer()
                raise aiohttp.ClientPayloadError("the page is too large") from error
            except ValueError as error:
                raise aiohttp.ClientPayloadError("the reply is no JSON") from error
            if not isinstance(page, dict):
                return page
            return lists.taken(self.url.path, page, is_first="continue" not in self.url.query)

    return Response
