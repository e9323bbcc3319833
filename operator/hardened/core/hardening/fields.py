"""What several checks ask of a service."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from hardened.api.container import Probe
from hardened.api.names import DEFAULT_REPLICAS
from hardened.api.parse import HardenedService
from hardened.api.service import HardenedServiceSpec

_PERIOD, _THRESHOLD = 10, 3


class Part(NamedTuple):
    """One container of a service."""

    path: str
    """Its field."""
    called: str
    """For sentences: `` for the application, ` of sidecar proxy` for another one."""
    container: Any
    """The spec itself, or a HelperContainer."""


def parts(spec: HardenedServiceSpec) -> Iterator[Part]:
    """All containers, the application first."""
    yield Part("spec", "", spec)
    for kind, path, helpers in (("init container", "initContainers", spec.init_containers), ("sidecar", "sidecars", spec.sidecars)):
        for index, helper in enumerate(helpers or ()):
            yield Part(f"spec.{path}[{index}]", f" of {kind} {helper.name}", helper)


def least_pods(svc: HardenedService) -> int:
    """The least size that the spec asks for."""
    if svc.spec.autoscale:
        return svc.spec.autoscale.min_replicas
    return DEFAULT_REPLICAS if svc.spec.replicas is None else svc.spec.replicas


def most_pods(svc: HardenedService) -> int:
    """The largest size that the spec asks for."""
    return svc.spec.autoscale.max_replicas if svc.spec.autoscale else least_pods(svc)


def begins_after(probe: Probe | None) -> int:
    """Seconds until a probe is first asked."""
    return (probe and probe.initial_delay_seconds) or 0


def gives_up_after(probe: Probe | None) -> int:
    """Seconds from the first failure of a probe to what follows from it; 0 where there is none."""
    return (probe.period_seconds or _PERIOD) * (probe.failure_threshold or _THRESHOLD) if probe else 0


def probes(svc: HardenedService) -> dict[str, Probe]:
    """Those that the spec has, by their JSON names."""
    given = svc.spec.probes
    found = {"readiness": given.readiness, "liveness": given.liveness, "startup": given.startup} if given else {}
    return {name: probe for name, probe in found.items() if probe}
