"""Checks of what a pod is: its probes, its images, its resources, and how it ends."""

from collections.abc import Iterator
from itertools import chain
from typing import Any

from hardened.api.container import Probe
from hardened.api.parse import HardenedService
from hardened.api.quantity import amount
from hardened.core.desired.container import resources
from hardened.core.hardening.check import Gap, HardeningCheck, Subject, check
from hardened.core.hardening.fields import begins_after, gives_up_after, parts, probes

#: Time that is left to the application after the drain, in seconds, below which requests that it has begun are likely to be cut off.
_OWN_TIME = 5
#: A delay of the liveness probe, in seconds, from which on it is there for the start and nothing else.
_LATE = 60
#: How many times its request a memory limit may be.
_OVERCOMMITTED = 8
_LITTLE_CPU = amount("50m")


@check(
    "HS011",
    "warn",
    "Liveness and readiness do not ask the same thing.",
    cause="A pod that is not ready is left alone until it is; a pod that is not alive is killed. Where both ask the same, an overload or "
    "a dependency that is down restarts all pods at once.",
    fix="let probes.liveness ask for the process alone, and probes.readiness for what it needs to answer",
    example="probes:\n  readiness: {httpGet: {path: /health/ready}}\n  liveness: {httpGet: {path: /health/live}}",
)
def probes_differ(subject: Subject) -> Iterator[Gap]:
    found = probes(subject.svc)
    ready, alive = found.get("readiness"), found.get("liveness")
    if ready and alive and _asked(subject.svc, ready) == _asked(subject.svc, alive):
        yield Gap("spec.probes.liveness", "the liveness probe asks what the readiness probe asks")


@check(
    "HS012",
    "warn",
    "A pod may take as long to start as its startup probe allows.",
    cause="A step of a release that makes no progress within release.progressDeadline fails: a pod that starts slowly, as its startup "
    "probe allows, is rejected.",
    fix="raise release.progressDeadline above what probes.startup allows, or lower its failureThreshold",
    example="probes: {startup: {httpGet: {path: /health}, periodSeconds: 5, failureThreshold: 60}}\nrelease: {progressDeadline: 10m}",
)
def start_is_waited_for(subject: Subject) -> Iterator[Gap]:
    startup, deadline = probes(subject.svc).get("startup"), subject.svc.spec.release.progress_deadline.total_seconds()
    allowed = begins_after(startup) + gives_up_after(startup)
    if startup and begins_after(startup) < deadline <= allowed:
        yield Gap("spec.probes.startup", f"the startup probe allows {allowed} s, and release.progressDeadline ends after {deadline:.0f} s")


@check(
    "HS013",
    "error",
    "A probe is asked before the release ends.",
    cause="No pod is ready before its readiness and startup probes were asked for the first time. Where release.progressDeadline is over "
    "by then, every version is rejected.",
    fix="lower initialDelaySeconds, or raise release.progressDeadline",
    example="probes: {readiness: {httpGet: {path: /health/ready}, initialDelaySeconds: 5}}",
)
def probes_begin_in_time(subject: Subject) -> Iterator[Gap]:
    deadline = subject.svc.spec.release.progress_deadline.total_seconds()
    for name, probe in probes(subject.svc).items():
        if name != "liveness" and begins_after(probe) >= deadline:
            text = f"the {name} probe begins after {begins_after(probe)} s, and release.progressDeadline ends after {deadline:.0f} s"
            yield Gap(f"spec.probes.{name}.initialDelaySeconds", text)


@check(
    "HS014",
    "warn",
    "A pod is taken out of traffic before it is restarted.",
    cause="Where liveness gives up before readiness, requests are sent to a pod until the moment in which it is killed.",
    fix="give probes.liveness a larger periodSeconds or failureThreshold than probes.readiness",
    example="probes:\n  readiness: {httpGet: {path: /ready}, periodSeconds: 2}\n  liveness: {httpGet: {path: /live}, periodSeconds: 10}",
)
def traffic_leaves_first(subject: Subject) -> Iterator[Gap]:
    found = probes(subject.svc)
    ready, alive = gives_up_after(found.get("readiness")), gives_up_after(found.get("liveness"))
    if subject.svc.spec.ports and 0 < alive < ready:
        yield Gap("spec.probes.liveness", f"the liveness probe gives up after {alive} s, the readiness probe after {ready} s")


