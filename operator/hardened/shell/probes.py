"""What the kubelet asks: a small HTTP server on the event loop, there from the first moment of the process to its last.

On the loop and not in a thread: an answer proves that the loop turns. While it does not, the kubelet's own time-out is the answer.
"""

import socket
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from aiohttp import web

#: Seconds that a connection may stay open without a request, and that requests have to be answered once the process ends.
KEEPALIVE_TIMEOUT: Final = 5.0
SHUTDOWN_TIMEOUT: Final = 0.1

Problems = Callable[[], list[str]]
"""What is wrong now, as sentences; empty when nothing is."""


async def serve(port: int, paths: Mapping[str, Problems]) -> web.AppRunner:
    """Answers GET and HEAD of each path, until `cleanup()`: 200, or 500 and what is wrong.

    On every address, IPv6 too; port 0: any free one, see `addresses`. Raises OSError when the port is taken.
    """
    app = web.Application()
    for path, problems in paths.items():
        app.router.add_get(path, _answer(problems))
    runner = web.AppRunner(app, access_log=None, keepalive_timeout=KEEPALIVE_TIMEOUT, shutdown_timeout=SHUTDOWN_TIMEOUT)
    await runner.setup()
    await web.SockSite(runner, _listener(port)).start()
    return runner


def _answer(problems: Problems) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(_: web.Request) -> web.Response:
        found = problems()
        return web.Response(status=500 if found else 200, text="".join(f"{problem}\n" for problem in found) or "ok\n")

    return answer


def _listener(port: int) -> socket.socket:
    if socket.has_dualstack_ipv6():
        return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
    return socket.create_server(("", port))
