"""What a verifier is told to do: one JSON document, read strictly.

    {"authority": "shop", "waitSeconds": 30,
     "checks": [{"name": "smoke", "kind": "http", "host": "shop-preview.market.svc", "port": 80, "path": "/health", "expectStatus": [200],
                 "expectBody": "ok", "maxLatencySeconds": 0.5, "count": 5, "intervalSeconds": 1, "failureLimit": 0}],
     "probes": [{"name": "zero-loss", "kind": "http", "host": "shop.market.svc", "port": 80, "path": "/ready",
                 "rate": 20, "durationSeconds": 60, "burst": {"failures": 10, "seconds": 2}}]}

`kind` is http, grpc (with `service`, which may be empty) or tcp.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hardened.errors import HardenedError

#: Seconds that a request may take, connection and body included.
TIMEOUT = 2.0
#: Seconds that a task may wait for somebody to ask, and that a probe may ask: the longest deadline of a release, and two of them with the
#: longest window.
MOST_WAIT = 86_400
MOST_DURATION = 2 * MOST_WAIT + 3600
#: Checks and probes of one task: their names and verdicts alone always fit into the report.
MOST_ITEMS = 32

_NAME = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_HOST = r"[A-Za-z0-9.:-]{1,253}"
_PATH = r"/[!-~]{0,1023}"
_SERVICE = r"[A-Za-z0-9._/-]{0,253}"


class BadTask(HardenedError):
    """The task cannot be used as it is; the message names the field, never its value."""


@dataclass(frozen=True)
class RequestTarget:
    """What is asked, and what answer is one.

    kind: http, grpc or tcp; path: of http; service: of grpc; expect_status: None for any status that says that the request was served,
    which is any below 500 but 429; expect_body: what the first 64 KiB of the body must contain, None for anything; timeout: seconds.
    """

    kind: str
    host: str
    port: int
    path: str = "/"
    service: str = ""
    expect_status: frozenset[int] | None = None
    expect_body: bytes | None = None
    timeout: float = TIMEOUT


@dataclass(frozen=True)
class CheckTask:
    """Asks `count` times, `interval` seconds from start to start, never two at a time; more than `failure_limit` failures fail it."""

    name: str
    target: RequestTarget
    count: int
    interval: float
    failure_limit: int


@dataclass(frozen=True)
class ProbeTask:
    """Asks `rate` times a second for `duration` seconds, whatever the answers; `burst_failures` within `burst_seconds` end and fail it."""

    name: str
    target: RequestTarget
    rate: float
    duration: float
    burst_failures: int
    burst_seconds: float


@dataclass(frozen=True)
class Task:
    """authority: what requests name as their host; wait: the longest time in seconds until something accepts a connection at all, 0 where
    the stack is there."""

    authority: str
    wait: float
    checks: tuple[CheckTask, ...]
    probes: tuple[ProbeTask, ...]


def parse(text: str) -> Task:
    """The task that a document says. Raises BadTask: for an unknown field too, since the sender meant something by it."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadTask("the task is no JSON document") from error
    fields = _Fields(document, "")
    task = Task(
        authority=fields.text("authority", _HOST),
        wait=fields.number("waitSeconds", 0, MOST_WAIT, default=0),
        checks=tuple(_check(item) for item in fields.items("checks")),
        probes=tuple(_probe(item) for item in fields.items("probes")),
    )
    fields.end()
    names = [*(check.name for check in task.checks), *(probe.name for probe in task.probes)]
    if not 1 <= len(names) <= MOST_ITEMS or len(set(names)) != len(names):
        raise BadTask(f"a task has 1 to {MOST_ITEMS} checks and probes, each of another name")
    return task


def _check(fields: "_Fields") -> CheckTask:
    within = fields.number("maxLatencySeconds", 0.001, 3600, default=TIMEOUT)
    check = CheckTask(
        name=fields.text("name", _NAME),
        target=_target(fields, min(TIMEOUT, within)),
        count=fields.whole("count", 1, 100_000, default=1),
        interval=fields.number("intervalSeconds", 0, 3600, default=1),
        failure_limit=fields.whole("failureLimit", 0, 100_000, default=0),
    )
    fields.end()
    return check


def _probe(fields: "_Fields") -> ProbeTask:
    burst = fields.part("burst")
    probe = ProbeTask(
        name=fields.text("name", _NAME, default="zero-loss"),
        target=_target(fields, TIMEOUT),
        rate=fields.number("rate", 1, 200, default=20),
        duration=fields.number("durationSeconds", 0.01, MOST_DURATION),
        burst_failures=burst.whole("failures", 1, 10_000),
        burst_seconds=burst.number("seconds", 0.01, 3600),
    )
    burst.end()
    fields.end()
    return probe


def _target(fields: "_Fields", timeout: float) -> RequestTarget:
    kind = fields.text("kind", "http|grpc|tcp")
    body = fields.text("expectBody", r"(?s:.){1,4096}", default="") if kind == "http" else ""
    return RequestTarget(
        kind=kind,
        host=fields.text("host", _HOST),
        port=fields.whole("port", 1, 65535),
        path=fields.text("path", _PATH, default="/") if kind == "http" else "/",
        service=fields.text("service", _SERVICE, default="") if kind == "grpc" else "",
        expect_status=fields.statuses("expectStatus") if kind == "http" else None,
        expect_body=body.encode(errors="replace") or None,
        timeout=timeout,
    )


class _Fields:
    """One JSON object, read field by field; what nobody has asked for is left for `end`."""

    def __init__(self, found: Any, path: str) -> None:
        if not isinstance(found, Mapping):
            raise BadTask(f"{path or 'the task'} is no object")
        self._left = dict(found)
        self._path = path

    def text(self, name: str, pattern: str, *, default: str | None = None) -> str:
        value = self._left.pop(name, None)
        if value is None and default is not None:
            return default
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise self._wrong(name)
        return value

    def number(self, name: str, least: float, most: float, *, default: float | None = None) -> float:
        value = self._left.pop(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            raise self._wrong(name)
        return value

    def whole(self, name: str, least: int, most: int, *, default: int | None = None) -> int:
        value = self.number(name, least, most, default=default)
        if not isinstance(value, int):
            raise self._wrong(name)
        return value

    def statuses(self, name: str) -> frozenset[int] | None:
        values = self._left.pop(name, None)
        if values is None:
            return None
        if not isinstance(values, list) or not values or any(type(v) is not int or not 100 <= v <= 599 for v in values):
            raise self._wrong(name)
        return frozenset(values)

    def items(self, name: str) -> list["_Fields"]:
        values = self._left.pop(name, [])
        if not isinstance(values, list):
            raise self._wrong(name)
        return [_Fields(value, f"{name}[{index}]") for index, value in enumerate(values)]

    def part(self, name: str) -> "_Fields":
        return _Fields(self._left.pop(name, None), f"{self._path}.{name}")

    def end(self) -> None:
        """Raises BadTask when a field is left that nobody knows. Its name may be anything, and is not said."""
        if self._left:
            raise BadTask(f"{self._path or 'the task'} has a field that is not known")

    def _wrong(self, name: str) -> BadTask:
        return BadTask(f"{f'{self._path}.{name}'.lstrip('.')} is missing or out of its bounds")
