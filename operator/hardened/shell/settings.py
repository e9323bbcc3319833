"""What a person can set about the operator: HARDENED_… environment variables, read once at start."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeVar, cast

from hardened.api import names
from hardened.core.model.kit import BACKUP_RESOURCES, LOAD_RESOURCES, RESOURCES, Amounts, BackupKit, amounts_of
from hardened.core.model.policy import Policy
from hardened.errors import HardenedError

LogLevel = Literal["debug", "info", "warning", "error"]
T = TypeVar("T")

_LOG_LEVELS = ("debug", "info", "warning", "error")
_SERVICE_TYPES = ("NodePort", "LoadBalancer")
_TRUE = frozenset({"true", "1", "yes", "on"})
_FALSE = frozenset({"false", "0", "no", "off"})
#: RFC 1123 label and subdomain: what Kubernetes takes as the name of a namespace, and of a Lease.
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_SUBDOMAIN = re.compile(r"(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
#: A label or annotation key with an optional DNS prefix; `prefix/*` stands for every key with that prefix.
_ALLOWED_KEY = re.compile(
    r"([a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?/)?([A-Za-z0-9]([-_.A-Za-z0-9]{0,61}[A-Za-z0-9])?)|[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?/\*"
)


#: Without a query of its own, and without a user: what is in it can be read by who may read the Deployment.
_URL = re.compile(r"https?://[A-Za-z0-9.:\[\]-]+(/[A-Za-z0-9._~/-]*)?")


class BadSetting(HardenedError):
    """A person set something that cannot be used; the message names the variable and the remedy. End the process."""

    def __init__(self, variable: str, remedy: str) -> None:
        super().__init__(f"{variable}: {remedy}")
        self.variable = variable
        self.remedy = remedy


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Times in seconds. lease_duration > renew_deadline > retry_period, as client-go demands; 15/10/2 are its defaults."""

    namespaces: tuple[str, ...] = ()
    """Watched namespaces, sorted; empty means the whole cluster. The allow-lists hold keys, or `prefix/*`."""
    identity: str = ""
    """Unique among the processes that share the Lease. A pod's name is, and lets a restarted container take its Lease back at once."""
    lease_namespace: str = ""
    lease_name: str = "hardened-operator"
    leader_elect: bool = True
    lease_duration: float = 15
    renew_deadline: float = 10
    retry_period: float = 2
    health_port: int = 8080
    metrics_port: int = 9090
    workers: int = 20
    resync_seconds: float = 300
    pod_label_keys: tuple[str, ...] = ()
    pod_annotation_keys: tuple[str, ...] = ()
    service_account_annotation_keys: tuple[str, ...] = ()
    service_annotation_keys: tuple[str, ...] = ()
    service_types: tuple[str, ...] = ()
    """Types of Service that are allowed beside ClusterIP and Headless. verifier_…, load_resources: see Kit; backup_…: see BackupKit."""
    verifier_image: str = ""
    verifier_pull_secrets: tuple[str, ...] = ()
    verifier_resources: Amounts = field(default_factory=lambda: RESOURCES)
    load_resources: Amounts = field(default_factory=lambda: LOAD_RESOURCES)
    backup_image: str = ""
    backup_pull_secrets: tuple[str, ...] = ()
    backup_resources: Amounts = field(default_factory=lambda: BACKUP_RESOURCES)
    allow_restore: bool = False
    """Actions may replace data: the chart's admission policy, or another, checks who makes one."""
    max_concurrent_releases: int = 10
    namespace_share: int = 50
    """Per cent of max_concurrent_releases that one namespace holds at most while others wait, and at least one."""
    prometheus_url: str = ""
    prometheus_shared: bool = False
    """Services of several namespaces may ask that address, whatever namespace the answer is about. prometheus_…_file: paths, see Access."""
    prometheus_ca_file: str = ""
    prometheus_token_file: str = ""
    prometheus_certificate_file: str = ""
    prometheus_key_file: str = ""
    allow_baseline: bool = True
    crash_log_lines: int = 0
    """Lines of the log of a container that crashed that go into the cause of a rejection; 0: none is read, which needs no right to."""
    log_level: LogLevel = "info"

    @property
    def policy(self) -> Policy:
        """What services may ask for."""
        return Policy(
            frozenset(self.pod_label_keys),
            frozenset(self.pod_annotation_keys),
            frozenset(self.service_account_annotation_keys),
            self.verifier_image,
            # In one namespace, a team asks for what is its own anyway. That several were named says nothing of whose they are.
            allows_queries=len(self.namespaces) == 1 or self.prometheus_shared,
            allows_baseline=self.allow_baseline,
            service_annotation_keys=frozenset(self.service_annotation_keys),
            service_types=frozenset(self.service_types),
            verifier_pull_secrets=self.verifier_pull_secrets,
            verifier_resources=self.verifier_resources,
            load_resources=self.load_resources,
            backup=BackupKit(self.backup_image, self.backup_pull_secrets, self.backup_resources, self.allow_restore),
            prometheus_url=self.prometheus_url,
            crash_log_lines=self.crash_log_lines,
        )

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> "Settings":
        """Settings from HARDENED_<FIELD IN UPPER CASE>; unset and blank variables mean the default.

        identity defaults to HOSTNAME, the pod's name; lease_namespace to POD_NAMESPACE. With leader election on, both must be known.
        Raises BadSetting for the first value that cannot be used.
        """
        read = _Reader(environ)
        settings = cls(
            namespaces=read.namespaces("NAMESPACES"),
            identity=read.text("IDENTITY", environ.get("HOSTNAME", "").strip()),
            lease_namespace=read.name("LEASE_NAMESPACE", _LABEL, environ.get("POD_NAMESPACE", "").strip()),
            lease_name=read.name("LEASE_NAME", _SUBDOMAIN, cls.lease_name),
            leader_elect=read.boolean("LEADER_ELECT", cls.leader_elect),
            lease_duration=read.seconds("LEASE_DURATION", cls.lease_duration, 1, 3600),
            renew_deadline=read.seconds("RENEW_DEADLINE", cls.renew_deadline, 0.5, 3600),
            retry_period=read.seconds("RETRY_PERIOD", cls.retry_period, 0.1, 3600),
            health_port=read.integer("HEALTH_PORT", cls.health_port, 1, 65535),
            metrics_port=read.integer("METRICS_PORT", cls.metrics_port, 1, 65535),
            workers=read.integer("WORKERS", cls.workers, 1, 200),
            resync_seconds=read.seconds("RESYNC_SECONDS", cls.resync_seconds, 10, 86400),
            pod_label_keys=read.keys("POD_LABEL_KEYS"),
            pod_annotation_keys=read.keys("POD_ANNOTATION_KEYS"),
            service_account_annotation_keys=read.keys("SERVICE_ACCOUNT_ANNOTATION_KEYS"),
            service_annotation_keys=read.keys("SERVICE_ANNOTATION_KEYS"),
            service_types=read.choices("SERVICE_TYPES", _SERVICE_TYPES),
            max_concurrent_releases=read.integer("MAX_CONCURRENT_RELEASES", cls.max_concurrent_releases, 1, 1000),
            namespace_share=read.integer("NAMESPACE_SHARE", cls.namespace_share, 1, 100),
            prometheus_url=read.url("PROMETHEUS_URL"),
            prometheus_shared=read.boolean("PROMETHEUS_SHARED", cls.prometheus_shared),
            prometheus_ca_file=read.path("PROMETHEUS_CA_FILE"),
            prometheus_token_file=read.path("PROMETHEUS_TOKEN_FILE"),
            prometheus_certificate_file=read.path("PROMETHEUS_CERTIFICATE_FILE"),
            prometheus_key_file=read.path("PROMETHEUS_KEY_FILE"),
            verifier_image=read.text("VERIFIER_IMAGE", cls.verifier_image),
            verifier_pull_secrets=read.objects("VERIFIER_PULL_SECRETS"),
            verifier_resources=read.amounts("VERIFIER_RESOURCES", RESOURCES),
            load_resources=read.amounts("LOAD_RESOURCES", LOAD_RESOURCES),
            backup_image=read.text("BACKUP_IMAGE", cls.backup_image),
            backup_pull_secrets=read.objects("BACKUP_PULL_SECRETS"),
            backup_resources=read.amounts("BACKUP_RESOURCES", BACKUP_RESOURCES),
            allow_restore=read.boolean("ALLOW_RESTORE", cls.allow_restore),
            allow_baseline=read.boolean("ALLOW_BASELINE", cls.allow_baseline),
            crash_log_lines=read.integer("CRASH_LOG_LINES", cls.crash_log_lines, 0, 20),
            log_level=read.log_level("LOG_LEVEL", cls.log_level),
        )
        for check in _CHECKS:
            check(settings)
        return settings


