"""What a new revision must prove, and when: `spec.verify`."""

from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, StringConstraints

from hardened.api.container import Image, image_rule, is_pinned
from hardened.api.duration import between
from hardened.api.fields import Model, Name, PortName, Rule, Text, keyed, one_of, unique
from hardened.api.release import Command

_PART = r"[A-Za-z0-9._~!$&'()*+,;=:@%-]+"
_QUERY = r"[A-Za-z0-9._~!$&'()*+,;=:@%?-]"
# No `//` anywhere: nothing in it can be read as a host.
_PATH = rf"^/({_PART}(/{_PART})*/?)?(\?{_QUERY}*(/{_QUERY}+)*/?)?$"

#: The name of the zero-loss probe among the results.
PROBE_NAME = "zero-loss"

CheckPath = Annotated[str, StringConstraints(pattern=_PATH, min_length=1, max_length=1024)]
Latency = Annotated[timedelta, between("1ms", "1m")]
CheckPort = Annotated[PortName | None, Field(description="The name of one of the service's own TCP ports (default: the first).")]
Threshold = Annotated[float, Field(ge=-(10**15), le=10**15, allow_inf_nan=False)]


class _Repeated(Model):
    """A check that sends one request `count` times, `interval` apart. It fails if more than failureLimit requests fail."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="(has(self.failureLimit) ? self.failureLimit : 0) < (has(self.count) ? self.count : 1)",
            holds=lambda m: m.failure_limit < m.count,
            message="failureLimit (0 when left out) must be below count (1 when left out): otherwise the check cannot fail",
            field=".failureLimit",
        ),
    )

    port: CheckPort = None
    max_latency: Latency | None = Field(None, description="A request that is answered later fails.")
    count: Annotated[int, Field(ge=1, le=100)] = Field(1, description="How many requests are sent.")
    interval: Annotated[timedelta, between("100ms", "1m")] = Field(timedelta(seconds=1), description="The time between two requests.")
    failure_limit: Annotated[int, Field(ge=0, le=99)] = Field(0, description="How many requests may fail.")


class HttpCheck(_Repeated):
    """Sends GET requests. A redirect is an answer and is not followed."""

    path: CheckPath = Field("/", description="The path to ask for, with its query.")
    expect_status: Annotated[list[Annotated[int, Field(ge=100, le=599)]], unique(16, least=1)] | None = Field(
        None, description="Default: 200 to 299."
    )
    expect_body: Annotated[Text, StringConstraints(min_length=1, max_length=256)] | None = Field(
        None, description="A text that the body must contain."
    )


class GrpcCheck(_Repeated):
    """The standard gRPC health service must answer SERVING."""

    service: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._/-]*$", max_length=253)] | None = Field(
        None, description="The name that the health service is asked for. Default: the server as a whole."
    )


class TcpCheck(_Repeated):
    """Passes if the connection is accepted."""


class JobCheck(Model):
    """A task of your own, in a pod of its own. Exit code 0 passes. It is not retried."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel=f"!has(self.image) || {image_rule().cel}",
            holds=lambda m: m.image is None or is_pinned(m.image),
            message="the image of a check needs a digest, or a tag other than latest: the same check must run each time",
            field=".image",
        ),
    )

    image: Image | None = Field(None, description="Default: the new revision's image.")
    command: Command = Field(description="The program and its arguments. No shell is involved.")
    deadline: Annotated[timedelta, between("1s", "1h")] = Field(
        timedelta(minutes=5), description="A task that has not ended after this time fails."
    )


