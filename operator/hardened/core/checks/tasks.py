"""Checks and the zero-loss probe: what a verifier pod is told, and which pod it is. What comes back is read in `verdicts`.

A check names a path and a port of the service's own; where requests go is decided here: before the cutover to `NAME-preview`, after it
to the Service that clients use.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from hardened.api import names
from hardened.api.container import Port, Probe, TcpSocket
from hardened.api.parse import HardenedService
from hardened.api.verify import PROBE_NAME, LoadCheck
from hardened.core.desired.service import preview_name
from hardened.core.model.manifest import Manifest, digest, without_none
from hardened.core.model.revision import Revision
from hardened.core.model.target import Target

#: Requests a second of the zero-loss probe: few enough to cost nothing, enough to see a loss of 100 ms.
PROBE_RATE = 20
#: A quarter of the requests of two seconds: more than one pod that ends badly, and known within a second of an outage.
BURST_FAILURES = 10
BURST_SECONDS = 2
#: The name of the probe among the results.
ZERO_LOSS = PROBE_NAME
#: What a request may take; the verifier's own bound.
_TIMEOUT_SECONDS = 2
#: How long load waits for the first connection: a Service refuses them until every node has heard that it has endpoints.
_LOAD_WAIT = "30s"


class Purpose(StrEnum):
    """What a verifier pod is for. Each release has one pod of each at most."""

    BEFORE = "before"  # the checks against the preview
    AFTER = "after"  # the checks on live traffic
    CUTOVER = "cutover"  # the probe from before the flip to the end of VerifyAfter
    WINDOW = "window"  # the probe of VerifyAfter, where the one before ended early
    REMOVAL = "removal"  # the probe around the removal of the old pods
    DEPENDS = "depends"  # whether what it depends on is there, before its first pod
    DEPENDS_STILL = "depends-still"  # the same, right before the cutover
    MIGRATE = "migrate"
    UNDO = "undo"


@dataclass(frozen=True, kw_only=True)
class _RequestTask:
    """A check by requests, as its pod is told."""

    name: str
    """Among the results, as a DNS label."""
    port: str | int | None = None
    """A name or number of the service's own ports, None for the main one."""
    max_latency: timedelta | None = None
    """None for the verifier's own bound of 2 s."""
    count: int = 1
    """Requests in all."""
    interval: timedelta = timedelta(seconds=1)
    """From start to start."""
    failure_limit: int = 0
    """How many of them may fail."""


@dataclass(frozen=True, kw_only=True)
class HttpTask(_RequestTask):
    """A check by HTTP requests."""

    path: str = "/"
    expect_status: tuple[int, ...] = (200,)
    expect_body: str | None = None
    """What the first 64 KiB of the body must contain."""


@dataclass(frozen=True, kw_only=True)
class GrpcTask(_RequestTask):
    """The standard health service."""

    service: str = ""
    """The name that it is asked for, "" for the server as a whole."""


@dataclass(frozen=True, kw_only=True)
class TcpTask(_RequestTask):
    """An accepted connection passes."""


RequestTask = HttpTask | GrpcTask | TcpTask


def checks_task(svc: HardenedService, revision: Revision, checks: Sequence[RequestTask], purpose: Purpose, wait: timedelta) -> Manifest:
    """The task of a verifier that makes these checks, against the preview stack or on live traffic.

    wait: how long the verifier waits for somebody to accept its first connection; none where the stack is there: from then on what is
    refused is a failure. A check of a port that takes no TCP connections is left out: nothing is ever known of it.
    """
    host = preview_host(svc) if purpose is Purpose.BEFORE else clients_host(svc)
    ports = [(check, tcp_port(revision, check.port)) for check in checks]
    entries = [_check(check, host, _number(svc, port)) for check, port in ports if port]
    return {"authority": svc.name, "waitSeconds": wait.total_seconds(), "checks": [*entries, *_presence(svc, revision, host, entries)]}


def _presence(svc: HardenedService, revision: Revision, host: str, checks: Sequence[Manifest]) -> list[Manifest]:
    """A connection to the port that readiness is asked on: where it is accepted the stack is there, whatever other ports do.

    Nobody waits for its result, which has a name that none of the checks has.
    """
    asked = _readiness(svc, revision)
    if asked is None or not checks or asked["port"] in {check["port"] for check in checks}:
        return []
    names = {check["name"] for check in checks}
    name = next(each for each in ("there", *(f"there-{number}" for number in range(len(names)))) if each not in names)
    return [{"name": name, "kind": "tcp", "host": host, "port": asked["port"], "count": 1, "intervalSeconds": 1, "failureLimit": 0}]


def probe_task(svc: HardenedService, revision: Revision, duration: timedelta, wait: timedelta) -> Manifest | None:
    """The task of a verifier that watches clients' traffic for a loss. None for a service without a TCP port of clients.

    It asks as the readiness probe does where that is possible through the Service, and else for a TCP connection.
    """
    asked = _readiness(svc, revision)
    if asked is None:
        return None
    probe = {
        "name": ZERO_LOSS,
        "host": clients_host(svc),
        **asked,
        "rate": PROBE_RATE,
        "durationSeconds": duration.total_seconds(),
        "burst": {"failures": BURST_FAILURES, "seconds": BURST_SECONDS},
    }
    return {"authority": svc.name, "waitSeconds": wait.total_seconds(), "probes": [probe]}


