"""A small HTTP service that behaves well, or badly on request: the Python workload of the end-to-end tests.

Standard library only, one thread per connection, no file is ever written. The contract (routes, settings, drain) is in ../README.md;
../static/ keeps the same one in Go, and one table of tests holds both to it.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import signal
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler
from typing import Any

MAX_BODY_BYTES = 64 * 1024
LEAK: list[bytes] = []
"""What `leak_bytes_per_request` has leaked so far: kept reachable on purpose, so that the memory limit is met."""


def as_bool(value: Any) -> bool:
    """True or False, from JSON or from the text `true`/`false`."""
    if isinstance(value, bool):
        return value
    if value in ("true", "false"):
        return bool(value == "true")
    raise ValueError("must be true or false")


def as_seconds(value: Any) -> float:
    """A number >= 0, from JSON or from text; also used for milliseconds."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("must be a number")
    number = float(value)
    if not 0 <= number < 1e9:
        raise ValueError("must be between 0 and 1e9")
    return number


def as_ratio(value: Any) -> float:
    """A number between 0 and 1, from JSON or from text."""
    number = as_seconds(value)
    if number > 1:
        raise ValueError("must be between 0 and 1")
    return number


def as_count(value: Any) -> int:
    """A whole number >= 0, from JSON or from text."""
    number = as_seconds(value)
    if number != int(number):
        raise ValueError("must be a whole number")
    return int(number)


PARSERS: dict[str, Callable[[Any], Any]] = {
    "latency_ms": as_seconds,
    "error_ratio": as_ratio,
    "leak_bytes_per_request": as_count,
    "ready": as_bool,
    "live": as_bool,
}


@dataclasses.dataclass(frozen=True)
class Switches:
    """What may change while the process runs. Replaced as a whole, so a request sees one consistent set."""

    latency_ms: float = 0.0
    error_ratio: float = 0.0
    leak_bytes_per_request: int = 0
    ready: bool = True
    live: bool = True

    def with_changes(self, changes: Any) -> Switches:
        """These switches with the named ones changed. Raises ValueError naming the field for an unknown one or a bad value."""
        if not isinstance(changes, dict):
            raise ValueError("the body must be a JSON object")
        parsed = {}
        for name, value in changes.items():
            if name not in PARSERS:
                raise ValueError(f"{name}: unknown switch; known are {', '.join(sorted(PARSERS))}")
            try:
                parsed[name] = PARSERS[name](value)
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from error
        return dataclasses.replace(self, **parsed)


@dataclasses.dataclass(frozen=True)
class Settings:
    """What is fixed at start. Seconds everywhere; `drain` counts from SIGTERM and includes `linger`."""

    host: str
    port: int
    version: str
    pod: str
    start_delay: float
    drain: float
    linger: float
    switches: Switches


def parse_settings(argv: Sequence[str], env: dict[str, str]) -> Settings:
    """Settings from flags, else from the environment, else defaults. A bad value ends the process with code 2, naming the flag."""
    parser = argparse.ArgumentParser(description=__doc__)

    def add(flag: str, default: str, parse: Callable[[str], Any]) -> None:
        name = flag.upper().replace("-", "_")
        parser.add_argument(f"--{flag}", default=env.get(name) or default, type=parse, help=f"environment: {name}; default: {default}")

    add("host", "0.0.0.0", str)
    add("port", "8080", as_count)
    add("version", "dev", str)
    add("start-delay", "0", as_seconds)
    add("drain", "20", as_seconds)
    add("linger", "3", as_seconds)
    for field in dataclasses.fields(Switches):
        add(field.name.replace("_", "-"), str(field.default).lower(), PARSERS[field.name])
    args = vars(parser.parse_args(argv))
    switches = Switches(**{name: args.pop(name) for name in PARSERS})
    return Settings(**args, pod=socket.gethostname(), switches=switches)


