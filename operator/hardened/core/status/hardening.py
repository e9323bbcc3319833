"""The hardening checks: what a team has left open, one named check each."""

from collections.abc import Callable
from typing import Any

from hardened.api.parse import HardenedService

#: A check gives the gap and its remedy as one clause, or None where there is none.
HardeningCheck = Callable[[HardenedService], str | None]


def probe_is_own(svc: HardenedService) -> str | None:
    """A TCP connection says that a process listens, not that it can answer."""
    if not svc.spec.ports or (svc.spec.probes and svc.spec.probes.readiness):
        return None
    if svc.spec.ports[0].protocol == "TCP":
        return "no readiness probe (a TCP check is used instead: set probes.readiness)"
    return "no readiness probe (set probes.readiness)"


def is_watched_for_hangs(svc: HardenedService) -> str | None:
    """Without a liveness probe a process that hangs is never restarted."""
    return None if svc.spec.probes and svc.spec.probes.liveness else "no liveness probe (set probes.liveness)"


def image_is_immutable(svc: HardenedService) -> str | None:
    """A tag can be moved to other bytes."""
    return None if "@sha256:" in svc.spec.image else "image by tag (use its digest)"


def secrets_are_files(svc: HardenedService) -> str | None:
    """A variable is seen by every child process and in many crash reports."""
    containers: list[Any] = [svc.spec, *(svc.spec.init_containers or ()), *(svc.spec.sidecars or ())]
    for container in containers:
        if any(v.value_from and v.value_from.secret_key_ref for v in container.env or ()):
            return "a secret in an environment variable (mount it with volumes)"
        if any(source.secret_ref for source in container.env_from or ()):
            return "a secret in environment variables (mount it with volumes)"
    return None


def profile_is_restricted(svc: HardenedService) -> str | None:
    """The strictest of the pod security standards."""
    return None if svc.spec.security.profile == "restricted" else "security.profile is baseline (use restricted)"


def survives_a_node(svc: HardenedService) -> str | None:
    """One replica is none while its node is drained."""
    if svc.spec.autoscale:
        return "one replica at times (set autoscale.minReplicas to 2 or more)" if svc.spec.autoscale.min_replicas == 1 else None
    return "one replica (set replicas to 2 or more)" if svc.spec.replicas == 1 else None


def resources_are_chosen(svc: HardenedService) -> str | None:
    """The defaults bound a pod, but nobody measured them for this application."""
    given = svc.spec.resources
    return None if given and given.limits and "memory" in given.limits else "default resources (set resources.limits.memory)"


def scales_by_what_was_measured(svc: HardenedService) -> str | None:
    """A utilization is a share of a request: of a default that nobody measured it says little."""
    scale, given = svc.spec.autoscale, (svc.spec.resources and svc.spec.resources.requests) or {}
    wanted = [name for name in ("cpu", "memory") if scale and getattr(scale, name) is not None and name not in given]
    if not wanted:
        return None
    paths = " and ".join(f"resources.requests.{name}" for name in wanted)
    return f"autoscale counts {' and '.join(wanted)} against a default request (set {paths})"


def size_is_the_autoscalers(svc: HardenedService) -> str | None:
    """Two who set one field undo each other's work: each sync of Git would scale to its number, and the autoscaler back."""
    if svc.spec.autoscale is None or not svc.size_manager:
        return None
    return f"replicas is set by {svc.size_manager} beside autoscale, which changes it (leave replicas out)"


CHECKS: tuple[HardeningCheck, ...] = (
    probe_is_own,
    is_watched_for_hangs,
    image_is_immutable,
    secrets_are_files,
    profile_is_restricted,
    survives_a_node,
    resources_are_chosen,
    scales_by_what_was_measured,
    size_is_the_autoscalers,
)


def gaps(svc: HardenedService) -> list[str]:
    """Everything that is left open, in the order of the checks."""
    return [gap for check in CHECKS if (gap := check(svc))]