def _lease_is_named(settings: Settings) -> None:
    if settings.leader_elect and not settings.identity:
        raise BadSetting("HARDENED_IDENTITY", "set it to a name that no other operator has (the pod's), or HARDENED_LEADER_ELECT=false")
    if settings.leader_elect and not settings.lease_namespace:
        raise BadSetting("HARDENED_LEASE_NAMESPACE", "set it to the namespace the operator runs in, or HARDENED_LEADER_ELECT=false")


def _times_are_ordered(settings: Settings) -> None:
    if settings.renew_deadline >= settings.lease_duration:
        raise BadSetting("HARDENED_RENEW_DEADLINE", f"must be less than HARDENED_LEASE_DURATION ({settings.lease_duration:g} s)")
    if settings.retry_period * 1.2 >= settings.renew_deadline:
        # 1.2: the most that the jitter of the retries adds.
        limit = settings.renew_deadline / 1.2
        raise BadSetting("HARDENED_RETRY_PERIOD", f"must be less than {limit:g}, HARDENED_RENEW_DEADLINE divided by 1.2")


def _ports_differ(settings: Settings) -> None:
    if settings.health_port == settings.metrics_port:
        raise BadSetting("HARDENED_METRICS_PORT", f"must differ from HARDENED_HEALTH_PORT ({settings.health_port})")


