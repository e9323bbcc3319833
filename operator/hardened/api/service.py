"""The HardenedService: what a team writes."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, StringConstraints

from hardened.api.autoscale import Autoscale
from hardened.api.backup import BACKUP_RULES, MOST_BACKUPS, Backup
from hardened.api.container import Arguments, EnvFrom, Environment, HelperContainer, Image, Port, Probes, Resources, image_rule
from hardened.api.fields import (
    AbsolutePath,
    ChangeRule,
    IntOrPercent,
    LabelKey,
    LabelValue,
    Model,
    ObjectName,
    Rule,
    at_most,
    atomic,
    keyed,
    not_reserved,
    one_of,
    unique,
)
from hardened.api.moment import Moment, moment_text
from hardened.api.names import DEFAULT_REPLICAS, GROUP
from hardened.api.network import Dependency, Network, ServiceSettings
from hardened.api.placement import Scheduling
from hardened.api.places import WRITES_NO_SYSTEM
from hardened.api.release import STRATEGY_RULES, Release, effective_strategy, has_ports, is_headless
from hardened.api.strategy import Strategy
from hardened.api.verify import CHECK_RULES, Verify
from hardened.api.volume import Files, Volume

UserId = Annotated[int, Field(ge=1, le=2147483647)]
AnnotationValue = Annotated[str, StringConstraints(max_length=8192)]

_RESTRICTED_CAPABILITIES = ("NET_BIND_SERVICE",)
Capability = Literal[
    "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD",
    "NET_BIND_SERVICE", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
]  # fmt: skip


class Shutdown(Model):
    """How a pod ends: it waits drainSeconds before SIGTERM, so that every node stops sending to it first."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="(has(self.drainSeconds) ? self.drainSeconds : 5) < (has(self.graceSeconds) ? self.graceSeconds : 30)",
            holds=lambda m: m.drain_seconds < m.grace_seconds,
            message="drainSeconds (5 when left out) must be below graceSeconds (30 when left out): the rest is the application's own time",
            field=".drainSeconds",
        ),
    )

    drain_seconds: Annotated[int, Field(ge=0, le=3599)] = Field(5, description="Seconds from the end of a pod's endpoints to its SIGTERM.")
    grace_seconds: Annotated[int, Field(ge=1, le=3600)] = Field(
        30, description="Seconds from the begin of its end, drainSeconds included, to its SIGKILL."
    )


class Security(Model):
    """The pod security profile. No field can ask for what the profile forbids."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="(has(self.profile) && self.profile == 'baseline') || !has(self.addCapabilities) || "
            "self.addCapabilities.all(c, c == 'NET_BIND_SERVICE')",
            holds=lambda m: m.profile == "baseline" or set(m.add_capabilities) <= set(_RESTRICTED_CAPABILITIES),
            message="profile restricted allows only NET_BIND_SERVICE; profile baseline allows the others",
            field=".addCapabilities",
        ),
        WRITES_NO_SYSTEM,
    )

    profile: Literal["restricted", "baseline"] = Field(
        "restricted", description="Which level of the Pod Security Standards the pods keep to."
    )
    run_as_user: UserId | None = Field(None, description="Default: the image's user. Root is refused either way.")
    run_as_group: UserId | None = Field(None, description="Default: the image's group.")
    fs_group: UserId | None = Field(None, description="The group that owns the volumes. Default: none.")
    writable_paths: Annotated[list[AbsolutePath], unique(16)] = Field(
        ["/tmp"], description="Folders that the application may write to; the rest of its root is read-only. They are empty at each start."
    )
    add_capabilities: Annotated[list[Capability], unique(16)] = Field([], description="Linux capabilities; all others are dropped.")


class PodMetadata(Model):
    """Labels and annotations of the pods. The operator's settings allow their keys."""

    rules: ClassVar[tuple[Rule, ...]] = (not_reserved("labels"), not_reserved("annotations"))

    labels: Annotated[dict[LabelKey, LabelValue], at_most(32)] | None = Field(
        None, description="Labels of the pods, beside the operator's own."
    )
    annotations: Annotated[dict[LabelKey, AnnotationValue], at_most(32)] | None = Field(
        None, description="Annotations of the pods, beside the operator's own."
    )


