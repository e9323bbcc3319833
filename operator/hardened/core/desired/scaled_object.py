"""The ScaledObject of a service, a kind of KEDA's: of it KEDA makes a HorizontalPodAutoscaler, and answers what Prometheus knows.

Checked against KEDA 2.21. Its webhook refuses a ScaledObject beside a HorizontalPodAutoscaler of the same target that is not its own.
"""

from hardened.api import names
from hardened.api.autoscale import Autoscale, PrometheusMetric
from hardened.api.parse import HardenedService
from hardened.core.desired.container import APP, as_manifest
from hardened.core.desired.metadata import metadata
from hardened.core.model.manifest import Manifest

KIND = "ScaledObject"
API_VERSION = "keda.sh/v1alpha1"
#: KEDA takes its HorizontalPodAutoscaler away while this is there, and makes it anew afterwards.
PAUSED_ANNOTATION = "autoscaling.keda.sh/paused"
#: So many answers in a row have to be missing before the size is kept by what it is: until then none follows from the others alone.
_FAILURES = 3


def hpa_name(svc: HardenedService) -> str:
    """The name of the HorizontalPodAutoscaler that KEDA makes. At most 49 characters."""
    return f"keda-hpa-{svc.name}"


def scaled_object(svc: HardenedService, server: str) -> Manifest | None:
    """It scales the service itself, by /scale, as the HorizontalPodAutoscaler would; None for a service without `prometheus`.

    server: the address of Prometheus, which KEDA asks. Of a suspended service it is paused; and so it is at 0 replicas, which somebody
    asked for: KEDA would bring them back to the least.
    """
    given = svc.spec.autoscale
    if given is None or not given.prometheus:
        return None
    config: Manifest = {"name": hpa_name(svc)}
    if given.behavior:
        config["behavior"] = as_manifest(given.behavior)
    spec: Manifest = {
        "scaleTargetRef": {"apiVersion": names.API_VERSION, "kind": names.KIND, "name": svc.name},
        "minReplicaCount": given.min_replicas,
        "maxReplicaCount": given.max_replicas,
        "fallback": {"failureThreshold": _FAILURES, "replicas": given.min_replicas, "behavior": "currentReplicasIfHigher"},
        "advanced": {"horizontalPodAutoscalerConfig": config},
        "triggers": [*_resources(given), *(_number(svc, each, server) for each in given.prometheus)],
    }
    found = _manifest(svc, spec)
    return paused(found) if svc.spec.suspend or svc.spec.replicas == 0 else found


def paused_as_it_is(svc: HardenedService, live: Manifest) -> Manifest | None:
    """The ScaledObject that is there, with nothing changed but that it is paused; None where it is so already."""
    return None if is_paused(live) else paused(_manifest(svc, live["spec"]))


def paused(manifest: Manifest) -> Manifest:
    """A ScaledObject that leaves the size as it is, whatever is measured; the same once it is so."""
    meta = manifest["metadata"]
    return {**manifest, "metadata": {**meta, "annotations": {**(meta.get("annotations") or {}), PAUSED_ANNOTATION: "true"}}}


def is_paused(live: Manifest) -> bool:
    """Whether somebody has paused it."""
    return (live["metadata"].get("annotations") or {}).get(PAUSED_ANNOTATION) == "true"


def _manifest(svc: HardenedService, spec: Manifest) -> Manifest:
    return {"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata(svc, svc.name, "app"), "spec": spec}


def _resources(given: Autoscale) -> list[Manifest]:
    """Of the application's own container: a sidecar neither dilutes nor breaks them."""
    return [
        {"type": resource, "metricType": "Utilization", "metadata": {"value": str(percent), "containerName": APP}}
        for resource, percent in (("cpu", given.cpu), ("memory", given.memory))
        if percent is not None
    ]


def _number(svc: HardenedService, given: PrometheusMetric, server: str) -> Manifest:
    query = given.query.replace("$(service)", svc.name).replace("$(namespace)", svc.namespace)
    # KEDA takes an empty answer for 0 unless it is told otherwise, and would remove pods for want of data.
    what = {"serverAddress": server, "query": query, "threshold": _plain(given.target), "ignoreNullValues": "false"}
    return {"type": "prometheus", "metricType": "AverageValue", "metadata": what}


def _plain(target: float) -> str:
    """In thousandths, as KEDA counts. Examples: 100.0 -> "100", 0.25 -> "0.25"."""
    return f"{target:.3f}".rstrip("0").rstrip(".")
