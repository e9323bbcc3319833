"""What the kubelet asks: a small HTTP server on the event loop, there from the first moment of the process to its last.

On the loop and not in a thread: an answer proves that the loop turns. While it does not, the kubelet's own time-out is the answer.
"""

from collections.abc import Callable, Mapping

from hardened.shell.listener import Listener, Reply

Problems = Callable[[], list[str]]
"""What is wrong now, as sentences; empty when nothing is."""


async def serve(port: int, paths: Mapping[str, Problems]) -> Listener:
    """Answers GET and HEAD of each path, until `close()`: 200, or 500 and what is wrong.

    On every address, IPv6 too; port 0: any free one, see `port`. Raises OSError when the port is taken.
    """

    def answer(path: str, _: Mapping[str, str]) -> Reply | None:
        if path not in paths:
            return None
        found = paths[path]()
        return Reply("".join(f"{problem}\n" for problem in found).encode() or b"ok\n", 500 if found else 200)

    listener = Listener(answer)
    await listener.open(port)
    return listener
