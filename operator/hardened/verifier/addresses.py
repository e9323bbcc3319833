"""Where names lead to."""

import asyncio
import socket
from collections.abc import Awaitable, Callable

#: Seconds after which an answer is asked for again.
FRESH = 1.0

Lookup = Callable[[str], Awaitable[list[str]]]


async def system_lookup(host: str) -> list[str]:
    """The addresses that the system's resolver gives. Raises OSError where it gives none."""
    found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class Addresses:
    """The addresses of names, asked for at most once a second, by one look-up at a time.

    A name that was known is used on while a look-up takes its time or fails: a probe of a service is none of the cluster's name server.
    """

    def __init__(self, lookup: Lookup = system_lookup) -> None:
        self._lookup = lookup
        self._known: dict[str, list[str]] = {}
        self._fresh_until: dict[str, float] = {}
        self._looking: dict[str, asyncio.Task[None]] = {}

    async def of(self, host: str) -> list[str]:
        """At least one address. Raises OSError for a name that is not known and never was."""
        if asyncio.get_running_loop().time() >= self._fresh_until.get(host, 0.0) and host not in self._looking:
            self._looking[host] = asyncio.create_task(self._look(host))
        if host not in self._known and host in self._looking:
            # Whoever gives up waiting must not end the look-up for the others.
            await asyncio.shield(self._looking[host])
        if host not in self._known:
            raise OSError("the name is not known")
        return self._known[host]

    async def _look(self, host: str) -> None:
        try:
            found = await self._lookup(host)
        except (OSError, UnicodeError):
            found = []
        del self._looking[host]
        if found:
            self._known[host] = found
        if host in self._known:
            self._fresh_until[host] = asyncio.get_running_loop().time() + FRESH
