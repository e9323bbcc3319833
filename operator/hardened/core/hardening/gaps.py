"""The checks of the condition `Hardened`: what a team has left open, in the order in which the condition tells of it."""

from collections.abc import Iterator

from hardened.core.hardening.check import Gap, HardeningCheck, Subject, gap_check
from hardened.core.hardening.fields import parts


@gap_check(
    "HS001",
    "A service with ports has a readiness probe of its own.",
    cause="Without one a TCP connection to the main port counts as ready: it says that a process listens, not that it can answer. Of a UDP "
    "or SCTP port nothing is asked at all.",
    fix="set probes.readiness",
    example="probes: {readiness: {httpGet: {path: /health/ready}}}",
)
def readiness_is_asked(subject: Subject) -> Iterator[Gap]:
    spec = subject.svc.spec
    if spec.ports and not (spec.probes and spec.probes.readiness):
        is_asked = spec.ports[0].protocol == "TCP"
        yield Gap("spec.probes", "no readiness probe", "a TCP check is used instead: set probes.readiness" if is_asked else "")


@gap_check(
    "HS002",
    "A service has a liveness probe.",
    cause="A process that hangs, and does not end, is never restarted without one.",
    fix="set probes.liveness",
    example="probes: {liveness: {httpGet: {path: /health/live}}}",
)
def hangs_are_seen(subject: Subject) -> Iterator[Gap]:
    if not (subject.svc.spec.probes and subject.svc.spec.probes.liveness):
        yield Gap("spec.probes", "no liveness probe")


@gap_check(
    "HS003",
    "The image is named by its digest.",
    cause="A tag can be moved to other bytes: then a node that pulls it later runs something else under the same revision, and a rollback "
    "does not bring back what ran.",
    fix="use its digest",
    example="image: registry.example/shop:1.4@sha256:…",
)
def image_is_immutable(subject: Subject) -> Iterator[Gap]:
    if "@sha256:" not in subject.svc.spec.image:
        yield Gap("spec.image", "image by tag")


@gap_check(
    "HS004",
    "Secrets are mounted as files, not given as environment variables.",
    cause="A variable is seen by every child process, by whoever may look into the pod's processes, and in many crash reports.",
    fix="mount it with volumes",
    example="volumes: [{name: token, mountPath: /run/secrets/shop, secret: {secretName: shop}}]",
)
def secrets_are_files(subject: Subject) -> Iterator[Gap]:
    for path, _, container in parts(subject.svc.spec):
        for index, variable in enumerate(container.env or ()):
            if variable.value_from and variable.value_from.secret_key_ref:
                yield Gap(f"{path}.env[{index}]", "a secret in an environment variable")
        for index, source in enumerate(container.env_from or ()):
            if source.secret_ref:
                yield Gap(f"{path}.envFrom[{index}]", "a secret in environment variables")


@gap_check(
    "HS005",
    "The pods have the profile restricted.",
    cause="It is the strictest of the pod security standards; baseline lets a container have capabilities of root.",
    fix="use restricted",
    example="security: {profile: restricted}",
)
def profile_is_restricted(subject: Subject) -> Iterator[Gap]:
    if subject.svc.spec.security.profile != "restricted":
        yield Gap("spec.security.profile", "security.profile is baseline")


@gap_check(
    "HS006",
    "A service has at least two replicas.",
    cause="One replica is none while its node is drained or lost, and while it restarts.",
    fix="set replicas to 2 or more",
    example="replicas: 2",
)
def survives_a_node(subject: Subject) -> Iterator[Gap]:
    if subject.svc.spec.autoscale is None and subject.svc.spec.replicas == 1:
        yield Gap("spec.replicas", "one replica")


@gap_check(
    "HS007",
    "An autoscaler leaves at least two replicas.",
    cause="While few requests come, one replica is left, and that is none while its node is drained.",
    fix="set autoscale.minReplicas to 2 or more",
    example="autoscale: {minReplicas: 2, maxReplicas: 10, cpu: 70}",
)
def survives_a_node_at_night(subject: Subject) -> Iterator[Gap]:
    if subject.svc.spec.autoscale and subject.svc.spec.autoscale.min_replicas == 1:
        yield Gap("spec.autoscale.minReplicas", "one replica at times")


@gap_check(
    "HS008",
    "The memory limit is chosen for the application.",
    cause="The default bounds a pod, but nobody measured it for this application: a pod that needs more is killed.",
    fix="set resources.limits.memory",
    example="resources: {requests: {cpu: 100m, memory: 128Mi}, limits: {memory: 256Mi}}",
)
def resources_are_chosen(subject: Subject) -> Iterator[Gap]:
    given = subject.svc.spec.resources
    if not (given and given.limits and "memory" in given.limits):
        yield Gap("spec.resources", "default resources")


@gap_check(
    "HS009",
    "An autoscaler counts against requests that were chosen for the application.",
    cause="A utilization is a share of the request. Of a default request, which nobody measured, it says little.",
    fix="set resources.requests for what autoscale counts",
    example="resources: {requests: {cpu: 100m}}\nautoscale: {maxReplicas: 10, cpu: 70}",
)
def scales_by_what_was_measured(subject: Subject) -> Iterator[Gap]:
    spec = subject.svc.spec
    given = (spec.resources and spec.resources.requests) or {}
    wanted = [name for name in ("cpu", "memory") if spec.autoscale and getattr(spec.autoscale, name) is not None and name not in given]
    if wanted:
        paths = " and ".join(f"resources.requests.{name}" for name in wanted)
        yield Gap("spec.autoscale", f"autoscale counts {' and '.join(wanted)} against a default request", f"set {paths}")


@gap_check(
    "HS010",
    "Beside an autoscaler nobody else sets the size.",
    cause="Two who set one field undo each other's work: each sync of Git would scale to its number, and the autoscaler back.",
    fix="leave replicas out",
    example="autoscale: {maxReplicas: 10, cpu: 70}   # and no replicas",
)
def size_is_the_autoscalers(subject: Subject) -> Iterator[Gap]:
    if subject.svc.spec.autoscale and subject.svc.size_manager:
        yield Gap("spec.replicas", f"replicas is set by {subject.svc.size_manager} beside autoscale, which changes it")


GAPS: tuple[HardeningCheck, ...] = (
    readiness_is_asked,
    hangs_are_seen,
    image_is_immutable,
    secrets_are_files,
    profile_is_restricted,
    survives_a_node,
    survives_a_node_at_night,
    resources_are_chosen,
    scales_by_what_was_measured,
    size_is_the_autoscalers,
)