@check(
    "HS015",
    "warn",
    "A slow start is waited for by a startup probe.",
    cause="A long initialDelaySeconds holds for fast starts as well, and a start that takes longer is killed again and again.",
    fix="set probes.startup, and leave initialDelaySeconds out",
    example="probes: {startup: {httpGet: {path: /health}, failureThreshold: 30}, liveness: {httpGet: {path: /live}}}",
)
def slow_starts_have_a_probe(subject: Subject) -> Iterator[Gap]:
    found = probes(subject.svc)
    if "startup" not in found and begins_after(found.get("liveness")) >= _LATE:
        delay = begins_after(found.get("liveness"))
        yield Gap("spec.probes.liveness.initialDelaySeconds", f"the liveness probe waits {delay} s for the start")


@check(
    "HS016",
    "warn",
    "Probes ask ports that the service declares.",
    cause="The port is written twice, once as a number: where the application moves, the probe stays behind. And a port that is not "
    "declared is closed by the NetworkPolicy to all but the node.",
    fix="add the port to ports, or let the probe name one of them",
    example="ports: [{name: http, containerPort: 8080}]\nprobes: {readiness: {httpGet: {path: /health, port: http}}}",
)
def probed_ports_are_declared(subject: Subject) -> Iterator[Gap]:
    declared = {port.container_port for port in subject.svc.spec.ports or ()}
    for name, probe in probes(subject.svc).items():
        target = probe.http_get or probe.tcp_socket or probe.grpc
        if declared and target and isinstance(target.port, int) and target.port not in declared:
            yield Gap(f"spec.probes.{name}", f"the {name} probe asks port {target.port}, which is not in ports")


@check(
    "HS017",
    "warn",
    "Pods wait before they end, until nobody sends to them any more.",
    cause="Nodes and load balancers learn a moment later that a pod ends. Without a drain they send requests to a process that has gone.",
    fix="set shutdown.drainSeconds to 5 or more",
    example="shutdown: {drainSeconds: 5, graceSeconds: 30}",
)
def traffic_is_drained(subject: Subject) -> Iterator[Gap]:
    spec = subject.svc.spec
    # With Recreate nobody else is there to send to: a drain only makes the outage longer.
    if spec.ports and spec.effective_strategy != "Recreate" and spec.shutdown.drain_seconds == 0:
        yield Gap("spec.shutdown.drainSeconds", "no time for traffic to drain")


@check(
    "HS018",
    "warn",
    "The application has time to end after the drain.",
    cause="graceSeconds counts from the beginning of the drain. What is left after it is all that the application has to answer what it "
    "has begun; then it is killed.",
    fix="raise shutdown.graceSeconds",
    example="shutdown: {drainSeconds: 20, graceSeconds: 60}",
)
def requests_can_end(subject: Subject) -> Iterator[Gap]:
    shutdown = subject.svc.spec.shutdown
    left = shutdown.grace_seconds - shutdown.drain_seconds
    if left < _OWN_TIME:
        yield Gap("spec.shutdown.graceSeconds", f"{left} s are left to the application after the drain")


@check(
    "HS019",
    "warn",
    "Images of init containers, sidecars and check jobs are named by their digests.",
    cause="They run in the same pods, or decide about a release, and a tag can be moved to other bytes.",
    fix="use its digest",
    example="sidecars: [{name: proxy, image: registry.example/proxy@sha256:…}]",
)
def helper_images_are_immutable(subject: Subject) -> Iterator[Gap]:
    for path, called, image in _helper_images(subject.svc):
        if "@sha256:" not in image:
            yield Gap(path, f"the image{called} is named by tag")


@check(
    "HS020",
    "warn",
    "Images name their registry.",
    cause="Which registry a short name is pulled from depends on the node, and can be another one than was meant.",
    fix="begin the image with the host of its registry",
    example="image: registry.example/shop:1.4",
)
def registries_are_named(subject: Subject) -> Iterator[Gap]:
    images = ((f"{part.path}.image", part.called, part.container.image) for part in parts(subject.svc.spec))
    for path, called, image in images:
        host, slash, _ = image.partition("/")
        if not slash or not ("." in host or ":" in host or host == "localhost"):
            yield Gap(path, f"the image{called} names no registry")


@check(
    "HS021",
    "warn",
    "Helper containers have memory limits of their own.",
    cause="The defaults bound them, but nobody measured those: a sidecar that needs more is killed, and its pod is not ready meanwhile.",
    fix="set its resources.limits.memory",
    example="sidecars: [{name: proxy, image: registry.example/proxy@sha256:…, resources: {limits: {memory: 64Mi}}}]",
)
def helpers_are_measured(subject: Subject) -> Iterator[Gap]:
    for path, called, container in list(parts(subject.svc.spec))[1:]:
        if "memory" not in ((container.resources and container.resources.limits) or {}):
            yield Gap(f"{path}.resources", f"default memory limit{called}")