def _prometheus_is_trusted(settings: Settings) -> None:
    if bool(settings.prometheus_certificate_file) != bool(settings.prometheus_key_file):
        raise BadSetting("HARDENED_PROMETHEUS_KEY_FILE", "set it together with HARDENED_PROMETHEUS_CERTIFICATE_FILE")
    secret = settings.prometheus_token_file or settings.prometheus_key_file
    if secret and not settings.prometheus_url.startswith("https://"):
        raise BadSetting("HARDENED_PROMETHEUS_URL", "must begin with https://: else anybody on the way reads the token")


_CHECKS: tuple[Callable[[Settings], None], ...] = (_lease_is_named, _times_are_ordered, _ports_differ, _prometheus_is_trusted)


class _Reader:
    """Turns one variable into one value, or raises BadSetting in its name."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def text(self, field: str, default: str) -> str:
        return self._environ.get(f"HARDENED_{field}", "").strip() or default

    def name(self, field: str, pattern: re.Pattern[str], default: str) -> str:
        value = self.text(field, default)
        if value and not pattern.fullmatch(value):
            raise BadSetting(f"HARDENED_{field}", f"{value!r} is not a Kubernetes name: use lower-case letters, digits and `-`")
        return value

    def url(self, field: str) -> str:
        value = self.text(field, "")
        if value and not _URL.fullmatch(value):
            remedy = "give an address such as `http://prometheus.monitoring:9090`, without a user or a query"
            raise BadSetting(f"HARDENED_{field}", f"is no address: {remedy}")
        return value

    def path(self, field: str) -> str:
        value = self.text(field, "")
        if value and not value.startswith("/"):
            raise BadSetting(f"HARDENED_{field}", "is no path: give one that begins with /")
        return value

    def items(self, field: str) -> tuple[str, ...]:
        return tuple(sorted({item for part in self.text(field, "").split(",") if (item := part.strip())}))

    def namespaces(self, field: str) -> tuple[str, ...]:
        for item in (items := self.items(field)):
            if not _LABEL.fullmatch(item):
                raise BadSetting(f"HARDENED_{field}", f"{item!r} is no namespace: give names with commas between, without wildcards")
        return items

    def objects(self, field: str) -> tuple[str, ...]:
        for item in (items := self.items(field)):
            if not _SUBDOMAIN.fullmatch(item):
                raise BadSetting(f"HARDENED_{field}", f"{item!r} is not the name of an object: give names with commas between")
        return items

    def amounts(self, field: str, default: Amounts) -> Amounts:
        try:
            return amounts_of(self.text(field, ""), default)
        except ValueError as error:
            raise BadSetting(f"HARDENED_{field}", str(error)) from error

    def keys(self, field: str) -> tuple[str, ...]:
        for item in (items := self.items(field)):
            if not _ALLOWED_KEY.fullmatch(item):
                remedy = "give keys such as `example.com/team` or `example.com/*`, with commas between"
                raise BadSetting(f"HARDENED_{field}", f"{item!r} is not a key: {remedy}")
            if item.startswith(names.RESERVED_PREFIXES):
                raise BadSetting(f"HARDENED_{field}", f"{item!r} is the operator's own: leave it out")
        return items

    def choices(self, field: str, known: tuple[str, ...]) -> tuple[str, ...]:
        for item in (items := self.items(field)):
            if item not in known:
                raise BadSetting(f"HARDENED_{field}", f"{item!r} is not one of {', '.join(known)}")
        return items

    def boolean(self, field: str, default: bool) -> bool:
        value = self.text(field, str(default)).lower()
        if value not in _TRUE | _FALSE:
            raise BadSetting(f"HARDENED_{field}", f"{value!r} is neither `true` nor `false`")
        return value in _TRUE

    def integer(self, field: str, default: int, low: int, high: int) -> int:
        return self._number(field, default, low, high, int, "a whole number")

    def seconds(self, field: str, default: float, low: float, high: float) -> float:
        return self._number(field, default, low, high, float, "a number of seconds")

    def log_level(self, field: str, default: LogLevel) -> LogLevel:
        value = self.text(field, default).lower()
        if value not in _LOG_LEVELS:
            raise BadSetting(f"HARDENED_{field}", f"{value!r} is not one of {', '.join(_LOG_LEVELS)}")
        return cast(LogLevel, value)

    def _number(self, field: str, default: T, low: float, high: float, parse: Callable[[str], T], what: str) -> T:
        text = self.text(field, "")
        if not text:
            return default
        try:
            value = parse(text)
        except ValueError:
            value = None
        # `not low <= …` and not `… < low`: a NaN is refused as well.
        if value is None or not low <= cast(float, value) <= high:
            raise BadSetting(f"HARDENED_{field}", f"{text!r} is not {what} from {low:g} to {high:g}")
        return value
