"""What the API server never changes of an object: whether a Service is headless, what is in an immutable ConfigMap, most of a claim."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hardened.api import names
from hardened.api.parse import HardenedService


def is_headless(live: Mapping[str, Any]) -> bool:
    """Whether a live Service has no address of its own."""
    return str(live["spec"].get("clusterIP", "")) == "None"


def loses_nothing(wanted: Mapping[str, Any], live: Mapping[str, Any], nobody: Mapping[str, str]) -> bool:
    """Whether a child is there that never becomes what is wanted, and may be made anew: nothing that anybody uses goes with it.

    nobody: the selector of a Service that leads nowhere; a preview has no clients wherever it leads. Files are named by what is in them,
    so that other ones are somebody else's doing.
    """
    if wanted["kind"] == "ConfigMap":
        return bool(live.get("immutable") and (live.get("data") or {}) != wanted["data"])
    if wanted["kind"] != "Service" or is_headless(live) == is_headless(wanted):
        return False
    return bool(live["spec"].get("selector") == nobody or wanted["metadata"]["labels"][names.COMPONENT_LABEL] == "preview")


def is_otherwise(svc: HardenedService, live: Mapping[str, Any] | None) -> bool:
    """Whether a Service is there that cannot become what the spec says."""
    return live is not None and is_headless(live) != (svc.spec.service.type == "Headless")


def as_it_can_be(svc: HardenedService, live: Mapping[str, Any] | None) -> HardenedService:
    """The service with a type of Service that can be written, and a strategy that works with it. live: the Service, None where none is.

    From an address to headless every write of the Service would be refused, and with it each switch back; the other way round the server
    takes the write, and leaves it headless: what is switched then reaches no client that knows its pods already.
    """
    if live is None or not is_otherwise(svc, live):
        return svc
    strategy = svc.spec.effective_strategy
    if is_headless(live) and strategy == "BlueGreen":
        strategy = "RollingUpdate"
    service = svc.spec.service.model_copy(update={"type": "Headless" if is_headless(live) else "ClusterIP"})
    release = svc.spec.release.model_copy(update={"strategy": strategy})
    return replace(svc, spec=svc.spec.model_copy(update={"service": service, "release": release}))
