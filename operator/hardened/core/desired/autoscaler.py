"""The HorizontalPodAutoscaler of a service, of a kind that may be deleted: without `autoscale` there is none, and the size stays."""

from collections.abc import Mapping
from typing import Any

from hardened.api import names
from hardened.api.autoscale import Autoscale
from hardened.api.parse import HardenedService
from hardened.core.desired.container import APP, as_manifest
from hardened.core.desired.metadata import metadata
from hardened.core.model.manifest import Manifest

KIND = "HorizontalPodAutoscaler"


def autoscaler(svc: HardenedService) -> Manifest | None:
    """It scales the service itself, by /scale, whose selector is that of the stack that serves: it never notices a cutover.

    Of a suspended service it is frozen. None also for a service that is scaled by what Prometheus knows alone, see scaled_object: without a
    metric the server would fill in one of its own.
    """
    given = svc.spec.autoscale
    if given is None or not (given.cpu or given.memory):
        return None
    spec: Manifest = {
        "scaleTargetRef": {"apiVersion": names.API_VERSION, "kind": names.KIND, "name": svc.name},
        "minReplicas": given.min_replicas,
        "maxReplicas": given.max_replicas,
        "metrics": _metrics(given),
    }
    if given.behavior:
        spec["behavior"] = as_manifest(given.behavior)
    return _manifest(svc, frozen(spec, svc.spec.replicas) if svc.spec.suspend else spec)


def frozen_as_it_is(svc: HardenedService, live: Manifest) -> Manifest | None:
    """The autoscaler that is there, with nothing changed but that it is frozen; None where it is so already."""
    after = frozen(live["spec"], svc.spec.replicas)
    return None if after == live["spec"] else _manifest(svc, after)


def frozen(spec: Mapping[str, Any], size: int | None) -> Manifest:
    """The spec of an autoscaler that leaves the size as it is, whatever is measured; the same once it is so.

    size: spec.replicas, None where there is none. An autoscaler brings a size back that is out of its bounds whatever its behaviour says,
    so they give way to the size. At 0 it does not scale anyway.
    """
    behavior = spec.get("behavior") or {}
    stopped = {way: {**(behavior.get(way) or {}), "selectPolicy": "Disabled"} for way in ("scaleUp", "scaleDown")}
    here = size or spec["minReplicas"]
    bounds = {"minReplicas": min(spec["minReplicas"], here), "maxReplicas": max(spec["maxReplicas"], here)}
    return {**spec, **bounds, "behavior": {**behavior, **stopped}}


def _manifest(svc: HardenedService, spec: Manifest) -> Manifest:
    return {"apiVersion": "autoscaling/v2", "kind": KIND, "metadata": metadata(svc, svc.name, "app"), "spec": spec}


def _metrics(given: Autoscale) -> list[Manifest]:
    """Of the application's own container: a sidecar neither dilutes nor breaks them."""
    targets = {"cpu": given.cpu, "memory": given.memory}
    return [
        {
            "type": "ContainerResource",
            "containerResource": {
                "name": resource,
                "container": APP,
                "target": {"type": "Utilization", "averageUtilization": percent},
            },
        }
        for resource, percent in targets.items()
        if percent is not None
    ]