class Errors:
    """Which requests fail, exactly: over any n requests, floor(n * ratio) do. No dice, so no flaky test."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._debt = 0.0

    def is_next(self, ratio: float) -> bool:
        with self._lock:
            self._debt += ratio
            # The tolerance makes ten times 0.1 a whole error in spite of binary fractions.
            if self._debt >= 1 - 1e-9:
                self._debt -= 1
                return True
            return False

    def forget(self) -> None:
        with self._lock:
            self._debt = 0.0


class Connections:
    """Every open connection and whether it is inside a request. The drain waits here."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._busy: dict[socket.socket, bool] = {}
        self._closing = False

    def opened(self, connection: socket.socket) -> None:
        with self._changed:
            self._busy[connection] = False
            self._hang_up_if_done(connection)

    def started(self, connection: socket.socket) -> None:
        with self._changed:
            self._busy[connection] = True

    def finished(self, connection: socket.socket) -> None:
        with self._changed:
            self._busy[connection] = False
            self._hang_up_if_done(connection)

    def closed(self, connection: socket.socket) -> None:
        with self._changed:
            self._busy.pop(connection, None)
            self._changed.notify_all()

    def hang_up_idle(self) -> None:
        """Ends connections that are between requests, now and from now on; those inside one finish first."""
        with self._changed:
            self._closing = True
            for connection in self._busy:
                self._hang_up_if_done(connection)

    def _hang_up_if_done(self, connection: socket.socket) -> None:
        if self._closing and not self._busy[connection]:
            # Only the reading side: the handler's read returns "end", and a request that the kernel already has is still answered.
            try:
                connection.shutdown(socket.SHUT_RD)
            except OSError:
                return  # the peer was faster

    def wait_until_none(self, seconds: float) -> int:
        """Waits until no connection is left, at most this long. Returns how many are left."""
        with self._changed:
            self._changed.wait_for(lambda: not self._busy, timeout=max(0.0, seconds))
            return len(self._busy)

    @property
    def in_requests(self) -> int:
        with self._changed:
            return sum(self._busy.values())


class Workload(socketserver.ThreadingTCPServer):
    """The server: settings, switches and the connections. Handlers only read and ask."""

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 1024

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.switches = settings.switches
        self.ready_at = time.monotonic() + settings.start_delay
        self.draining = False
        self.hanging = False
        self.errors = Errors()
        self.connections = Connections()
        super().__init__((settings.host, settings.port), Handler)

    @property
    def is_ready(self) -> bool:
        return self.switches.ready and not self.draining and time.monotonic() >= self.ready_at

    def log(self, event: str, **fields: Any) -> None:
        """One JSON line on standard output, in one write."""
        line = {"event": event, "version": self.settings.version, "pod": self.settings.pod, **fields}
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()

    def drain(self) -> int:
        """The polite end; returns the exit code: 0 when every request got its answer, 1 when `drain` seconds were not enough."""
        began = time.monotonic()
        self.draining = True
        self.log("draining")
        # Endpoints go some time after SIGTERM: until then new connections must still be served, or their requests fail.
        threading.Event().wait(min(self.settings.linger, self.settings.drain))
        self.shutdown()
        self.server_close()
        self.connections.hang_up_idle()
        cut = self.connections.wait_until_none(began + self.settings.drain - time.monotonic())
        self.log("stopped", code=int(cut > 0), connections_cut=cut)
        return int(cut > 0)