class LoadCheck(Model):
    """Sends GET requests at a fixed rate, whether or not earlier ones were answered. It fails if none is answered."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="!has(self.minRate) || self.minRate <= self.rate",
            holds=lambda m: m.min_rate is None or m.min_rate <= m.rate,
            message="minRate must not exceed rate: there are never more answers than requests",
            field=".minRate",
        ),
    )

    path: CheckPath = Field("/", description="The path to ask for, with its query.")
    port: CheckPort = None
    rate: Annotated[int, Field(ge=1, le=5000, description="Requests per second.")]
    duration: Annotated[timedelta, between("1s", "10m")] = Field(timedelta(seconds=30), description="How long requests are sent.")
    max_error_ratio: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = Field(
        0.0, description="Failed requests, as a share of all. A request fails without an answer, or with one outside 200 to 299."
    )
    max_mean: Latency | None = Field(None, description="The mean latency must not exceed it.")
    max_p50: Latency | None = Field(None, description="Half of the answers must come within it.")
    max_p95: Latency | None = Field(None, description="95 of 100 answers must come within it.")
    max_p99: Latency | None = Field(None, description="99 of 100 answers must come within it.")
    min_rate: Annotated[int, Field(ge=1, le=5000)] | None = Field(None, description="Minimum answers per second.")


class PrometheusCheck(Model):
    """A query that returns one number, asked repeatedly. It fails if more than failureLimit numbers are out of bounds."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="has(self.max) || has(self.min)",
            holds=lambda m: m.max is not None or m.min is not None,
            message="set max, min or both: the bounds of the query's result",
        ),
        Rule(
            cel="!has(self.max) || !has(self.min) || self.min <= self.max",
            holds=lambda m: m.max is None or m.min is None or m.min <= m.max,
            message="min must not be above max: no number would pass",
            field=".min",
        ),
    )

    query: Annotated[Text, StringConstraints(min_length=1)] = Field(
        description="PromQL. $(color), $(revision), $(service) and $(namespace) are replaced."
    )
    max: Threshold | None = Field(None, description="A larger number is out of bounds.")
    min: Threshold | None = Field(None, description="A smaller number is out of bounds.")
    interval: Annotated[timedelta, between("1s", "10m")] = Field(timedelta(seconds=10), description="The time between two queries.")
    failure_limit: Annotated[int, Field(ge=0, le=100)] = Field(0, description="How many numbers may be out of bounds.")
    on_no_data: Literal["Hold", "Fail"] = Field(
        "Hold",
        description="No answer, or an empty one, neither passes nor fails (Hold), or counts as out of bounds (Fail).",
    )


class Check(Model):
    """One check, of exactly one kind."""

    rules: ClassVar[tuple[Rule, ...]] = (
        one_of("http", "grpc", "tcp", "job", "load", "prometheus"),
        Rule(
            cel=f"self.name != '{PROBE_NAME}'",
            holds=lambda m: m.name != PROBE_NAME,
            message=f"{PROBE_NAME} is the name of the probe that every release has: choose another name",
            field=".name",
        ),
    )

    name: Name = Field(description="Its name among the results.")
    http: HttpCheck | None = None
    grpc: GrpcCheck | None = None
    tcp: TcpCheck | None = None
    job: JobCheck | None = None
    load: LoadCheck | None = None
    prometheus: PrometheusCheck | None = None

    @property
    def target(self) -> HttpCheck | GrpcCheck | TcpCheck | LoadCheck | None:
        """What asks the service's own pods; None for a check that asks somebody else."""
        return self.http or self.grpc or self.tcp or self.load


Checks = Annotated[list[Check], keyed("name", 16)]

_CEL_DEFAULTS = {"prometheus.interval": "10s", "load.duration": "30s", "job.deadline": "5m"}
_REPEATED = ("http", "grpc", "tcp")
_WINDOW = "duration(has(self.window) ? self.window : '10s')"
_PROGRESS_DEADLINE = "duration(has(self.release) && has(self.release.progressDeadline) ? self.release.progressDeadline : '10m')"


def _time_taken(check: Check) -> timedelta:
    """How long a check of one run, or the time between two of its looks, can take."""
    if check.prometheus:
        return check.prometheus.interval
    if check.load:
        return check.load.duration
    return check.job.deadline if check.job else timedelta()


