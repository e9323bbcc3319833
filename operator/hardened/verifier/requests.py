"""One request, on a connection of its own, to the host and port of the task and nowhere else."""

import asyncio
import contextlib
from asyncio import StreamReader, StreamWriter
from collections.abc import Awaitable, Callable, Iterable

from hardened.verifier.addresses import Addresses
from hardened.verifier.failures import CUT, NO_ANSWER, NO_CONNECTION, NO_NAME
from hardened.verifier.task import RequestTarget

#: Seconds between two tries to connect, while nothing accepts.
_RETRY = 0.1

#: Asks on an open connection: "" for an answer that is one, else the kind of failure. Raises OSError when the connection breaks.
Speak = Callable[[RequestTarget, str, StreamReader, StreamWriter], Awaitable[str]]
#: Asks a target, within so many seconds: as above, but never raises.
Request = Callable[[RequestTarget, float], Awaitable[str]]


def asking(authority: str, addresses: Addresses, kinds: Iterable[str]) -> Request:
    """Asks targets of these kinds under this name, whatever the address is."""
    speakers = {kind: _speaker(kind) for kind in kinds}

    async def ask(target: RequestTarget, within: float) -> str:
        try:
            async with asyncio.timeout(within):
                return await _request(target, authority, addresses, speakers[target.kind])
        except TimeoutError:
            return NO_ANSWER

    return ask


async def is_reachable(target: RequestTarget, addresses: Addresses, within: float) -> bool:
    """True as soon as something accepts a connection; False after `within` seconds."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(within):
            while True:
                with contextlib.suppress(OSError):
                    _, writer = await _connected(await addresses.of(target.host), target.port)
                    writer.close()
                    return True
                await asyncio.sleep(_RETRY)
    return False


async def _request(target: RequestTarget, authority: str, addresses: Addresses, speak: Speak) -> str:
    try:
        found = await addresses.of(target.host)
    except OSError:
        return NO_NAME
    try:
        reader, writer = await _connected(found, target.port)
    except OSError:
        return NO_CONNECTION
    try:
        return await speak(target, authority, reader, writer)
    except OSError:
        return CUT
    finally:
        writer.close()


async def _connected(addresses: list[str], port: int) -> tuple[StreamReader, StreamWriter]:
    """A connection to the first address that accepts one. Raises OSError when none does."""
    for address in addresses[:-1]:
        with contextlib.suppress(OSError):
            return await asyncio.open_connection(address, port)
    return await asyncio.open_connection(addresses[-1], port)


def _speaker(kind: str) -> Speak:
    # Imported where it is needed: most verifiers speak one protocol, and start the sooner for it; and before the first request is timed.
    match kind:
        case "http":
            from hardened.verifier.http_get import get

            return get
        case "grpc":
            from hardened.verifier.grpc_health import check

            return check
        case _:
            return _accept


async def _accept(target: RequestTarget, authority: str, reader: StreamReader, writer: StreamWriter) -> str:
    return ""