class ServiceAccountSettings(Model):
    """The pods' ServiceAccount, without rights or token. Annotations bind it to a cloud identity."""

    # No more than the operator's own: what a stored revision says is to stay what a spec can say.
    rules: ClassVar[tuple[Rule, ...]] = (not_reserved("annotations", (f"{GROUP}/",)),)

    annotations: Annotated[dict[LabelKey, AnnotationValue], at_most(32)] | None = Field(
        None, description="Annotations of the ServiceAccount."
    )


class DisruptionBudget(Model):
    """How many pods of the serving stack a drain may evict at a time. It may evict all pods of a preview or a kept stack."""

    rules: ClassVar[tuple[Rule, ...]] = (one_of("max_unavailable", "min_available"),)

    max_unavailable: IntOrPercent | None = Field(None, description="How many pods, or which share, may be away.")
    min_available: IntOrPercent | None = Field(None, description="How many pods, or which share, must stay.")


class Availability(Model):
    """Default: a drain evicts one pod at a time."""

    disruption_budget: DisruptionBudget | None = None


class PullSecret(Model):
    """A registry secret of the same namespace."""

    name: ObjectName = Field(description="The Secret, of the type kubernetes.io/dockerconfigjson.")


def _paths(spec: Any) -> list[str]:
    return [
        *(f.mount_path for f in spec.files or ()),
        *(v.mount_path for v in spec.volumes or ()),
        *spec.security.writable_paths,
    ]


def _files_free(spec: Any) -> bool:
    taken = {*(v.mount_path for v in spec.volumes or ()), *spec.security.writable_paths}
    return not any(f"{folder.mount_path}/{name}" in taken for folder in spec.files or () for name in folder.data)


def _mounts_known(spec: Any) -> bool:
    known = {v.name for v in spec.volumes or ()}
    helpers = [*(spec.init_containers or ()), *(spec.sidecars or ())]
    return all(m.name in known for c in helpers for m in c.volume_mounts or ())


def _probe_ports_known(spec: Any) -> bool:
    known = {p.name for p in spec.ports or ()}
    for probe in (spec.probes.readiness, spec.probes.liveness, spec.probes.startup) if spec.probes else ():
        target = probe and (probe.http_get or probe.tcp_socket)
        if target and ((target.port is None and not known) or (isinstance(target.port, str) and target.port not in known)):
            return False
    return True


def _names_free(spec: Any) -> bool:
    names = [c.name for c in (*(spec.init_containers or ()), *(spec.sidecars or ()))]
    return len(names) == len(set(names)) and "app" not in names


def _probe_ports_cel() -> str:
    def known(probe: str) -> str:
        port = f"self.probes.{probe}.%s"
        checks = []
        for kind in ("httpGet", "tcpSocket"):
            target = port % kind
            checks.append(
                f"(!has({target}) || (has({target}.port) ? type({target}.port) == int || "
                f"(has(self.ports) && self.ports.exists(p, p.name == {target}.port)) : has(self.ports) && self.ports.size() > 0))"
            )
        return f"(!has(self.probes.{probe}) || ({' && '.join(checks)}))"

    return f"!has(self.probes) || ({' && '.join(known(p) for p in ('readiness', 'liveness', 'startup'))})"


_MOUNTS_CEL = " && ".join(
    f"(!has(self.{helpers}) || self.{helpers}.all(c, !has(c.volumeMounts) || "
    "c.volumeMounts.all(m, has(self.volumes) && self.volumes.exists(v, v.name == m.name))))"
    for helpers in ("initContainers", "sidecars")
)
_NOT_WRITABLE = (
    "(has(self.security) && has(self.security.writablePaths) ? !(%s.mountPath in self.security.writablePaths) : %s.mountPath != '/tmp')"
)
_PATHS_CEL = (
    f"(!has(self.files) || self.files.all(f, {_NOT_WRITABLE % ('f', 'f')})) && "
    f"(!has(self.volumes) || self.volumes.all(v, {_NOT_WRITABLE % ('v', 'v')} && "
    "self.volumes.exists_one(w, w.mountPath == v.mountPath) && "
    "(!has(self.files) || !self.files.exists(f, f.mountPath == v.mountPath))))"
)