def _seconds_asked(check: Check) -> int:
    """How long the requests of a check take at least, in seconds; its intervals in whole ones, as CEL can count them."""
    asked = check.http or check.grpc or check.tcp
    return (asked.count - 1) * (asked.interval // timedelta(seconds=1)) if asked else 0


def _time_taken_cel(check: str, compare: str, limit: str) -> str:
    parts = []
    for kind in (f"{check}.{kind}" for kind in _REPEATED):
        seconds = f"(has({kind}.interval) ? duration({kind}.interval).getSeconds() : 1)"
        parts.append(f"(!has({kind}) || !has({kind}.count) || ({kind}.count - 1) * {seconds} {compare} {limit}.getSeconds())")
    for path, default in _CEL_DEFAULTS.items():
        kind, place = f"{check}.{path.partition('.')[0]}", f"{check}.{path}"
        parts.append(f"(!has({kind}) || duration(has({place}) ? {place} : '{default}') {compare} {limit})")
    return " && ".join(parts)


class AfterCutover(Model):
    """Checks under live traffic. The first violation switches back. Readiness and the zero-loss probe are always watched."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel=f"!has(self.checks) || self.checks.all(c, {_time_taken_cel('c', '<=', _WINDOW)})",
            holds=lambda m: all(_time_taken(c) <= m.window and timedelta(seconds=_seconds_asked(c)) <= m.window for c in m.checks or ()),
            message="a check's interval (10s when left out), duration (30s), deadline (5m), or count of requests and the intervals between "
            "them must not exceed the window (10s when left out): the check needs a result within the window",
            field=".checks",
        ),
    )

    window: Annotated[timedelta, between("1s", "1h")] = Field(
        timedelta(seconds=10), description="How long the new revision is watched after the cutover, before it is promoted."
    )
    max_restarts: Annotated[int, Field(ge=0, le=1000)] = Field(
        0, description="How many restarts of the new revision's containers are allowed."
    )
    checks: Checks | None = Field(None, description="What it must pass in that time. The zero-loss probe is always among them.")


class Verify(Model):
    """Checks of a new revision, before and after the cutover."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="!has(self.beforeCutover) || !has(self.afterCutover) || !has(self.afterCutover.checks) || "
            "self.beforeCutover.all(b, !self.afterCutover.checks.exists(a, a.name == b.name))",
            holds=lambda m: {c.name for c in m.before_cutover or ()}.isdisjoint(c.name for c in m.after_cutover.checks or ()),
            message="a check has the same name as one in beforeCutover: each check needs its own name",
            field=".afterCutover.checks",
        ),
    )

    before_cutover: Checks | None = Field(None, description="Checks of the new revision before the cutover. All must pass.")
    after_cutover: AfterCutover = Field(default_factory=lambda: AfterCutover())


def _ports_known(spec: Any, checks: Callable[[Any], list[Check] | None]) -> bool:
    known = {port.name for port in spec.ports or () if port.protocol == "TCP"}
    targets = [check.target for check in checks(spec.verify) or () if check.target]
    return all(target.port in known if target.port else known for target in targets)


def _ports_known_cel(checks: str) -> str:
    is_tcp = "(!has(p.protocol) || p.protocol == 'TCP')"
    kinds = " && ".join(
        f"(!has(c.{kind}) || self.ports.exists(p, {is_tcp} && (!has(c.{kind}.port) || p.name == c.{kind}.port)))"
        for kind in ("http", "grpc", "tcp", "load")
    )
    without = " && ".join(f"!has(c.{kind})" for kind in ("http", "grpc", "tcp", "load"))
    return f"{checks}.all(c, has(self.ports) ? {kinds} : {without})"


_PORT_MESSAGE = "a check names a port that is not in `ports` with protocol TCP; http, grpc, tcp and load checks need such a port"

#: Rules on a HardenedServiceSpec that tie `verify` to its ports and to the deadline of a release.
CHECK_RULES: tuple[Rule, ...] = (
    Rule(
        cel=f"!has(self.verify) || !has(self.verify.beforeCutover) || {_ports_known_cel('self.verify.beforeCutover')}",
        holds=lambda m: _ports_known(m, lambda verify: verify.before_cutover),
        message=_PORT_MESSAGE,
        field=".verify.beforeCutover",
    ),
    Rule(
        cel="!has(self.verify) || !has(self.verify.afterCutover) || !has(self.verify.afterCutover.checks) || "
        + _ports_known_cel("self.verify.afterCutover.checks"),
        holds=lambda m: _ports_known(m, lambda verify: verify.after_cutover.checks),
        message=_PORT_MESSAGE,
        field=".verify.afterCutover.checks",
    ),
    Rule(
        cel="!has(self.verify) || !has(self.verify.beforeCutover) || "
        f"self.verify.beforeCutover.all(c, {_time_taken_cel('c', '<', _PROGRESS_DEADLINE)})",
        holds=lambda m: all(
            _time_taken(check) < m.release.progress_deadline and _seconds_asked(check) < m.release.progress_deadline // timedelta(seconds=1)
            for check in m.verify.before_cutover or ()
        ),
        message="a check's interval (10s when left out), duration (30s), deadline (5m), or count of requests and the intervals between "
        "them must be below release.progressDeadline (10m when left out): otherwise the release fails before the check ends",
        field=".verify.beforeCutover",
    ),
)