@check(
    "HS022",
    "warn",
    "Most of the memory that a pod may use is reserved for it.",
    cause="A node is filled by requests. Pods that use far more than theirs are killed first once it runs short, all at the same time.",
    fix="raise resources.requests.memory towards the limit",
    example="resources: {requests: {memory: 256Mi}, limits: {memory: 512Mi}}",
)
def memory_is_reserved(subject: Subject) -> Iterator[Gap]:
    for path, called, container in parts(subject.svc.spec):
        given = resources(container.resources)
        if amount(given["limits"]["memory"]) > _OVERCOMMITTED * amount(given["requests"]["memory"]):
            text = f"the memory limit{called} is more than {_OVERCOMMITTED} times its request"
            yield Gap(f"{path}.resources", text)


@check(
    "HS023",
    "warn",
    "The CPU limit lets probes be answered in time.",
    cause="A container that has used its share stands still until the next tenth of a second begins. With very little CPU it answers no "
    "probe within its timeout while it starts.",
    fix="raise resources.limits.cpu to 50m or more",
    example="resources: {limits: {cpu: 500m}}",
)
def cpu_is_enough(subject: Subject) -> Iterator[Gap]:
    for path, called, container in parts(subject.svc.spec):
        if amount(resources(container.resources)["limits"]["cpu"]) < _LITTLE_CPU:
            yield Gap(f"{path}.resources.limits.cpu", f"the CPU limit{called} is below 50m")


@check(
    "HS024",
    "warn",
    "Scratch space fits into the limit of the pod.",
    cause="An emptyDir counts as ephemeral storage, or as memory with medium Memory. A pod that fills it as far as sizeLimit allows is "
    "evicted or killed before.",
    fix="lower emptyDir.sizeLimit, or raise resources.limits for what it counts as",
    example="volumes: [{name: cache, mountPath: /cache, emptyDir: {sizeLimit: 2Gi}}]\nresources: {limits: {ephemeral-storage: 3Gi}}",
)
def scratch_fits(subject: Subject) -> Iterator[Gap]:
    spec = subject.svc.spec
    for index, volume in enumerate(spec.volumes or ()):
        space = volume.empty_dir
        kind = "memory" if space and space.medium == "Memory" else "ephemeral-storage"
        most = sum(amount(resources(part.container.resources)["limits"][kind]) for part in parts(spec) if "initContainers" not in part.path)
        if space and space.size_limit and amount(space.size_limit) > most:
            yield Gap(f"spec.volumes[{index}].emptyDir.sizeLimit", f"volume {volume.name} may be larger than the pod's limit of {kind}")


def _asked(svc: HardenedService, probe: Probe) -> tuple[Any, ...]:
    """What a probe asks, whatever its times are."""
    ports = {port.name: port.container_port for port in svc.spec.ports or ()}
    main = next(iter(ports.values()), None)

    def number(port: int | str | None) -> int | None:
        return port if isinstance(port, int) else ports.get(port, main) if port else main

    if probe.http_get:
        return "http", probe.http_get.path, number(probe.http_get.port)
    if probe.tcp_socket:
        return "tcp", number(probe.tcp_socket.port)
    if probe.grpc:
        return "grpc", probe.grpc.port, probe.grpc.service
    return "exec", tuple(probe.exec.command if probe.exec else ())


def _helper_images(svc: HardenedService) -> Iterator[tuple[str, str, str]]:
    for path, called, container in list(parts(svc.spec))[1:]:
        yield f"{path}.image", called, container.image
    verify = svc.spec.verify
    before = (("beforeCutover", index, each) for index, each in enumerate(verify.before_cutover or ()))
    after = (("afterCutover.checks", index, each) for index, each in enumerate(verify.after_cutover.checks or ()))
    for where, index, each in chain(before, after):
        if each.job and each.job.image:
            yield f"spec.verify.{where}[{index}].job.image", f" of check {each.name}", each.job.image


PODS: tuple[HardeningCheck, ...] = (
    probes_differ,
    start_is_waited_for,
    probes_begin_in_time,
    traffic_leaves_first,
    slow_starts_have_a_probe,
    probed_ports_are_declared,
    traffic_is_drained,
    requests_can_end,
    helper_images_are_immutable,
    registries_are_named,
    helpers_are_measured,
    memory_is_reserved,
    cpu_is_enough,
    scratch_fits,
)
