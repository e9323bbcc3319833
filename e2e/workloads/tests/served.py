"""A workload process for the tests: started on a port of its own, spoken to over plain HTTP, always ended."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

PATIENCE = 20.0


class Served:
    """One running workload. `lines` are what it logged so far."""

    def __init__(self, argv: Sequence[str], env: dict[str, str]) -> None:
        base = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        settings = {"HOST": "127.0.0.1", "PORT": "0", "VERSION": "v1", "LINGER": "0", "DRAIN": "15", **env}
        self.process = subprocess.Popen([*argv], env=base | settings, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.lines: list[dict[str, Any]] = []
        self._incoming: queue.Queue[str] = queue.Queue()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        self.port = 0

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self._incoming.put(line)
        self._incoming.put("")

    def wait_for(self, event: str) -> dict[str, Any]:
        """The next logged line with this event; fails after `PATIENCE` seconds, or at once when the process ended without it."""
        while True:
            text = self._incoming.get(timeout=PATIENCE)
            assert text, f"the process ended before it logged {event}"
            line = json.loads(text)
            self.lines.append(line)
            if line["event"] == event:
                return dict(line)

    def connect(self, timeout: float = PATIENCE) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def ask(self, path: str, method: str = "GET", body: Any = None, timeout: float = PATIENCE) -> tuple[int, dict[str, Any]]:
        """One request on a connection of its own: (status, JSON)."""
        with contextlib.closing(self.connect(timeout)) as connection:
            connection.request(method, path, None if body is None else json.dumps(body))
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"{}")

    def until(self, path: str, wanted: int) -> None:
        """Asks until `path` answers `wanted`; fails after `PATIENCE` seconds."""
        end = time.monotonic() + PATIENCE
        while self.ask(path)[0] != wanted:
            assert time.monotonic() < end, f"{path} never answered {wanted}"

    def until_in_flight(self, count: int) -> None:
        """Asks until this many other requests are being worked on."""
        end = time.monotonic() + PATIENCE
        while self.ask("/switch")[1]["in_flight"] != count:
            assert time.monotonic() < end, f"never {count} requests in flight"

    def terminate(self) -> None:
        """SIGTERM, and waits until the process says that it drains."""
        self.process.send_signal(signal.SIGTERM)
        self.wait_for("draining")

    def wait_exit(self) -> int:
        return self.process.wait(timeout=PATIENCE)


@contextlib.contextmanager
def serve(argv: Sequence[str], **env: str) -> Iterator[Served]:
    """A started workload, killed at the end whatever happened."""
    served = Served(argv, env)
    try:
        served.port = served.wait_for("started")["port"]
        yield served
    finally:
        served.process.kill()
        served.process.wait()
        served.reader.join()  # to its end: a pipe is not closed under who reads it
        for pipe in (served.process.stdout, served.process.stderr):
            assert pipe
            pipe.close()