class Handler(BaseHTTPRequestHandler):
    """One connection. HTTP/1.1 with keep-alive; each answer leaves in one write."""

    server: Workload
    protocol_version = "HTTP/1.1"
    server_version = "web"
    sys_version = ""
    disable_nagle_algorithm = True
    wbufsize = 64 * 1024

    def setup(self) -> None:
        super().setup()
        self.server.connections.opened(self.connection)

    def finish(self) -> None:
        try:
            super().finish()
        except OSError:
            return  # the client left; there is nobody to tell
        finally:
            self.server.connections.closed(self.connection)

    def handle(self) -> None:
        try:
            super().handle()
        except ConnectionError:
            self.close_connection = True

    def parse_request(self) -> bool:
        # The first point at which a request is known to have begun.
        self.server.connections.started(self.connection)
        return super().parse_request()

    def handle_one_request(self) -> None:
        super().handle_one_request()
        if not self.close_connection:
            self.server.connections.finished(self.connection)

    def do_GET(self) -> None:
        self.route()

    def do_HEAD(self) -> None:
        self.route()

    def do_POST(self) -> None:
        self.route()

    def route(self) -> None:
        """Reads the body, so that the connection stays in step, and answers."""
        body = self.read_body()
        if body is None:
            return
        if self.server.hanging:
            threading.Event().wait()
        path = self.path.partition("?")[0]
        verb = "GET" if self.command == "HEAD" else self.command
        match verb, path:
            case (_, "/"):
                self.answer_application()
            case ("GET", "/health/live"):
                self.answer_health("live", self.server.switches.live)
            case ("GET", "/health/ready"):
                self.answer_health("ready", self.server.is_ready)
            case ("GET", "/switch"):
                self.answer_switches()
            case ("POST", "/switch"):
                self.change_switches(body)
            case ("POST", "/crash"):
                self.answer(202, {"crash": True}, close=True)
                self.wfile.flush()
                self.server.log("crashed", code=1)
                os._exit(1)
            case ("POST", "/hang"):
                self.answer(202, {"hang": True})
                self.server.hanging = True
            case (_, "/health/live" | "/health/ready" | "/switch" | "/crash" | "/hang"):
                self.answer(405, {"error": f"{self.command} is not for {path}"})
            case _:
                self.answer(404, {"error": f"no such path: {path}"})

    def read_body(self) -> bytes | None:
        """The request's body; None when it was refused (and answered)."""
        if "Transfer-Encoding" in self.headers:
            self.answer(411, {"error": "send Content-Length"}, close=True)
            return None
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal():
            self.answer(400, {"error": "Content-Length must be a number"}, close=True)
            return None
        if int(length) > MAX_BODY_BYTES:
            self.answer(413, {"error": f"at most {MAX_BODY_BYTES} bytes"}, close=True)
            return None
        return self.rfile.read(int(length))

    def answer_application(self) -> None:
        switches = self.server.switches
        if switches.leak_bytes_per_request:
            LEAK.append(b"x" * switches.leak_bytes_per_request)
        if switches.latency_ms:
            time.sleep(switches.latency_ms / 1000)
        identity = {"version": self.server.settings.version, "pod": self.server.settings.pod}
        if self.server.errors.is_next(switches.error_ratio):
            self.answer(500, {"error": "injected", **identity})
        else:
            self.answer(200, identity)

    def answer_health(self, probe: str, good: bool) -> None:
        self.answer(200 if good else 503, {probe: good})

    def answer_switches(self) -> None:
        # This request itself is one of them.
        self.answer(200, {**dataclasses.asdict(self.server.switches), "in_flight": self.server.connections.in_requests - 1})

    def change_switches(self, body: bytes) -> None:
        try:
            self.server.switches = self.server.switches.with_changes(json.loads(body))
        except ValueError as error:
            self.answer(400, {"error": str(error)})
            return
        self.server.errors.forget()
        self.answer_switches()

    def answer(self, code: int, content: dict[str, Any], *, close: bool = False) -> None:
        body = json.dumps(content).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if close or self.server.draining:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base class's
        """Nothing per request."""


def main() -> int:
    settings = parse_settings(sys.argv[1:], dict(os.environ))
    ends = {signal.SIGTERM, signal.SIGINT}
    # Blocked before any thread starts: only sigwait below receives them, also as process 1 of a container.
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    workload = Workload(settings)
    threading.Thread(target=workload.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    workload.log("started", port=workload.server_address[1])
    signal.sigwait(ends)
    return workload.drain()


if __name__ == "__main__":
    sys.exit(main())