def _no_file_at(path: str) -> str:
    """That no file is there, which is looked up by its name: all names of all folders would be too many for the API server's budget."""
    parts, folder = f"{path}.split('/')", "f.mountPath.split('/').size()"
    is_file = f"{path}.startsWith(f.mountPath + '/') && {parts}.size() == {folder} + 1 && {parts}[{folder}] in f.data"
    return f"self.files.all(f, !({is_file}))"


# Without writablePaths there is /tmp alone, which no file of a folder can be.
_FILE_PATHS_CEL = (
    f"!has(self.files) || ((!has(self.volumes) || self.volumes.all(v, {_no_file_at('v.mountPath')})) && "
    f"(!has(self.security) || !has(self.security.writablePaths) || self.security.writablePaths.all(p, {_no_file_at('p')})))"
)


def _same_port(*numbers: str) -> str:
    same = " && ".join(f"({number.replace('x', 'p')}) == ({number.replace('x', 'q')})" for number in numbers)
    return f"!has(self.ports) || self.ports.all(p, self.ports.exists_one(q, {same}))"


def _are_different(spec: Any, number: Callable[[Port], int]) -> bool:
    found = [(number(port), port.protocol) for port in spec.ports or ()]
    return len(found) == len(set(found))


_PROTOCOL = "has(x.protocol) ? x.protocol : 'TCP'"
_NAMES_CEL = (
    "(!has(self.initContainers) || self.initContainers.all(c, c.name != 'app')) && "
    "(!has(self.sidecars) || self.sidecars.all(c, c.name != 'app' && "
    "(!has(self.initContainers) || !self.initContainers.exists(i, i.name == c.name))))"
)