def load_arguments(svc: HardenedService, revision: Revision, check: LoadCheck, purpose: Purpose) -> list[str] | None:
    """What the load engine is told, or None for a check of a port that takes no TCP connections."""
    port = tcp_port(revision, check.port)
    if port is None:
        return None
    limits = {"mean": check.max_mean, "p50": check.max_p50, "p95": check.max_p95, "p99": check.max_p99}
    told = {
        "--host": preview_host(svc) if purpose is Purpose.BEFORE else clients_host(svc),
        "--port": str(_number(svc, port)),
        "--path": check.path,
        "--authority": svc.name,
        "--rate": str(check.rate),
        "--duration": _seconds(check.duration),
        "--max-error-ratio": f"{check.max_error_ratio:g}",
        "--wait": _LOAD_WAIT,
        "--report": "/dev/termination-log",
        **{f"--max-{name}": _seconds(limit) for name, limit in limits.items() if limit is not None},
        **({"--min-rate": str(check.min_rate)} if check.min_rate else {}),
    }
    return ["--brief", *(word for pair in told.items() for word in pair)]


def _seconds(duration: timedelta) -> str:
    return f"{duration.total_seconds():g}s"


def told(svc: HardenedService, target: Target, purpose: Purpose) -> dict[str, str]:
    """What a command of the team's is told of the revision that it checks, as environment variables."""
    return {
        "HARDENED_HOST": preview_host(svc) if purpose is Purpose.BEFORE else clients_host(svc),
        "HARDENED_SERVICE": svc.name,
        "HARDENED_NAMESPACE": svc.namespace,
        "HARDENED_COLOR": target.color,
        "HARDENED_REVISION": target.revision,
    }


def task_seconds(task: Manifest) -> int:
    """How long a verifier takes for a task at most, in seconds."""
    checks: list[float] = [check["count"] * max(check["intervalSeconds"], _TIMEOUT_SECONDS) for check in task.get("checks", ())]
    probes: list[float] = [probe["durationSeconds"] + _TIMEOUT_SECONDS for probe in task.get("probes", ())]
    wait: float = task["waitSeconds"]
    return math.ceil(wait + max([*checks, *probes], default=0))


def pod_name(svc: HardenedService, target: Target, started_at: datetime, purpose: Purpose, check: str = "") -> str:
    """The name of a release's verifier pod: whoever looks again finds the same one. check: for a pod that makes one check alone."""
    release = digest([target.color, target.revision, started_at.astimezone(UTC).isoformat()], 8)
    return names.child_name(svc.name, "verify", *([check] if check else []), str(purpose), release)


def preview_host(svc: HardenedService) -> str:
    """Where the preview stack answers."""
    return f"{preview_name(svc)}.{svc.namespace}.svc"


def clients_host(svc: HardenedService) -> str:
    """Where clients are answered."""
    return f"{svc.name}.{svc.namespace}.svc"


def tcp_port(revision: Revision, wanted: str | int | None) -> Port | None:
    """The TCP port of this name or number (of the container, as in a Pod), or the main one."""
    ports = [port for port in revision.spec.ports or () if port.protocol == "TCP"]
    if wanted is None:
        return ports[0] if ports else None
    return next((port for port in ports if wanted in (port.name, port.container_port)), None)


def _number(svc: HardenedService, port: Port) -> int:
    """Where clients connect to: without a cluster address they reach the pods themselves."""
    return port.container_port if svc.spec.service.type == "Headless" or port.port is None else port.port


def _kind(check: RequestTask) -> str:
    match check:
        case HttpTask():
            return "http"
        case GrpcTask():
            return "grpc"
        case TcpTask():
            return "tcp"


def _check(check: RequestTask, host: str, port: int) -> Manifest:
    common = without_none(
        name=check.name,
        kind=_kind(check),
        host=host,
        port=port,
        maxLatencySeconds=check.max_latency.total_seconds() if check.max_latency else None,
        count=check.count,
        intervalSeconds=check.interval.total_seconds(),
        failureLimit=check.failure_limit,
    )
    match check:
        case HttpTask():
            own = without_none(path=check.path, expectStatus=list(check.expect_status), expectBody=check.expect_body)
        case GrpcTask():
            own = {"service": check.service}
        case TcpTask():
            own = {}
    return common | own


def _readiness(svc: HardenedService, revision: Revision) -> Manifest | None:
    """What the zero-loss probe asks, and at which of the Service's ports."""
    probes = revision.spec.probes
    given = (probes and probes.readiness) or Probe(tcp_socket=TcpSocket())
    http, grpc = given.http_get, given.grpc
    if http and http.scheme != "HTTPS" and (port := tcp_port(revision, http.port)):
        return {"kind": "http", "port": _number(svc, port), "path": http.path}
    if grpc and (port := tcp_port(revision, grpc.port)):
        return {"kind": "grpc", "port": _number(svc, port), "service": grpc.service or ""}
    main = tcp_port(revision, None)
    return {"kind": "tcp", "port": _number(svc, main)} if main else None