class HardenedServiceSpec(Model):
    """What the service is (a revision), and how it runs (applied at once)."""

    rules: ClassVar[tuple[Rule, ...]] = (
        image_rule(),
        Rule(
            _probe_ports_cel(),
            _probe_ports_known,
            "a probe names a port that is not in `ports`; without ports, give its number",
            ".probes",
        ),
        Rule(
            _MOUNTS_CEL, _mounts_known, "a volumeMount of an init container or sidecar names a volume that is not in `volumes`", ".volumes"
        ),
        Rule(
            _PATHS_CEL,
            lambda m: len(_paths(m)) == len(set(_paths(m))),
            "two entries of files, volumes and security.writablePaths have the same path",
            ".volumes",
        ),
        Rule(_FILE_PATHS_CEL, _files_free, "a file has the path of a volume, or of one of security.writablePaths", ".files"),
        Rule(
            _same_port("x.containerPort", _PROTOCOL),
            lambda m: _are_different(m, lambda port: port.container_port),
            "two ports have the same containerPort and protocol",
            ".ports",
        ),
        Rule(
            _same_port("has(x.port) ? x.port : x.containerPort", _PROTOCOL),
            lambda m: _are_different(m, lambda port: port.port or port.container_port),
            "two ports have the same port and protocol on the Service; port is containerPort when left out",
            ".ports",
        ),
        Rule(_NAMES_CEL, _names_free, "each init container and sidecar needs a name of its own, other than app", ".sidecars"),
        *STRATEGY_RULES,
        *CHECK_RULES,
        *BACKUP_RULES,
    )

    changes: ClassVar[tuple[ChangeRule, ...]] = (
        ChangeRule(
            # Without ports there is no Service yet.
            cel=f"!({has_ports('oldSelf')}) || {is_headless('self')} == {is_headless('oldSelf')}",
            message="a Service cannot change to or from Headless: delete this HardenedService and create it again (claims stay, and "
            "are used again), or create one of another name and point clients to it",
            field=".service.type",
        ),
    )

    # What reaches a pod: together, these fields are a revision.
    image: Image = Field(description="The image of the application, by a digest or by a tag other than latest.")
    command: Arguments | None = Field(None, description="Replaces the image's entrypoint.")
    args: Arguments | None = Field(None, description="The arguments of the entrypoint. Default: the image's.")
    env: Environment | None = Field(None, description="Environment variables.")
    env_from: Annotated[list[EnvFrom], atomic(32)] | None = Field(None, description="Secrets and ConfigMaps whose keys become variables.")
    ports: Annotated[list[Port], keyed("name", 16)] | None = Field(
        None, description="The first is the main port. Without ports the service is a worker and has no Service."
    )
    resources: Resources | None = None
    files: Annotated[list[Files], keyed("mount_path", 8)] | None = Field(None, description="Folders of small text files.")
    volumes: Annotated[list[Volume], keyed("name", 16)] | None = Field(None, description="Volumes of the pods.")
    init_containers: Annotated[list[HelperContainer], keyed("name", 8)] | None = Field(
        None, description="Containers that end before the application starts, in their order."
    )
    sidecars: Annotated[list[HelperContainer], keyed("name", 8)] | None = Field(
        None, description="Containers that run as long as the pod. They start before the application, and end after it."
    )
    image_pull_secrets: Annotated[list[PullSecret], keyed("name", 8)] | None = Field(
        None, description="Secrets for registries that ask for a password."
    )
    probes: Probes | None = None
    shutdown: Shutdown = Field(default_factory=lambda: Shutdown())
    security: Security = Field(default_factory=lambda: Security())
    scheduling: Scheduling | None = None
    pod_metadata: PodMetadata | None = None
    service_account: ServiceAccountSettings | None = None
    network: Network | None = None
    depends_on: Annotated[list[Dependency], atomic(16)] | None = Field(None, description="What the first pods of a revision wait for.")
    token: Annotated[str, StringConstraints(max_length=256)] | None = Field(
        None, description="Any string. A change creates a new revision, for example after a Secret was rotated."
    )
    # How it runs: applies at once and never makes a revision.
    replicas: Annotated[int, Field(ge=0, le=1000)] | None = Field(
        None,
        description="Default: set once by the operator, to what runs, else to autoscale.minReplicas, else to 2; then scaled by you, or by "
        "`autoscale`, through /scale.",
    )
    autoscale: Autoscale | None = None
    service: ServiceSettings = Field(default_factory=lambda: ServiceSettings())
    availability: Availability | None = None
    release: Release = Field(default_factory=lambda: Release())
    verify: Verify = Field(default_factory=lambda: Verify())
    backups: Annotated[list[Backup], keyed("name", MOST_BACKUPS)] | None = Field(None, description="What is backed up, where to, and when.")
    suspend: bool = Field(
        False, description="While true, the operator changes nothing. A release that has reached its cutover is finished first."
    )
    suspend_until: Annotated[datetime, Moment()] | None = Field(
        None,
        description="Until this moment, the service is suspended as if `suspend` were true; then it goes on by itself. One that has passed "
        "means nothing.",
    )

    def as_of(self, now: datetime) -> "HardenedServiceSpec":
        """The same with `suspend` as it is at that moment; `suspend_until` stays where it is the reason. now: timezone-aware."""
        if self.suspend_until is None:
            return self
        is_the_reason = not self.suspend and now < self.suspend_until
        return self.model_copy(update={"suspend": True} if is_the_reason else {"suspend_until": None})

    @property
    def suspension(self) -> str:
        """Why a service is suspended, of what `as_of` gives. Example: "suspended until 2026-01-31T18:00:00Z, by spec.suspendUntil"."""
        return f"suspended until {moment_text(self.suspend_until)}, by spec.suspendUntil" if self.suspend_until else "spec.suspend is true"

    @property
    def suspension_text(self) -> str:
        """The same, with what it means."""
        return f"{self.suspension}: the operator changes nothing until {'then' if self.suspend_until else 'it is false'}"

    @property
    def first_replicas(self) -> int:
        """The size where `replicas` says nothing, and nothing runs."""
        return self.autoscale.min_replicas if self.autoscale else DEFAULT_REPLICAS

    @property
    def effective_strategy(self) -> Strategy:
        """How a new revision takes over: release.strategy, else what claims, ports and the Service allow."""
        return effective_strategy(self)


#: The fields of a revision, by their JSON names. A change of any of them, and of nothing else, makes a new revision.
REVISION_FIELDS = (
    "image", "command", "args", "env", "envFrom", "ports", "resources", "files", "volumes", "initContainers", "sidecars",
    "imagePullSecrets", "probes", "shutdown", "security", "scheduling", "podMetadata", "serviceAccount", "network", "dependsOn", "token",
)  # fmt: skip
#: All others, by their JSON names: they apply at once.
AT_ONCE_FIELDS = tuple(
    field.alias for field in HardenedServiceSpec.model_fields.values() if field.alias and field.alias not in REVISION_FIELDS
)
